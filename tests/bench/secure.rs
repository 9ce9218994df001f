//! The difference that a signer of a large zone sends: secure delegations that are new, and what they change of the NSEC3
//! chain.

use anyns::wire::{Name, RecordType};
use anyns::zone::{NodeRef, Place, RecordBatch, Zone};
use data_encoding::BASE32_DNSSEC;

use crate::change::CHANGED;
use crate::zones::{World, hash, label};

/// Octets of an ECDSA P-256 signature.
const SIGNATURE: [u8; 64] = [0x5a; 64];
/// Type bit map of a secure delegation: NS, DS, RRSIG (RFC 5155 section 3.2.1).
const TYPES: &[u8] = b"\0\x06\x20\0\0\0\0\x12";

/// Adds delegations that the zone does not have, numbered from `first` behind those that it has.
pub(crate) fn add(zone: &Zone, world: &World, first: u64, batches: (&mut RecordBatch, &mut RecordBatch)) {
    let (deleted, added) = batches;
    let origin = zone.origin();
    let mut hashes = Vec::new();
    for number in first..first + CHANGED {
        let owner = format!("{}.{origin}", label(b'd', world.seed, world.delegations + number));
        let name: Name = owner.parse().expect("the owner is a name");
        let server = [b"\x02ns", name.as_wire()].concat();
        let mut put = |owner: &[u8], record_type, rdata: &[u8]| {
            added.push(owner, record_type, 3600, rdata, Place::default())
        };
        put(name.as_wire(), RecordType::NS, &server);
        put(&server, RecordType::A, &[10, 9, 8, 7]);
        put(name.as_wire(), RecordType::DS, &[&[0, 1, 13, 2][..], &[7; 32]].concat());
        put(name.as_wire(), RecordType::RRSIG, &signature(RecordType::DS, origin));
        hashes.push((hash(owner.trim_end_matches('.')), covering(zone, &name)));
    }
    hashes.sort_unstable_by_key(|(hash, _)| *hash);
    for chunk in hashes.chunk_by(|(_, one), (_, other)| one.is_same(*other)) {
        split(zone, chunk, (deleted, added));
    }
}

/// The NSEC3 record that covers a name which is not there.
fn covering<'z>(zone: &'z Zone, name: &Name) -> NodeRef<'z> {
    zone.nsec3_covering(name.as_wire()).expect("no two hashes are the same").expect("the zone has a chain")
}

/// Puts hashes between that of the NSEC3 record that covers them all and the next one.
fn split(
    zone: &Zone,
    hashes: &[([u8; 20], NodeRef<'_>)],
    (deleted, added): (&mut RecordBatch, &mut RecordBatch),
) {
    let before = hashes[0].1;
    let owner = before.owner();
    for set in before.sets() {
        set.rdata().for_each(|rdata| {
            deleted.push(owner.as_wire(), set.record_type, set.ttl, rdata, Place::default())
        });
    }
    let nsec3 =
        before.set(RecordType::NSEC3).and_then(|set| set.rdata().next()).expect("it is an NSEC3 record");
    let own: [u8; 20] = BASE32_DNSSEC
        .decode(owner.labels().next().expect("it has a hash"))
        .ok()
        .and_then(|hash| hash.try_into().ok())
        .expect("it is a hash");
    let next: [u8; 20] = nsec3[6..26].try_into().expect("it names the next hash");
    let all: Vec<[u8; 20]> =
        [own].into_iter().chain(hashes.iter().map(|(hash, _)| *hash)).chain([next]).collect();
    for pair in all.windows(2) {
        let owner: Name =
            format!("{}.{}", BASE32_DNSSEC.encode(&pair[0]), zone.origin()).parse().expect("a name");
        let rdata = [&[1, 1, 0, 0, 0, 20][..], &pair[1], TYPES].concat();
        added.push(owner.as_wire(), RecordType::NSEC3, 3600, &rdata, Place::default());
        let signature = signature(RecordType::NSEC3, zone.origin());
        added.push(owner.as_wire(), RecordType::RRSIG, 3600, &signature, Place::default());
    }
}

fn signature(covered: RecordType, origin: &Name) -> Vec<u8> {
    let times = [0, 0, 0x0e, 0x10, 0x70, 0xdb, 0xd8, 0x80, 0x5e, 0x0b, 0xe1, 0, 0, 7];
    [&covered.0.to_be_bytes()[..], &[13, 3], &times, origin.as_wire(), &SIGNATURE].concat()
}
