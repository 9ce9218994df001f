//! What is known of zones that come from primaries and that go to secondaries: followed zone by zone, told as asked.
//!
//! News of single zones flow in through a bounded queue; facts for the document and alarms flow out. A change costs the same however
//! many zones there are. Never waits for a task, never locks what another thread locks for long.

pub(in crate::daemon::status) mod canaries;
pub(in crate::daemon::status) mod catalogs;
pub(in crate::daemon::status) mod outward;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{rfc3339_of, unix_seconds};
use crate::control::{
    Cause, ContradictionStatus, DivergedStatus, LastTransferStatus, PrimaryStatus, SecondaryStatus,
    TransferStatus, WaitingStatus, ZoneStatus, one_line,
};
use crate::handoff::{Queue, Reader, Receiver};
use crate::metrics::{TransferFacts, TransferTotals};
use crate::rssac002::LoadedVersion;
use crate::transfer::delay::{DelayedVersions, Waiting};
use crate::transfer::primary::{AskedFor, KnownBy, SeenTable};
use crate::transfer::refresh::{self, Contradiction, Phase};
use crate::transfer::secondary::{LastTransfer, ZoneNews, ZoneReport};
use crate::wire::{Name, Serial};

use crate::daemon::canaries::CanaryFacts;
use crate::daemon::catalogs::CatalogFacts;
use crate::daemon::status::clock::Clock;
use crate::daemon::status::other::OtherAlarm;
use crate::daemon::status::transfers::outward::{OutwardSources, zone_targets};

/// News that are taken at one tick: as many as the queue holds.
pub(in crate::daemon) const MOST_NEWS: usize = 4096;

/// For how long a primary may have a newer version before that is an alarm: a transfer and one more try.
const LATE: Duration = Duration::from_secs(60);

/// What the transfers tell.
#[derive(Default)]
pub(in crate::daemon) struct TransferSources {
    /// What is new of zones that come from primaries.
    pub(in crate::daemon) news: Option<Receiver<ZoneNews>>,
    /// What secondaries asked for.
    pub(in crate::daemon) seen: Option<SeenTable>,
    /// What is sent to others, and what they send.
    pub(in crate::daemon) outward: OutwardSources,
    /// Versions that wait, at a last-resort POP.
    pub(in crate::daemon) delayed: Option<Arc<DelayedVersions>>,
    /// What is known of catalogs.
    pub(in crate::daemon) catalogs: Option<Reader<CatalogFacts>>,
    /// What is known of canaries.
    pub(in crate::daemon) canaries: Option<Reader<CanaryFacts>>,
    /// Where each version of a zone that was transferred is told.
    pub(in crate::daemon) loads: Option<ZoneLoads>,
}

/// The versions of one zone that were transferred, for its daily statistics.
#[derive(Debug)]
pub(in crate::daemon) struct ZoneLoads {
    pub(in crate::daemon) zone: Name,
    pub(in crate::daemon) queue: Queue<LoadedVersion>,
}

impl ZoneLoads {
    /// Tells of a transfer. One that finds no room is missing in the statistics.
    fn tell(&self, zone: &Name, transfer: &LastTransfer) {
        if *zone == self.zone {
            let Serial(serial) = transfer.serial;
            let _ = self.queue.push(LoadedVersion { serial, took: transfer.since_told });
        }
    }
}

/// The facts of each zone, and those that an operator must know of.
#[derive(Debug, Default)]
pub(in crate::daemon::status) struct TransferTable {
    zones: BTreeMap<Name, Box<ZoneReport>>,
    concerns: BTreeMap<Concern, BTreeSet<Name>>,
    /// Zones of which a primary has a newer version than is served, since when.
    behind: BTreeMap<Name, Instant>,
    /// Those that are not an alarm yet, in the order in which they become one.
    not_late: BTreeSet<(Instant, Name)>,
    /// Transfers that were told of; the counts of zones are in `concerns`.
    moved: TransferTotals,
}

