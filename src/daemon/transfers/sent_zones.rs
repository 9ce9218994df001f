//! What is served, for secondaries: the versions, the differences between them, and the news of another version.
//!
//! The snapshot, the history and the report of the publisher flow in, and which of the versions each secondary may have; versions, differences and names of changed zones flow out to
//! [`Primary`]. Never decides who may have a zone.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::handoff::Reader;
use crate::publish::{Difference, History, Report};
use crate::telemetry::{Beat, keep_beating, keep_running};
use crate::transfer::primary::{NoVersion, Primary, Source, soa_expire};
use crate::transfer::secondary::{Remaining, SecondaryHandle};
use crate::wire::{LookupName, Name, Serial};
use crate::zone::{Expiry, Published, Snapshot, Zone};

use crate::daemon::DaemonError;
use crate::daemon::canaries::ReleasedVersions;
use crate::daemon::thread::Thread;

/// The longest that a NOTIFY waits for the state directory. A version of a zone file is served before it is kept, and until it is
/// kept the history does not lead to it: a secondary that asked earlier would get the whole zone. On a disk that does not answer
/// whole zones are better than none.
const KEPT_AT_LATEST: Duration = Duration::from_secs(1);

/// What is served, and how it came to be.
pub(in crate::daemon) struct ServedVersions {
    pub(in crate::daemon) published: Arc<Published>,
    pub(in crate::daemon) history: History,
    /// Which of the versions each secondary may have.
    pub(in crate::daemon) versions: Arc<ReleasedVersions>,
    /// How old what comes from primaries is.
    pub(in crate::daemon) secondary: SecondaryHandle,
    /// What comes from primaries.
    pub(in crate::daemon) report: Reader<Report>,
}

impl Source for ServedVersions {
    fn zone(&self, name: &Name) -> Option<Arc<Zone>> {
        sendable(&self.published.load(), name)
    }

    fn version_for(&self, name: &Name, client: IpAddr) -> Result<Arc<Zone>, NoVersion> {
        let served = self.published.load();
        match sendable(&served, name) {
            Some(zone) => self.versions.version_for(zone, client),
            None if is_absent(&served, name) => Err(NoVersion::Absent),
            None => Err(NoVersion::NotServed),
        }
    }

    fn time_left(&self, zone: &Zone) -> Option<Duration> {
        let remaining = self.secondary.remaining(zone.origin());
        time_left(zone, remaining, &self.report.load())
    }

    fn differences(&self, name: &Name, from: Serial, to: Serial) -> Option<Vec<Arc<Difference>>> {
        match self.history.for_secondary(name, from, to) {
            Ok(found) => found.map(|differences| differences.into_iter().map(Arc::new).collect()),
            Err(error) => {
                tracing::debug!(zone = %name, %error, "no differences for a secondary, so it gets the whole zone");
                None
            }
        }
    }
}

/// The version that may be told of. Of what has expired, also where it is still served as stale, nothing is said to others (RFC 1035
/// section 3.3.13): a secondary would take the answer as the word that what it has is the newest.
fn sendable(served: &Snapshot, name: &Name) -> Option<Arc<Zone>> {
    served.zone(name).filter(|_| served.expiry(name) == Expiry::Current).cloned()
}

/// How long what is served of a zone may be served on. The publisher and the secondary are told of members of catalogs one after the other: this is the
/// origin of a zone only where both say so.
fn time_left(zone: &Zone, remaining: Remaining, report: &Report) -> Option<Duration> {
    match remaining {
        Remaining::Origin => {
            let reported = report.zones.get(zone.origin())?;
            Some(soa_expire(zone)).filter(|_| !reported.is_from_primaries)
        }
        Remaining::Unknown => None,
        Remaining::Left(left) => Some(less_than_all(left, soa_expire(zone))),
    }
}

/// What a secondary says is left. SOA EXPIRE itself is what the origin of a zone says: where it is shorter than REFRESH and RETRY together,
/// other secondaries take it for that.
fn less_than_all(left: Duration, expire: Duration) -> Duration {
    match left.as_secs() == expire.as_secs() {
        true => expire.saturating_sub(Duration::from_secs(1)),
        false => left,
    }
}

