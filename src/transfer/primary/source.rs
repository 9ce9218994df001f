//! Where the zones come from that are sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::publish::Difference;
use crate::wire::{Name, RecordType, Serial, soa};
use crate::zone::Zone;

/// Why a secondary gets no version of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoVersion {
    /// No zone with this name is served, and none is configured.
    NotServed,
    /// A zone at the name or above it is configured, and not served now: no other one speaks for the name.
    Absent,
    /// It is served, but the version that this secondary may have is not there.
    Withheld,
}

/// Gives what is served and how it came to be. Called for each request, so it must not block.
pub trait Source: Send + Sync + 'static {
    /// The version of a zone that is served.
    fn zone(&self, name: &Name) -> Option<Arc<Zone>>;

    /// The version of a zone that the secondary with this address may have: what is served, unless others have it first.
    fn version_for(&self, name: &Name, client: IpAddr) -> Result<Arc<Zone>, NoVersion> {
        let _ = client;
        self.zone(name).ok_or(NoVersion::NotServed)
    }

    /// How long the version that is served may be served on: SOA EXPIRE where the zone has its origin here, otherwise what is left until it
    /// expires here (RFC 7314 section 4). `None`: not known yet.
    fn time_left(&self, zone: &Zone) -> Option<Duration> {
        Some(soa_expire(zone))
    }

    /// The differences that lead from one version to another, in their order; `None` if the history does not reach back to it, or
    /// does not lead there.
    fn differences(&self, name: &Name, from: Serial, to: Serial) -> Option<Vec<Arc<Difference>>>;
}

/// EXPIRE of the SOA record of a zone.
pub fn soa_expire(zone: &Zone) -> Duration {
    let set = zone.apex().set(RecordType::SOA);
    let rdata = set.as_ref().and_then(|set| set.rdata().next());
    Duration::from_secs(rdata.and_then(soa::expire).unwrap_or(0).into())
}