/// What is wrong with a zone. The state of a zone already says that it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Concern {
    /// No version has ever come.
    Empty,
    /// No primary has confirmed what is served for longer than REFRESH.
    Stale,
    /// A version of a primary was refused.
    Refused,
    /// A primary has had a newer version for long than is served.
    Late,
    /// The serial of a primary went backwards.
    Behind,
    /// The primaries that answer have an older version than is served.
    Lagging,
    /// A primary had other content under the serial that was served.
    Diverged,
    /// Two primaries have other content under one serial.
    Contradicting,
    /// A primary has told no serial for EXPIRE, and another server confirms what is served.
    Silent,
}

impl Concern {
    /// Those that a report tells by itself: all but [`Concern::Late`].
    const REPORTED: [Self; 8] = [
        Self::Empty,
        Self::Stale,
        Self::Refused,
        Self::Behind,
        Self::Lagging,
        Self::Diverged,
        Self::Contradicting,
        Self::Silent,
    ];

    fn holds(self, report: &ZoneReport) -> bool {
        let status = &report.status;
        match self {
            Self::Empty => status.serial.is_none() && status.failures > 0,
            Self::Stale => status.stale_since.is_some(),
            Self::Refused => status.serial.is_some() && status.refused.is_some(),
            Self::Late => is_behind_primary(report) && status.refused.is_none(),
            Self::Behind => status.behind.is_some_and(|behind| behind.is_proven),
            Self::Lagging => status.behind.is_some_and(|behind| !behind.is_proven),
            Self::Diverged => report.diverged.is_some(),
            Self::Contradicting => status.contradiction.is_some(),
            Self::Silent => status.silent.is_some(),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Empty => "zones without a version from a primary",
            Self::Stale => "stale zones",
            Self::Refused => "refused versions of primaries",
            Self::Late => "newer versions that do not come",
            Self::Behind => "serials that went backwards",
            Self::Lagging => "primaries with older versions",
            Self::Diverged => "other content under the same serial",
            Self::Contradicting => "primaries with other content under one serial",
            Self::Silent => "silent primaries",
        }
    }

    fn message(self, count: usize, first: &ZoneReport) -> String {
        let zone = &first.zone;
        let zones =
            if count == 1 { format!("zone {zone}") } else { format!("{count} zones, the first is {zone}") };
        let error = first.last_error.as_ref().map(|(_, error)| format!(": {error}")).unwrap_or_default();
        let since =
            |at: Option<SystemTime>| at.map(|at| format!(" since {}", rfc3339_of(at))).unwrap_or_default();
        let served = first.status.serial.map_or(0, |Serial(serial)| serial);
        let text = match self {
            Self::Contradicting => contradicting(&zones, first),
            Self::Empty => {
                format!(
                    "{zones}: no version has come from a primary{}{error}",
                    since(first.status.failing_since)
                )
            }
            Self::Stale => {
                format!(
                    "{zones}: stale, because no primary has confirmed what is served{}{error}",
                    since(first.status.stale_since)
                )
            }
            Self::Refused => {
                let refused = first.status.refused.map_or(0, |Serial(serial)| serial);
                format!(
                    "{zones}: serial {refused} of a primary is refused{}, and serial {served} stays in service{error}; correct it at the \
                     primary; `anyns zone status {zone}` tells more",
                    since(first.status.refused_since)
                )
            }
            Self::Late => {
                let newest = newest_told(&first.status).map_or(0, |Serial(serial)| serial);
                format!(
                    "{zones}: a primary has had serial {newest} for more than {} s, and serial {served} is served{error}",
                    LATE.as_secs()
                )
            }
            Self::Lagging => {
                let behind = first.status.behind.map_or(0, |behind| behind.serial.0);
                format!(
                    "{zones}: the primary that answers has serial {behind}, and {served} is served here, from one that does not answer{error}"
                )
            }
            Self::Behind => {
                let behind = first.status.behind.map_or(0, |behind| behind.serial.0);
                format!(
                    "{zones}: the serial of the primary went backwards: it has {behind}, and {served} is served here; its next version with that serial or \
                     a later one is taken whole; `anyns zone retransfer {zone}` takes what it has now"
                )
            }
            Self::Silent => {
                let silent = first.status.silent;
                let primary = silent.and_then(|(index, _)| first.primaries.get(index));
                let primary = primary.map_or_else(String::new, ToString::to_string);
                format!(
                    "{zones}: the primary {primary} has told no serial{}, for longer than EXPIRE: it does not answer, or answers with an error; \
                     another one confirms what is served, and may have it from here; bring the primary back, or take it out of the list",
                    since(silent.map(|(_, at)| at))
                )
            }
            Self::Diverged => {
                let (primary, serial) = first
                    .diverged
                    .map_or_else(Default::default, |it| (it.primary.to_string(), it.serial.to_string()));
                format!(
                    "{zones}: the primary {primary} had other content under serial {serial} than there was here, so the whole zone was taken; \
                     compare the digests of its servers, then `anyns zone retransfer {zone}` ends this"
                )
            }
        };
        one_line(&text)
    }
}

