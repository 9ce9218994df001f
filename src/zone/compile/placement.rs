//! Which types belong to the apex, to a delegation, or nowhere: RFC 4035 sections 2.1 to 2.6.
//!
//! Looks at the records of one name at a time, so that a version that shares names with the one before is judged as a new one
//! is; only what is below a delegation is found by who walks the names. Allocates only for what it reports.

use crate::wire::{RecordType, name_length};

use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::check::Checks;
use crate::zone::record::entry::Entry;
use crate::zone::record::key;
use crate::zone::record::misplacement::Misplacement;

impl Checks {
    /// Checks what stands beside what at one name.
    pub(in crate::zone) fn placement(&mut self, node: &[Entry<'_>]) {
        let is_apex = node[0].key().is_empty();
        let is_cut = !is_apex && has(node, RecordType::NS);
        for set in node.chunk_by(Entry::is_of_set) {
            let first = &set[0];
            if is_apex && first.record_type == RecordType::DS {
                // RFC 4035 section 2.4: it MUST NOT. BIND refuses it; Knot and NSD take it.
                self.fault(ZoneFault::DsAtApex { owner: first.owner_name(), place: first.place });
            }
            if let Some((entry, problem)) = misplaced(set, node, is_apex, is_cut) {
                self.misplaced(entry, problem);
            }
        }
    }

    /// Checks the records of a name below a delegation.
    pub(in crate::zone) fn below_delegation(&mut self, node: &[Entry<'_>]) {
        if let Some(entry) = node.iter().find(|entry| !is_address(entry.record_type)) {
            self.misplaced(entry, Misplacement::BelowDelegation);
        }
    }

    fn misplaced(&mut self, entry: &Entry<'_>, problem: Misplacement) {
        if self.has_room() {
            let (owner, record_type) = (entry.owner_name(), entry.record_type);
            self.warn(ZoneWarning::Misplaced { owner, record_type, problem, place: entry.place });
        }
    }
}

/// Whether a type may be glue.
pub(in crate::zone) fn is_address(record_type: RecordType) -> bool {
    matches!(record_type, RecordType::A | RecordType::AAAA)
}

fn has(node: &[Entry<'_>], record_type: RecordType) -> bool {
    node.iter().any(|entry| entry.record_type == record_type)
}

/// The first record of a set that is of no use at its name, and why.
fn misplaced<'s, 'b>(
    set: &'s [Entry<'b>],
    node: &[Entry<'_>],
    is_apex: bool,
    is_cut: bool,
) -> Option<(&'s Entry<'b>, Misplacement)> {
    use RecordType as T;
    let first = set.first()?;
    let problem = match first.record_type {
        T::RRSIG => return set.iter().find_map(|entry| Some((entry, signature(entry, node, is_cut)?))),
        T::NSEC => nsec(first, node, is_cut),
        T::NS | T::A | T::AAAA => None,
        T::DS => (!is_apex && !is_cut).then_some(Misplacement::WithoutDelegation),
        _ if is_cut => Some(Misplacement::AtDelegation),
        _ if is_apex => None,
        T::CDS | T::CDNSKEY => Some(Misplacement::BelowApex("RFC 7344 section 4.1")),
        T::CSYNC => Some(Misplacement::BelowApex("RFC 7477 section 2")),
        T::ZONEMD => Some(Misplacement::BelowApex("RFC 8976 section 2")),
        T::NSEC3PARAM => Some(Misplacement::BelowApex("RFC 5155 section 4")),
        T::DNSKEY => {
            return set.iter().find_map(|key| {
                // Keys of other uses may stand anywhere (RFC 4035 section 2.1).
                let is_zone_key = key.rdata().first().is_some_and(|flags| flags & 1 != 0);
                is_zone_key.then_some((key, Misplacement::BelowApex("RFC 4034 section 2.1.1")))
            });
        }
        _ => None,
    };
    problem.map(|problem| (first, problem))
}

/// What is wrong with the place of a signature.
fn signature(entry: &Entry<'_>, node: &[Entry<'_>], is_cut: bool) -> Option<Misplacement> {
    let covered = entry.covered();
    if covered == RecordType::RRSIG {
        return Some(Misplacement::SignsSignatures);
    }
    if is_cut && !matches!(covered, RecordType::DS | RecordType::NSEC) {
        return Some(Misplacement::SignsDelegation);
    }
    if !has(node, covered) {
        return Some(Misplacement::SignsNothing);
    }
    let owner = entry.owner();
    let is_wildcard = owner.starts_with(b"\x01*");
    let labels = entry.rdata().get(3).map(|labels| usize::from(*labels) + usize::from(is_wildcard));
    if labels != Some(label_count(owner)) {
        return Some(Misplacement::SignedLabels);
    }
    let signer = entry.rdata().get(18..)?;
    let signer = signer.get(..name_length(signer).ok()?)?;
    (!signer.eq_ignore_ascii_case(apex_of(entry))).then_some(Misplacement::OtherSigner)
}

/// What is wrong with the types that an NSEC record lists.
fn nsec(entry: &Entry<'_>, node: &[Entry<'_>], is_cut: bool) -> Option<Misplacement> {
    let is_visible = |record_type: RecordType| {
        !is_cut
            || matches!(record_type, RecordType::NS | RecordType::DS | RecordType::NSEC | RecordType::RRSIG)
    };
    if node.iter().all(|entry| matches!(entry.record_type, RecordType::NSEC | RecordType::RRSIG)) {
        return Some(Misplacement::NsecAlone);
    }
    // Signatures of several types are several sets of one type.
    let types = node.chunk_by(|a, b| a.record_type == b.record_type).map(|records| records[0].record_type);
    let held = types.filter(|held| is_visible(*held)).count();
    let rdata = entry.rdata();
    let mut windows = rdata.get(name_length(rdata).ok()?..)?;
    let (mut listed, mut missing) = (0, false);
    while let [window, length, rest @ ..] = windows {
        let (bits, behind) = rest.split_at_checked(usize::from(*length))?;
        for (at, octet) in bits.iter().enumerate() {
            for bit in (0..8_u16).filter(|bit| octet & (0x80 >> bit) != 0) {
                let record_type = RecordType(u16::from(*window) << 8 | (at as u16) << 3 | bit);
                listed += 1;
                missing |= !is_visible(record_type) || !has(node, record_type);
            }
        }
        windows = behind;
    }
    (missing || listed != held).then_some(Misplacement::OtherTypes)
}

/// How many labels a name in wire form has, the root's not counted.
fn label_count(name: &[u8]) -> usize {
    let (mut rest, mut count) = (name, 0);
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        rest = after.get(usize::from(*length)..).unwrap_or(&[]);
        count += 1;
    }
    count
}

/// The zone's name: the owner without the labels of its key.
pub(in crate::zone) fn apex_of<'b>(entry: &Entry<'b>) -> &'b [u8] {
    (0..key::labels(entry.key())).fold(entry.owner(), |name, _| {
        let length = name.first().copied().map_or(0, usize::from);
        name.get(1 + length..).unwrap_or(&[])
    })
}
