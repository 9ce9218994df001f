//! Steps applied to the version they continue.
//!
//! A zone and sound entries flow in, the version that they led to flows out: in one step, however many they are, because what
//! came with one and went with another is taken out first. Pure: no I/O.

use std::collections::HashMap;

use crate::wire::Serial;
use crate::zone::{Place, RecordBatch, Zone, ZoneFault};

use crate::publish::state::version::step::{StepEntry, each, parts};

/// Why entries that are sound by their hashes do not fit the zone all the same.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum ReplayError {
    #[error("the entry to serial {to} is malformed")]
    Malformed { to: Serial },
    #[error("an entry leads on from serial {from}, but the version before it has {before}")]
    Gap { before: Serial, from: Serial },
    #[error("the entries do not fit the zone: {0}")]
    Zone(ZoneFault),
    #[error("they lead to serial {found} and {records} records, which is not what they say")]
    OtherVersion { found: Serial, records: usize },
}

/// What becomes of a record that entries name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    Deleted,
    Added,
}

/// Records as they stand in the entries, and what becomes of them.
type Changes<'o> = HashMap<&'o [u8], Net>;

/// The version that the entries lead to.
pub(in crate::publish) fn replay(zone: &Zone, entries: &[StepEntry<'_>]) -> Result<Zone, ReplayError> {
    let Some(last) = entries.last() else { return Ok(zone.clone()) };
    let mut changes = Changes::new();
    let mut serial = zone.serial();
    for StepEntry { step, records, .. } in entries {
        if step.from != serial {
            return Err(ReplayError::Gap { before: serial, from: step.from });
        }
        serial = step.to;
        gather(records, &mut changes).ok_or(ReplayError::Malformed { to: step.to })?;
    }
    let (mut deleted, mut added) = (RecordBatch::new(zone.origin()), RecordBatch::new(zone.origin()));
    for (record, net) in changes {
        let batch = if net == Net::Deleted { &mut deleted } else { &mut added };
        push(record, batch).ok_or(ReplayError::Malformed { to: serial })?;
    }
    let zone = zone.with_kept_changes(deleted, added).map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or(ReplayError::Malformed { to: serial }, ReplayError::Zone)
    })?;
    let (found, records) = (zone.serial(), zone.record_count());
    if found != serial || records != last.step.records {
        return Err(ReplayError::OtherVersion { found, records });
    }
    Ok(zone)
}

/// Takes in the records of one entry: what it deletes was there before, what it adds was not.
fn gather<'o>(records: &'o [u8], changes: &mut Changes<'o>) -> Option<()> {
    let rest = each(records, |record| {
        if changes.remove(record).is_none() {
            changes.insert(record, Net::Deleted);
        }
    })?;
    let rest = each(rest, |record| {
        if changes.remove(record).is_none() {
            changes.insert(record, Net::Added);
        }
    })?;
    rest.is_empty().then_some(())
}

fn push(record: &[u8], batch: &mut RecordBatch) -> Option<()> {
    let (owner, record_type, ttl, rdata) = parts(record)?;
    batch.push(owner, record_type, ttl, rdata, Place::default());
    Some(())
}
