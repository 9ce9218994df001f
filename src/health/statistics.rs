//! What the probes of one address over one transport have seen, for `status`.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::wire::Name;

/// Over what a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// What the probes of one address over one transport have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The service address.
    pub address: IpAddr,
    /// The transport.
    pub transport: ProbeTransport,
    /// `untested`, `up`, `pressure`, `wrong` or `silent`.
    pub standing: &'static str,
    /// Since when.
    pub since: Instant,
    /// Rounds that went well.
    pub good: u64,
    /// Rounds with a wrong answer.
    pub wrong: u64,
    /// Rounds without an answer.
    pub lost: u64,
    /// How long the last answer took.
    pub round_trip: Option<Duration>,
    /// What was wrong or missing in the last round that was not good; kept when all is well again.
    pub reason: Option<String>,
    /// When that round was.
    pub reason_at: Option<Instant>,
    /// The figures by which the last loss was taken for overload or not; kept when all is well again.
    pub evidence: Option<String>,
    /// The last fault of one zone that did not count against the address.
    pub zone_fault: Option<ZoneFault>,
}

/// One zone that was answered wrongly while others were answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFault {
    /// The zone.
    pub zone: Name,
    /// What was wrong.
    pub reason: String,
    /// When.
    pub at: Instant,
}

impl Statistics {
    pub(super) fn new(address: IpAddr, transport: ProbeTransport, now: Instant) -> Self {
        let standing = "untested";
        let (good, wrong, lost) = (0, 0, 0);
        let (round_trip, reason, reason_at, evidence, zone_fault) = (None, None, None, None, None);
        Self {
            address,
            transport,
            standing,
            since: now,
            good,
            wrong,
            lost,
            round_trip,
            reason,
            reason_at,
            evidence,
            zone_fault,
        }
    }
}

impl fmt::Display for ProbeTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}
