//! Proofs that something does not exist, or is not signed: which NSEC or NSEC3 records an answer needs.
//!
//! | answer | NSEC (RFC 4035) | NSEC3 (RFC 5155) |
//! | --- | --- | --- |
//! | no such name | 3.1.3.2: one covers the name, one the wildcard | 7.2.2: closest encloser, next closer, wildcard |
//! | no such data | 3.1.3.1: the one of the name | 7.2.3: the one of the name; with opt-out 7.2.4 |
//! | from a wildcard | 3.1.3.3: one covers the name | 7.2.6: one covers the next closer name |
//! | no such data at a wildcard | 3.1.3.4: one covers the name, the one of the wildcard | 7.2.5: the same, closest encloser |
//! | unsigned referral | 3.1.4: the one of the delegation | 7.2.7: the same; with opt-out as 7.2.4 |
//!
//! The records are collected while aliases are followed and written once each, behind all answers. With DO only, and
//! only in zones that have them.

use crate::wire::{Full, LookupName, Name, RecordType, Section, steps};
use crate::zone::{Collision, Denies, NodeRef, Zone};

use super::chain::{Chain, Stopped};

/// Writes what was collected into the authority section. All of it must be there: a proof with a part missing
/// proves nothing.
pub(super) fn write(chain: &mut Chain<'_, '_>) -> Result<(), Full> {
    let Some(proofs) = chain.proofs.take() else { return Ok(()) };
    for owner in proofs.owners.into_iter().take(proofs.count).flatten() {
        let record_type = match owner.zone().denies() {
            Denies::WithNsec3 => RecordType::NSEC3,
            _ => RecordType::NSEC,
        };
        let Some(set) = owner.set(record_type) else { continue };
        let mut buffer = [0; Name::MAX_OCTETS];
        chain.write_set(Section::Authority, owner.owner_into(&mut buffer), owner, set, set.ttl)?;
    }
    Ok(())
}

/// The name does not exist, nor a wildcard that matches it; its closest encloser is `encloser`.
pub(super) fn name_error<'a>(chain: &mut Chain<'a, '_>, encloser: NodeRef<'a>) -> Result<(), Stopped> {
    let zone = encloser.zone();
    match chain.denies(encloser) {
        Denies::WithNothing => {}
        Denies::WithNsec => {
            add(nsec(zone, &chain.name), chain);
            let mut buffer = [0; Name::MAX_OCTETS];
            let wildcard = LookupName::from_wire_prefix(wildcard_below(chain, encloser, &mut buffer));
            add(wildcard.ok().and_then(|wildcard| nsec(zone, &wildcard)), chain);
        }
        Denies::WithNsec3 => {
            let provable = closest_encloser(chain, encloser)?;
            let mut buffer = [0; Name::MAX_OCTETS];
            let wildcard = wildcard_below(chain, provable, &mut buffer);
            match nsec3_covering(zone, wildcard) {
                Ok(covering) => add(covering, chain),
                // The closest encloser is left out by opt-out, and the one above has a wildcard, which does not
                // apply. No NSEC3 record can say so; the opt-out span is all there is.
                Err(Collision) if !provable.is_same(encloser) => {}
                Err(Collision) => return Err(Stopped::Collision),
            }
        }
    }
    Ok(())
}

/// The name exists, as `node`, but has no data of QTYPE.
pub(super) fn no_data<'a>(chain: &mut Chain<'a, '_>, node: NodeRef<'a>) -> Result<(), Stopped> {
    match chain.denies(node) {
        Denies::WithNothing => {}
        // An empty non-terminal has none: the one before it says that the next name is below (RFC 4035 section 5.4).
        Denies::WithNsec => add(nsec(node.zone(), &chain.name), chain),
        Denies::WithNsec3 => nsec3_of_or_opt_out(chain, node)?,
    }
    Ok(())
}

/// The data came from `wildcard`: the name itself does not exist, nor does a closer wildcard.
pub(super) fn from_wildcard<'a>(chain: &mut Chain<'a, '_>, wildcard: NodeRef<'a>) -> Result<(), Stopped> {
    match chain.denies(wildcard) {
        Denies::WithNothing => {}
        Denies::WithNsec => add(nsec(wildcard.zone(), &chain.name), chain),
        Denies::WithNsec3 => {
            if let Some(encloser) = wildcard.parent() {
                next_closer(chain, encloser)?;
            }
        }
    }
    Ok(())
}

