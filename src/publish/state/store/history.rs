//! The history of zones: the exact difference of each accepted step, oldest first, as far back as the bounds allow.
//!
//! A zone and serials flow in, steps and differences flow out, to any thread, beside whatever the state writer writes. What is told is what
//! is kept: a version that was served a moment ago may not be in it yet, which [`ZoneHistory::serial`] tells. Never changes anything.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use redb::ReadTransaction;

use crate::publish::difference::Difference;
use crate::publish::state::database::fields::key_of;
use crate::publish::state::database::{Database, DatabaseError, STEPS};
use crate::publish::state::store::reading::tail;
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::version::step::{self, StepEntry, StepOrigin, each, parts};
use crate::publish::state::version::step_source::{StepSource, reader};
use crate::publish::state::version::tail::{Began, BeganReason, Tail};
use crate::telemetry::locked;
use crate::wire::{Name, Serial};
use crate::zone::{Place, RecordBatch};

/// What was kept of the steps of zones. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct History {
    database: Arc<Mutex<Option<Database>>>,
    /// Which serials zones had before.
    serials: ZoneSerials,
}

/// The steps of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneHistory {
    /// The serial of the last version that is kept.
    pub serial: Serial,
    /// With which version the history began, and why.
    pub began: Began,
    /// The steps that are still there, oldest first; each begins where the one before it ends.
    pub steps: Vec<StepInfo>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInfo {
    /// The serial of the version before.
    pub from: Serial,
    /// The serial of the version that it led to.
    pub to: Serial,
    /// When that was accepted.
    pub accepted_at: SystemTime,
    /// What led to it.
    pub origin: StepOrigin,
    /// Who gave the version, if it is in no file and that is known.
    pub source: Option<StepSource>,
    /// How many records the new version has.
    pub records: usize,
    /// How many octets the step takes of the bound.
    pub octets: usize,
}

/// Why the history cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no state directory that can be read.
    #[error("no history is kept: zones.state-directory is not set, or cannot be read (see status)")]
    NoState,
    /// It cannot be read, or is damaged.
    #[error("the history of {zone} cannot be read: {reason}")]
    Unreadable {
        /// The zone.
        zone: Name,
        /// What is wrong.
        reason: String,
    },
}

impl History {
    /// Of zones that had these serials before.
    pub(in crate::publish) fn new(serials: ZoneSerials) -> Self {
        Self { database: Arc::default(), serials }
    }

    /// Has it read from this database from now on.
    pub(in crate::publish) fn follow(&self, database: Option<Database>) {
        *locked(&self.database) = database;
    }

    fn read<T>(
        &self,
        zone: &Name,
        read: impl FnOnce(&ReadTransaction, &[u8]) -> Result<T, DatabaseError>,
    ) -> Result<T, HistoryError> {
        let database = locked(&self.database).clone();
        let database = database.ok_or(HistoryError::NoState)?;
        let key = key_of(zone);
        database
            .read(|from| read(from, &key))
            .map_err(|error| HistoryError::Unreadable { zone: zone.clone(), reason: error.to_string() })
    }

    /// The steps of a zone; `None` if nothing is kept of it.
    pub fn steps(&self, zone: &Name) -> Result<Option<ZoneHistory>, HistoryError> {
        self.read(zone, |from, key| {
            let Some(tail) = tail(from, key)? else { return Ok(None) };
            let (mut steps, source) = (Vec::new(), reader(from, key)?);
            for_each_back(from, key, &tail, |entry, number, octets| {
                steps.push(info(entry, source(number, &entry.chain), octets));
                true
            })?;
            steps.reverse();
            Ok(Some(ZoneHistory { serial: tail.serial, began: tail.began, steps }))
        })
    }

    /// Who gave the last version, leaving out ways back.
    pub(in crate::publish) fn last_source(&self, zone: &Name) -> Result<Option<StepSource>, HistoryError> {
        self.read(zone, |from, key| {
            let Some(tail) = tail(from, key)? else { return Ok(None) };
            let (mut last, source) = (None, reader(from, key)?);
            for_each_back(from, key, &tail, |entry, number, _| {
                last = source(number, &entry.chain);
                matches!(last, Some(StepSource::Rollback { .. }))
            })?;
            Ok(last)
        })
    }

