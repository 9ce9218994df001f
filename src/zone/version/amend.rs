//! The next version from what is otherwise in it: names and NSEC3 records put and removed, everything else shared.
//!
//! An [`Amendment`] flows in, from a difference ([`crate::zone::version::change`]) or from a whole zone again ([`crate::zone::version::redeploy`]), and the
//! next version comes out, checked as a new zone is, in time and memory of the amendment. What depends on the whole zone, or
//! would need all of it to be said of it what is wrong, is not decided here: then there is no version, and the caller
//! compiles.

use std::collections::BTreeSet;

use crate::wire::{LookupName, Name, Prepared, RecordType};

use crate::zone::Misplacement;
use crate::zone::Place;
use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::check::Checks;
use crate::zone::compile::nodes::of_soa;
use crate::zone::compile::placement::is_address;
use crate::zone::denial::nsec;
use crate::zone::record::entry::Entry;
use crate::zone::record::nsec3::{Hash, hash_of_owner};
use crate::zone::store::blocks::Exhausted;
use crate::zone::store::compiled::{Denial, NodeRef, Zone};
use crate::zone::version::amendment::Amendment;
use crate::zone::version::edit::Editor;
use crate::zone::version::relink;

impl Zone {
    /// The next version; `None` if it must be compiled whole. What is wrong with it goes into `checks`; only an error if it
    /// cannot be made.
    pub(in crate::zone) fn amended(
        &self,
        amendment: &Amendment<'_>,
        checks: &mut Checks,
    ) -> Result<Option<Self>, Vec<ZoneFault>> {
        let too_large = |Exhausted| self.too_large();
        if !self.can_be_amended(amendment) {
            return Ok(None);
        }
        let mut editor = Editor::new(self);
        for records in amendment.names.chunk_by(Entry::is_beside) {
            checks.node(records);
            editor.put(self.relative_owner(&records[0]), records).map_err(too_large)?;
        }
        for owner in &amendment.names_gone {
            editor.remove(owner).map_err(too_large)?;
        }
        check_dnames(editor.zone(), &amendment.names, checks);
        check_delegations(self, editor.zone(), &amendment.names, checks);
        if denying(editor.zone()) != denying(self) {
            return Ok(None);
        }
        let touched = self.touched(amendment);
        let is_whole = match &self.denial {
            Denial::Unsigned => true,
            Denial::Nsec => nsec::holds_at(editor.zone(), self, &touched),
            Denial::Nsec3(_) => relink::relink(&mut editor, self, amendment, &touched).map_err(too_large)?,
        };
        if !is_whole {
            return Ok(None);
        }
        let mut zone = editor.finish().map_err(too_large)?;
        zone.take_soa(checks);
        Ok(Some(zone))
    }

    /// Whether nothing of the amendment is of a kind that can change what the zone denies with.
    fn can_be_amended(&self, amendment: &Amendment<'_>) -> bool {
        let chain = match &self.denial {
            Denial::Unsigned => !amendment.names.iter().any(|entry| entry.record_type == RecordType::NSEC),
            Denial::Nsec | Denial::Nsec3(_) => true,
        };
        let hashed = matches!(self.denial, Denial::Nsec3(_))
            || (amendment.hashed.is_empty() && amendment.hashed_gone.is_empty());
        chain && hashed && self.others.is_empty()
    }

    /// The names that an amendment is about, without the apex and in lower case.
    fn touched(&self, amendment: &Amendment<'_>) -> BTreeSet<Box<[u8]>> {
        let put = amendment.names.chunk_by(Entry::is_beside).map(|records| self.relative_owner(&records[0]));
        put.chain(amendment.names_gone.iter().copied())
            .map(|owner| owner.to_ascii_lowercase().into())
            .collect()
    }

    /// Takes the serial and the negative TTL from the apex, which must have SOA and NS records.
    fn take_soa(&mut self, checks: &mut Checks) {
        let apex = self.apex();
        let soa = apex.set(RecordType::SOA).and_then(|set| {
            let rdata = set.rdata().next()?;
            let (serial, negative_ttl) = of_soa(rdata, set.ttl);
            Some((serial, negative_ttl, Prepared::new(&self.origin, RecordType::SOA, negative_ttl, rdata)))
        });
        if apex.set(RecordType::NS).is_none() {
            checks.fault(ZoneFault::NoApexNs { origin: self.origin.clone() });
        }
        match soa {
            Some((serial, negative_ttl, prepared)) => {
                (self.serial, self.negative_ttl, self.negative_soa) = (serial, negative_ttl, prepared);
            }
            None => checks.fault(ZoneFault::NoSoa { origin: self.origin.clone() }),
        }
    }

