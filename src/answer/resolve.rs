//! The name server algorithm of RFC 1034 section 4.3.2, as RFC 4592 and RFC 6672 amend it.

use std::borrow::Cow;

use crate::wire::{Full, LookupName, Owner, RecordType, Section, Writer, steps};
use crate::zone::{Absence, Denies, Lookup, NodeRef, RrSet, Snapshot, Zone};

use super::begin::Begun;
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

/// Answers a question of class IN from the zones.
pub(super) fn resolve(
    begun: &Begun<'_>,
    record_type: RecordType,
    dnssec_ok: bool,
    writer: &mut Writer<'_>,
) -> Verdict {
    let snapshot = begun.snapshot;
    let empty = writer.mark();
    let mut chain = Chain {
        name: Cow::Borrowed(begun.name),
        record_type,
        dnssec_ok,
        writer,
        aliases: Places::default(),
        dnames: Places::default(),
        found: None,
        proofs: None,
    };
    steps::count(steps::Step::Search);
    let Some(mut zone) = chain.speaker(snapshot, begun.zone) else {
        return not_served(snapshot, begun.name);
    };
    let mut verdict = Verdict { authoritative: true, zone: Some(Enclosing::of(zone)), ..Verdict::default() };
    // What is known of QNAME already is good for the zone that it is in.
    let known = begun.ahead.as_ref().filter(|_| begun.zone.is_some_and(|own| std::ptr::eq(own, zone)));
    let mut lookup = known.map_or_else(|| zone.lookup(begun.name), |ahead| ahead.lookup(begun.name));
    loop {
        steps::count(steps::Step::Search);
        match chain.step(zone, lookup) {
            Ok(Step::Done(rcode)) => verdict.rcode = rcode,
            Ok(Step::Referred) => verdict.authoritative = chain.aliases.count > 0,
            Ok(Step::Follow) => {
                // Targets outside our zones are for the resolver.
                steps::count(steps::Step::Search);
                if let Some(next) = chain.speaker(snapshot, snapshot.closest_zone(&chain.name, 0)) {
                    zone = next;
                    lookup = zone.lookup(&chain.name);
                    continue;
                }
            }
            Err(Stopped::Referral(Full)) => {
                verdict.authoritative = chain.aliases.count > 0;
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
    /// The zone that answers for the name, which is in `closest`: that one, or for DS the one above it (RFC 4035 section
    /// 3.1.4.1), if that is served.
    fn speaker<'s>(&self, snapshot: &'s Snapshot, closest: Option<&'s Zone>) -> Option<&'s Zone> {
        if self.record_type != RecordType::DS || self.name.label_count() == 0 {
            return closest;
        }
        let octets = self.name.as_wire().len();
        if closest.is_some_and(|zone| zone.origin().as_wire().len() != octets) {
            return closest;
        }
        steps::count(steps::Step::Search);
        snapshot.closest_zone(&self.name, 1).or(closest)
    }

    /// Goes on with what the zone knows of the name.
    fn step(&mut self, zone: &'a Zone, lookup: Lookup<'a>) -> Result<Step, Stopped> {
        match lookup {
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
