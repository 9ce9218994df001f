//! From the file's sections to the modules' settings, one file per group of sections.

mod canary;
mod catalog;
mod checks;
mod connections;
mod control;
mod fleet;
mod otlp;
mod rate_limit;
mod route;
mod rssac002;
mod samples;
mod serve;
mod tls;
mod transfer;
mod update;
mod web;
mod zones;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use crate::control as admin;
use crate::telemetry::{LogFormat, LogSettings, check_level};
use crate::transfer::settings::PeerSpec;
use crate::{
    admission, answer, dnstap, fleet as pops, health, otlp as export, policy, publish, route as routes,
    rssac002 as statistics, serve as serving, web as pages,
};

use super::check;
use super::fault::Faults;
use super::spec::{LogFormatSpec, RouteDriverSpec, Spec};
use super::values::Period;

pub use canary::CanaryGroup;
pub use catalog::{Catalogs, FollowedCatalog, ProducedCatalog};
pub(super) use control::usual_socket;
pub(super) use fleet::fold_fleet;
pub use transfer::Transfers;

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
    pub publish: publish::Settings,
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

/// Who this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop {
    /// The POP's name, in every log line.
    pub name: String,
    /// This instance's name, told by NSID.
    pub instance: String,
    /// The POP's own unicast addresses: the source of every outbound socket.
    pub management_addresses: Vec<IpAddr>,
}

/// Who makes the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteDriver {
    /// No driver: the log and the status say what would be announced, by these settings, if there are any.
    DryRun(Option<Box<routes::BgpSettings>>),
    /// The embedded BGP speaker.
    Bgp(Box<routes::BgpSettings>),
}

/// How a drain and a planned stop go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long routes are announced less preferably before they are withdrawn: the time the neighbors' best paths
    /// take to move.
    pub deprefer: Duration,
    /// At a planned stop: no query for this long means that the traffic has moved.
    pub quiet: Duration,
    /// At a planned stop: the longest wait for that quiet.
    pub limit: Duration,
}

impl Drain {
    /// Five seconds: BGP converges in the neighborhood within one or two.
    pub const DEFAULT_DEPREFER: Duration = Duration::from_secs(5);
    /// The longest of each: who waits longer drains by order.
    pub const LONGEST: Duration = Duration::from_secs(86_400);
    /// One second.
    pub const DEFAULT_QUIET: Duration = Duration::from_secs(1);
    /// Half a minute: stragglers follow a stale path; a stop must end.
    pub const DEFAULT_LIMIT: Duration = Duration::from_secs(30);
}

impl Default for Drain {
    fn default() -> Self {
        Self { deprefer: Self::DEFAULT_DEPREFER, quiet: Self::DEFAULT_QUIET, limit: Self::DEFAULT_LIMIT }
    }
}

/// Folds every section; `None` where some setting cannot be made, each such fault noted in `faults`.
pub(super) fn fold(spec: &Spec, faults: &mut Faults<'_>) -> Option<Config> {
    let pop = fold_pop(spec, faults);
    let service_addresses = spec.service.iter().map(|service| {
        let addresses = service.addresses.as_ref().iter().map(|address| *address.as_ref()).collect();
        (*service.prefix.as_ref(), addresses)
    });
    let service_addresses: Vec<(IpNet, Vec<IpAddr>)> = service_addresses.collect();
    check::addresses(spec, faults);

    let serve = serve::fold_serve(spec, &pop, &service_addresses, faults);
    let rate_limit = rate_limit::fold_rate_limit(spec, &pop, faults);
    catalog::check_catalogs(spec, faults);
    let (publish, required) = zones::fold_zones(spec, faults);
    let fleet = fold_fleet(&spec.fleet, &pop.management_addresses, faults);
    let transfers = transfer::fold_transfers(spec, &pop, &fleet, faults);
    let health = serve::fold_health(spec, &pop, &service_addresses, &required, faults);
    let policy = route::fold_policy(spec, faults);
    let services = route::fold_services(spec, faults);
    let route = route::fold_route(spec, &pop, &services, faults);
    let answer = serve::fold_answer(spec, &pop, faults);
    let log = fold_log(spec, &pop, faults);
    let control = control::fold_control(spec, faults);
    let web = web::fold_web(spec, &service_addresses, faults);
    let drain = fold_drain(spec, faults);
    let samples = samples::fold_samples(spec, &pop, &service_addresses, faults);
    let rssac002 = rssac002::fold_rssac002(spec, &pop, faults);
    let otlp = otlp::fold_otlp(spec, &pop, faults);
    let lease = route::fold_lease(spec, faults);
    // Every section was looked at: only now may one be missing.
    Some(Config {
        digest: String::new(),
        log,
        answer,
        install_addresses: spec.serve.install_addresses,
        drain,
        control,
        web,
        fleet,
        samples,
        rssac002,
        otlp,
        pop,
        serve,
        rate_limit,
        publish,
        transfers,
        required,
        health,
        policy,
        lease,
        services: services?,
        service_addresses,
        route: route?,
    })
}