    /// Whether another version may have had this serial before, so that others may have either: the zone went back since then, or it is
    /// another zone of the name.
    pub fn is_ambiguous(&self, zone: &Name, serial: Serial) -> bool {
        if self.serials.may_have_another(zone, serial) {
            return true;
        }
        // Where an older build went back: it kept no more than that, until the next version is kept.
        let began = self.read(zone, |from, key| Ok(tail(from, key)?.map(|tail| tail.began)));
        let began = began.ok().flatten();
        began
            .is_some_and(|began| began.reason == BeganReason::Back && !self.serials.knows(zone, began.serial))
    }

    /// The differences that lead a secondary from the version with the serial `from` to the one with the serial `to`, in order. `None` as
    /// [`since`](Self::since) says, and where it may have another version under its serial (RFC 1995 section 4 has the whole zone sent then).
    ///
    /// # Errors
    /// What is kept of the zone cannot be read.
    pub fn for_secondary(
        &self,
        zone: &Name,
        from: Serial,
        to: Serial,
    ) -> Result<Option<Vec<Difference>>, HistoryError> {
        if self.is_ambiguous(zone, from) || self.serials.may_have_another(zone, to) {
            return Ok(None);
        }
        let found = self.between(zone, from, Some(to))?;
        // It may have gone back meanwhile, and what was read is after that.
        Ok(found.filter(|_| !self.serials.may_have_another(zone, from)))
    }

    /// The differences that lead from the version with this serial to the last one that is kept, in order; none if it is that. `None`
    /// if the history does not go back so far.
    pub fn since(&self, zone: &Name, serial: Serial) -> Result<Option<Vec<Difference>>, HistoryError> {
        self.between(zone, serial, None)
    }

    /// The same up to the version with the serial `to`, which must come after it.
    pub fn between(
        &self,
        zone: &Name,
        serial: Serial,
        to: Option<Serial>,
    ) -> Result<Option<Vec<Difference>>, HistoryError> {
        self.read(zone, |from, key| {
            let Some(tail) = tail(from, key)? else { return Ok(None) };
            let to = to.unwrap_or(tail.serial);
            if serial == tail.serial && to == serial {
                return Ok(Some(Vec::new()));
            }
            let (mut found, mut reached, mut begun, mut sound) = (Vec::new(), false, false, true);
            for_each_back(from, key, &tail, |entry, _, _| {
                begun |= entry.step.to == to;
                if begun {
                    match difference(zone, entry) {
                        Some(difference) => found.push(difference),
                        None => sound = false,
                    }
                    reached = entry.step.from == serial;
                }
                sound && !reached
            })?;
            found.reverse();
            Ok((reached && sound).then_some(found))
        })
    }
}

/// Shows the steps of a zone, the last one first, as far as each is sound and ends where the one after it begins, and as long as
/// `show` wants more.
fn for_each_back(
    from: &ReadTransaction,
    key: &[u8],
    tail: &Tail,
    mut show: impl FnMut(&StepEntry<'_>, u64, usize) -> bool,
) -> Result<(), DatabaseError> {
    let steps = from.open_table(STEPS).map_err(DatabaseError::of)?;
    let mut serial = tail.serial;
    for number in (tail.first..tail.next).rev() {
        let Some(value) = steps.get((key, number)).map_err(DatabaseError::of)? else { return Ok(()) };
        let octets = value.value();
        let Some(entry) = step::read(octets).filter(|entry| entry.step.to == serial) else { return Ok(()) };
        serial = entry.step.from;
        if !show(&entry, number, octets.len()) {
            return Ok(());
        }
    }
    Ok(())
}

fn info(entry: &StepEntry<'_>, source: Option<StepSource>, octets: usize) -> StepInfo {
    let step::Step { from, to, accepted_at, records, origin, .. } = entry.step;
    StepInfo { from, to, accepted_at, origin, source, records, octets }
}

fn difference(zone: &Name, entry: &StepEntry<'_>) -> Option<Difference> {
    let (mut deleted, mut added) = (RecordBatch::new(zone), RecordBatch::new(zone));
    let rest = each(entry.records, |record| push(record, &mut deleted))?;
    each(rest, |record| push(record, &mut added))?;
    Some(Difference { from: entry.step.from, to: entry.step.to, deleted, added })
}

fn push(record: &[u8], batch: &mut RecordBatch) {
    if let Some((owner, record_type, ttl, rdata)) = parts(record) {
        batch.push(owner, record_type, ttl, rdata, Place::default());
    }
}
