//! A step of a zone: the exact difference that led from one accepted version to the next.
//!
//! Differences in, octets out, and back. Pure: no I/O. Never trusts a length, a number or an order that a hash does not
//! cover.
//!
//! ```text
//! value  check                          32 octets: SHA-256 of all that follows
//!        before, after                  32 + 32 octets: the links of the two versions
//!        origin                         1 octet
//!        from, to                       4 + 4 octets: the serials
//!        accepted                       8 octets: nanoseconds since 1970-01-01 UTC
//!        records                        8 octets: how many the new version has
//!        signed                         1 octet: 1 if its SOA is signed, otherwise 0
//!        deleted                        4 octets, and that many records
//!        added                          4 octets, and that many records
//! record owner, type, TTL, length, RDATA   a name in wire form, 2 + 4 + 2 octets, RDATA uncompressed
//! ```

use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::publish::accept::Digest;
use crate::publish::state::database::fields::{Fields, push_time};
use crate::publish::state::version::step_source::StepSource;
use crate::wire::{RecordType, Serial, name_length};
use crate::zone::{ExactDifference, RecordBatch};

/// Octets of the check.
const CHECK: usize = 32;

/// What is said of a step beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Step {
    pub(in crate::publish) from: Serial,
    pub(in crate::publish) to: Serial,
    pub(in crate::publish) accepted_at: SystemTime,
    /// How many records the new version has.
    pub(in crate::publish) records: usize,
    pub(in crate::publish) signed: bool,
    pub(in crate::publish) origin: StepOrigin,
}

/// What led to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOrigin {
    /// A new version of the zone file.
    File,
    /// A new version of the zone file under a serial of ours: [`SerialRule::Bump`](crate::publish::SerialRule::Bump).
    Bump,
    /// A difference that was applied.
    Difference,
    /// A whole version from a primary.
    Transfer,
}

impl StepOrigin {
    /// Its name for people and machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Bump => "bump",
            Self::Difference => "difference",
            Self::Transfer => "transfer",
        }
    }
}

/// A step on its way into the database.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Written {
    pub(in crate::publish) step: Step,
    pub(in crate::publish) before: Digest,
    pub(in crate::publish) after: Digest,
    /// Who gave the version, if that is known.
    pub(in crate::publish) source: Option<StepSource>,
    /// The value.
    pub(in crate::publish) octets: Vec<u8>,
}

/// A sound step from the database.
#[derive(Clone, Copy, Debug)]
pub(in crate::publish) struct StepEntry<'o> {
    pub(in crate::publish) step: Step,
    pub(in crate::publish) before: Digest,
    /// The link of the version that it led to.
    pub(in crate::publish) chain: Digest,
    /// The records that were deleted, then those that were added; each preceded by their number.
    pub(in crate::publish) records: &'o [u8],
}

/// The step of a difference that was applied to the version with the link `before`; its link is made of both. `None` if the
/// difference has more records than the format can count: 4 billion.
pub(in crate::publish) fn of_batches(
    before: Digest,
    step: Step,
    deleted: &RecordBatch,
    added: &RecordBatch,
) -> Option<Written> {
    let mut records = Vec::new();
    for batch in [deleted, added] {
        records.extend(u32::try_from(batch.record_count()).ok()?.to_be_bytes());
        batch.for_each_record(|owner, record_type, ttl, rdata| {
            push_record(&mut records, owner, record_type, ttl, rdata);
        });
    }
    let head = head_of(&step);
    let after = Sha256::new().chain_update(before).chain_update(&head).chain_update(&records).finalize();
    Some(written(step, (before, after.into()), &head, &records))
}

/// The step between two whole versions with these links. `None` as above.
pub(in crate::publish) fn of_versions(
    links: (Digest, Digest),
    step: Step,
    difference: &ExactDifference,
) -> Option<Written> {
    let mut records = Vec::new();
    for set in [&difference.deleted, &difference.added] {
        records.extend(u32::try_from(set.len()).ok()?.to_be_bytes());
        for (owner, record_type, ttl, rdata) in set {
            push_record(&mut records, owner, *record_type, *ttl, rdata);
        }
    }
    Some(written(step, links, &head_of(&step), &records))
}

/// The step between versions with these links, its records as they stand in an [`StepEntry`].
pub(in crate::publish) fn of_records(links: (Digest, Digest), step: Step, records: &[u8]) -> Written {
    written(step, links, &head_of(&step), records)
}

/// Appends one record.
pub(in crate::publish) fn push_record(
    out: &mut Vec<u8>,
    owner: &[u8],
    record_type: RecordType,
    ttl: u32,
    rdata: &[u8],
) {
    out.extend(owner);
    out.extend(record_type.0.to_be_bytes());
    out.extend(ttl.to_be_bytes());
    // At most 65,535 octets, as every zone has seen to.
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend(rdata);
}

fn head_of(step: &Step) -> Vec<u8> {
    let origin = match step.origin {
        StepOrigin::File => 0,
        StepOrigin::Bump => 1,
        StepOrigin::Difference => 2,
        StepOrigin::Transfer => 3,
    };
    let mut out = vec![origin];
    out.extend(step.from.0.to_be_bytes());
    out.extend(step.to.0.to_be_bytes());
    push_time(&mut out, step.accepted_at);
    out.extend((step.records as u64).to_be_bytes());
    out.push(step.signed.into());
    out
}

fn written(step: Step, (before, after): (Digest, Digest), head: &[u8], records: &[u8]) -> Written {
    let mut octets = vec![0; CHECK];
    octets.extend(before);
    octets.extend(after);
    octets.extend(head);
    octets.extend(records);
    if let Some((check, rest)) = octets.split_first_chunk_mut::<CHECK>() {
        *check = Sha256::digest(rest).into();
    }
    Written { step, before, after, source: None, octets }
}

/// Reads a value; `None` if it is not sound.
pub(in crate::publish) fn read(octets: &[u8]) -> Option<StepEntry<'_>> {
    let (check, rest) = octets.split_first_chunk::<CHECK>()?;
    if Digest::from(Sha256::digest(rest)) != *check {
        return None;
    }
    let mut fields = Fields(rest);
    let (before, chain) = (fields.digest()?, fields.digest()?);
    let origin = match fields.u8()? {
        0 => StepOrigin::File,
        1 => StepOrigin::Bump,
        2 => StepOrigin::Difference,
        3 => StepOrigin::Transfer,
        _ => return None,
    };
    let (from, to) = (Serial(fields.u32()?), Serial(fields.u32()?));
    let (accepted_at, records, signed) = (fields.time()?, fields.size()?, fields.flag()?);
    let step = Step { from, to, accepted_at, records, signed, origin };
    Some(StepEntry { step, before, chain, records: fields.0 })
}

/// Shows a number of records, which stands before them; returns what follows.
pub(in crate::publish) fn each<'o>(octets: &'o [u8], mut show: impl FnMut(&'o [u8])) -> Option<&'o [u8]> {
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

/// The parts of a record.
pub(in crate::publish) fn parts(record: &[u8]) -> Option<(&[u8], RecordType, u32, &[u8])> {
    let (owner, rest) = record.split_at_checked(name_length(record).ok()?)?;
    let (record_type, rest) = rest.split_first_chunk::<2>()?;
    let (ttl, rest) = rest.split_first_chunk::<4>()?;
    let (_, rdata) = rest.split_first_chunk::<2>()?;
    Some((owner, RecordType(u16::from_be_bytes(*record_type)), u32::from_be_bytes(*ttl), rdata))
}

#[cfg(test)]
#[path = "../../../../tests/unit/publish/state/steps.rs"]
mod tests;
