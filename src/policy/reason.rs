//! Why a prefix is announced as it is, in words.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::facts::{Family, NoRouteBack};

/// Why a prefix is not simply announced, or what weighs on it although it is.
///
/// A reason that lasts stays equal to itself: it holds the moment at which it began or ends, not an age. [`Reason::text`] tells
/// ages; `Display` leaves them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Zones are still being loaded.
    Loading,
    /// Not one zone is served.
    NoZone,
    /// At this start not every zone of the catalogs has come or failed yet.
    CatalogsAwaited,
    /// A required zone is not served.
    RequiredZoneMissing(String),
    /// A listening socket is gone.
    SocketLost(String),
    /// A service address is not on the host.
    AddressLost(IpAddr),
    /// The heartbeats of some workers are stale.
    WorkersStale {
        /// How many workers.
        count: usize,
        /// When the oldest of their heartbeats came.
        since: Instant,
    },
    /// A fact that says whether this POP answers was not checked for too long.
    FactStale {
        /// Its source.
        name: String,
        /// When it was last checked.
        since: Instant,
    },
    /// Answers of an address family cannot leave this host.
    NoRouteBack(NoRouteBack),
    /// A socket of another process takes part of the queries.
    AddressShared(String),
    /// A service address has not passed its first probes.
    Untested(IpAddr),
    /// A service address answers wrongly.
    Wrong(IpAddr, String),
    /// A service address does not answer.
    Silent(IpAddr, String),
    /// A service address answers over one of UDP and TCP only.
    OneTransportDead(IpAddr, String),
    /// Probes of a service address are lost to overload. Never withdraws; nothing is newly announced under it.
    Pressure(IpAddr),
    /// The hold before an announcement is over at this time, if the facts stay good.
    Hold(Instant),
    /// The operator ordered it.
    Operator(String),
}

impl Reason {
    /// The reason in words, with its age, or the time that it lasts from `now` on.
    #[must_use]
    pub fn text(&self, now: Instant) -> String {
        match self {
            Self::WorkersStale { since, .. } => format!("{self} for {}", age(*since, now)),
            Self::FactStale { since, .. } => format!("{self} for {}", age(*since, now)),
            Self::Hold(end) => {
                let left = end.saturating_duration_since(now);
                let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                format!("{self} for {seconds} s more")
            }
            _ => self.to_string(),
        }
    }
}

/// Seconds since a moment, with one decimal.
fn age(since: Instant, now: Instant) -> String {
    let age: Duration = now.saturating_duration_since(since);
    format!("{:.1} s", age.as_secs_f64())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loading => f.write_str("zones are being loaded"),
            Self::NoZone => f.write_str("not one zone is served"),
            Self::CatalogsAwaited => f.write_str(
                "catalogs and their zones are on their way from their primaries, or not known yet",
            ),
            Self::RequiredZoneMissing(zone) => write!(f, "the required zone {zone} is not served"),
            Self::SocketLost(socket) => write!(f, "the socket {socket}"),
            Self::AddressLost(address) => write!(f, "the service address {address} is not on the host"),
            Self::WorkersStale { count: 1, .. } => f.write_str("1 worker has sent no heartbeat"),
            Self::WorkersStale { count, .. } => write!(f, "{count} workers have sent no heartbeat"),
            Self::FactStale { name, .. } => write!(f, "{name}: not checked"),
            Self::NoRouteBack(NoRouteBack { family, references }) => {
                let references: Vec<String> = references.iter().map(IpAddr::to_string).collect();
                let references = references.join(", ");
                write!(
                    f,
                    "nearly all {family} answers fail for want of a route, and none leads to {references}"
                )
            }
            Self::AddressShared(socket) => {
                write!(f, "a socket of another process takes part of the queries: {socket}")
            }
            Self::Untested(address) => write!(f, "{address} has not passed its probes yet"),
            Self::Wrong(address, reason) => write!(f, "{address} answers wrongly: {reason}"),
            Self::Silent(address, reason) => write!(f, "{address} does not answer: {reason}"),
            Self::OneTransportDead(address, reason) => {
                write!(f, "{address} does not answer over one transport: {reason}")
            }
            Self::Pressure(address) => write!(f, "probes of {address} are lost to overload"),
            Self::Hold(_) => f.write_str("on hold before the announcement"),
            Self::Operator(reason) => write!(f, "ordered: {reason}"),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_ends_are_told_as_of_now() {
        let start = Instant::now();
        let now = start + Duration::from_millis(1240);
        let name = "the probes".to_owned();
        for (reason, brief, text) in [
            (
                Reason::WorkersStale { count: 2, since: start },
                "2 workers have sent no heartbeat",
                "2 workers have sent no heartbeat for 1.2 s",
            ),
            (
                Reason::WorkersStale { count: 1, since: start },
                "1 worker has sent no heartbeat",
                "1 worker has sent no heartbeat for 1.2 s",
            ),
            (
                Reason::FactStale { name, since: start },
                "the probes: not checked",
                "the probes: not checked for 1.2 s",
            ),
            (
                Reason::Hold(now + Duration::from_millis(3200)),
                "on hold before the announcement",
                "on hold before the announcement for 4 s more",
            ),
            (
                Reason::Hold(start),
                "on hold before the announcement",
                "on hold before the announcement for 0 s more",
            ),
            (Reason::NoZone, "not one zone is served", "not one zone is served"),
        ] {
            assert_eq!((reason.to_string().as_str(), reason.text(now).as_str()), (brief, text));
        }
    }
}
