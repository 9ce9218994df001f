//! The settings of every module, checked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::Transfers;
use super::basics::{Drain, Pop, RouteDriver};
use crate::control as admin;
use crate::telemetry::LogSettings;
use crate::{
    admission, answer, dnstap, fleet as pops, health, otlp as export, policy, publish, route as routes,
    rssac002 as statistics, serve as serving, web as pages,
};

/// Every module's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Tells one text of the file from another: the first octets of its SHA-256, in hexadecimal.
    pub digest: String,
    /// Who this is.
    pub pop: Pop,
    /// Logs.
    pub log: LogSettings,
    /// Sockets.
    pub serve: serving::Settings,
    /// Whether anyns puts missing service addresses on loopback itself.
    pub install_addresses: bool,
    /// What all answers have in common.
    pub answer: answer::Settings,
    /// The rate limiter.
    pub rate_limit: admission::Settings,
    /// Sources of zones.
    pub publish: Arc<publish::Settings>,
    /// Zones from primaries and to secondaries.
    pub transfers: Transfers,
    /// Zones without which nothing is announced at the start.
    pub required: Vec<crate::wire::Name>,
    /// The probes.
    pub health: health::Settings,
    /// How fast a route comes back.
    pub policy: policy::Settings,
    /// How long an announcement stands without the deciding task renewing it.
    pub lease: Duration,
    /// The announced prefixes.
    pub services: Vec<routes::Service>,
    /// The service addresses in each prefix, in the order of `services`.
    pub service_addresses: Vec<(IpNet, Vec<IpAddr>)>,
    /// Who makes the routes.
    pub route: RouteDriver,
    /// How a drain and a planned stop go.
    pub drain: Drain,
    /// The admin socket.
    pub control: admin::Settings,
    /// The files of secrets, each with the key that names it.
    pub secret_files: Vec<(&'static str, PathBuf)>,
    /// The page and the API; `None`: off.
    pub web: Option<pages::Settings>,
    /// Every POP.
    pub fleet: pops::Settings,
    /// dnstap, the query log and catchments, if one of them is asked for.
    pub samples: Option<dnstap::Settings>,
    /// Daily statistics, if they are asked for.
    pub rssac002: Option<statistics::Settings>,
    /// Logs and traces to an OpenTelemetry receiver, if there is one.
    pub otlp: Option<export::Settings>,
}