/// What is wrong with two primaries of a zone, and what is to be done.
fn contradicting(zones: &str, first: &ZoneReport) -> String {
    let Some(Contradiction { giver, other, serial }) = first.status.contradiction else {
        return zones.to_owned();
    };
    let address = |index: usize| first.primaries.get(index).map_or_else(String::new, ToString::to_string);
    let (zone, other) = (&first.zone, address(other));
    let than = match giver {
        Some(giver) => format!("than {}, which gave what is served", address(giver)),
        None => "than is served here".to_owned(),
    };
    format!(
        "{zones}: the primary {other} has other content under serial {serial} {than}; correct one under a higher serial, let the other \
         one follow it, then `anyns zone refresh {zone}`"
    )
}

impl TransferTable {
    /// Takes in what is new.
    pub(in crate::daemon::status) fn follow(&mut self, sources: &mut TransferSources, now: Instant) {
        let Some(news) = &mut sources.news else { return };
        for _ in 0..MOST_NEWS {
            let Some((zone, report)) = news.try_next() else { break };
            if let (Some(loads), Some(new)) = (&sources.loads, self.new_transfer(&zone, report.as_deref())) {
                loads.tell(&zone, new);
            }
            self.put(zone, report, now);
        }
        // At a last-resort POP, too: a version that waits there for its time has come.
        self.note_late(now);
    }

    /// Zones whose newer version has not come for long.
    fn note_late(&mut self, now: Instant) {
        while let Some((since, zone)) = self.not_late.pop_first() {
            if now.saturating_duration_since(since) < LATE {
                self.not_late.insert((since, zone));
                return;
            }
            // It may have come, and another one be missing since then.
            let is_late = self.behind.get(&zone) == Some(&since)
                && self.zones.get(&zone).is_some_and(|report| Concern::Late.holds(report));
            if is_late {
                self.concerns.entry(Concern::Late).or_default().insert(zone);
            }
        }
    }

    fn put(&mut self, zone: Name, report: Option<Box<ZoneReport>>, now: Instant) {
        for concern in Concern::REPORTED {
            let names = self.concerns.entry(concern).or_default();
            match report.as_ref().is_some_and(|report| concern.holds(report)) {
                true => names.insert(zone.clone()),
                false => names.remove(&zone),
            };
        }
        match report.as_ref().is_some_and(|report| is_behind_primary(report)) {
            true => drop(self.behind.entry(zone.clone()).or_insert(now)),
            false => drop(self.behind.remove(&zone)),
        }
        let is_late = report.as_ref().is_some_and(|report| Concern::Late.holds(report));
        match self.behind.get(&zone).filter(|_| is_late) {
            Some(since) => drop(self.not_late.insert((*since, zone.clone()))),
            None => drop(self.concerns.entry(Concern::Late).or_default().remove(&zone)),
        }
        self.count_transfer(&zone, report.as_deref());
        match report {
            Some(report) => self.zones.insert(zone, report),
            None => self.zones.remove(&zone),
        };
    }

