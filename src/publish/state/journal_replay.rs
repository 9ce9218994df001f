//! Entries of a journal applied to the version they continue.
//!
//! A zone and sound entries flow in, the version that they led to flows out: in one step, however many they are, for what
//! came with one and went with another is taken out first. Pure: no I/O.

use std::collections::HashMap;

use crate::wire::{RecordType, Serial, name_length};
use crate::zone::{Place, RecordBatch, Zone, ZoneFault};

use crate::publish::state::journal::Entry;

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
pub(in crate::publish) fn replay(zone: &Zone, entries: &[Entry<'_>]) -> Result<Zone, ReplayError> {
    let Some(last) = entries.last() else { return Ok(zone.clone()) };
    let mut changes = Changes::new();
    let mut serial = zone.serial();
    for Entry { step, records, .. } in entries {
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

/// Shows a number of records, which stands before them; returns what follows.
fn each<'o>(octets: &'o [u8], mut show: impl FnMut(&'o [u8])) -> Option<&'o [u8]> {
    let (count, mut rest) = octets.split_first_chunk::<4>()?;
    for _ in 0..u32::from_be_bytes(*count) {
        let name = name_length(rest).ok()?;
        let length = rest.get(name + 6..)?.first_chunk::<2>()?;
        let (record, after) = rest.split_at_checked(name + 8 + usize::from(u16::from_be_bytes(*length)))?;
        show(record);
        rest = after;
    }
    Some(rest)
}

fn push(record: &[u8], batch: &mut RecordBatch) -> Option<()> {
    let (owner, rest) = record.split_at_checked(name_length(record).ok()?)?;
    let (record_type, rest) = rest.split_first_chunk::<2>()?;
    let (ttl, rest) = rest.split_first_chunk::<4>()?;
    let (_, rdata) = rest.split_first_chunk::<2>()?;
    let record_type = RecordType(u16::from_be_bytes(*record_type));
    batch.push(owner, record_type, u32::from_be_bytes(*ttl), rdata, Place::default());
    Some(())
}
