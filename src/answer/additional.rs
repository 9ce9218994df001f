//! The additional section of a positive answer: what the data names and the snapshot holds (RFC 1034 section 4.3.2
//! step 6).
//!
//! A whole RRset with its signatures or nothing, for as long as they fit; never a reason for TC (RFC 2181 section 9).
//! Comes from any zone of the snapshot. A target that exists by a wildcard alone (RFC 4592 section 3.3) has what the
//! wildcard makes, as with BIND, NSD and Knot DNS; but not where DNSSEC is asked for and the zone denies with NSEC or
//! NSEC3, because without the proof that no closer name exists (RFC 4035 section 3.1.3.3), which has no place here, a validator must throw
//! it away. A target behind an alias is for the resolver.

use crate::wire::{Full, LookupName, RecordType, Section, name_length, steps};
use crate::zone::{Denies, Lookup, NodeRef, Snapshot};

use super::chain::Chain;

/// The most names that are looked up for one answer, each with one search: 13 name servers, and some.
pub(super) const MAX_TARGETS: usize = 16;
/// What a host's name is looked up for.
const ADDRESSES: &[RecordType] = &[RecordType::A, RecordType::AAAA];

/// A name in some RDATA, and the types that are wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target<'z> {
    name: &'z [u8],
    wanted: &'static [RecordType],
}

/// Writes what the RRset of the answer names; stops at what does not fit.
pub(super) fn write(chain: &mut Chain<'_, '_>, snapshot: &Snapshot) {
    let Some(set) = chain.found.filter(|set| leads_on(set.record_type)) else { return };
    let owner = chain.name.clone();
    let mut seen: [&[u8]; MAX_TARGETS] = [&[]; MAX_TARGETS];
    let mut count = 0;
    for rdata in set.rdata() {
        let Some(target) = target(set.record_type, rdata, owner.as_wire()) else { continue };
        if seen.iter().take(count).any(|name| name.eq_ignore_ascii_case(target.name)) {
            continue;
        }
        let Some(place) = seen.get_mut(count) else { return };
        *place = target.name;
        count += 1;
        if records(chain, snapshot, target, set.record_type == RecordType::NS) == Err(Full) {
            return;
        }
    }
}

/// Writes the records of one target; `glue`: also those below a cut.
fn records(
    chain: &mut Chain<'_, '_>,
    snapshot: &Snapshot,
    target: Target<'_>,
    glue: bool,
) -> Result<(), Full> {
    let Ok(name) = LookupName::from_wire_prefix(target.name) else { return Ok(()) };
    let Some(node) = find(snapshot, &name, glue, chain) else { return Ok(()) };
    for record_type in target.wanted {
        if let Some(set) = node.set(*record_type) {
            chain.write_set(Section::Additional, name.as_wire(), node, set, set.ttl)?;
        }
    }
    Ok(())
}

fn find<'s>(
    snapshot: &'s Snapshot,
    name: &LookupName,
    glue: bool,
    chain: &Chain<'_, '_>,
) -> Option<NodeRef<'s>> {
    steps::count(steps::CountedStep::Search);
    let zone = snapshot.closest_zone(name, 0)?;
    steps::count(steps::CountedStep::Search);
    match zone.lookup(name) {
        Lookup::Exact(node) => Some(node),
        Lookup::Wildcard(node) if !node.is_cut() && chain.denies(node) == Denies::WithNothing => Some(node),
        // The zone's own name servers may stand below a cut of it.
        Lookup::Cut { .. } if glue => {
            steps::count(steps::CountedStep::Search);
            zone.find(name)
        }
        _ => None,
    }
}

/// Whether records of this type name something that is worth a look.
fn leads_on(record_type: RecordType) -> bool {
    matches!(
        record_type,
        RecordType::NS
            | RecordType::MX
            | RecordType::AFSDB
            | RecordType::RT
            | RecordType::KX
            | RecordType::SRV
            | RecordType::SVCB
            | RecordType::HTTPS
            | RecordType::NAPTR
    )
}

