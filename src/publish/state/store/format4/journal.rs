//! The journal of a zone in format 4: the differences that led on from the version in its state file. Only read.
//!
//! Octets in, entries out. Pure: no I/O. Never trusts a length, a number or an order that a hash does not cover.
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

use memchr::memmem;
use sha2::{Digest as _, Sha256};

use crate::clock::at_unix;
use crate::wire::{Name, Serial, name_length};

use crate::publish::accept::Digest;
use crate::publish::state::version::step::{Step, StepOrigin};

const MAGIC: &[u8; 16] = b"anyns-journal 1\n";
const MARK: &[u8; 8] = b"anyns-e\n";
/// Octets of a hash.
const HASH: usize = 32;
/// Mark and length of an entry.
const FRAME: usize = MARK.len() + 4;
/// Behind damage, whole entries are looked for until this many octets were hashed for each octet there is: more is tried
/// only where somebody wrote marks to keep us busy.
const MOST_HASHED: usize = 4;

/// One sound entry.
#[derive(Clone, Copy, Debug)]
pub(in crate::publish) struct JournalEntry<'o> {
    pub(in crate::publish) step: Step,
    /// Its link.
    pub(in crate::publish) chain: Digest,
    /// The records that were deleted, then those that were added; each preceded by their number.
    pub(in crate::publish) records: &'o [u8],
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum End {
    /// With its last entry.
    Whole,
    /// With an entry, or a head, that was not written whole: a crash did that, and nobody was told that it is durable.
    Incomplete,
    /// With something wrong, and what was durable comes after it.
    Damaged,
}

/// What a file holds, as far as it is sound.
#[derive(Debug)]
pub(in crate::publish) struct Journal<'o> {
    /// The link that the first entry continues; `None` if even the head is not sound.
    pub(in crate::publish) start: Option<Digest>,
    pub(in crate::publish) entries: Vec<JournalEntry<'o>>,
    /// Octets that are sound.
    pub(in crate::publish) sound: usize,
    pub(in crate::publish) end: End,
}

fn link(before: &[u8], frame_and_body: &[u8]) -> Digest {
    Sha256::new().chain_update(before).chain_update(frame_and_body).finalize().into()
}

/// Reads the journal of a zone as far as it is sound.
pub(in crate::publish) fn read<'o>(octets: &'o [u8], zone: &Name) -> Journal<'o> {
    let mut journal = Journal { start: None, entries: Vec::new(), sound: 0, end: End::Whole };
    let Some((start, mut rest)) = read_head(octets, zone) else {
        journal.end = end_of(octets, 0, None);
        return journal;
    };
    journal.start = Some(start);
    let mut chain = start;
    loop {
        journal.sound = octets.len() - rest.len();
        if rest.is_empty() {
            return journal;
        }
        let framed = frame(rest);
        let link = framed.map(|(frame, _)| link(&chain, frame));
        let sound = framed.zip(link).and_then(|(framed, link)| sound_entry(framed, link));
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
    pub(in crate::publish) fn after(&self, chain: &Digest) -> Option<&[JournalEntry<'o>]> {
        if self.start.as_ref() == Some(chain) {
            return Some(&self.entries);
        }
        let at = self.entries.iter().position(|entry| entry.chain == *chain)?;
        self.entries.get(at + 1..)
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

/// The entry with this frame, if the link is what follows it; and what comes after.
fn sound_entry<'o>(
    (frame, after): (&'o [u8], &'o [u8]),
    link: Digest,
) -> Option<(JournalEntry<'o>, &'o [u8])> {
    let after = after.strip_prefix(&link)?;
    let (step, records) = step(frame.get(FRAME..)?)?;
    Some((JournalEntry { step, chain: link, records }, after))
}

fn step(body: &[u8]) -> Option<(Step, &[u8])> {
    let (from, rest) = body.split_first_chunk::<4>()?;
    let (to, rest) = rest.split_first_chunk::<4>()?;
    let (accepted, rest) = rest.split_first_chunk::<8>()?;
    let (records, rest) = rest.split_first_chunk::<8>()?;
    let (&signed, rest) = rest.split_first()?;
    let step = Step {
        from: Serial(u32::from_be_bytes(*from)),
        to: Serial(u32::from_be_bytes(*to)),
        accepted_at: at_unix(u64::from_be_bytes(*accepted))?,
        records: usize::try_from(u64::from_be_bytes(*records)).ok()?,
        signed: signed != 0,
        origin: StepOrigin::Difference,
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
    End::Incomplete
}

#[cfg(test)]
#[path = "../../../../../tests/unit/publish/state/format4_journal.rs"]
mod tests;
