//! The name server algorithm of RFC 1034 section 4.3.2, as RFC 4592 and RFC 6672 amend it.

use std::borrow::Cow;

use crate::wire::{Full, LookupName, RecordType, Writer, steps};
use crate::zone::{Absence, Lookup, NodeRef, Snapshot, Zone};

use super::begin::PendingAnswer;
use super::chain::{Chain, Places, Step, Stopped};
use super::verdict::{Enclosing, Verdict, extended_error, rcode};
use super::{additional, alias, denial, negative, positive, referral};

/// Answers a question of class IN from the zones.
pub(super) fn resolve(
    pending: &PendingAnswer<'_>,
    record_type: RecordType,
    dnssec_ok: bool,
    writer: &mut Writer<'_>,
) -> Verdict {
    let snapshot = pending.snapshot;
    let empty = writer.mark();
    let mut chain = Chain {
        name: Cow::Borrowed(pending.name),
        record_type,
        dnssec_ok,
        writer,
        aliases: Places::default(),
        dnames: Places::default(),
        found: None,
        proofs: None,
    };
    steps::count(steps::CountedStep::Search);
    let Some(mut zone) = chain.answering_zone(snapshot, pending.zone) else {
        return not_served(snapshot, pending.name, chain.record_type);
    };
    let mut verdict = Verdict { authoritative: true, zone: Some(Enclosing::of(zone)), ..Verdict::default() };
    // What is known of QNAME already is good for the zone that it is in.
    let known = pending.ahead.as_ref().filter(|_| pending.zone.is_some_and(|own| std::ptr::eq(own, zone)));
    let mut lookup = known.map_or_else(|| zone.lookup(pending.name), |ahead| ahead.lookup(pending.name));
    loop {
        if snapshot.is_stale(zone) {
            verdict.extended_error = Some(extended_error::STALE_ANSWER);
        }
        steps::count(steps::CountedStep::Search);
        match chain.step(zone, lookup) {
            Ok(Step::Done(rcode)) => verdict.rcode = rcode,
            Ok(Step::Referred) => verdict.authoritative = chain.aliases.count > 0,
            Ok(Step::Follow) => {
                // Targets outside our zones are for the resolver.
                steps::count(steps::CountedStep::Search);
                if let Some(next) = chain.answering_zone(snapshot, snapshot.closest_zone(&chain.name, 0)) {
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

impl<'a> Chain<'a, '_> {
    /// The zone that answers for the name, which is in `closest`: that one, or for DS the one above it (RFC 4035 section
    /// 3.1.4.1), if there is one. None answers for DS if the zone above is configured and not served: the child cannot speak for it.
    fn answering_zone<'s>(&self, snapshot: &'s Snapshot, closest: Option<&'s Zone>) -> Option<&'s Zone> {
        if self.record_type != RecordType::DS || self.name.label_count() == 0 {
            return closest;
        }
        let octets = self.name.as_wire().len();
        if closest.is_some_and(|zone| zone.origin().as_wire().len() != octets) {
            return closest;
        }
        steps::count(steps::CountedStep::Search);
        match snapshot.closest_zone(&self.name, 1) {
            None if snapshot.absence(&self.name, 1).is_some() => None,
            above => above.or(closest),
        }
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
}

/// The verdict on a name in no zone that is served. One that is configured, or may be on its way, is no reason for
/// REFUSED, which would make a resolver treat this server as a lame delegation (RFC 9499).
fn not_served(snapshot: &Snapshot, name: &LookupName, record_type: RecordType) -> Verdict {
    let above = || snapshot.absence(name, 1).filter(|_| record_type == RecordType::DS);
    let (rcode, extended_error) = match snapshot.absence(name, 0).or_else(above) {
        Some(Absence::NoData | Absence::Expired) => (rcode::SERVFAIL, extended_error::INVALID_DATA),
        Some(Absence::Loading) => (rcode::SERVFAIL, extended_error::NOT_READY),
        None if !snapshot.is_complete() => (rcode::SERVFAIL, extended_error::NOT_READY),
        None => (rcode::REFUSED, extended_error::NOT_AUTHORITATIVE),
    };
    Verdict::explained(rcode, extended_error)
}