/// The name in a record's RDATA that is worth a look, if its type has one; the root is none (RFC 7505 section 3,
/// RFC 2782 "Target").
fn target<'z>(record_type: RecordType, rdata: &'z [u8], owner: &'z [u8]) -> Option<Target<'z>> {
    let target = match record_type {
        RecordType::NS => Target { name: rdata, wanted: ADDRESSES },
        // RFC 1035 section 3.3.9, RFC 1183 sections 1 and 3.3, RFC 2230 section 3.1.
        RecordType::MX | RecordType::AFSDB | RecordType::RT | RecordType::KX => {
            Target { name: rdata.get(2..)?, wanted: ADDRESSES }
        }
        // RFC 2782 "Target".
        RecordType::SRV => Target { name: rdata.get(6..)?, wanted: ADDRESSES },
        RecordType::SVCB | RecordType::HTTPS => return service(record_type, rdata, owner),
        RecordType::NAPTR => naptr(rdata)?,
        _ => return None,
    };
    (target.name != [0]).then_some(target)
}

/// RFC 9460 section 4.1: addresses and further SVCB records of the target.
fn service<'z>(record_type: RecordType, rdata: &'z [u8], owner: &'z [u8]) -> Option<Target<'z>> {
    let (priority, rest) = rdata.split_first_chunk::<2>()?;
    let name = rest.get(..name_length(rest).ok()?)?;
    match (u16::from_be_bytes(*priority), name) {
        // Section 2.5.1: an alias to nothing.
        (0, [0]) => None,
        // Section 2.5.2: the owner itself, whose SVCB records are the answer.
        (_, [0]) => Some(Target { name: owner, wanted: ADDRESSES }),
        _ if record_type == RecordType::SVCB => {
            Some(Target { name, wanted: &[RecordType::A, RecordType::AAAA, RecordType::SVCB] })
        }
        _ => Some(Target { name, wanted: &[RecordType::A, RecordType::AAAA, RecordType::HTTPS] }),
    }
}

/// RFC 3403 section 4.1, RFC 3404 section 3: the flag says which record the replacement leads to.
fn naptr(rdata: &[u8]) -> Option<Target<'_>> {
    let (flags, rest) = text(rdata.get(4..)?)?;
    let (_services, rest) = text(rest)?;
    let (_regexp, name) = text(rest)?;
    let wanted: &[RecordType] = match flags {
        b"a" | b"A" => ADDRESSES,
        b"s" | b"S" => &[RecordType::SRV],
        _ => return None,
    };
    Some(Target { name, wanted })
}

/// A character string and what stands behind it (RFC 1035 section 3.3).
fn text(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_targets_of_each_type() {
        const HOST: &[u8] = b"\x01h\0";
        type Case<'a> = (RecordType, &'a [u8], Option<(&'a [u8], usize)>);
        let cases: &[Case<'_>] = &[
            (RecordType::NS, HOST, Some((HOST, 2))),
            (RecordType::MX, b"\0\x0a\x01h\0", Some((HOST, 2))),
            (RecordType::MX, b"\0\0\0", None),
            (RecordType::SRV, b"\0\0\0\0\0\x35\x01h\0", Some((HOST, 2))),
            (RecordType::SRV, b"\0\0\0\0\0\0\0", None),
            (RecordType::HTTPS, b"\0\0\x01h\0", Some((HOST, 3))),
            (RecordType::SVCB, b"\0\x01\x01h\0\0\x03\0\x02\x01\xbb", Some((HOST, 3))),
            (RecordType::HTTPS, b"\0\x01\0", Some((b"\x01o\0", 2))),
            (RecordType::HTTPS, b"\0\0\0", None),
            (RecordType::NAPTR, b"\0\0\0\0\x01s\x01x\0\x01h\0", Some((HOST, 1))),
            (RecordType::NAPTR, b"\0\0\0\0\x01A\x01x\0\x01h\0", Some((HOST, 2))),
            (RecordType::NAPTR, b"\0\0\0\0\x01u\x01x\x01y\0", None),
            (RecordType::CNAME, HOST, None),
        ];
        for (record_type, rdata, expected) in cases {
            let found = target(*record_type, rdata, b"\x01o\0");
            assert_eq!(found.map(|it| (it.name, it.wanted.len())), *expected, "{record_type} {rdata:?}");
            assert!(expected.is_none() || leads_on(*record_type));
        }
    }

    proptest! {
        #[test]
        fn any_rdata_is_looked_into(number in 0..70_u16, rdata in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = target(RecordType(number), &rdata, b"\0");
        }
    }
}
