//! One record of a batch, and the canonical order of records (RFC 4034 section 6).

use crate::wire::{Name, RecordType, canonical_rdata};

use crate::zone::Place;

/// One record, ready to be compared.
#[derive(Clone, Copy, Debug)]
pub(in crate::zone) struct Entry<'b> {
    /// The first eight octets of the key as a number: most comparisons end there.
    pub(in crate::zone) prefix: u64,
    /// The owner, then the key.
    pub(in crate::zone) name: &'b [u8],
    pub(in crate::zone) rdata: &'b [u8],
    pub(in crate::zone) ttl: u32,
    pub(in crate::zone) place: Place,
    pub(in crate::zone) owner_length: u8,
    pub(in crate::zone) record_type: RecordType,
    pub(in crate::zone) covered: RecordType,
}

impl<'b> Entry<'b> {
    /// The owner in absolute wire form.
    pub(in crate::zone) fn owner(&self) -> &'b [u8] {
        self.name.get(..usize::from(self.owner_length)).unwrap_or(&[0])
    }

    /// What sorts it (see [`crate::zone::record::key`]).
    pub(in crate::zone) fn key(&self) -> &'b [u8] {
        self.name.get(usize::from(self.owner_length)..).unwrap_or(&[])
    }

    /// The RDATA, uncompressed.
    pub(in crate::zone) fn rdata(&self) -> &'b [u8] {
        self.rdata
    }

    /// The owner as a name of its own.
    pub(in crate::zone) fn owner_name(&self) -> Name {
        Name::from_wire(self.owner()).unwrap_or_else(|_| Name::root())
    }

    /// The type an RRSIG covers (RFC 4034 section 3.1.1); signatures of one owner are one set for each.
    pub(in crate::zone) fn covered(&self) -> RecordType {
        self.covered
    }

    /// Whether both have one owner.
    pub(in crate::zone) fn is_beside(&self, other: &Self) -> bool {
        self.prefix == other.prefix && (std::ptr::eq(self.name, other.name) || self.key() == other.key())
    }

    /// Whether its owner comes before that of the other.
    pub(in crate::zone) fn is_before(&self, other: &Self) -> bool {
        self.prefix < other.prefix || (self.prefix == other.prefix && self.key() < other.key())
    }

    /// Whether both are of one RRset.
    pub(in crate::zone) fn is_of_set(&self, other: &Self) -> bool {
        self.record_type == other.record_type && self.covered == other.covered && self.is_beside(other)
    }

    /// Canonical order within an RRset (RFC 4034 section 6.3).
    pub(in crate::zone) fn compare_rdata(&self, other: &Self) -> std::cmp::Ordering {
        let (mine, theirs) =
            (canonical_rdata(self.record_type, self.rdata), canonical_rdata(other.record_type, other.rdata));
        mine.as_deref().unwrap_or(self.rdata).cmp(theirs.as_deref().unwrap_or(other.rdata))
    }
}

/// By owner, type and RDATA, the SOA first.
pub(in crate::zone) fn compare(a: &Entry<'_>, b: &Entry<'_>) -> std::cmp::Ordering {
    let kind = |entry: &Entry<'_>| (entry.record_type != RecordType::SOA, entry.record_type, entry.covered);
    let names =
        || if std::ptr::eq(a.name, b.name) { std::cmp::Ordering::Equal } else { a.key().cmp(b.key()) };
    a.prefix
        .cmp(&b.prefix)
        .then_with(names)
        .then_with(|| kind(a).cmp(&kind(b)))
        .then_with(|| a.compare_rdata(b))
}

/// Sorts by owner, type and RDATA, the SOA first, and leaves out duplicates.
pub(in crate::zone) fn sorted(mut entries: Vec<Entry<'_>>) -> Vec<Entry<'_>> {
    // The sort of the standard library merges runs that stand in order already.
    entries.sort_by(compare);
    // Duplicates are one record (RFC 2181 section 5); the lower TTL counts.
    entries.dedup_by(|later, first| {
        let same = later.is_of_set(first) && later.compare_rdata(first).is_eq();
        if same {
            first.ttl = first.ttl.min(later.ttl);
        }
        same
    });
    entries
}
