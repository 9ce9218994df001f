//! What no zone may hold: faults between records, found in one pass over the sorted records.

use crate::wire::octets::{HEADER, MAX_MESSAGE, RECORD_FIXED};
use crate::wire::{CLASS_IN, Name, Owner, RecordType, Section, Writer, compressible};

use crate::zone::Place;
use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::record::entry::Entry;

/// The most faults, and the most warnings, that are kept: a person reads them, and a wrong file can hold millions.
pub(in crate::zone) const MAX_REPORTED: usize = 100;

/// Octets of a question beside its name.
const QUESTION_FIXED: usize = 4;
/// Octets of a record beside its RDATA, with a pointer to the question as owner.
const POINTED_FIXED: usize = 2 + RECORD_FIXED;

/// Faults and warnings found so far.
#[derive(Clone, Debug, Default)]
pub(in crate::zone) struct Checks {
    faults: Vec<ZoneFault>,
    warnings: Vec<ZoneWarning>,
    /// The records are those of a version that was accepted before.
    is_kept: bool,
    /// They come from a primary.
    is_received: bool,
}

impl Checks {
    /// For a version that was accepted before: a fault that does not hinder answering is a warning.
    pub(in crate::zone) fn of_kept() -> Self {
        Self { is_kept: true, ..Self::default() }
    }

    /// For a version that a primary has: what other servers serve is no reason to be without the zone.
    pub(in crate::zone) fn of_received() -> Self {
        Self { is_received: true, ..Self::default() }
    }

