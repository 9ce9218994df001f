//! The prerequisites of an update, held against the version that is served (RFC 2136 section 3.2).
//!
//! Costs time of the message, not of the zone: an RRset is compared until the first record that differs.

use std::collections::{BTreeMap, BTreeSet};

use crate::wire::{CLASS_ANY, CLASS_IN, LookupName, Name, RecordType, canonical_rdata};
use crate::zone::{NodeRef, Zone};

use super::fault::UpdateFault;
use super::message::{CLASS_NONE, Section, UpdateRecord};

/// RRsets that must be as they are given, by owner and type; their RDATA in canonical form.
type Wanted<'r> = BTreeMap<(&'r Name, RecordType), BTreeSet<Box<[u8]>>>;

/// Whether all prerequisites hold, in their order; those that give RDATA are compared when all others hold.
///
/// # Errors
/// The first that does not hold, or is malformed.
pub fn check_prerequisites(zone: &Zone, prerequisites: &[UpdateRecord]) -> Result<(), UpdateFault> {
    let mut wanted = Wanted::new();
    for (index, record) in prerequisites.iter().enumerate() {
        let UpdateRecord { owner, class, record_type, ttl, rdata } = record;
        let form = || UpdateFault::Form {
            section: Section::Prerequisite,
            record: index + 1,
            owner: owner.clone(),
            record_type: *record_type,
        };
        if *ttl != 0 {
            return Err(form());
        }
        if !owner.is_at_or_below(zone.origin()) {
            let (section, zone) = (Section::Prerequisite, zone.origin().clone());
            return Err(UpdateFault::NotZone { section, owner: owner.clone(), zone });
        }
        match *class {
            CLASS_ANY | CLASS_NONE if !rdata.is_empty() => return Err(form()),
            CLASS_ANY | CLASS_NONE if *record_type == RecordType::ANY => {
                check_name(zone, owner, *class == CLASS_ANY)?;
            }
            CLASS_ANY | CLASS_NONE if record_type.is_meta() => return Err(form()),
            CLASS_ANY | CLASS_NONE => check_rrset(zone, owner, *record_type, *class == CLASS_ANY)?,
            CLASS_IN if !record_type.is_meta() => {
                let canonical = canonical_rdata(*record_type, rdata).unwrap_or_else(|| rdata.clone());
                wanted.entry((owner, *record_type)).or_default().insert(canonical);
            }
            _ => return Err(form()),
        }
    }
    let other =
        wanted.iter().find(|((owner, record_type), rdata)| !is_rrset(zone, owner, *record_type, rdata));
    match other {
        Some(((owner, record_type), _)) => {
            Err(UpdateFault::NoRrset { owner: Name::clone(owner), record_type: *record_type })
        }
        None => Ok(()),
    }
}

/// "Name is in use" and "name is not in use" (sections 2.4.4 and 2.4.5): an empty non-terminal is not.
fn check_name(zone: &Zone, owner: &Name, must_be: bool) -> Result<(), UpdateFault> {
    let is_in_use = find(zone, owner).is_some_and(|node| node.sets().next().is_some());
    match (is_in_use, must_be) {
        (false, true) => Err(UpdateFault::NameNotInUse { owner: owner.clone() }),
        (true, false) => Err(UpdateFault::NameInUse { owner: owner.clone() }),
        _ => Ok(()),
    }
}

/// "RRset exists" without values, and "RRset does not exist" (sections 2.4.1 and 2.4.3).
fn check_rrset(zone: &Zone, owner: &Name, record_type: RecordType, must_be: bool) -> Result<(), UpdateFault> {
    let exists = find(zone, owner).is_some_and(|node| node.set(record_type).is_some());
    let owner = || owner.clone();
    match (exists, must_be) {
        (false, true) => Err(UpdateFault::NoRrset { owner: owner(), record_type }),
        (true, false) => Err(UpdateFault::RrsetExists { owner: owner(), record_type }),
        _ => Ok(()),
    }
}

/// "RRset exists" with values (section 2.4.2): the same records, whatever their TTL.
fn is_rrset(zone: &Zone, owner: &Name, record_type: RecordType, wanted: &BTreeSet<Box<[u8]>>) -> bool {
    let Some(node) = find(zone, owner) else { return false };
    let mut found = 0;
    let sets = node.sets().filter(|set| set.record_type == record_type);
    for rdata in sets.flat_map(|set| set.rdata()) {
        let is_wanted = match canonical_rdata(record_type, rdata) {
            Some(canonical) => wanted.contains(&canonical),
            None => wanted.contains(rdata),
        };
        if !is_wanted {
            return false;
        }
        found += 1;
    }
    found == wanted.len()
}

fn find<'z>(zone: &'z Zone, owner: &Name) -> Option<NodeRef<'z>> {
    zone.find(&LookupName::from(owner))
}
