//! The chains that deny existence: which one is served, whether it is whole, which record of it belongs to which name.
//!
//! A broken chain makes answers that every validator takes for forged, so a zone that has one is refused, as it is with
//! any other wrong data. Of several whole NSEC3 chains (RFC 5155 section 10.4 has two for a while) the cheapest is
//! served.

use crate::wire::{Name, RecordType};

use super::batch::Entry;
use super::check::Checks;
use super::compiled::{Chain, Denial, NO_NODE, Node, NodeRef, Zone};
use super::nsec3::{Hash, MAX_ITERATIONS, Nsec3, Parameters, hash_of_owner, label};
use super::{Place, ZoneFault, ZoneWarning, nsec};

/// Finds the chain that denies, checks it, and adds the NSEC3 records behind the names.
pub(super) fn link(zone: &mut Zone, entries: &[Entry<'_>], hashed: &[Entry<'_>], checks: &mut Checks) {
    let usable = usable(zone, entries, checks);
    let mut broken = Vec::new();
    let chosen = usable.into_iter().find_map(|parameters| match members(&zone.origin, &parameters, hashed) {
        Ok(members) => Some((parameters, members)),
        Err(fault) => {
            broken.push(fault);
            None
        }
    });
    let Some((parameters, members)) = chosen else {
        broken.into_iter().for_each(|fault| checks.fault(fault));
        push_others(zone, hashed, &[], checks);
        return without_nsec3(zone, entries, checks);
    };
    for fault in broken {
        checks.warn(ZoneWarning::UnusedNsec3Param { problem: Box::new(fault) });
    }
    for member in &members {
        push_node(zone, member.records, &member.hash);
    }
    push_others(zone, hashed, &members, checks);
    let hash = |name: &[u8]| parameters.hash(name);
    let of_names = belonging(zone, entries, &members, checks, hash);
    zone.denial = Denial::Nsec3(Chain { length: members.len(), of_names, parameters });
}

