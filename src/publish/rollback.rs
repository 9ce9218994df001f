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
    /// The zone is signed, as it is served or in that version: the old signatures are not those of an SOA record with another serial.
    #[error(
        "the zone is signed, as it is served or in that version, and only its signer can sign an SOA record with a raised serial: have the older content signed anew, with a \
         serial above {served}, and deploy that; if it takes long, deploy the older signed file as it was, while its signatures are valid, then \
         `anyns zone accept` it here and `anyns zone retransfer` the zone at each POP"
    )]
    Signed {
        /// The serial that is served.
        served: Serial,
    },
    /// The version has a ZONEMD record of a scheme or a hash algorithm that is not known here.
    #[error(
        "that version has a ZONEMD record (RFC 8976) of a scheme or a hash algorithm that is not known here, and under another serial it needs another \
         digest: deploy the older content with a raised serial and a digest that fits"
    )]
    Digest,
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
    refuse_signed(served, served)?;
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
    let soa = served.apex().set(RecordType::SOA).ok_or(RollbackError::Incomplete)?;
    let now = soa.rdata().next().ok_or(RollbackError::Incomplete)?;
    let is_same_soa = soa.ttl == ttl && without_serial(now) == without_serial(&rdata);
    if changes.is_empty() && is_same_soa {
        return Err(RollbackError::Same);
    }
    // What the steps added goes, what they deleted comes back.
    let make = |changes: &BTreeMap<ExactRecord, i8>| {
        let (mut deleted, mut added) = (RecordBatch::new(served.origin()), RecordBatch::new(served.origin()));
        deleted.push(served.origin().as_wire(), RecordType::SOA, soa.ttl, now, Place::default());
        added.push(&owner, RecordType::SOA, ttl, &with_serial(rdata.clone(), to), Place::default());
        for ((owner, record_type, ttl, rdata), by) in changes {
            let batch = if *by > 0 { &mut deleted } else { &mut added };
            batch.push(owner, *record_type, *ttl, rdata, Place::default());
        }
        (deleted, added)
    };
    let (deleted, added) = make(&changes);
    let version = served.with_kept_changes(deleted, added).map_err(|_| RollbackError::Incomplete)?;
    refuse_signed(served, &version)?;
    make_digests_anew((served, &version), &mut changes)?;
    let (deleted, added) = make(&changes);
    Ok(Difference { from, to, deleted, added })
}

/// Refuses a version that has keys or signatures.
fn refuse_signed(served: &Zone, version: &Zone) -> Result<(), RollbackError> {
    let has = |record_type| version.apex().set(record_type).is_some();
    match has(RecordType::DNSKEY) || has(RecordType::RRSIG) {
        true => Err(RollbackError::Signed { served: served.serial() }),
        false => Ok(()),
    }
}

/// Has the version that the changes lead back to, if it has ZONEMD records, have those that fit its new serial (RFC 8976 section 2.2.1).
fn make_digests_anew(
    (served, version): (&Zone, &Zone),
    changes: &mut BTreeMap<ExactRecord, i8>,
) -> Result<(), RollbackError> {
    let Some(set) = version.apex().set(RecordType::ZONEMD) else { return Ok(()) };
    let made = version.made_digests().ok_or(RollbackError::Digest)?;
    let origin = served.origin();
    changes.retain(|(owner, kind, ..), _| *kind != RecordType::ZONEMD || !is_apex(served, owner));
    let record =
        |ttl: u32, rdata: &[u8]| (origin.as_wire().to_vec(), RecordType::ZONEMD, ttl, rdata.to_vec());
    if let Some(old) = served.apex().set(RecordType::ZONEMD) {
        changes.extend(old.rdata().map(|rdata| (record(old.ttl, rdata), 1)));
    }
    for rdata in &made {
        // One that stands there already stays.
        if changes.remove(&record(set.ttl, rdata)).is_none() {
            changes.insert(record(set.ttl, rdata), -1);
        }
    }
    Ok(())
}

/// The newest earlier version whose content is served again, because a rollback or changes that undo each other led back to it; `None` if
/// each version with which one of `steps`, oldest first, begins has another content. ZONEMD records do not count: they differ with the serial.
pub fn returned_to(served: &Zone, steps: &[Difference]) -> Option<Serial> {
    let soa = served.apex().set(RecordType::SOA)?;
    let (ttl, now) = (soa.ttl, without_serial(soa.rdata().next()?));
    let mut changes: BTreeMap<ExactRecord, i8> = BTreeMap::new();
    for step in steps.iter().rev() {
        let mut has_same_soa = false;
        for (batch, by) in [(&step.deleted, -1), (&step.added, 1)] {
            batch.for_each_record(|owner, kind, record_ttl, rdata| match kind {
                RecordType::SOA => {
                    has_same_soa |= by < 0 && record_ttl == ttl && without_serial(rdata) == now;
                }
                RecordType::ZONEMD if is_apex(served, owner) => {}
                _ => {
                    let record = (owner.to_vec(), kind, record_ttl, rdata.to_vec());
                    let count = changes.entry(record.clone()).or_default();
                    *count += by;
                    if *count == 0 {
                        changes.remove(&record);
                    }
                }
            });
        }
        if changes.is_empty() && has_same_soa {
            return Some(step.from);
        }
    }
    None
}

