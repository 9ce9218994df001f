//! Settings that more than one section is folded with: who this is, who makes the routes, how a stop goes.

use std::net::IpAddr;
use std::time::Duration;

use crate::route as routes;

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