    /// The node of a record's owner.
    pub(in crate::zone) fn node_of(&self, entry: &Entry<'_>) -> Option<NodeRef<'_>> {
        self.find(&LookupName::from_wire_prefix(entry.owner()).ok()?)
    }

    /// The node of an NSEC3 record's owner, of the chain that is served.
    pub(in crate::zone) fn hashed_node_of(&self, entry: &Entry<'_>) -> Option<NodeRef<'_>> {
        self.member(&self.hash_of(entry)?)
    }

    /// The hash that is the owner of an NSEC3 record; `None` if that is no hash directly below the apex.
    pub(in crate::zone) fn hash_of(&self, entry: &Entry<'_>) -> Option<Hash> {
        self.hash_of_owner(entry.owner())
    }

    /// The hash that a name in wire form is directly below the apex.
    pub(in crate::zone) fn hash_of_owner(&self, owner: &[u8]) -> Option<Hash> {
        let below = owner.get(1 + usize::from(*owner.first()?)..)?;
        hash_of_owner(owner).filter(|_| below.eq_ignore_ascii_case(self.origin.as_wire()))
    }

    /// A record's owner without the apex.
    pub(in crate::zone) fn relative_owner<'b>(&self, entry: &Entry<'b>) -> &'b [u8] {
        let owner = entry.owner();
        owner.get(..owner.len().saturating_sub(self.origin.as_wire().len())).unwrap_or(&[])
    }

    pub(in crate::zone) fn too_large(&self) -> Vec<ZoneFault> {
        vec![ZoneFault::TooLarge { origin: self.origin.clone() }]
    }
}

/// What the apex says of how the zone denies, and what is warned of.
fn denying(zone: &Zone) -> Vec<(RecordType, RecordType, Vec<&[u8]>)> {
    let says = |record_type, covered| match record_type {
        RecordType::NSEC | RecordType::NSEC3PARAM | RecordType::DNSKEY => true,
        RecordType::RRSIG => covered == RecordType::SOA,
        _ => false,
    };
    let sets = zone.apex().sets().filter(|set| says(set.record_type, set.covered));
    sets.map(|set| {
        let data = (set.record_type == RecordType::NSEC3PARAM).then(|| set.rdata().collect());
        (set.record_type, set.covered, data.unwrap_or_default())
    })
    .collect()
}

/// Warns of what is below a delegation: of these names, of what was there below one that is a delegation now, and of what was
/// warned of before and still is so.
fn check_delegations(before: &Zone, zone: &Zone, records: &[Entry<'_>], checks: &mut Checks) {
    for records in records.chunk_by(Entry::is_beside) {
        let Some(node) = zone.node_of(&records[0]) else { continue };
        let was_cut = before.node_of(&records[0]).is_some_and(NodeRef::is_cut);
        if is_below_cut(node) {
            checks.below_delegation(records);
        } else if node.is_cut() && !was_cut {
            zone.names_below(node).for_each(|below| warn_below(below, checks));
        }
    }
    let is_named =
        |owner: &Name| records.iter().any(|entry| owner.as_wire().eq_ignore_ascii_case(entry.owner()));
    let again = before.warnings.iter().filter(|warning| warning.is_below_delegation());
    for owner in again.filter_map(ZoneWarning::owner).filter(|owner| !is_named(owner)) {
        let node = zone.find(&LookupName::from(owner));
        node.filter(|node| is_below_cut(*node)).into_iter().for_each(|node| warn_below(node, checks));
    }
}

/// Warns of a name below a delegation that has more than glue; where its records stand is not known.
fn warn_below(node: NodeRef<'_>, checks: &mut Checks) {
    let other = node.sets().find(|set| !is_address(set.record_type));
    if let Some(set) = other.filter(|_| checks.has_room()) {
        checks.warn(ZoneWarning::Misplaced {
            owner: node.owner(),
            record_type: set.record_type,
            problem: Misplacement::BelowDelegation,
            place: Place::default(),
        });
    }
}

fn is_below_cut(node: NodeRef<'_>) -> bool {
    std::iter::successors(node.parent(), |node| node.parent()).any(NodeRef::is_cut)
}

/// No name may be below a DNAME (RFC 6672 section 2.4): neither one of these, nor what was there below one of these.
fn check_dnames(zone: &Zone, records: &[Entry<'_>], checks: &mut Checks) {
    for entry in records.chunk_by(Entry::is_beside).filter_map(<[_]>::first) {
        let Some(node) = zone.node_of(entry) else { continue };
        let (owner, place) = (entry.owner_name(), entry.place);
        let mut above = std::iter::successors(node.parent(), |node| node.parent());
        if let Some(above) = above.find(|above| above.has_dname()) {
            checks.fault(ZoneFault::BelowDname { owner, dname: above.owner(), place });
        } else if node.has_dname() && node.node.children() > 0 {
            let below = zone.names_below(node).find(|other| other.node.set_count() > 0);
            let below = below.map_or_else(|| owner.clone(), NodeRef::owner);
            checks.fault(ZoneFault::BelowDname { owner: below, dname: owner, place });
        }
    }
}