/// The `wildcard` has no data of QTYPE either; what [`from_wildcard`] adds must be there already.
pub(super) fn no_data_at_wildcard<'a>(
    chain: &mut Chain<'a, '_>,
    wildcard: NodeRef<'a>,
) -> Result<(), Stopped> {
    let zone = wildcard.zone();
    match chain.denies(wildcard) {
        Denies::WithNothing => {}
        Denies::WithNsec => {
            let mut buffer = [0; Name::MAX_OCTETS];
            let name = LookupName::from_wire_prefix(wildcard.owner_into(&mut buffer));
            add(name.ok().and_then(|name| nsec(zone, &name)), chain);
        }
        Denies::WithNsec3 => {
            if let Some(encloser) = wildcard.parent() {
                nsec3_of_or_opt_out(chain, encloser)?;
            }
            add(zone.nsec3_of(wildcard), chain);
        }
    }
    Ok(())
}

/// The delegation at `cut`, at or above the name, has no DS records.
pub(super) fn unsigned_delegation<'a>(chain: &mut Chain<'a, '_>, cut: NodeRef<'a>) -> Result<(), Stopped> {
    match chain.denies(cut) {
        Denies::WithNothing => {}
        Denies::WithNsec => add(Some(cut), chain),
        Denies::WithNsec3 => nsec3_of_or_opt_out(chain, cut)?,
    }
    Ok(())
}

/// The NSEC3 record of a name that exists; where opt-out leaves it out, the closest provable encloser and the opt-out
/// span (RFC 5155 sections 7.2.4 and 7.2.7).
fn nsec3_of_or_opt_out<'a>(chain: &mut Chain<'a, '_>, node: NodeRef<'a>) -> Result<(), Stopped> {
    match node.zone().nsec3_of(node) {
        Some(own) => add(Some(own), chain),
        None => {
            closest_encloser(chain, node)?;
        }
    }
    Ok(())
}

/// The closest encloser proof (RFC 5155 section 7.2.1): the closest name at or above `node` that has an NSEC3 record,
/// and the next closer name, which is covered. Returns that closest provable encloser.
fn closest_encloser<'a>(chain: &mut Chain<'a, '_>, node: NodeRef<'a>) -> Result<NodeRef<'a>, Stopped> {
    let zone = node.zone();
    let mut encloser = node;
    // The apex has one, so this ends there at the latest.
    while let (None, Some(parent)) = (zone.nsec3_of(encloser), encloser.parent()) {
        encloser = parent;
    }
    add(zone.nsec3_of(encloser), chain);
    next_closer(chain, encloser)?;
    Ok(encloser)
}

/// The NSEC3 record that covers the name one label longer than `encloser` on the way to the name asked for.
fn next_closer<'a>(chain: &mut Chain<'a, '_>, encloser: NodeRef<'a>) -> Result<(), Stopped> {
    let removed = chain.name.label_count().saturating_sub(labels(encloser) + 1);
    let covering = nsec3_covering(encloser.zone(), chain.name.ancestor(removed));
    add(covering.map_err(|Collision| Stopped::Collision)?, chain);
    Ok(())
}

fn add<'a>(owner: Option<NodeRef<'a>>, chain: &mut Chain<'a, '_>) {
    chain.proofs.get_or_insert_default().add(owner);
}

/// See [`Zone::nsec`].
fn nsec<'a>(zone: &'a Zone, name: &LookupName) -> Option<NodeRef<'a>> {
    steps::count(steps::CountedStep::Search);
    zone.nsec(name)
}

/// See [`Zone::nsec3_covering`].
fn nsec3_covering<'a>(zone: &'a Zone, name: &[u8]) -> Result<Option<NodeRef<'a>>, Collision> {
    steps::count(steps::CountedStep::Hash);
    zone.nsec3_covering(name)
}

/// The name `*` below `encloser`, which is above the name asked for, in lower case.
fn wildcard_below<'b>(
    chain: &Chain<'_, '_>,
    encloser: NodeRef<'_>,
    buffer: &'b mut [u8; Name::MAX_OCTETS],
) -> &'b [u8] {
    let removed = chain.name.label_count().saturating_sub(labels(encloser));
    let above = chain.name.ancestor(removed);
    // The name has at least one label more, so it is no shorter than this.
    let length = above.len() + 2;
    for (place, octet) in buffer.iter_mut().zip(b"\x01*".iter().chain(above)) {
        *place = *octet;
    }
    buffer.get(..length).unwrap_or(&[0])
}

/// How many labels the owner has, the root label not counted.
fn labels(node: NodeRef<'_>) -> usize {
    node.zone().origin().label_count() + node.labels_below_apex()
}