/// Whether a name belongs to a zone that is configured and of which nothing is said to others now: it has no version yet, it cannot be read, or
/// it has expired. The zone above it does not have the name. Before the first load is over each name may belong to one.
fn is_absent(served: &Snapshot, name: &Name) -> bool {
    let lookup = LookupName::from(name);
    let is_aged = |zone: &Zone| served.expiry(zone.origin()) != Expiry::Current;
    !served.is_complete()
        || served.absence(&lookup, 0).is_some()
        || served.closest_zone(&lookup, 0).is_some_and(is_aged)
}

/// Follows the report: secondaries are told of a zone that is served with another serial.
pub(in crate::daemon) fn start_notifies(
    primary: Arc<Primary>,
    report: Reader<Report>,
    beat: Beat,
) -> Result<Thread, DaemonError> {
    Thread::start("notify-out", CancellationToken::new(), move || async move {
        let mut follower = NotifyFollower { primary, report, changes: Changes::default() };
        tokio::select! {
            () = keep_beating(beat.clone()) => {}
            () = keep_running(&beat, &mut follower, async |follower| follower.run().await) => {}
        }
    })
}

/// Follows the report.
struct NotifyFollower {
    primary: Arc<Primary>,
    report: Reader<Report>,
    changes: Changes,
}

impl NotifyFollower {
    async fn run(&mut self) {
        loop {
            let now = Instant::now();
            let report = self.report.load();
            let changed = self.changes.take_in(&report, now);
            for zone in std::mem::take(&mut self.changes.gone) {
                // Without room it is forgotten when it changes next, or never: that costs its entry.
                self.primary.gone(zone);
            }
            for zone in changed {
                if !self.primary.changed(zone.clone()) {
                    tracing::warn!(%zone, "too many changed zones wait for their NOTIFY; the secondaries' timers have to do");
                }
            }
            match self.changes.due() {
                None => self.report.changed().await,
                Some(due) => {
                    // At the end of the time the report is looked at again.
                    let _ = tokio::time::timeout_at(due.into(), self.report.changed()).await;
                }
            }
        }
    }
}

/// Which zones have another serial than the one that secondaries were told of.
#[derive(Debug, Default)]
struct Changes {
    /// The serial of each zone of which secondaries were told.
    told: HashMap<Name, Serial>,
    /// Zones that are not kept yet, and when they are told of in any case.
    waiting: BTreeMap<Name, Instant>,
    /// Zones that are served no more.
    gone: Vec<Name>,
    /// The last change of the report that was looked at.
    seen: Option<u64>,
}

impl Changes {
    /// The zones to tell of now.
    fn take_in(&mut self, report: &Report, now: Instant) -> Vec<Name> {
        let mut names: Vec<Name> = match self.seen.and_then(|seen| report.changed_since(seen)) {
            Some(changed) => changed.cloned().collect(),
            None => report.zones.keys().chain(self.told.keys()).cloned().collect(),
        };
        self.seen = Some(report.changes());
        names.extend(self.waiting.iter().filter(|(_, due)| **due <= now).map(|(name, _)| name.clone()));
        names.retain(|name| self.is_news(name, report, now));
        names
    }

    fn is_news(&mut self, name: &Name, report: &Report, now: Instant) -> bool {
        let zone = report.zones.get(name);
        let Some((zone, serial)) = zone.and_then(|zone| Some((zone, zone.serial?))) else {
            self.gone.extend(self.told.remove(name).map(|_| name.clone()));
            self.waiting.remove(name);
            return false;
        };
        if self.told.get(name) == Some(&serial) {
            self.waiting.remove(name);
            return false;
        }
        if report.unkept > 0 && !zone.durable {
            let due = *self.waiting.entry(name.clone()).or_insert(now + KEPT_AT_LATEST);
            if now < due {
                return false;
            }
        }
        self.waiting.remove(name);
        self.told.insert(name.clone(), serial);
        true
    }

    /// When the next zone is told of although it is not kept.
    fn due(&self) -> Option<Instant> {
        self.waiting.values().min().copied()
    }
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/sent_zones.rs"]
mod tests;
