//! Records on their way into a zone, packed: no allocation per record.
//!
//! A source pushes records, each checked by itself as it comes, and sorts its batch; batches may be filled on several
//! threads. An owner that repeats the one before it is kept once. Never judges records against each other.

use crate::wire::octets::is_in_zone;
use crate::wire::{LookupName, Name, RecordType, check_rdata};

use crate::zone::Place;
use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::check::{Checks, MAX_REPORTED, fits_no_message};
use crate::zone::record::entry::{Entry, compare};
use crate::zone::record::key::Key;
use crate::zone::store::compiled::NodeRef;

/// The largest TTL in seconds (RFC 2181 section 8).
const MAX_TTL: u32 = 0x7fff_ffff;

/// Octets of names and RDATA after which a batch is full: offsets have 32 bits, and one more record has at most 66 KB.
pub(in crate::zone) const MOST_OCTETS: usize = 1 << 30;

/// The text for which [`RecordBatch::expect_text`] makes room, in octets.
const SMALL_TEXT: usize = 64 * 1024;
/// Octets of a short record in a zone file.
const RECORD_TEXT: usize = 20;

/// Some records of one zone.
#[derive(Debug)]
pub struct RecordBatch {
    origin: Name,
    apex_labels: usize,
    octets: Vec<u8>,
    heads: Vec<Head>,
    /// NSEC3 records and their signatures: they are no data of the names they stand at (RFC 5155 section 7.2.8).
    hashed: Vec<Head>,
    faults: Vec<ZoneFault>,
    warnings: Vec<ZoneWarning>,
    last: Owner,
}

/// Where an owner stands in a batch: its wire form, then its key.
#[derive(Clone, Copy, Debug, Default)]
struct Owner {
    start: u32,
    length: u8,
    key_length: u16,
    prefix: u64,
}

/// One record of a batch.
#[derive(Clone, Copy, Debug)]
struct Head {
    owner: Owner,
    rdata: u32,
    rdata_length: u16,
    record_type: RecordType,
    covered: RecordType,
    ttl: u32,
    place: Place,
}

impl RecordBatch {
    /// An empty batch for the zone `origin`.
    pub fn new(origin: &Name) -> Self {
        Self {
            origin: origin.clone(),
            apex_labels: origin.label_count(),
            octets: Vec::new(),
            heads: Vec::new(),
            hashed: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            last: Owner::default(),
        }
    }

    /// Makes room for the records of so many octets of text, if they are few: then no room is made bit by bit.
    pub(crate) fn expect_text(&mut self, octets: usize) {
        if octets <= SMALL_TEXT {
            // Names and their keys take more than their text, addresses less.
            self.octets.reserve(octets * 2);
            self.heads.reserve(octets / RECORD_TEXT);
        }
    }

    /// Takes one more record of class IN; duplicates are allowed and become one in the zone (RFC 2181 section 5).
    ///
    /// `owner` is one whole absolute name in uncompressed wire form, its case kept; `ttl` is in seconds; `rdata` is
    /// uncompressed wire form. What is wrong with the record is kept and reported when the zone is compiled.
    pub fn push(&mut self, owner: &[u8], record_type: RecordType, ttl: u32, rdata: &[u8], place: Place) {
        let known = self.last.length > 0 && self.octets_of(self.last.start, self.last.length.into()) == owner;
        if let Some(fault) = self.fault_of(owner, known, record_type, ttl, rdata, place) {
            return self.fault(fault);
        }
        if !known {
            self.last = self.keep(owner);
        }
        let covered = match (record_type, rdata) {
            (RecordType::RRSIG, [high, low, ..]) => RecordType(u16::from_be_bytes([*high, *low])),
            _ => RecordType(0),
        };
        let head = Head {
            owner: self.last,
            rdata: self.octets.len() as u32,
            // At most 65,535 octets, which the check has seen to.
            rdata_length: rdata.len() as u16,
            record_type,
            covered,
            ttl,
            place,
        };
        self.octets.extend_from_slice(rdata);
        let hashed = [record_type, covered].contains(&RecordType::NSEC3);
        if hashed { &mut self.hashed } else { &mut self.heads }.push(head);
    }

    /// Brings the records into canonical order (RFC 4034 section 6); cheap if they stand so already. Zones compile
    /// from unsorted batches too; sorted where it was filled, a batch spares the compiling thread that.
    pub fn sort(&mut self) {
        let octets = &self.octets;
        for heads in [&mut self.heads, &mut self.hashed] {
            heads.sort_by(|a, b| compare(&a.entry(octets), &b.entry(octets)));
        }
    }

    /// How many records it holds; faulty ones are not counted.
    pub fn record_count(&self) -> usize {
        self.heads.len() + self.hashed.len()
    }

    /// Octets of owners and RDATA.
    pub(in crate::zone) fn octets_held(&self) -> usize {
        self.octets.len()
    }

    /// The zone that its records are for.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// Shows every record: owner in absolute wire form, type, TTL in seconds, uncompressed RDATA; those for NSEC3 last.
    pub fn for_each_record(&self, mut show: impl FnMut(&[u8], RecordType, u32, &[u8])) {
        self.records().for_each(|(owner, record_type, ttl, rdata)| show(owner, record_type, ttl, rdata));
    }

    /// The same as an iterator.
    pub fn records(&self) -> impl Iterator<Item = (&[u8], RecordType, u32, &[u8])> {
        let entries = self.entries().chain(self.hashed());
        entries.map(|entry| (entry.owner(), entry.record_type, entry.ttl, entry.rdata()))
    }

    /// Whether a response can hold all its records, if they are one RRset: header, question and answer.
    pub fn fits_response(&self) -> bool {
        let set: Vec<Entry<'_>> = self.entries().chain(self.hashed()).collect();
        !fits_no_message(&set)
    }

