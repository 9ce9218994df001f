//! What the publisher says about itself: facts for health and policy, and for the operator.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::wire::{Name, Serial};

use crate::publish::fault::{Fault, SourceFault};
use crate::publish::verify::Signatures;

/// How a zone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// Not read yet; only while the first load goes on.
    Waiting,
    /// The newest version is in service.
    Serving,
    /// An older version is in service; [`ZoneReport::faults`] says why.
    Kept,
    /// Nothing is in service; [`ZoneReport::faults`] says why.
    Refused,
}

/// One zone.
#[derive(Clone, Debug)]
pub struct ZoneReport {
    /// How it stands.
    pub state: ZoneState,
    /// When it began to stand so; a new version that is served like the one before begins nothing.
    pub since: SystemTime,
    /// The serial that is served.
    pub serial: Option<Serial>,
    /// How many records are served.
    pub records: usize,
    /// The file of the version that is served, or the one that should be.
    pub source: Arc<Path>,
    /// When the version that is served was accepted.
    pub accepted_at: Option<SystemTime>,
    /// Whether the version that is served survives a restart without its source: it is in the state directory. That
    /// comes soon after it is served; see [`Report::unkept`].
    pub durable: bool,
    /// The serial of a version that was refused and that [`accept`](crate::publish::PublisherHandle::accept) would let pass.
    pub refused_serial: Option<Serial>,
    /// The signatures of the version that is served, if it is signed and was looked at.
    pub signatures: Option<Signatures>,
    /// What is wrong, each one line of bounded length, four at most; empty while all is well.
    pub faults: Vec<Fault>,
}

/// Whether changes are heard at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WatchState {
    /// Yes.
    #[default]
    Ok,
    /// Not all of them: the rest is found at the next regular look.
    Degraded {
        /// Why.
        reason: String,
    },
}

/// How far a look at all zones is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Zones that were looked at, whatever came of it.
    pub zones: usize,
    /// All zones that were found.
    pub of: usize,
    /// How long it has taken.
    pub elapsed: Duration,
    /// Octets read of the large file that is in work, and how many it has.
    pub file: Option<(u64, u64)>,
    /// How long it will still take, if it goes on as it did.
    pub remaining: Option<Duration>,
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = self.elapsed.as_secs_f64();
        write!(formatter, "looked at {} of {} zones in {elapsed:.1} s", self.zones, self.of)?;
        if let Some((read, of)) = self.file {
            write!(formatter, ", read {} of {} MB of a large one", read / 1_000_000, of / 1_000_000)?;
        }
        self.remaining
            .map_or(Ok(()), |left| write!(formatter, ", about {:.0} s left", left.as_secs_f64().ceil()))
    }
}

/// Everything the publisher knows, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether every zone is loaded, restored or refused with a reason. Once true it stays true.
    pub settled: bool,
    /// Every zone that is configured, found or still served.
    pub zones: BTreeMap<Name, ZoneReport>,
    /// How many zones are served in a version that is not yet in the state directory; 0 without such a directory.
    pub unkept: usize,
    /// How far a look is that takes long.
    pub progress: Option<Progress>,
    /// What is wrong beside any one zone.
    pub faults: Vec<SourceFault>,
    /// Whether changes are heard at once.
    pub watch: WatchState,
    /// Looks at all sources so far, whatever the reason.
    pub reloads: u64,
    /// Looks that were due to a full queue of the watcher.
    pub rescans: u64,
    /// Whether the publisher's task has ended; what is published stays published.
    pub stopped: bool,
}

impl ZoneReport {
    /// Whether the zone is in service.
    pub fn is_served(&self) -> bool {
        matches!(self.state, ZoneState::Serving | ZoneState::Kept)
    }
}

impl Report {
    /// How many zones are in service.
    pub fn served(&self) -> usize {
        self.zones.values().filter(|zone| zone.is_served()).count()
    }

    /// Whether this zone is in service.
    pub fn serves(&self, zone: &Name) -> bool {
        self.zones.get(zone).is_some_and(ZoneReport::is_served)
    }
}
