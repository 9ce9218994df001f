//! The way back to an earlier version, as one difference to what is served: the old content under a raised serial.
//!
//! The differences of the history flow in, one difference flows out, exact: what came and went in between is in it once or not at all.
//! The serial goes on, because no secondary and no cache takes one that went backwards (RFC 1982). Pure: no I/O, no clock.

use std::collections::BTreeMap;

use crate::publish::difference::Difference;
use crate::wire::{RecordType, Serial, soa};
use crate::zone::{ExactRecord, Place, RecordBatch, Zone};

/// Why there is no way back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// Nothing differs.
    #[error("that version has the content that is served")]
    Same,
    /// The zone is signed: the old signatures are not those of an SOA record with another serial.
    #[error(
        "the zone is signed, and only its signer can sign an SOA record with a raised serial: have the older content signed anew, with a \
         serial above {served}, and deploy that; if it takes long, deploy the older signed file as it was, while its signatures are valid, then \
         `anyns zone accept` it here and `anyns zone retransfer` the zone at each POP"
    )]
    Signed {
        /// The serial that is served.
        served: Serial,
    },
    /// The differences do not begin and end with an SOA record each, or do not end at what is served.
    #[error(
        "the history does not lead to what is served; wait until that is kept, or see anyns zone history"
    )]
    Incomplete,
}

/// The version with which `steps`, oldest first, begin; they end at what is served. Shares with it what did not change.
///
/// # Errors
/// The steps do not lead to what is served.
pub fn earlier(served: &Zone, steps: Vec<Difference>) -> Result<Zone, RollbackError> {
    let mut version: Option<Zone> = None;
    for step in steps.into_iter().rev() {
        let from = version.as_ref().unwrap_or(served);
        if step.to != from.serial() {
            return Err(RollbackError::Incomplete);
        }
        let before = from.with_kept_changes(step.added, step.deleted);
        version = Some(before.map_err(|_| RollbackError::Incomplete)?);
    }
    version.ok_or(RollbackError::Same)
}

/// The difference from what is served back to where `steps`, oldest first, begin; they end at what is served.
///
/// # Errors
/// There is no such difference.
pub fn reverse(served: &Zone, steps: &[Difference]) -> Result<Difference, RollbackError> {
    if served.apex().set(RecordType::DNSKEY).is_some() || served.apex().set(RecordType::RRSIG).is_some() {
        return Err(RollbackError::Signed { served: served.serial() });
    }
    let last = steps.last().ok_or(RollbackError::Same)?;
    if last.to != served.serial() {
        return Err(RollbackError::Incomplete);
    }
    let (from, to) = (served.serial(), served.serial().next());
    let mut changes: BTreeMap<ExactRecord, i8> = BTreeMap::new();
    let mut old_soa = None;
    for step in steps {
        let mut count = |batch: &RecordBatch, by: i8| {
            batch.for_each_record(|owner, record_type, ttl, rdata| {
                let record = (owner.to_vec(), record_type, ttl, rdata.to_vec());
                match record_type {
                    RecordType::SOA if by < 0 => {
                        old_soa.get_or_insert(record);
                    }
                    RecordType::SOA => {}
                    _ => *changes.entry(record).or_default() += by,
                }
            });
        };
        count(&step.deleted, -1);
        count(&step.added, 1);
    }
    changes.retain(|_, by| *by != 0);
    let (owner, _, ttl, rdata) = old_soa.ok_or(RollbackError::Incomplete)?;
    let (mut deleted, mut added) = (RecordBatch::new(served.origin()), RecordBatch::new(served.origin()));
    let soa = served.apex().set(RecordType::SOA).ok_or(RollbackError::Incomplete)?;
    let now = soa.rdata().next().ok_or(RollbackError::Incomplete)?;
    let is_same_soa = soa.ttl == ttl && without_serial(now) == without_serial(&rdata);
    if changes.is_empty() && is_same_soa {
        return Err(RollbackError::Same);
    }
    deleted.push(served.origin().as_wire(), RecordType::SOA, soa.ttl, now, Place::default());
    added.push(&owner, RecordType::SOA, ttl, &with_serial(rdata, to), Place::default());
    // What the steps added goes, what they deleted comes back.
    for ((owner, record_type, ttl, rdata), by) in &changes {
        let batch = if *by > 0 { &mut deleted } else { &mut added };
        batch.push(owner, *record_type, *ttl, rdata, Place::default());
    }
    Ok(Difference { from, to, deleted, added })
}

fn with_serial(mut rdata: Vec<u8>, serial: Serial) -> Vec<u8> {
    soa::set_serial(&mut rdata, serial);
    rdata
}

fn without_serial(rdata: &[u8]) -> Vec<u8> {
    with_serial(rdata.to_vec(), Serial(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;
    use crate::zone::ZoneBuilder;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn soa(serial: u32) -> Vec<u8> {
        let numbers = [serial, 1000, 100, 10_000, 300].map(u32::to_be_bytes).concat();
        [name("ns.example.").as_wire(), name("host.example.").as_wire(), &numbers].concat()
    }

    /// The SOA record with this serial and an address record at each of these names.
    fn batch(serial: u32, names: &[&str]) -> RecordBatch {
        let mut batch = RecordBatch::new(&name("example."));
        let place = Place::default;
        batch.push(name("example.").as_wire(), RecordType::SOA, 60, &soa(serial), place());
        for owner in names {
            batch.push(name(owner).as_wire(), RecordType::A, 60, &[192, 0, 2, serial as u8], place());
        }
        batch
    }

    fn step(from: u32, to: u32, deleted: &[&str], added: &[&str]) -> Difference {
        let (deleted, added) = (batch(from, deleted), batch(to, added));
        Difference { from: Serial(from), to: Serial(to), deleted, added }
    }

    #[test]
    fn an_earlier_version_is_made_from_what_is_served_and_the_steps_that_led_to_it() {
        let mut builder = ZoneBuilder::new(name("example."));
        let ns = name("ns.example.");
        let mut first = batch(5, &["a.example.", "b.example."]);
        first.push(name("example.").as_wire(), RecordType::NS, 60, ns.as_wire(), Place::default());
        builder.add(first);
        let first = builder.finish().unwrap();
        let steps = || {
            vec![step(5, 6, &["a.example."], &["c.example."]), step(6, 9, &["c.example."], &["d.example."])]
        };
        let mut served = first.clone();
        for step in steps() {
            served = served.with_changes(step.deleted, step.added).unwrap();
        }
        let made = earlier(&served, steps()).unwrap();
        assert_eq!(made.serial(), Serial(5));
        assert!(made.exact_difference(&first, usize::MAX).unwrap().is_empty());
        let middle = earlier(&served, steps().split_off(1)).unwrap();
        assert_eq!(middle.serial(), Serial(6));
        // Steps that lead elsewhere, do not fit, or are none.
        let failed = |steps| earlier(&served, steps).map(|made| made.serial());
        assert_eq!(failed(Vec::new()), Err(RollbackError::Same));
        assert_eq!(failed(steps().into_iter().take(1).collect()), Err(RollbackError::Incomplete));
        assert_eq!(
            failed(vec![step(6, 9, &["c.example."], &["x.example."])]),
            Err(RollbackError::Incomplete)
        );
    }
}