    /// Whether another batch must take the next record: see [`MOST_OCTETS`].
    pub(in crate::zone) fn is_full(&self) -> bool {
        self.octets.len() >= MOST_OCTETS
    }

    /// A batch for some of its records, with all that is known to be wrong or odd.
    pub(in crate::zone) fn emptied(&mut self) -> Self {
        let mut other = Self::new(&self.origin);
        (other.faults, other.warnings) =
            (std::mem::take(&mut self.faults), std::mem::take(&mut self.warnings));
        other
    }

    /// Takes a record of another batch.
    pub(in crate::zone) fn push_entry(&mut self, entry: &Entry<'_>) {
        self.push(entry.owner(), entry.record_type, entry.ttl, entry.rdata(), entry.place);
    }

    /// Takes the records of a name that is in a zone.
    pub(in crate::zone) fn push_node(&mut self, node: NodeRef<'_>) {
        let mut buffer = [0; Name::MAX_OCTETS];
        let owner = node.owner_into(&mut buffer);
        for set in node.sets() {
            set.rdata().for_each(|rdata| self.push(owner, set.record_type, set.ttl, rdata, Place::default()));
        }
    }

    /// The records of names that are in a zone.
    pub(in crate::zone) fn of_nodes<'z>(
        origin: &Name,
        nodes: impl Iterator<Item = NodeRef<'z>>,
    ) -> Vec<Self> {
        let (mut batches, mut batch) = (Vec::new(), Self::new(origin));
        for node in nodes {
            if batch.is_full() {
                batches.push(std::mem::replace(&mut batch, Self::new(origin)));
            }
            batch.push_node(node);
        }
        batches.push(batch);
        batches
    }

    /// Keeps what was found about its records.
    pub(in crate::zone) fn note(&mut self, checks: Checks) {
        match checks.finish() {
            Ok(warnings) => self.warnings.extend(warnings),
            Err(faults) => self.faults.extend(faults),
        }
    }

    /// Gives what is wrong with its records, or odd, so far.
    pub(in crate::zone) fn report(&mut self, checks: &mut Checks) {
        std::mem::take(&mut self.faults).into_iter().for_each(|fault| checks.fault(fault));
        std::mem::take(&mut self.warnings).into_iter().for_each(|warning| checks.warn(warning));
    }

    /// Its records but for NSEC3, in its order.
    pub(in crate::zone) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.heads.iter().map(|head| head.entry(&self.octets))
    }

    /// Its NSEC3 records and their signatures, in its order.
    pub(in crate::zone) fn hashed(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.hashed.iter().map(|head| head.entry(&self.octets))
    }

    fn keep(&mut self, owner: &[u8]) -> Owner {
        // The owner was checked to be a name.
        let key = match LookupName::from_wire_prefix(owner) {
            Ok(name) => Key::new(&name, self.apex_labels),
            Err(_) => Key::new(&LookupName::root(), 0),
        };
        let key = key.as_octets();
        let start = self.octets.len() as u32;
        self.octets.extend_from_slice(owner);
        self.octets.extend_from_slice(key);
        // At most 255 and 512 octets.
        Owner { start, length: owner.len() as u8, key_length: key.len() as u16, prefix: prefix(key) }
    }

    fn octets_of(&self, start: u32, length: usize) -> &[u8] {
        let start = start as usize;
        self.octets.get(start..start + length).unwrap_or(&[])
    }

    fn fault(&mut self, fault: ZoneFault) {
        if self.faults.len() < MAX_REPORTED {
            self.faults.push(fault);
        }
    }

    /// What is wrong with a record by itself; `known`: its owner was that of the record before.
    fn fault_of(
        &self,
        owner: &[u8],
        known: bool,
        record_type: RecordType,
        ttl: u32,
        rdata: &[u8],
        place: Place,
    ) -> Option<ZoneFault> {
        let name = || Name::from_wire(owner).unwrap_or_else(|_| Name::root());
        let origin = || self.origin.clone();
        if !known && !is_in_zone(owner, &self.origin) {
            return Some(ZoneFault::OutOfZone { owner: name(), origin: origin(), place });
        }
        if record_type.is_meta() {
            return Some(ZoneFault::MetaType { owner: name(), record_type, place });
        }
        if record_type == RecordType::SOA && owner.len() != self.origin.as_wire().len() {
            return Some(ZoneFault::SoaNotAtApex { owner: name(), origin: origin(), place });
        }
        if ttl > MAX_TTL {
            return Some(ZoneFault::TtlTooLarge { owner: name(), ttl, place });
        }
        let problem = check_rdata(record_type, rdata).err()?;
        Some(ZoneFault::MalformedRdata { owner: name(), record_type, problem, place })
    }
}

impl Head {
    fn entry<'b>(&self, octets: &'b [u8]) -> Entry<'b> {
        let part = |start: u32, length: usize| {
            let start = start as usize;
            octets.get(start..start + length).unwrap_or(&[])
        };
        let name = usize::from(self.owner.length) + usize::from(self.owner.key_length);
        Entry {
            prefix: self.owner.prefix,
            name: part(self.owner.start, name),
            rdata: part(self.rdata, self.rdata_length.into()),
            ttl: self.ttl,
            place: self.place,
            owner_length: self.owner.length,
            record_type: self.record_type,
            covered: self.covered,
        }
    }
}

/// The first eight octets of a key as a number that sorts as they do: a shorter key ends in zeros, which are less than
/// what any longer key has there.
fn prefix(key: &[u8]) -> u64 {
    let mut octets = [0; 8];
    for (place, octet) in octets.iter_mut().zip(key) {
        *place = *octet;
    }
    u64::from_be_bytes(octets)
}