/// NSEC records at the apex make the zone deny with them.
fn without_nsec3(zone: &mut Zone, entries: &[Entry<'_>], checks: &mut Checks) {
    if zone.apex().set(RecordType::NSEC).is_some() {
        nsec::check(zone, entries, checks);
        zone.denial = Denial::Nsec;
        return;
    }
    nsec::warn_unused(entries, checks);
    if zone.apex().signatures(RecordType::SOA).is_some() && zone.apex().set(RecordType::DNSKEY).is_some() {
        let place = place_of(zone, zone.apex(), entries, RecordType::DNSKEY);
        checks.warn(ZoneWarning::DeniesNothing { origin: zone.origin.clone(), place });
    }
}

/// The NSEC3PARAM records that may be used, the cheapest first.
fn usable(zone: &Zone, entries: &[Entry<'_>], checks: &mut Checks) -> Vec<Parameters> {
    let apex = entries.iter().take_while(|entry| entry.key().is_empty());
    let mut usable = Vec::new();
    for entry in apex.filter(|entry| entry.record_type == RecordType::NSEC3PARAM) {
        let (owner, place) = (zone.origin.clone(), entry.place);
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
fn push_others(zone: &mut Zone, hashed: &[Entry<'_>], members: &[Member<'_>], checks: &mut Checks) {
    let mut warned = false;
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
        push_node(zone, records, &[]);
    }
}

/// Adds one hashed owner.
fn push_node(zone: &mut Zone, records: &[Entry<'_>], key: &[u8]) {
    let Some(first) = records.first() else { return };
    zone.nodes.push(Node {
        key: zone.keys.len() as u32,
        name: zone.names.len() as u32,
        first_set: zone.sets.len() as u32,
        parent: NO_NODE,
        cover: NO_NODE,
        wildcard: NO_NODE,
        labels: 1,
        has_dname: false,
    });
    zone.keys.extend_from_slice(key);
    let kept = first.owner().len().saturating_sub(zone.origin.as_wire().len());
    zone.names.extend_from_slice(first.owner().get(..kept).unwrap_or(&[]));
    zone.push_sets(records);
}

/// For each name the node of its NSEC3 record; names that must have one and do not, and two names with one, are faults
/// (RFC 5155 section 7.1).
fn belonging(
    zone: &Zone,
    entries: &[Entry<'_>],
    members: &[Member<'_>],
    checks: &mut Checks,
    hash: impl Fn(&[u8]) -> Hash,
) -> Vec<u32> {
    let mut names_of = vec![NO_NODE; members.len()];
    let mut of_names = vec![NO_NODE; zone.name_count];
    let names = (0..zone.name_count as u32).filter_map(|index| zone.node(index));
    for node in names.filter(|node| is_hashed(*node)) {
        let mut buffer = [0; Name::MAX_OCTETS];
        let length = node.owner_into(&mut buffer).len();
        buffer.make_ascii_lowercase();
        let hash = hash(buffer.get(..length).unwrap_or(&[0]));
        let place = || place_of(zone, node, entries, RecordType::NS);
        let after = members.partition_point(|member| member.hash <= hash);
        let at = after.checked_sub(1).unwrap_or(members.len().saturating_sub(1));
        let Some((member, taken)) = members.get(at).zip(names_of.get_mut(at)) else { continue };
        if member.hash != hash {
            // Opt-out leaves out insecure delegations and what is above them alone (RFC 5155 sections 6 and 7.1).
            if !(member.opt_out && may_be_left_out(node)) {
                checks.fault(ZoneFault::Nsec3Missing {
                    owner: node.owner(),
                    hash: label(&hash),
                    place: place(),
                });
            }
            continue;
        }
        if let Some(other) = zone.node(*taken) {
            checks.fault(ZoneFault::HashCollision {
                owner: node.owner(),
                other: other.owner(),
                place: place(),
            });
        }
        *taken = node.index;
        if let Some(belongs) = of_names.get_mut(node.index as usize) {
            *belongs = (zone.name_count + at) as u32;
        }
    }
    if let Some((orphan, _)) = members.iter().zip(&names_of).find(|(_, name)| **name == NO_NODE)
        && let Some(entry) = orphan.records.first()
    {
        checks.warn(ZoneWarning::OrphanNsec3 { owner: entry.owner_name(), place: entry.place });
    }
    of_names
}

/// Whether the name is in the chain: all names but those below a cut, empty non-terminals too.
fn is_hashed(node: NodeRef<'_>) -> bool {
    node.inner().is_some_and(|inner| inner.cover == NO_NODE || inner.cover == node.index)
}

fn may_be_left_out(node: NodeRef<'_>) -> bool {
    let empty = node.sets().next().is_none();
    empty || (node.is_cut() && node.set(RecordType::DS).is_none())
}

/// Where the first record of a name stands; that of this type, if it has one.
pub(super) fn place_of(
    zone: &Zone,
    node: NodeRef<'_>,
    entries: &[Entry<'_>],
    record_type: RecordType,
) -> Place {
    let key = zone.key(node.index as usize);
    let first = entries.partition_point(|entry| entry.key() < key);
    // An empty non-terminal is there because of the name after it.
    let records = entries.get(first..).unwrap_or(&[]);
    let own = records.iter().take_while(|entry| entry.key() == key);
    let wanted = own.into_iter().find(|entry| entry.record_type == record_type).or(records.first());
    wanted.map_or(Place::default(), |entry| entry.place)
}

#[cfg(test)]
mod tests {
    use super::super::nsec3::HASH;
    use super::*;
    use crate::zone::{Record, ZoneBuilder};

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
        let zone = builder.finish().unwrap();
        let members = [Member { hash: [7; HASH], opt_out: false, records: &[] }];
        let mut checks = Checks::default();
        let of_names = belonging(&zone, &[], &members, &mut checks, |_| [7; HASH]);
        assert_eq!(of_names, [2, 2]);
        let faults = checks.finish().unwrap_err();
        let text = "a.example. and example. have the same NSEC3 hash; sign the zone with another salt";
        assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    }
}
