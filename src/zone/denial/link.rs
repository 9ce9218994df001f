//! The chains that deny existence: which one is served, whether it is whole, which record of it belongs to which name.
//!
//! A broken chain makes answers that every validator takes for forged, so a zone that has one is refused, as it is with
//! any other wrong data. Of several whole NSEC3 chains (RFC 5155 section 10.4 has two for a while) the cheapest is
//! served.

use crate::wire::{Name, RecordType};

use crate::zone::Denies;
use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::check::Checks;
use crate::zone::compile::places::place_of;
use crate::zone::denial::nsec;
use crate::zone::record::entry::Entry;
use crate::zone::record::nsec3::{Hash, MAX_ITERATIONS, Nsec3, Parameters, hash_of_owner, label, tag};
use crate::zone::store::blocks::{Exhausted, NodeId};
use crate::zone::store::compiled::{Chain, Denial, NodeRef, Zone};
use crate::zone::store::index::Index;
use crate::zone::store::node;
use crate::zone::store::order::Order;

/// The chain that a zone will deny with.
pub(in crate::zone) struct Chosen<'e> {
    parameters: Parameters,
    members: Vec<Member<'e>>,
}

/// Finds the NSEC3 chain to deny with, if there is a whole one; faults if all are broken.
pub(in crate::zone) fn choose<'e>(
    origin: &Name,
    entries: &[Entry<'_>],
    hashed: &'e [Entry<'e>],
    checks: &mut Checks,
) -> Option<Chosen<'e>> {
    let mut broken = Vec::new();
    let chosen = usable(origin, entries, checks).into_iter().find_map(|parameters| {
        match members(origin, &parameters, hashed) {
            Ok(members) => Some(Chosen { parameters, members }),
            Err(fault) => {
                broken.push(fault);
                None
            }
        }
    });
    for fault in broken {
        match &chosen {
            Some(_) => checks.warn(ZoneWarning::UnusedNsec3Param { problem: Box::new(fault) }),
            None => checks.fault(fault),
        }
    }
    chosen
}