fn fold_pop(spec: &Spec, faults: &mut Faults<'_>) -> Pop {
    let name = spec.pop.name.as_ref().clone();
    check::label(&spec.pop.name, "pop.name", faults);
    let instance = spec.pop.instance.as_ref().map_or_else(
        || name.clone(),
        |instance| {
            check::label(instance, "pop.instance", faults);
            instance.as_ref().clone()
        },
    );
    let management = spec.pop.management_addresses.as_ref();
    Pop { name, instance, management_addresses: management.iter().map(|address| *address.as_ref()).collect() }
}

fn fold_log(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> LogSettings {
    let format = match spec.log.format {
        LogFormatSpec::Text => LogFormat::Text,
        LogFormatSpec::Json => LogFormat::Json,
    };
    let level = spec.log.level.as_ref().map_or("info", |level| level.as_ref());
    if let Err(error) = check_level(level) {
        faults.error(super::spec::span_of(&spec.log.level), "log.level", error.to_string());
    }
    LogSettings { format, level: level.to_owned(), pop: pop.name.clone(), instance: pop.instance.clone() }
}

fn fold_drain(spec: &Spec, faults: &mut Faults<'_>) -> Drain {
    let all = [
        ("drain.deprefer", &spec.drain.deprefer),
        ("drain.quiet", &spec.drain.quiet),
        ("drain.limit", &spec.drain.limit),
    ];
    for (key, period) in all {
        let Some(period) = period.as_ref().filter(|period| period.as_ref().0 > Drain::LONGEST) else {
            continue;
        };
        let text = humantime::format_duration(period.as_ref().0);
        faults.error(Some(period.span()), key, format!("{text}; at most 1day"));
    }
    // A dry run has no route to wait for: an interactive stop is immediate.
    let waits = spec.route.driver == RouteDriverSpec::Bgp;
    let or = |value: &Option<Spanned<Period>>, default: Duration| {
        period_or(value, if waits { default } else { Duration::ZERO })
    };
    Drain {
        deprefer: or(&spec.drain.deprefer, Drain::DEFAULT_DEPREFER),
        quiet: or(&spec.drain.quiet, Drain::DEFAULT_QUIET),
        limit: or(&spec.drain.limit, Drain::DEFAULT_LIMIT),
    }
}

/// The value, or the default where the key is missing.
fn or_default<T: Clone>(value: &Option<Spanned<T>>, default: T) -> T {
    value.as_ref().map_or(default, |value| value.as_ref().clone())
}

/// The duration, or the default where the key is missing.
fn period_or(value: &Option<Spanned<Period>>, default: Duration) -> Duration {
    value.as_ref().map_or(default, |value| value.as_ref().0)
}

/// A path of the file, relative to the file.
fn path_in(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path)
}

/// The same of a path that may be missing.
fn below(folder: &Path, path: &mut Option<PathBuf>) {
    if let Some(path) = path {
        *path = path_in(folder, path);
    }
}

/// A server with the paths of its TLS relative to the file.
fn peer_below(folder: &Path, peer: &PeerSpec) -> PeerSpec {
    let mut peer = peer.clone();
    if let Some(tls) = &mut peer.tls {
        below(folder, &mut tls.ca_file);
        below(folder, &mut tls.certificate);
        below(folder, &mut tls.key);
    }
    peer
}
