//! Whether the NSEC records of a zone are one whole chain (RFC 4035 section 2.3): all of them, or where names changed.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::wire::{Name, RecordType, name_length};

use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::check::Checks;
use crate::zone::compile::places::place_of;
use crate::zone::record::entry::Entry;
use crate::zone::record::key::Key;
use crate::zone::store::compiled::{NodeRef, RrSet, Zone};

/// Checks that every name with authoritative records has an NSEC record that names the next one, the last the apex.
pub(in crate::zone) fn check(zone: &Zone, entries: &[Entry<'_>], checks: &mut Checks) {
    let mut previous: Option<NodeRef<'_>> = None;
    // Names with records, and not below a cut.
    let owners = zone.names().filter(|(node, below)| !below && node.sets().next().is_some());
    for (node, _) in owners {
        let Some(nsec) = node.set(RecordType::NSEC) else {
            checks.fault(ZoneFault::NsecMissing {
                owner: node.owner(),
                place: place_of(node, entries, RecordType::NSEC),
            });
            continue;
        };
        if nsec.rdata().count() > 1 {
            checks.fault(ZoneFault::SecondNsec {
                owner: node.owner(),
                place: place_of(node, entries, RecordType::NSEC),
            });
        }
        if let Some(previous) = previous.replace(node) {
            check_next(previous, node, entries, checks);
        }
    }
    if let Some(last) = previous {
        check_next(last, zone.apex(), entries, checks);
    }
}

/// Says that the NSEC records are not used, if there are any.
pub(in crate::zone) fn warn_unused(entries: &[Entry<'_>], checks: &mut Checks) {
    if let Some(nsec) = entries.iter().find(|entry| entry.record_type == RecordType::NSEC) {
        checks.warn(ZoneWarning::UnusedNsec { owner: nsec.owner_name(), place: nsec.place });
    }
}

/// Whether the chain is whole where names changed, given that it was whole before.
pub(in crate::zone) fn holds_at(zone: &Zone, before: &Zone, touched: &BTreeSet<Box<[u8]>>) -> bool {
    let links = |node: NodeRef<'_>| {
        let mut nsec = node.set(RecordType::NSEC).into_iter().flat_map(RrSet::rdata);
        let named = nsec.next().and_then(named);
        let next = zone.next_owner(node);
        let mut buffer = [0; Name::MAX_OCTETS];
        named.is_some_and(|named| named.eq_ignore_ascii_case(next.owner_into(&mut buffer)))
            && nsec.next().is_none()
    };
    touched.iter().all(|owner| {
        let own = zone.relative(owner).filter(|node| zone.must_have_nsec(*node));
        let previous = zone.owner_before(owner);
        let others = zone.uncovered_or_covered(before, owner).filter(|node| zone.must_have_nsec(*node));
        own.into_iter().chain(previous).chain(others).all(links)
    })
}

impl Zone {
    /// Whether a name has authoritative records, and so must have an NSEC record.
    fn must_have_nsec(&self, node: NodeRef<'_>) -> bool {
        node.node.set_count() > 0 && self.cover(node).is_none_or(|cover| cover.is_same(node))
    }

    /// The last name in front of this one that must have an NSEC record; `None` for the apex.
    fn owner_before(&self, owner: &[u8]) -> Option<NodeRef<'_>> {
        let key = Key::of_relative(owner);
        let mut at = self.last_name(|other| other.cmp(key.as_octets()))?;
        if self.node(self.order.get(at)?).node.is(owner) {
            at = self.order.before(at)?;
        }
        // Steps over empty non-terminals only, of which no more than a name has labels can stand in a row.
        loop {
            let node = self.node(self.order.get(at)?);
            let cover = self.cover(node).unwrap_or(node);
            if cover.node.set_count() > 0 {
                return Some(cover);
            }
            at = self.order.before(at)?;
        }
    }

    /// The next name that must have an NSEC record, behind one that must, and behind what that one covers; behind the last
    /// one the apex.
    fn next_owner(&self, node: NodeRef<'_>) -> NodeRef<'_> {
        let key = Key::of_relative(node.node.owner());
        let covers = node.covers();
        let last = self.last_name(|other| match covers && other.starts_with(key.as_octets()) {
            true => Ordering::Equal,
            false => other.cmp(key.as_octets()),
        });
        self.names_behind(last).find(|node| node.node.set_count() > 0).unwrap_or(self.apex())
    }

    /// The names below one that is a cut now or has a DNAME, and was none before or had none, or the other way round: they
    /// ceased to be part of the zone, or came to be.
    pub(in crate::zone) fn uncovered_or_covered<'z>(
        &'z self,
        before: &Zone,
        owner: &[u8],
    ) -> impl Iterator<Item = NodeRef<'z>> + use<'z> {
        let covered = before.relative(owner).is_some_and(NodeRef::covers);
        let own = self.relative(owner).filter(|own| own.node.children() > 0 && own.covers() != covered);
        own.into_iter().flat_map(|own| self.names_below(own))
    }
}

/// The name that NSEC RDATA names.
fn named(rdata: &[u8]) -> Option<&[u8]> {
    rdata.get(..name_length(rdata).ok()?)
}

fn check_next(node: NodeRef<'_>, next: NodeRef<'_>, entries: &[Entry<'_>], checks: &mut Checks) {
    let Some(rdata) = node.set(RecordType::NSEC).and_then(|set| set.rdata().next()) else { return };
    let named = named(rdata).unwrap_or(&[]);
    let mut buffer = [0; Name::MAX_OCTETS];
    if !named.eq_ignore_ascii_case(next.owner_into(&mut buffer)) {
        checks.fault(ZoneFault::NsecChainBroken {
            owner: node.owner(),
            named: Name::from_wire(named).unwrap_or_else(|_| Name::root()),
            next: next.owner(),
            place: place_of(node, entries, RecordType::NSEC),
        });
    }
}
