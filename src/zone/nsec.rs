//! Whether the NSEC records of a zone are one whole chain (RFC 4035 section 2.3).

use crate::wire::{Name, RecordType, name_length};

use super::batch::Entry;
use super::check::Checks;
use super::compiled::{NO_NODE, NodeRef, Zone};
use super::link::place_of;
use super::{ZoneFault, ZoneWarning};

/// Checks that every name with authoritative records has an NSEC record that names the next one, the last the apex.
pub(super) fn check(zone: &Zone, entries: &[Entry<'_>], checks: &mut Checks) {
    let mut previous: Option<NodeRef<'_>> = None;
    let names = (0..zone.name_count as u32).filter_map(|index| zone.node(index));
    for node in names.filter(|node| is_owner(*node)) {
        let Some(nsec) = node.set(RecordType::NSEC) else {
            checks.fault(ZoneFault::NsecMissing {
                owner: node.owner(),
                place: place_of(zone, node, entries, RecordType::NSEC),
            });
            continue;
        };
        if nsec.rdata().count() > 1 {
            checks.fault(ZoneFault::SecondNsec {
                owner: node.owner(),
                place: place_of(zone, node, entries, RecordType::NSEC),
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
pub(super) fn warn_unused(entries: &[Entry<'_>], checks: &mut Checks) {
    if let Some(nsec) = entries.iter().find(|entry| entry.record_type == RecordType::NSEC) {
        checks.warn(ZoneWarning::UnusedNsec { owner: nsec.owner_name(), place: nsec.place });
    }
}

/// Whether the name must have an NSEC record: it has records, and is not below a cut.
fn is_owner(node: NodeRef<'_>) -> bool {
    let authoritative = node.inner().is_some_and(|inner| inner.cover == NO_NODE || inner.cover == node.index);
    authoritative && node.sets().next().is_some()
}

fn check_next(node: NodeRef<'_>, next: NodeRef<'_>, entries: &[Entry<'_>], checks: &mut Checks) {
    let Some(rdata) = node.set(RecordType::NSEC).and_then(|set| set.rdata().next()) else { return };
    let named = name_length(rdata).ok().and_then(|length| rdata.get(..length)).unwrap_or(&[]);
    let mut buffer = [0; Name::MAX_OCTETS];
    if !named.eq_ignore_ascii_case(next.owner_into(&mut buffer)) {
        checks.fault(ZoneFault::NsecChainBroken {
            owner: node.owner(),
            named: Name::from_wire(named).unwrap_or_else(|_| Name::root()),
            next: next.owner(),
            place: place_of(node.zone(), node, entries, RecordType::NSEC),
        });
    }
}
