//! The name server algorithm of RFC 1034 section 4.3.2, as RFC 4592 and RFC 6672 amend it.

use std::borrow::Cow;

use crate::wire::{Full, LookupName, Owner, Question, RecordType, Section, Writer};
use crate::zone::{Absence, Denies, Lookup, NodeRef, RrSet, Snapshot, Zone};

use super::denial::Proofs;
use super::{
    Enclosing, Verdict, additional, alias, denial, extended_error, negative, positive, rcode, referral,
};

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
    /// Where in the message the owner of each alias stands.
    pub(super) aliases: [usize; MAX_ALIASES],
    /// How many aliases were followed.
    pub(super) alias_count: usize,
    /// The RRset that was asked for, once it is in the answer.
    pub(super) found: Option<RrSet<'a>>,
    /// What the answer denies so far.
    pub(super) proofs: Proofs<'a>,
    /// Where in the message the owner of each DNAME stands; one that is followed again is not written again.
    pub(super) dnames: [usize; MAX_ALIASES],
    /// How many DNAMEs were written.
    pub(super) dname_count: usize,
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

/// Answers a question of class IN from the zones.
pub(super) fn resolve(
    question: &Question<'_>,
    dnssec_ok: bool,
    snapshot: &Snapshot,
    writer: &mut Writer<'_>,
) -> Verdict {
    // Made in place: it is too large to be handed around.
    let mut name = LookupName::root();
    if name.replace(question.name).is_err() {
        return Verdict::plain(rcode::FORMERR);
    }
    let empty = writer.mark();
    let mut chain = Chain {
        name: Cow::Borrowed(&name),
        record_type: question.record_type,
        dnssec_ok,
        writer,
        aliases: [0; MAX_ALIASES],
        alias_count: 0,
        found: None,
        proofs: Proofs::default(),
        dnames: [0; MAX_ALIASES],
        dname_count: 0,
    };
    let Some(mut zone) = chain.zone(snapshot) else {
        return not_served(snapshot, &chain.name);
    };
    let mut verdict = Verdict { authoritative: true, zone: Some(Enclosing::of(zone)), ..Verdict::default() };
    loop {
        match chain.step(zone) {
            Ok(Step::Done(rcode)) => verdict.rcode = rcode,
            Ok(Step::Referred) => verdict.authoritative = chain.alias_count > 0,
            Ok(Step::Follow) => {
                // Targets outside our zones are for the resolver.
                if let Some(next) = chain.zone(snapshot) {
                    zone = next;
                    continue;
                }
            }
            Err(Stopped::Referral(Full)) => {
                verdict.authoritative = chain.alias_count > 0;
                return Verdict { truncated: true, ..verdict };
            }
            Err(Stopped::Answer(Full)) => return Verdict { truncated: true, ..verdict },
            Err(Stopped::Collision) => {
                chain.writer.roll_back(empty);
                return Verdict { rcode: rcode::SERVFAIL, zone: verdict.zone, ..Verdict::default() };
            }
        }
        // A referral has written them in front of its glue.
        verdict.truncated = denial::write(&mut chain) == Err(Full);
        if !verdict.truncated {
            additional::write(&mut chain, snapshot);
        }
        return verdict;
    }
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

impl<'a> Chain<'a, '_> {
    /// The zone that answers for the name: the closest, or for DS the one above (RFC 4035 section 3.1.4.1), if that
    /// is served.
    fn zone<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Zone> {
        let zone = snapshot.closest_zone(&self.name, 0);
        let at_apex = zone.is_none_or(|zone| zone.origin().as_wire().len() == self.name.as_wire().len());
        if self.record_type == RecordType::DS && at_apex && self.name.label_count() > 0 {
            return snapshot.closest_zone(&self.name, 1).or(zone);
        }
        zone
    }

    fn step(&mut self, zone: &'a Zone) -> Result<Step, Stopped> {
        match zone.lookup(&self.name) {
            // DS belongs to the parent's side of a cut (RFC 4035 section 3.1.4.1).
            Lookup::Cut { node, exact: true } if self.record_type == RecordType::DS => self.at_name(node),
            Lookup::Cut { node, .. } => referral::write(self, node, false),
            Lookup::Dname(node) => alias::dname(self, node),
            Lookup::Exact(node) => self.at_name(node),
            // RFC 4592 section 4.2 leaves this open; see `ZoneWarning::WildcardNs`.
            Lookup::Wildcard(node) if node.is_cut() && self.record_type != RecordType::DS => {
                referral::write(self, node, true)
            }
            Lookup::Wildcard(node) => self.at_wildcard(node),
            Lookup::Missing(encloser) => {
                negative::write(self, zone)?;
                denial::name_error(self, encloser)?;
                Ok(Step::Done(rcode::NXDOMAIN))
            }
        }
    }

    /// The data of a name that exists.
    fn at_name(&mut self, node: NodeRef<'a>) -> Result<Step, Stopped> {
        if let Some(step) = self.data(node)? {
            return Ok(step);
        }
        negative::write(self, node.zone())?;
        denial::no_data(self, node)?;
        Ok(Step::Done(rcode::NOERROR))
    }

    /// The data of a wildcard that stands for the name: its owner is the name asked for (RFC 4592 section 3.3.2).
    fn at_wildcard(&mut self, node: NodeRef<'a>) -> Result<Step, Stopped> {
        // The proof is about the name that is looked for now, which an alias replaces.
        denial::from_wildcard(self, node)?;
        if let Some(step) = self.data(node)? {
            return Ok(step);
        }
        negative::write(self, node.zone())?;
        denial::no_data_at_wildcard(self, node)?;
        Ok(Step::Done(rcode::NOERROR))
    }

    /// Writes what a name has of QTYPE, or its alias; `None` if it has neither.
    fn data(&mut self, node: NodeRef<'a>) -> Result<Option<Step>, Stopped> {
        if positive::write(self, node)? {
            return Ok(Some(Step::Done(rcode::NOERROR)));
        }
        // What stands beside a CNAME (RRSIG, NSEC) was answered as data; every other type follows it
        // (RFC 1034 section 3.6.2).
        node.set(RecordType::CNAME).map(|cname| alias::cname(self, node, cname)).transpose()
    }

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
        let owner = match self.alias_count {
            0 => Owner::Question,
            _ => Owner::Name(self.name.as_wire()),
        };
        write_signed(self.writer, self.dnssec_ok, (Section::Answer, owner, set.ttl), node, set)
    }

    /// Whether the DNAME of this owner stands in the answer.
    pub(super) fn has_dname(&self, owner: &[u8]) -> bool {
        self.dnames.iter().take(self.dname_count).any(|at| self.writer.name_at_is(*at, owner))
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
        positive::records(writer, section, owner, set, ttl)?;
        match signatures {
            Some(signatures) => positive::records(writer, section, owner, signatures, ttl),
            None => Ok(()),
        }
    })
}

/// The verdict on a name in no zone that is served. One that is configured, or may be on its way, is no reason for
/// REFUSED, which would make a resolver think us lame.
fn not_served(snapshot: &Snapshot, name: &LookupName) -> Verdict {
    let (rcode, extended_error) = match snapshot.absence(name) {
        Some(Absence::NoData) => (rcode::SERVFAIL, extended_error::INVALID_DATA),
        Some(Absence::Loading) => (rcode::SERVFAIL, extended_error::NOT_READY),
        None if !snapshot.is_complete() => (rcode::SERVFAIL, extended_error::NOT_READY),
        None => (rcode::REFUSED, extended_error::NOT_AUTHORITATIVE),
    };
    Verdict::explained(rcode, extended_error)
}