    /// The transfer that a report tells of, if the last report of the zone did not.
    fn new_transfer<'r>(&self, zone: &Name, report: Option<&'r ZoneReport>) -> Option<&'r LastTransfer> {
        let known = self.zones.get(zone).and_then(|before| before.last_transfer.as_ref());
        report?.last_transfer.as_ref().filter(|last| known != Some(*last))
    }

    fn count_transfer(&mut self, zone: &Name, report: Option<&ZoneReport>) {
        let Some(new) = self.new_transfer(zone, report) else { return };
        let count = if new.whole { &mut self.moved.whole } else { &mut self.moved.differences };
        *count += 1;
        self.moved.octets += new.octets;
    }

    /// Transfers since the start, and zones that something is wrong with, for metrics.
    pub(in crate::daemon::status) fn totals(&self, now: Instant) -> TransferTotals {
        let oldest = self.behind.values().min();
        let count = |concern| self.concerns.get(&concern).map_or(0, BTreeSet::len) as u64;
        TransferTotals {
            empty: count(Concern::Empty),
            stale: count(Concern::Stale),
            behind: count(Concern::Behind),
            diverged: count(Concern::Diverged),
            contradicting: count(Concern::Contradicting),
            refused: count(Concern::Refused),
            behind_primary: self.behind.len() as u64,
            behind_primary_for: oldest.map(|since| now.saturating_duration_since(*since)).unwrap_or_default(),
            ..self.moved
        }
    }

    /// What metrics tell of a zone that comes from primaries.
    pub(in crate::daemon::status) fn facts(&self, zone: &Name, clock: Clock) -> Option<TransferFacts> {
        let status = &self.zones.get(zone)?.status;
        Some(TransferFacts {
            primary_serial: newest_told(status).map(|serial| serial.0),
            checked: status.checked.map(unix_seconds),
            expires: status.expires.map(|at| clock.of(at)),
            failures: status.failures.into(),
            next: next_refresh(status, clock),
        })
    }

    /// What is to be told of them beside the state of each zone.
    pub(in crate::daemon::status) fn alarms(&self) -> Vec<OtherAlarm> {
        let alarm = |(concern, names): (&Concern, &BTreeSet<Name>)| {
            let first = self.zones.get(names.first()?)?;
            let message = concern.message(names.len(), first);
            Some(OtherAlarm { kind: concern.kind().to_owned(), cause: Cause::Rest, message })
        };
        self.concerns.iter().filter_map(alarm).collect()
    }

    /// Puts what is known into the zones of a document.
    pub(in crate::daemon::status) fn fill(
        &self,
        zones: &mut [ZoneStatus],
        sources: &TransferSources,
        clock: Clock,
    ) {
        if self.zones.is_empty() && sources.seen.is_none() {
            return;
        }
        let catalogs = sources.catalogs.as_ref().map(Reader::load);
        let canaries = sources.canaries.as_ref().map(Reader::load);
        for status in zones {
            let Ok(name) = status.name.parse::<Name>() else { continue };
            status.transfer = self.zones.get(&name).map(|report| transfer_status(report, clock));
            status.waiting = sources.delayed.as_ref().and_then(|it| it.waiting(&name)).map(waiting_status);
            let owner = catalogs.as_ref().and_then(|facts| facts.owners.get(&name));
            status.catalog = owner.map(Name::to_string);
            status.canary = canaries.as_ref().and_then(|facts| canaries::of_zone(facts, &name, clock));
            let seen = sources.seen.as_ref().and_then(|seen| seen.of(&name)).unwrap_or_default();
            let secondary = |one: &crate::transfer::primary::Seen| SecondaryStatus {
                address: one.client.to_string(),
                key: match &one.known_by {
                    KnownBy::Key(key) => Some(key.to_string()),
                    KnownBy::Address | KnownBy::Certificate(_) => None,
                },
                certificate: match &one.known_by {
                    KnownBy::Certificate(name) => Some(name.to_string()),
                    KnownBy::Address | KnownBy::Key(_) => None,
                },
                asked: match one.asked {
                    AskedFor::Soa => "SOA",
                    AskedFor::Ixfr => "IXFR",
                    AskedFor::Axfr => "AXFR",
                }
                .to_owned(),
                serial: one.serial.map(|serial| serial.0),
                sent: one.sent_serial.map(|serial| serial.0),
                at: unix_seconds(one.at),
            };
            status.secondaries = seen.iter().map(secondary).collect();
            status.notify = zone_targets(&sources.outward, &name, clock);
        }
    }
}

