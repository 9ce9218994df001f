//! Whether the NSEC records of a zone are one whole chain (RFC 4035 section 2.3).

use crate::wire::{Name, RecordType, name_length};

use super::batch::Entry;
use super::check::Checks;
use super::compiled::{NodeRef, Zone};
use super::link::place_of;
use super::{ZoneFault, ZoneWarning};

/// Checks that every name with authoritative records has an NSEC record that names the next one, the last the apex.
pub(super) fn check(zone: &Zone, entries: &[Entry<'_>], checks: &mut Checks) {
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
pub(super) fn warn_unused(entries: &[Entry<'_>], checks: &mut Checks) {
    if let Some(nsec) = entries.iter().find(|entry| entry.record_type == RecordType::NSEC) {
        checks.warn(ZoneWarning::UnusedNsec { owner: nsec.owner_name(), place: nsec.place });
    }
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
            place: place_of(node, entries, RecordType::NSEC),
        });
    }
}