/// Makes the zone deny with the chosen chain, or else with its NSEC records; checks them, and adds the NSEC3 records.
pub(in crate::zone) fn link(
    zone: &mut Zone,
    chosen: Option<Chosen<'_>>,
    entries: &[Entry<'_>],
    hashed: &[Entry<'_>],
    checks: &mut Checks,
) -> Result<(), Exhausted> {
    let Some(Chosen { parameters, members }) = chosen else {
        push_others(zone, hashed, &[], checks)?;
        without_nsec3(zone, entries, checks);
        return Ok(());
    };
    let mut places = Vec::with_capacity(members.len());
    for member in &members {
        places.push(push_node(zone, member.records, Some(&member.hash))?);
    }
    push_others(zone, hashed, &members, checks)?;
    let hash = |name: &[u8]| parameters.hash(name);
    belonging(zone, entries, &members, checks, hash);
    let tags = members.iter().zip(&places).map(|(member, place)| (tag(&member.hash), *place));
    let chain = Chain { index: Index::build(tags), order: Order::build(&places), parameters };
    zone.denial = Denial::Nsec3(Box::new(chain));
    Ok(())
}

/// NSEC records at the apex make the zone deny with them.
fn without_nsec3(zone: &mut Zone, entries: &[Entry<'_>], checks: &mut Checks) {
    if zone.apex().set(RecordType::NSEC).is_some() {
        nsec::check(zone, entries, checks);
        zone.denial = Denial::Nsec;
        return;
    }
    nsec::warn_unused(entries, checks);
    warn_without_denial(zone, entries, checks);
}

/// Says again what [`choose`] and [`link`] say of the apex alone, of a version whose other records were not looked at.
pub(in crate::zone) fn warn_of_apex(zone: &Zone, entries: &[Entry<'_>], checks: &mut Checks) {
    usable(&zone.origin, entries, checks);
    if zone.denies() == Denies::WithNothing {
        warn_without_denial(zone, entries, checks);
    }
}

fn warn_without_denial(zone: &Zone, entries: &[Entry<'_>], checks: &mut Checks) {
    if zone.apex().signatures(RecordType::SOA).is_some() && zone.apex().set(RecordType::DNSKEY).is_some() {
        let place = place_of(zone.apex(), entries, RecordType::DNSKEY);
        checks.warn(ZoneWarning::DeniesNothing { origin: zone.origin.clone(), place });
    }
}

/// Whether a zone with this apex may deny with NSEC3.
pub(in crate::zone) fn may_have_nsec3(origin: &Name, apex: &[Entry<'_>]) -> bool {
    !usable(origin, apex, &mut Checks::default()).is_empty()
}

/// The NSEC3PARAM records that may be used, the cheapest first.
fn usable(origin: &Name, entries: &[Entry<'_>], checks: &mut Checks) -> Vec<Parameters> {
    let apex = entries.iter().take_while(|entry| entry.key().is_empty());
    let mut usable = Vec::new();
    for entry in apex.filter(|entry| entry.record_type == RecordType::NSEC3PARAM) {
        let (owner, place) = (origin.clone(), entry.place);
        let Some(parameters) = Parameters::from_nsec3param(entry.rdata()) else {
            checks.warn(ZoneWarning::IgnoredNsec3Param { owner, place });
            continue;
        };
        let (iterations, salt) = (parameters.iterations, parameters.salt.len());
        if iterations > MAX_ITERATIONS {
            checks.fault(ZoneFault::TooManyIterations { owner, iterations, most: MAX_ITERATIONS, place });
            continue;
        }
        if iterations > 0 || salt > 0 {
            checks.warn(ZoneWarning::CostlyNsec3 { owner, iterations, salt, place });
        }
        usable.push(parameters);
    }
    usable.sort_by_key(|parameters| (parameters.iterations, parameters.salt.len()));
    usable
}

/// One NSEC3 record of the chain with its signatures.
struct Member<'e> {
    hash: Hash,
    opt_out: bool,
    records: &'e [Entry<'e>],
}

/// The records of one chain in the order of their hashes, each checked to name the next.
fn members<'e>(
    origin: &Name,
    parameters: &Parameters,
    hashed: &'e [Entry],
) -> Result<Vec<Member<'e>>, ZoneFault> {
    let mut members: Vec<Member<'e>> = Vec::new();
    let mut nexts: Vec<(&Entry, &[u8])> = Vec::new();
    for records in hashed.chunk_by(Entry::is_beside) {
        let of_chain =
            |entry: &&Entry| entry.record_type == RecordType::NSEC3 && parameters.has(entry.rdata());
        let mut own = records.iter().filter(of_chain);
        let Some(entry) = own.next() else { continue };
        let (owner, place) = (entry.owner_name(), entry.place);
        if let Some(second) = own.next() {
            return Err(ZoneFault::SecondNsec3 { owner, place: second.place });
        }
        let at_apex = owner.parent().is_some_and(|parent| parent == *origin);
        let Some(hash) = hash_of_owner(entry.owner()).filter(|_| at_apex) else {
            return Err(ZoneFault::Nsec3Owner { owner, origin: origin.clone(), place });
        };
        let Some(nsec3) = Nsec3::read(entry.rdata()) else { continue };
        members.push(Member { hash, opt_out: nsec3.opt_out, records });
        nexts.push((entry, nsec3.next));
    }
    let Some(first) = members.first() else { return Err(ZoneFault::NoNsec3 { origin: origin.clone() }) };
    let following = members.iter().skip(1).chain([first]);
    for ((entry, next), follower) in nexts.iter().zip(following) {
        if *next != follower.hash {
            return Err(ZoneFault::Nsec3ChainBroken {
                owner: entry.owner_name(),
                named: label(next),
                next: label(&follower.hash),
                place: entry.place,
            });
        }
    }
    Ok(members)
}

/// Adds the hashed owners that are of no chain that is served, so that the zone keeps all its records.
fn push_others(
    zone: &mut Zone,
    hashed: &[Entry<'_>],
    members: &[Member<'_>],
    checks: &mut Checks,
) -> Result<(), Exhausted> {
    let (mut places, mut warned) = (Vec::new(), false);
    let mut members = members.iter().peekable();
    for records in hashed.chunk_by(Entry::is_beside) {
        if members.next_if(|member| std::ptr::eq(member.records, records)).is_some() {
            continue;
        }
        let first = records.iter().find(|entry| entry.record_type == RecordType::NSEC3);
        if let Some(entry) = first.filter(|_| !warned) {
            checks.warn(ZoneWarning::UnusedNsec3 { owner: entry.owner_name(), place: entry.place });
            warned = true;
        }
        places.push(push_node(zone, records, None)?);
    }
    zone.others = Order::build(&places);
    Ok(())
}

/// Adds one hashed owner.
fn push_node(zone: &mut Zone, records: &[Entry<'_>], hash: Option<&Hash>) -> Result<NodeId, Exhausted> {
    let owner = records.first().map_or(&[][..], Entry::owner);
    let kept = owner.len().saturating_sub(zone.origin.as_wire().len());
    let mut octets = Vec::new();
    node::write(&mut octets, owner.get(..kept).unwrap_or(&[]), records, hash.is_some());
    let place = zone.store.push(&octets)?;
    if let Some(hash) = hash {
        zone.store.note_hash(place, Some(hash));
    }
    Ok(place)
}

/// Notes for each name whether it has an NSEC3 record; names that must have one and do not, and two names with one, are
/// faults (RFC 5155 section 7.1).
fn belonging(
    zone: &mut Zone,
    entries: &[Entry<'_>],
    members: &[Member<'_>],
    checks: &mut Checks,
    hash: impl Fn(&[u8]) -> Hash,
) {
    let mut name_of: Vec<Option<NodeId>> = vec![None; members.len()];
    let mut found: Vec<(NodeId, usize)> = Vec::new();
    for (node, _) in zone.names().filter(|(_, below)| !below) {
        let mut buffer = [0; Name::MAX_OCTETS];
        let length = node.owner_into(&mut buffer).len();
        buffer.make_ascii_lowercase();
        let hash = hash(buffer.get(..length).unwrap_or(&[0]));
        let place = || place_of(node, entries, RecordType::NS);
        let after = members.partition_point(|member| member.hash <= hash);
        let at = after.checked_sub(1).unwrap_or(members.len().saturating_sub(1));
        let Some((member, taken)) = members.get(at).zip(name_of.get_mut(at)) else { continue };
        if member.hash != hash {
            // Opt-out leaves out insecure delegations and what is above them alone (RFC 5155 sections 6 and 7.1).
            if !(member.opt_out && may_be_left_out(node)) {
                let hash = label(&hash);
                checks.fault(ZoneFault::Nsec3Missing { owner: node.owner(), hash, place: place() });
            }
            continue;
        }
        if let Some(other) = taken.map(|other| zone.node(other)) {
            let (owner, other) = (node.owner(), other.owner());
            checks.fault(ZoneFault::HashCollision { owner, other, place: place() });
        }
        *taken = Some(node.place);
        found.push((node.place, at));
    }
    if let Some((orphan, _)) = members.iter().zip(&name_of).find(|(_, name)| name.is_none())
        && let Some(entry) = orphan.records.first()
    {
        checks.warn(ZoneWarning::OrphanNsec3 { owner: entry.owner_name(), place: entry.place });
    }
    for (place, at) in found {
        if let Some(member) = members.get(at) {
            zone.store.note_hash(place, Some(&member.hash));
        }
    }
}

/// Whether opt-out may leave a name out (RFC 5155 sections 6 and 7.1): an insecure delegation, or what is there for those.
pub(in crate::zone) fn may_be_left_out(node: NodeRef<'_>) -> bool {
    let empty = node.sets().next().is_none();
    empty || (node.is_cut() && node.set(RecordType::DS).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::record::nsec3::HASH;
    use crate::zone::{Place, Record, ZoneBuilder};

    /// No two names with one SHA-1 hash are known, so the hash is another one here.
    #[test]
    fn two_names_with_one_hash_are_a_fault() {
        let origin: Name = "example.".parse().unwrap();
        let record = |owner: &Name, record_type, rdata: &[u8]| Record {
            owner: owner.clone(),
            record_type,
            ttl: 60,
            rdata: rdata.into(),
        };
        let mut builder = ZoneBuilder::new(origin.clone());
        let place = Place { file: 0, line: 3, column: 1 };
        builder.push(record(&origin, RecordType::SOA, &[0; 22]), Place::default());
        builder.push(record(&origin, RecordType::NS, b"\0"), Place::default());
        builder.push(record(&"a.example.".parse().unwrap(), RecordType::A, &[0; 4]), place);
        let mut zone = builder.finish().unwrap();
        let members = [Member { hash: [7; HASH], opt_out: false, records: &[] }];
        let mut checks = Checks::default();
        belonging(&mut zone, &[], &members, &mut checks, |_| [7; HASH]);
        let faults = checks.finish().unwrap_err();
        let text = "a.example. and example. have the same NSEC3 hash; sign the zone with another salt";
        assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    }
}