/// The newest serial that a primary told (RFC 1982).
fn newest_told(status: &refresh::Status) -> Option<Serial> {
    let told = status.seen.iter().flatten().copied();
    told.reduce(|newest, other| if other.is_after(newest) { other } else { newest })
}

/// When the primaries are asked next, unless they are being asked.
fn next_refresh(status: &refresh::Status, clock: Clock) -> Option<u64> {
    (status.phase == Phase::Idle).then(|| clock.of(status.due))
}

/// Whether a primary has a newer version than is served. A zone that was never served is empty, and told as that.
fn is_behind_primary(report: &ZoneReport) -> bool {
    let newest = newest_told(&report.status);
    newest.zip(report.status.serial).is_some_and(|(newest, served)| newest.is_after(served))
}

fn waiting_status(waiting: Waiting) -> WaitingStatus {
    let Waiting { newest, steps, since, until, why } = waiting;
    let (since, until) = (unix_seconds(since), until.map(unix_seconds));
    WaitingStatus { newest: newest.0, steps: steps as u64, since, until, why: one_line(&why) }
}

fn contradiction_status(report: &ZoneReport) -> Option<ContradictionStatus> {
    let Contradiction { giver, other, serial } = report.status.contradiction?;
    let address = |index: usize| report.primaries.get(index).map(ToString::to_string);
    Some(ContradictionStatus { primary: address(other)?, giver: giver.and_then(address), serial: serial.0 })
}

fn transfer_status(report: &ZoneReport, clock: Clock) -> TransferStatus {
    let status = &report.status;
    let phase = match status.phase {
        Phase::Idle => "idle",
        Phase::Asking => "asking",
        Phase::Transferring { .. } => "transferring",
    };
    let primaries = report.primaries.iter().zip(&status.seen);
    let primary = |(address, serial): (&std::net::SocketAddr, &Option<Serial>)| PrimaryStatus {
        address: address.to_string(),
        serial: serial.map(|serial| serial.0),
    };
    TransferStatus {
        phase: phase.to_owned(),
        primaries: primaries.map(primary).collect(),
        checked: status.checked.map(unix_seconds),
        next: next_refresh(status, clock),
        expires: status.expires.map(|at| clock.of(at)),
        expired: report.is_expired,
        stale_since: status.stale_since.map(unix_seconds),
        failing_since: status.failing_since.map(unix_seconds),
        failures: status.failures.into(),
        last_error: report.last_error.as_ref().map(|(_, error)| one_line(error)),
        last_error_at: report.last_error.as_ref().map(|(at, _)| unix_seconds(*at)),
        behind: status.behind.filter(|behind| behind.is_proven).map(|behind| behind.serial.0),
        diverged: report.diverged.map(|diverged| DivergedStatus {
            primary: diverged.primary.to_string(),
            serial: diverged.serial.0,
            at: unix_seconds(diverged.at),
        }),
        contradiction: contradiction_status(report),
        refused: status.refused.map(|serial| serial.0),
        refused_since: status.refused_since.map(unix_seconds),
        last_transfer: report.last_transfer.as_ref().map(|last| LastTransferStatus {
            primary: last.primary.to_string(),
            whole: last.whole,
            serial: last.serial.0,
            octets: last.octets,
            records: last.records,
            took_ms: last.took.as_millis() as u64,
            at: unix_seconds(last.at),
        }),
    }
}

#[cfg(test)]
#[path = "../../../../tests/unit/daemon/status/transfers.rs"]
mod tests;