fn is_apex(zone: &Zone, owner: &[u8]) -> bool {
    owner.eq_ignore_ascii_case(zone.origin().as_wire())
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

    /// A version with this ZONEMD record, and the way from `before` to it.
    fn with_digest(before: &Zone, to: u32, added: &[&str], old: &[u8], new: &[u8]) -> (Zone, Difference) {
        let make = || {
            let mut step = step(before.serial().0, to, &[], added);
            let apex = name("example.");
            step.deleted.push(apex.as_wire(), RecordType::ZONEMD, 60, old, Place::default());
            step.added.push(apex.as_wire(), RecordType::ZONEMD, 60, new, Place::default());
            step
        };
        let step = make();
        (before.with_kept_changes(step.deleted, step.added).unwrap(), make())
    }

    /// A ZONEMD record of this serial with a digest that fits nothing.
    fn wrong(serial: u32, algorithm: u8) -> Vec<u8> {
        [&serial.to_be_bytes()[..], &[1, algorithm], &[7; 64]].concat()
    }

    #[test]
    fn a_version_with_a_digest_comes_back_with_one_that_fits_its_new_serial() {
        for algorithm in [1, 2, 77] {
            let mut builder = ZoneBuilder::new(name("example."));
            let mut first = batch(5, &["a.example."]);
            let apex = name("example.");
            first.push(apex.as_wire(), RecordType::NS, 60, name("ns.example.").as_wire(), Place::default());
            first.push(apex.as_wire(), RecordType::ZONEMD, 60, &wrong(5, algorithm), Place::default());
            builder.add(first);
            let first = builder.finish().unwrap();
            let (old, new) = (wrong(5, algorithm), wrong(6, algorithm));
            let (served, way) = with_digest(&first, 6, &["b.example."], &old, &new);
            let steps = [way];
            assert_eq!(returned_to(&served, &steps), None);
            if algorithm == 77 {
                assert_eq!(reverse(&served, &steps).err(), Some(RollbackError::Digest));
                continue;
            }
            let back = reverse(&served, &steps).unwrap();
            let copy = reverse(&served, &steps).unwrap();
            let again = served.with_changes(back.deleted, back.added).unwrap();
            assert_eq!((again.serial(), again.check_digest()), (Serial(7), crate::zone::DigestCheck::Fits));
            // The way there and back is known, although the digest is another one.
            let [way] = steps;
            assert_eq!(returned_to(&again, &[way, copy]), Some(Serial(5)));
        }
    }

    #[test]
    fn there_is_no_way_back_to_a_signed_version_from_one_that_is_not() {
        for record_type in [RecordType::DNSKEY, RecordType::RRSIG] {
            let mut builder = ZoneBuilder::new(name("example."));
            let mut first = batch(5, &["a.example."]);
            let apex = name("example.");
            first.push(apex.as_wire(), RecordType::NS, 60, name("ns.example.").as_wire(), Place::default());
            let rdata = [&[0, 6, 15, 1, 0, 0, 0, 60][..], &[0; 10], apex.as_wire(), &[7; 64]].concat();
            first.push(apex.as_wire(), record_type, 60, &rdata, Place::default());
            builder.add(first);
            let first = builder.finish().unwrap();
            let way = || {
                let mut step = step(5, 6, &[], &["b.example."]);
                step.deleted.push(apex.as_wire(), record_type, 60, &rdata, Place::default());
                step
            };
            let step = way();
            let served = first.with_kept_changes(step.deleted, step.added).unwrap();
            assert!(served.apex().set(record_type).is_none());
            let refused = Some(RollbackError::Signed { served: Serial(6) });
            assert_eq!(reverse(&served, &[way()]).err(), refused, "{record_type:?}");
        }
    }

    #[test]
    fn a_version_that_has_the_content_of_an_earlier_one_is_known() {
        let mut builder = ZoneBuilder::new(name("example."));
        let mut first = batch(5, &["a.example."]);
        first.push(
            name("example.").as_wire(),
            RecordType::NS,
            60,
            name("ns.example.").as_wire(),
            Place::default(),
        );
        builder.add(first);
        let mut served = builder.finish().unwrap();
        let there = || step(5, 6, &[], &["b.example."]);
        let back = || step(6, 7, &["b.example."], &[]);
        let mut known = vec![there()];
        let next = there();
        served = served.with_changes(next.deleted, next.added).unwrap();
        assert_eq!(returned_to(&served, &known), None);
        known.push(back());
        let next = back();
        served = served.with_changes(next.deleted, next.added).unwrap();
        assert_eq!(returned_to(&served, &known), Some(Serial(5)));
        assert_eq!(returned_to(&served, &known[1..]), None, "the history does not go back so far");
    }
}