    /// Keeps a fault, if there is room and it was not said yet, as one of two names may be.
    pub(in crate::zone) fn fault(&mut self, fault: ZoneFault) {
        let is_tolerated = (self.is_kept && fault.is_of_placement())
            || (self.is_received && matches!(fault, ZoneFault::DsAtApex { .. }));
        if is_tolerated {
            return self.warn(ZoneWarning::RefusedToday { problem: Box::new(fault) });
        }
        if self.faults.len() < MAX_REPORTED && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Empty ones that judge in the same way.
    pub(in crate::zone) fn fresh(&self) -> Self {
        Self { is_kept: self.is_kept, is_received: self.is_received, ..Self::default() }
    }

    /// Takes what others found.
    pub(in crate::zone) fn add(&mut self, other: Self) {
        other.faults.into_iter().for_each(|fault| self.fault(fault));
        other.warnings.into_iter().for_each(|warning| self.warn(warning));
    }

    /// What was found of TTLs alone.
    pub(in crate::zone) fn of_ttls(mut self) -> Self {
        self.faults.clear();
        self.warnings.retain(|warning| matches!(warning, ZoneWarning::TtlsDiffer { .. }));
        self
    }

    /// Goes on if there was no fault so far.
    pub(in crate::zone) fn passed(self) -> Result<Self, Vec<ZoneFault>> {
        if self.faults.is_empty() { Ok(self) } else { self.finish().map(|_| Self::default()) }
    }

    /// Drops what was said of where records stand for owners of which there are more records: with them it may be untrue.
    pub(in crate::zone) fn drop_misplaced(&mut self, has_more: impl Fn(&Name) -> bool) {
        self.warnings
            .retain(|warning| !matches!(warning, ZoneWarning::Misplaced { owner, .. } if has_more(owner)));
    }

    /// Whether something was said of where records stand.
    pub(in crate::zone) fn has_misplaced(&self) -> bool {
        self.warnings.iter().any(|warning| matches!(warning, ZoneWarning::Misplaced { .. }))
    }

    /// The warnings, or the faults in the order of their places, those without one first.
    pub(in crate::zone) fn finish(mut self) -> Result<Vec<ZoneWarning>, Vec<ZoneFault>> {
        if self.faults.is_empty() {
            return Ok(self.warnings);
        }
        self.faults.sort_by_key(|fault| fault.place().map(order));
        Err(self.faults)
    }

    /// Checks records sorted by key, type and RDATA, without duplicates.
    pub(in crate::zone) fn zone(&mut self, origin: &Name, entries: &[Entry<'_>]) {
        let mut walk = NameWalk::default();
        let mut names = entries.chunk_by(Entry::is_beside).peekable();
        self.apex(origin, names.peek().copied().unwrap_or_default());
        names.for_each(|node| walk.name(self, node));
    }

    /// Checks that the first name is the apex, with what every zone has.
    pub(in crate::zone) fn apex(&mut self, origin: &Name, first: &[Entry<'_>]) {
        let is_apex = first.first().is_some_and(|entry| entry.key().is_empty());
        let has = |wanted| is_apex && first.iter().any(|entry| entry.record_type == wanted);
        if !has(RecordType::SOA) {
            self.fault(ZoneFault::NoSoa { origin: origin.clone() });
        }
        if !has(RecordType::NS) {
            self.fault(ZoneFault::NoApexNs { origin: origin.clone() });
        }
    }

    fn below_dname(&mut self, dname: &Name, node: &[Entry<'_>]) {
        // The NSEC3 records of a zone with a DNAME at its apex stand below it, too, but are not among these
        // (hashed owner names are no names of the zone, RFC 5155 section 7.2.8).
        if let Some(entry) = node.first() {
            self.fault(ZoneFault::BelowDname {
                owner: entry.owner_name(),
                dname: dname.clone(),
                place: entry.place,
            });
        }
    }

    /// Checks the records of one owner.
    pub(in crate::zone) fn node(&mut self, node: &[Entry<'_>]) {
        let find = |wanted| node.iter().find(|entry| entry.record_type == wanted);
        if let Some(cname) = find(RecordType::CNAME) {
            self.beside_cname(cname, node);
        }
        let at_apex = node[0].key().is_empty();
        if let (Some(_), Some(dname), false) = (find(RecordType::NS), find(RecordType::DNAME), at_apex) {
            self.fault(ZoneFault::DnameAtCut { owner: dname.owner_name(), place: dname.place });
        }
        if let Some(ns) = find(RecordType::NS).filter(|ns| ns.owner().starts_with(b"\x01*")) {
            self.warn(ZoneWarning::WildcardNs { owner: ns.owner_name(), place: ns.place });
        }
        self.placement(node);
        self.missing_dots(node);
        for set in node.chunk_by(Entry::is_of_set) {
            self.set(set);
        }
    }

    fn beside_cname(&mut self, cname: &Entry, node: &[Entry<'_>]) {
        let beside = |entry: &&Entry| {
            // RFC 4035 section 2.5: KEY for secure dynamic update.
            use RecordType as T;
            !matches!(entry.record_type, T::CNAME | T::RRSIG | T::NSEC | T::KEY)
        };
        if let Some(other) = node.iter().find(beside) {
            let place = std::cmp::max_by_key(cname.place, other.place, |place| order(*place));
            self.fault(ZoneFault::CnameAndOther {
                owner: cname.owner_name(),
                other: other.record_type,
                place,
            });
        }
    }

    /// Checks the records of one RRset.
    fn set(&mut self, set: &[Entry<'_>]) {
        let Some(first) = set.first() else { return };
        if let Some(second) = set.iter().skip(1).max_by_key(|entry| order(entry.place)) {
            let place = std::cmp::max_by_key(first.place, second.place, |place| order(*place));
            let owner = first.owner_name();
            match first.record_type {
                RecordType::SOA => self.fault(ZoneFault::SecondSoa { owner, place }),
                RecordType::CNAME => self.fault(ZoneFault::SecondCname { owner, place }),
                RecordType::DNAME => self.fault(ZoneFault::SecondDname { owner, place }),
                record_type @ (RecordType::CDS | RecordType::CDNSKEY) if set.iter().any(deletes) => {
                    self.fault(ZoneFault::DeleteNotAlone { owner, record_type, place });
                }
                _ => {}
            }
        }
        if fits_no_message(set) && self.has_room() {
            let (owner, record_type) = (first.owner_name(), first.record_type);
            self.warn(ZoneWarning::RrsetTooLarge { owner, record_type, place: first.place });
        }
        if let Some(example) = set.iter().find(|entry| is_of_the_example(entry)) {
            self.warn(ZoneWarning::ExampleText { owner: example.owner_name(), place: example.place });
        }
        let lowest = set.iter().map(|entry| entry.ttl).min().unwrap_or(0);
        if let Some(other) = set.iter().find(|entry| entry.ttl != lowest) {
            self.warn(ZoneWarning::TtlsDiffer {
                owner: other.owner_name(),
                record_type: other.record_type,
                lowest,
                place: other.place,
            });
        }
    }

    /// Whether another warning would be kept.
    pub(in crate::zone) fn has_room(&self) -> bool {
        self.warnings.len() < MAX_REPORTED
    }

    /// Keeps a warning, if there is room and it was not said yet, as of a name that came in two batches.
    pub(in crate::zone) fn warn(&mut self, warning: ZoneWarning) {
        if self.warnings.len() < MAX_REPORTED && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// What the names before say about the next one; they come in canonical order.
#[derive(Debug, Default)]
pub(in crate::zone) struct NameWalk {
    /// The key and the name of the last DNAME record.
    dname: Option<(Box<[u8]>, Name)>,
    /// The key of the last delegation; empty before the first one. The apex, whose key is empty, is never one.
    cut: Vec<u8>,
}

impl NameWalk {
    /// Checks the records of the next name.
    pub(in crate::zone) fn name(&mut self, checks: &mut Checks, node: &[Entry<'_>]) {
        let Some(first) = node.first() else { return };
        match self.dname.as_ref().filter(|(above, _)| first.key().starts_with(above)) {
            Some((_, dname)) => checks.below_dname(dname, node),
            None => {
                let dname = node.iter().find(|entry| entry.record_type == RecordType::DNAME);
                self.dname = dname.map(|entry| (entry.key().into(), entry.owner_name()));
            }
        }
        if !self.cut.is_empty() && first.key().starts_with(&self.cut) {
            checks.below_delegation(node);
        } else {
            self.cut.clear();
            if node.iter().any(|entry| entry.record_type == RecordType::NS) {
                self.cut.extend_from_slice(first.key());
            }
        }
        checks.node(node);
    }
}

/// Whether it is a TXT record with a character string that the example zones leave to be replaced.
fn is_of_the_example(entry: &Entry<'_>) -> bool {
    const EXAMPLE: &[u8] = b"\x14Example Organization";
    entry.record_type == RecordType::TXT
        && entry.rdata().windows(EXAMPLE.len()).any(|octets| octets == EXAMPLE)
}

/// Whether a CDS or CDNSKEY record asks for the deletion of the DS records: its algorithm is 0 (RFC 8078 section 4).
fn deletes(entry: &Entry<'_>) -> bool {
    let algorithm = if entry.record_type == RecordType::CDS { 2 } else { 3 };
    entry.rdata().get(algorithm) == Some(&0)
}

/// Whether an RRset with header and question exceeds the longest message; its names are compressed where they may be.
pub(in crate::zone) fn fits_no_message(set: &[Entry<'_>]) -> bool {
    let Some(first) = set.first() else { return false };
    let question = first.owner().len() + QUESTION_FIXED;
    let records: usize = set.iter().map(|entry| POINTED_FIXED + entry.rdata().len()).sum();
    if HEADER + question + records <= MAX_MESSAGE {
        return false;
    }
    compressible(first.record_type).is_none() || !fits_compressed(set)
}

/// Whether a writer of answers has room for an RRset of a type with names.
fn fits_compressed(set: &[Entry<'_>]) -> bool {
    let mut message = vec![0; MAX_MESSAGE];
    let Ok(mut writer) = Writer::new(&mut message, MAX_MESSAGE) else { return false };
    let Some(first) = set.first() else { return true };
    let mut question = first.owner().to_vec();
    question.extend_from_slice(&first.record_type.0.to_be_bytes());
    question.extend_from_slice(&CLASS_IN.to_be_bytes());
    let outcome = writer.question(&question, first.owner().len()).and_then(|()| {
        set.iter().try_for_each(|entry| {
            let fixed = (entry.record_type, CLASS_IN, entry.ttl);
            writer.record(Section::Answer, Owner::Question, fixed, entry.rdata())
        })
    });
    outcome.is_ok()
}

fn order(place: Place) -> (u32, u32, u32) {
    (place.file, place.line, place.column)
}
