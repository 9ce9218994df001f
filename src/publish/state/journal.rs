//! The journal of a zone: the differences that led on from the version in its state file.
//!
//! Octets in, entries out, and back. Pure: no I/O; [`crate::publish::state::journal_file`] does that, [`crate::publish::state::journal_replay`] makes
//! records of entries. Never trusts a length, a number or an order that a hash does not vouch for.
//!
//! # File format, version 1
//!
//! One file `NAME.journal` beside `NAME.state`. Binary, big-endian: records go in and come out as they are, with no parser
//! in between; who wants to read the zone has the state file.
//!
//! ```text
//! head   "anyns-journal 1" LF           16 octets
//!        zone                           a name in wire form, in lower case
//!        check                          32 octets, SHA-256 of the zone and of the chain that follows
//!        chain                          32 octets: the link that the first entry continues
//! entry  "anyns-e" LF                   8 octets, by which entries are found behind damage
//!        length                         4 octets: the octets of the body
//!        body
//!        chain                          32 octets, SHA-256 of the link before, the mark, the length and the body
//! body   from, to                       4 + 4 octets: the serials
//!        accepted                       8 octets: seconds since 1970-01-01 UTC
//!        records                        8 octets: how many the new version has
//!        signed                         1 octet: 1 if its SOA is signed, otherwise 0
//!        deleted                        4 octets, and that many records
//!        added                          4 octets, and that many records
//! record owner, type, TTL, length, RDATA   a name in wire form, 2 + 4 + 2 octets, RDATA uncompressed
//! ```
//!
//! An entry is what two versions differ in, exactly ([`crate::zone::Zone::difference_from`]). The state file has a link
//! of the same chain, the one of its version: the entries after it are to be applied, those before it are in it. If the
//! journal does not have that link it is of another history and says nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memchr::memmem;
use sha2::{Digest as _, Sha256};

use crate::wire::{Name, Serial, name_length};
use crate::zone::RecordBatch;

use crate::publish::accept::Digest;

const MAGIC: &[u8; 16] = b"anyns-journal 1\n";
const MARK: &[u8; 8] = b"anyns-e\n";
/// Octets of a hash.
const HASH: usize = 32;
/// Mark and length of an entry.
const FRAME: usize = MARK.len() + 4;
/// Behind damage, whole entries are looked for until this many octets were hashed for each octet there is: more is tried
/// only where somebody wrote marks to keep us busy.
const MOST_HASHED: usize = 4;

/// What is said of the version that an entry led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Step {
    pub(in crate::publish) from: Serial,
    pub(in crate::publish) to: Serial,
    pub(in crate::publish) accepted_at: SystemTime,
    /// How many records the new version has.
    pub(in crate::publish) records: usize,
    pub(in crate::publish) signed: bool,
}

/// One sound entry.
#[derive(Clone, Copy, Debug)]
pub(in crate::publish) struct Entry<'o> {
    pub(in crate::publish) step: Step,
    /// Its link.
    pub(in crate::publish) chain: Digest,
    /// Where it ends in the file.
    pub(in crate::publish) end: usize,
    /// The records that were deleted, then those that were added; each preceded by their number.
    pub(in crate::publish) records: &'o [u8],
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum End {
    /// With its last entry.
    Whole,
    /// With an entry, or a head, that was not written whole: a crash did that, and nobody was told that it is durable.
    Torn,
    /// With something wrong, and what was durable comes after it.
    Damaged,
}

/// What a file holds, as far as it is sound.
#[derive(Debug)]
pub(in crate::publish) struct Journal<'o> {
    /// The link that the first entry continues; `None` if even the head is not sound.
    pub(in crate::publish) start: Option<Digest>,
    pub(in crate::publish) entries: Vec<Entry<'o>>,
    /// Octets of the head.
    head: usize,
    /// Octets that are sound.
    pub(in crate::publish) sound: usize,
    pub(in crate::publish) end: End,
}

/// The octets of a head.
pub(in crate::publish) fn head(zone: &Name, chain: &Digest) -> Vec<u8> {
    let zone = zone.to_lowercase();
    let check: Digest = Sha256::new().chain_update(zone.as_wire()).chain_update(chain).finalize().into();
    [MAGIC, zone.as_wire(), &check, chain].concat()
}

/// The octets of an entry that continues the link `before`, and its own link. `None` if it would be too long for the
/// format: 4 GiB.
pub(in crate::publish) fn entry(
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

fn link(before: &[u8], frame_and_body: &[u8]) -> Digest {
    Sha256::new().chain_update(before).chain_update(frame_and_body).finalize().into()
}

/// Reads the journal of a zone as far as it is sound.
pub(in crate::publish) fn read<'o>(octets: &'o [u8], zone: &Name) -> Journal<'o> {
    let mut journal = Journal { start: None, entries: Vec::new(), head: 0, sound: 0, end: End::Whole };
    let Some((start, mut rest)) = read_head(octets, zone) else {
        journal.end = end_of(octets, 0, None);
        return journal;
    };
    journal.start = Some(start);
    journal.head = octets.len() - rest.len();
    let mut chain = start;
    loop {
        journal.sound = octets.len() - rest.len();
        if rest.is_empty() {
            return journal;
        }
        let framed = frame(rest);
        let link = framed.map(|(frame, _)| link(&chain, frame));
        let sound = framed.zip(link).and_then(|(framed, link)| sound_entry(octets.len(), framed, link));
        let Some((entry, after)) = sound else {
            journal.end = end_of(octets, journal.sound, link);
            return journal;
        };
        chain = entry.chain;
        journal.entries.push(entry);
        rest = after;
    }
}

