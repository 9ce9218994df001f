//! The update section before anything of it is done (RFC 2136 section 3.4.1), and what the key may ask for (section 3.3).

use crate::transfer::writer::can_transfer;
use crate::wire::{CLASS_ANY, CLASS_IN, LookupName, Name, RecordType};
use crate::zone::Zone;

use super::fault::UpdateFault;
use super::message::{CLASS_NONE, Section, UpdateRecord};
use super::policy::Policy;

/// Whether a zone is signed, or on its way to be: then only its signer may change it.
pub fn is_signed(zone: &Zone) -> bool {
    zone.apex().sets().any(|set| is_of_signer(set.record_type))
}

/// Types that a signer makes, and its keys.
fn is_of_signer(record_type: RecordType) -> bool {
    use RecordType as T;
    matches!(record_type, T::DNSKEY | T::RRSIG | T::NSEC | T::NSEC3 | T::NSEC3PARAM)
}

/// Whether every record of the update section can be meant, is in the zone, and is what this key may change.
///
/// # Errors
/// The first that is not.
pub fn prescan(
    zone: &Zone,
    changes: &[UpdateRecord],
    (policy, key): (&Policy, &Name),
) -> Result<(), UpdateFault> {
    for (index, record) in changes.iter().enumerate() {
        let UpdateRecord { owner, class, record_type, rdata, .. } = record;
        if !owner.is_at_or_below(zone.origin()) {
            let (section, zone) = (Section::Update, zone.origin().clone());
            return Err(UpdateFault::NotZone { section, owner: owner.clone(), zone });
        }
        if !can_be_meant(record) {
            let (section, owner, record_type) = (Section::Update, owner.clone(), *record_type);
            return Err(UpdateFault::Form { section, record: index + 1, owner, record_type });
        }
        if is_of_signer(*record_type) {
            return Err(UpdateFault::SignerType { owner: owner.clone(), record_type: *record_type });
        }
        if *class == CLASS_IN && !can_transfer(zone.origin(), owner, rdata) {
            let (owner, record_type, octets) = (owner.clone(), *record_type, rdata.len());
            return Err(UpdateFault::NoTransfer { owner, record_type, octets });
        }
        let is_allowed = match *record_type {
            RecordType::ANY => allows_every_type(zone, owner, (policy, key)),
            _ => policy.allows(key, owner, *record_type),
        };
        if !is_allowed {
            let (key, owner, record_type) = (key.clone(), owner.clone(), *record_type);
            return Err(UpdateFault::NotAllowed { key, owner, record_type });
        }
    }
    Ok(())
}

/// Whether class, type, TTL and length go together (section 3.4.1.2).
fn can_be_meant(UpdateRecord { class, record_type, ttl, rdata, .. }: &UpdateRecord) -> bool {
    match *class {
        CLASS_IN => !record_type.is_meta(),
        CLASS_ANY => {
            *ttl == 0 && rdata.is_empty() && (!record_type.is_meta() || *record_type == RecordType::ANY)
        }
        CLASS_NONE => *ttl == 0 && !record_type.is_meta(),
        _ => false,
    }
}

/// Whether a key may delete all that a name has now; the SOA and NS records of the apex stay anyway.
fn allows_every_type(zone: &Zone, owner: &Name, (policy, key): (&Policy, &Name)) -> bool {
    let Some(node) = zone.find(&LookupName::from(owner)) else { return policy.allows_some(key, owner) };
    let stays =
        |record_type| owner == zone.origin() && matches!(record_type, RecordType::SOA | RecordType::NS);
    let mut goes = node.sets().map(|set| set.record_type).filter(|record_type| !stays(*record_type));
    policy.allows_some(key, owner) && goes.all(|record_type| policy.allows(key, owner, record_type))
}
