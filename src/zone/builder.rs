//! Records in, a checked and compiled zone out.

use crate::wire::{LookupName, Name, RecordType, canonical_rdata, check_rdata};

use super::check::Checks;
use super::compile::compile;
use super::key::Key;
use super::link::link;
use super::{Place, Record, Zone, ZoneFault};

/// The largest TTL in seconds (RFC 2181 section 8).
const MAX_TTL: u32 = 0x7fff_ffff;

/// Collects the records of one zone and compiles them.
#[derive(Debug)]
pub struct ZoneBuilder {
    origin: Name,
    entries: Vec<Entry>,
    /// NSEC3 records and their signatures: they are no data of the names they stand at (RFC 5155 section 7.2.8).
    hashed: Vec<Entry>,
    checks: Checks,
}

/// One record, ready to be sorted. Owner, key and RDATA are one allocation.
#[derive(Debug)]
pub(super) struct Entry {
    octets: Box<[u8]>,
    owner_end: u16,
    key_end: u16,
    pub(super) record_type: RecordType,
    pub(super) ttl: u32,
    pub(super) place: Place,
}

impl ZoneBuilder {
    /// A builder for the zone `origin`.
    pub fn new(origin: Name) -> Self {
        Self { origin, entries: Vec::new(), hashed: Vec::new(), checks: Checks::default() }
    }

    /// Takes one more record; duplicates are allowed here and become one (RFC 2181 section 5).
    pub fn push(&mut self, record: Record, place: Place) {
        if let Some(fault) = fault_of(&record, &self.origin, place) {
            return self.checks.fault(fault);
        }
        let key = Key::new(&LookupName::from(&record.owner), self.origin.label_count());
        let (owner, key) = (record.owner.as_wire(), key.as_octets());
        let entry = Entry {
            octets: [owner, key, &record.rdata].concat().into(),
            // At most 255 and 255 + 512 octets.
            owner_end: owner.len() as u16,
            key_end: (owner.len() + key.len()) as u16,
            record_type: record.record_type,
            ttl: record.ttl,
            place,
        };
        let hashed = [entry.record_type, entry.covered()].contains(&RecordType::NSEC3);
        if hashed { &mut self.hashed } else { &mut self.entries }.push(entry);
    }

    /// Checks and compiles; on error every fault that was found (at most 100), in the order of the places.
    pub fn finish(self) -> Result<Zone, Vec<ZoneFault>> {
        let Self { origin, mut entries, mut hashed, mut checks } = self;
        sort(&mut entries);
        sort(&mut hashed);
        checks.zone(&origin, &entries);
        let mut checks = checks.passed()?;
        let mut zone = compile(origin, &entries).map_err(|fault| vec![fault])?;
        link(&mut zone, &entries, &hashed, &mut checks);
        let warnings = checks.finish()?;
        zone.closed(entries.len() + hashed.len(), warnings).map_err(|fault| vec![fault])
    }
}

/// Sorts by owner, type and RDATA, the SOA first, and leaves out duplicates.
fn sort(entries: &mut Vec<Entry>) {
    entries.sort_by(|a, b| {
        let kind = |entry: &Entry| (entry.record_type != RecordType::SOA, entry.record_type, entry.covered());
        a.key().cmp(b.key()).then_with(|| kind(a).cmp(&kind(b))).then_with(|| a.compare_rdata(b))
    });
    // Duplicates are one record (RFC 2181 section 5); the lower TTL counts.
    entries.dedup_by(|later, first| {
        let same = later.key() == first.key()
            && later.record_type == first.record_type
            && later.compare_rdata(first).is_eq();
        if same {
            first.ttl = first.ttl.min(later.ttl);
        }
        same
    });
}

impl Entry {
    pub(super) fn owner(&self) -> &[u8] {
        self.octets.get(..usize::from(self.owner_end)).unwrap_or(&[0])
    }

    pub(super) fn key(&self) -> &[u8] {
        self.octets.get(usize::from(self.owner_end)..usize::from(self.key_end)).unwrap_or(&[])
    }

    pub(super) fn rdata(&self) -> &[u8] {
        self.octets.get(usize::from(self.key_end)..).unwrap_or(&[])
    }

    /// The owner as a name of its own.
    pub(super) fn owner_name(&self) -> Name {
        Name::from_wire(self.owner()).unwrap_or_else(|_| Name::root())
    }

    /// The type an RRSIG covers (RFC 4034 section 3.1.1); signatures of one owner are one set for each.
    pub(super) fn covered(&self) -> RecordType {
        match (self.record_type, self.rdata()) {
            (RecordType::RRSIG, [high, low, ..]) => RecordType(u16::from_be_bytes([*high, *low])),
            _ => RecordType(0),
        }
    }

    /// Canonical order within an RRset (RFC 4034 section 6.3).
    fn compare_rdata(&self, other: &Self) -> std::cmp::Ordering {
        let (mine, theirs) = (
            canonical_rdata(self.record_type, self.rdata()),
            canonical_rdata(other.record_type, other.rdata()),
        );
        mine.as_deref().unwrap_or(self.rdata()).cmp(theirs.as_deref().unwrap_or(other.rdata()))
    }
}

/// What is wrong with a record by itself.
fn fault_of(record: &Record, origin: &Name, place: Place) -> Option<ZoneFault> {
    let owner = record.owner.clone();
    let record_type = record.record_type;
    if !owner.is_at_or_below(origin) {
        return Some(ZoneFault::OutOfZone { owner, origin: origin.clone(), place });
    }
    if record_type.is_meta() {
        return Some(ZoneFault::MetaType { owner, record_type, place });
    }
    if record_type == RecordType::SOA && owner != *origin {
        return Some(ZoneFault::SoaNotAtApex { owner, origin: origin.clone(), place });
    }
    if record.ttl > MAX_TTL {
        return Some(ZoneFault::TtlTooLarge { owner, ttl: record.ttl, place });
    }
    let problem = check_rdata(record_type, &record.rdata).err()?;
    Some(ZoneFault::MalformedRdata { owner, record_type, problem, place })
}
