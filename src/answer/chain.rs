//! A query on its way through the zones: what the steps of the algorithm share.

use std::borrow::Cow;

use crate::wire::{CLASS_IN, Full, LookupName, Owner, RecordType, Section, Writer};
use crate::zone::{Denies, NodeRef, RrSet};

/// The most aliases that one answer follows: more than sane zones have, and a resolver goes on by itself from there.
pub(super) const MAX_ALIASES: usize = 16;

/// A query on its way through the zones.
pub(super) struct Chain<'a, 'w> {
    /// The name that is looked for now: QNAME, then the target of each alias.
    pub(super) name: Cow<'a, LookupName>,
    /// QTYPE.
    pub(super) record_type: RecordType,
    /// Whether RRSIGs and proofs go along.
    pub(super) dnssec_ok: bool,
    /// The answer.
    pub(super) writer: &'a mut Writer<'w>,
    /// The owners of the aliases that were followed.
    pub(super) aliases: Places,
    /// The owners of the DNAMEs; one that is followed again is not written again.
    pub(super) dnames: Places,
    /// The RRset that was asked for, once it is in the answer.
    pub(super) found: Option<RrSet<'a>>,
    /// What the answer denies so far, if anything.
    pub(super) proofs: Option<Proofs<'a>>,
}

/// Where in the message some names stand.
#[derive(Default)]
pub(super) struct Places {
    places: [u16; MAX_ALIASES],
    pub(super) count: usize,
}

impl Places {
    /// Adds one; says whether there was room.
    pub(super) fn push(&mut self, place: usize) -> bool {
        // A message has at most 65,535 octets.
        let Some(free) = self.places.get_mut(self.count) else { return false };
        *free = place as u16;
        self.count += 1;
        true
    }

    /// Whether the name is one of them.
    pub(super) fn hold(&self, writer: &Writer<'_>, name: &[u8]) -> bool {
        self.places.iter().take(self.count).any(|at| writer.name_at_is(usize::from(*at), name))
    }
}

/// What a step came to.
pub(super) enum Step {
    /// The answer is complete, with this RCODE.
    Done(u16),
    /// It is complete and a referral; without aliases in front it is not authoritative.
    Referred,
    /// The name was replaced by the target of an alias.
    Follow,
}

/// Why an answer ends early.
pub(super) enum Stopped {
    /// A record of an authoritative answer did not fit.
    Answer(Full),
    /// The delegation's NS records, what goes with them by DNSSEC, or its in-domain glue did not fit.
    Referral(Full),
    /// Two names have one NSEC3 hash, so that one of them cannot be denied (RFC 5155 section 7.2.9).
    Collision,
}

impl From<Full> for Stopped {
    fn from(full: Full) -> Self {
        Self::Answer(full)
    }
}

/// The most proofs in one answer: one for each alias that came from a wildcard, three for where the chain ends.
pub(super) const MAX_PROOFS: usize = MAX_ALIASES + 3;

/// Owners of NSEC or NSEC3 records that an answer needs, each once.
#[derive(Debug, Default)]
pub(super) struct Proofs<'a> {
    pub(super) owners: [Option<NodeRef<'a>>; MAX_PROOFS],
    pub(super) count: usize,
}

impl<'a> Proofs<'a> {
    /// Adds one; `None` and one that is there already change nothing.
    pub(super) fn add(&mut self, owner: Option<NodeRef<'a>>) {
        let Some(owner) = owner else { return };
        if self.owners.iter().take(self.count).flatten().any(|known| known.is_same(owner)) {
            return;
        }
        if let Some(place) = self.owners.get_mut(self.count) {
            *place = Some(owner);
            self.count += 1;
        }
    }
}

impl Chain<'_, '_> {
    /// What the name's zone denies with in this answer.
    pub(super) fn denies(&self, node: NodeRef<'_>) -> Denies {
        if self.dnssec_ok { node.zone().denies() } else { Denies::WithNothing }
    }

    /// Writes an RRset of the name that is looked for into the answer.
    pub(super) fn write_answer(&mut self, node: NodeRef<'_>, set: RrSet<'_>) -> Result<(), Full> {
        // A DNAME that led here and is asked for stands in the answer already (RFC 2181 section 5).
        if set.record_type == RecordType::DNAME && self.has_dname(self.name.as_wire()) {
            return Ok(());
        }
        let owner = match self.aliases.count {
            0 => Owner::Question,
            _ => Owner::Name(self.name.as_wire()),
        };
        write_signed(self.writer, self.dnssec_ok, (Section::Answer, owner, set.ttl), node, set)
    }

    /// Whether the DNAME of this owner stands in the answer.
    pub(super) fn has_dname(&self, owner: &[u8]) -> bool {
        self.dnames.hold(self.writer, owner)
    }

    /// Writes an RRset of some other name.
    pub(super) fn write_set(
        &mut self,
        section: Section,
        owner: &[u8],
        node: NodeRef<'_>,
        set: RrSet<'_>,
        ttl: u32,
    ) -> Result<(), Full> {
        write_signed(self.writer, self.dnssec_ok, (section, Owner::Name(owner), ttl), node, set)
    }
}

/// Writes an RRset and, with DO, its signatures (RFC 4035 section 3.1.1): all of it or nothing.
fn write_signed(
    writer: &mut Writer<'_>,
    dnssec_ok: bool,
    (section, owner, ttl): (Section, Owner<'_>, u32),
    node: NodeRef<'_>,
    set: RrSet<'_>,
) -> Result<(), Full> {
    let signatures = if dnssec_ok { node.signatures(set.record_type) } else { None };
    writer.whole(|writer| {
        records(writer, section, owner, set, ttl)?;
        match signatures {
            Some(signatures) => records(writer, section, owner, signatures, ttl),
            None => Ok(()),
        }
    })
}

/// Writes the records of one RRset.
pub(super) fn records(
    writer: &mut Writer<'_>,
    section: Section,
    owner: Owner<'_>,
    set: RrSet<'_>,
    ttl: u32,
) -> Result<(), Full> {
    for rdata in set.rdata() {
        writer.record(section, owner, (set.record_type, CLASS_IN, ttl), rdata)?;
    }
    Ok(())
}