impl<'o> Journal<'o> {
    /// The entries that come after a link; `None` if the journal does not have it.
    pub(in crate::publish) fn after(&self, chain: &Digest) -> Option<&[Entry<'o>]> {
        if self.start.as_ref() == Some(chain) {
            return Some(&self.entries);
        }
        let at = self.entries.iter().position(|entry| entry.chain == *chain)?;
        self.entries.get(at + 1..)
    }

    /// Where the entries after a link begin in the file.
    pub(in crate::publish) fn position(&self, chain: &Digest) -> Option<usize> {
        let after = self.after(chain)?;
        let before = self.entries.len().checked_sub(after.len())?.checked_sub(1);
        Some(before.and_then(|at| self.entries.get(at)).map_or(self.head, |entry| entry.end))
    }

    /// The last link.
    pub(in crate::publish) fn last(&self) -> Option<Digest> {
        self.entries.last().map(|entry| entry.chain).or(self.start)
    }
}

fn read_head<'o>(octets: &'o [u8], zone: &Name) -> Option<(Digest, &'o [u8])> {
    let rest = octets.strip_prefix(MAGIC)?;
    let (name, rest) = rest.split_at_checked(name_length(rest).ok()?)?;
    let (check, rest) = rest.split_first_chunk::<HASH>()?;
    let (chain, rest) = rest.split_first_chunk::<HASH>()?;
    let found: Digest = Sha256::new().chain_update(name).chain_update(chain).finalize().into();
    (found == *check && name == zone.to_lowercase().as_wire()).then_some((*chain, rest))
}

/// Mark, length and body of the entry that begins here, and what follows, if that can be its link.
fn frame(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = octets.strip_prefix(MARK)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (frame, after) = octets.split_at_checked(FRAME.checked_add(length)?)?;
    (after.len() >= HASH).then_some((frame, after))
}

/// The entry with this frame, if the link is what follows it, of a file of so many octets; and what comes after.
fn sound_entry<'o>(
    octets: usize,
    (frame, after): (&'o [u8], &'o [u8]),
    link: Digest,
) -> Option<(Entry<'o>, &'o [u8])> {
    let after = after.strip_prefix(&link)?;
    let (step, records) = step(frame.get(FRAME..)?)?;
    Some((Entry { step, chain: link, end: octets - after.len(), records }, after))
}

fn step(body: &[u8]) -> Option<(Step, &[u8])> {
    let (from, rest) = body.split_first_chunk::<4>()?;
    let (to, rest) = rest.split_first_chunk::<4>()?;
    let (accepted, rest) = rest.split_first_chunk::<8>()?;
    let (records, rest) = rest.split_first_chunk::<8>()?;
    let (&signed, rest) = rest.split_first()?;
    let accepted = Duration::from_secs(u64::from_be_bytes(*accepted));
    let step = Step {
        from: Serial(u32::from_be_bytes(*from)),
        to: Serial(u32::from_be_bytes(*to)),
        accepted_at: UNIX_EPOCH.checked_add(accepted)?,
        records: usize::try_from(u64::from_be_bytes(*records)).ok()?,
        signed: signed != 0,
    };
    Some((step, rest))
}

/// What the end of the sound part is. Each entry is on the disk before the next is written, so a whole entry behind one
/// that is not means damage. `link`: what the link of the entry that is not sound should be, if it has a frame.
fn end_of(octets: &[u8], sound: usize, link: Option<Digest>) -> End {
    let rest = octets.get(sound..).unwrap_or_default();
    let mut left = octets.len().saturating_mul(MOST_HASHED);
    for at in memmem::find_iter(rest.get(1..).unwrap_or_default(), MARK).map(|at| sound + 1 + at) {
        let Some((frame, after)) = octets.get(at..).and_then(frame) else { continue };
        let Some(enough) = left.checked_sub(2 * frame.len()) else { return End::Damaged };
        left = enough;
        let stored = at.checked_sub(HASH).and_then(|start| octets.get(start..at)).unwrap_or_default();
        let expected = link.as_ref().map_or(stored, |link| link.as_slice());
        if [stored, expected].into_iter().any(|before| after.starts_with(&self::link(before, frame))) {
            return End::Damaged;
        }
    }
    End::Torn
}

#[cfg(test)]
#[path = "../../../tests/unit/publish/state/journal.rs"]
mod tests;
