//! Journals of format 4, cut and flipped anywhere.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use crate::publish::state::store::format4::journal::*;
use crate::zone::RecordBatch;

fn origin() -> Name {
    "Example.".parse().unwrap()
}

/// The octets of a head.
fn head(zone: &Name, chain: &Digest) -> Vec<u8> {
    let zone = zone.to_lowercase();
    let check: Digest = Sha256::new().chain_update(zone.as_wire()).chain_update(chain).finalize().into();
    [MAGIC, zone.as_wire(), &check, chain].concat()
}

/// The octets of an entry that continues the link `before`, and its own link. `None` if it would be too long for the
/// format: 4 GiB.
fn entry(
    before: &Digest,
    step: &Step,
    deleted: &RecordBatch,
    added: &RecordBatch,
) -> Option<(Vec<u8>, Digest)> {
    let accepted = step.accepted_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut octets = MARK.to_vec();
    octets.extend([0; 4]);
    octets.extend(step.from.0.to_be_bytes());
    octets.extend(step.to.0.to_be_bytes());
    octets.extend(accepted.to_be_bytes());
    octets.extend((step.records as u64).to_be_bytes());
    octets.push(step.signed.into());
    for batch in [deleted, added] {
        octets.extend(u32::try_from(batch.record_count()).ok()?.to_be_bytes());
        batch.for_each_record(|owner, record_type, ttl, rdata| {
            octets.extend(owner);
            octets.extend(record_type.0.to_be_bytes());
            octets.extend(ttl.to_be_bytes());
            // At most 65,535 octets, which the batch has seen to.
            octets.extend((rdata.len() as u16).to_be_bytes());
            octets.extend(rdata);
        });
    }
    let length = u32::try_from(octets.len() - FRAME).ok()?;
    octets.get_mut(MARK.len()..FRAME)?.copy_from_slice(&length.to_be_bytes());
    let chain = link(before, &octets);
    octets.extend(chain);
    Some((octets, chain))
}

/// A journal of four entries, and where each ends.
fn sample() -> (Vec<u8>, Vec<usize>) {
    let empty = RecordBatch::new(&origin());
    let (mut octets, mut chain, mut ends) = (head(&origin(), &[7; HASH]), [7; HASH], Vec::new());
    for from in 1..5_u32 {
        let accepted_at = UNIX_EPOCH + Duration::from_secs(from.into());
        let (from, to, origin) = (Serial(from), Serial(from + 1), StepOrigin::Difference);
        let step = Step { from, to, accepted_at, records: 3, signed: false, origin };
        let (entry, link) = entry(&chain, &step, &empty, &empty).unwrap();
        octets.extend(entry);
        ends.push(octets.len());
        chain = link;
    }
    (octets, ends)
}

#[test]
fn what_was_written_is_read_from_every_link() {
    let (octets, _) = sample();
    let journal = read(&octets, &origin());
    assert_eq!((journal.end, journal.sound, journal.entries.len()), (End::Whole, octets.len(), 4));
    assert_eq!(journal.after(&[8; HASH]).map(<[_]>::len), None);
    assert_eq!(journal.after(&[7; HASH]).map(<[_]>::len), Some(4));
    assert_eq!(journal.after(&journal.entries[1].chain).map(<[_]>::len), Some(2));
    assert!(read(&octets, &"other.".parse().unwrap()).start.is_none());
}

#[test]
fn a_journal_cut_anywhere_is_what_was_whole_and_no_damage() {
    let (octets, ends) = sample();
    for length in 0..octets.len() {
        let cut = read(&octets[..length], &origin());
        assert_eq!(cut.entries.len(), ends.iter().filter(|end| **end <= length).count(), "cut at {length}");
        let end = if cut.sound == length && length > 0 { End::Whole } else { End::Incomplete };
        assert_eq!(cut.end, end, "cut at {length}");
    }
}

#[test]
fn an_octet_flipped_anywhere_but_in_the_last_entry_is_damage() {
    let (octets, ends) = sample();
    for at in 0..octets.len() {
        let mut flipped = octets.clone();
        flipped[at] ^= 0x20;
        let read = read(&flipped, &origin());
        let before = ends.iter().filter(|end| **end <= at).count();
        assert_eq!(read.entries.len(), if read.start.is_some() { before } else { 0 }, "octet {at}");
        let end = if before < 3 { End::Damaged } else { End::Incomplete };
        assert_eq!(read.end, end, "octet {at}");
    }
}

#[test]
fn marks_without_end_are_damage() {
    // Frames that reach to the end of the file, each of which would have to be hashed.
    let mut marks = head(&origin(), &[7; HASH]);
    marks.push(b'a');
    for _ in 0..10_000 {
        marks.extend(MARK);
        marks.extend(100_000_u32.to_be_bytes());
    }
    assert_eq!(read(&marks, &origin()).end, End::Damaged);
}

proptest! {
    /// No octets make it panic.
    #[test]
    fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..400), at in 0..700_usize) {
        let (mut whole, _) = sample();
        let _ = read(&octets, &origin());
        whole.splice(at.min(whole.len()).., octets);
        let _ = read(&whole, &origin());
    }
}
