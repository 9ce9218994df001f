//! Records in, a checked and compiled zone out.

use crate::wire::{Name, RecordType, Serial};

use super::{Place, Record};

/// Collects the records of one zone and compiles them.
#[derive(Debug)]
pub struct ZoneBuilder {
    origin: Name,
    records: Vec<(Record, Place)>,
}

/// Why some records are no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneFault {
    /// No SOA at the apex (RFC 1035 section 5.2).
    #[error("the zone {origin} has no SOA record at its apex")]
    NoSoa {
        /// The zone.
        origin: Name,
    },
    /// A record whose owner is not in the zone (RFC 1035 section 5.2).
    #[error("{owner} is outside the zone {origin}")]
    OutOfZone {
        /// The record's owner.
        owner: Name,
        /// The zone.
        origin: Name,
        /// Where it stands.
        place: Place,
    },
}

/// One compiled, immutable zone.
#[derive(Debug)]
pub struct Zone {
    origin: Name,
    serial: Serial,
    records: Vec<Record>,
}

impl ZoneBuilder {
    /// A builder for the zone `origin`.
    pub fn new(origin: Name) -> Self {
        Self { origin, records: Vec::new() }
    }

    /// Takes one more record; duplicates are allowed here and become one (RFC 2181 section 5).
    pub fn push(&mut self, record: Record, place: Place) {
        self.records.push((record, place));
    }

    /// Checks and compiles; on error every fault that was found (at most 100), in the order of the places.
    pub fn finish(self) -> Result<Zone, Vec<ZoneFault>> {
        let soa = self.records.iter().find(|(record, _)| record.record_type == RecordType::SOA);
        let Some((soa, _)) = soa else { return Err(vec![ZoneFault::NoSoa { origin: self.origin }]) };
        let at = soa.rdata.len().saturating_sub(20);
        let serial =
            soa.rdata.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes);
        let records = self.records.into_iter().map(|(record, _)| record).collect();
        Ok(Zone { origin: self.origin, serial: Serial(serial), records })
    }
}

impl ZoneFault {
    /// Where the faulty record stands, for a fault of one record.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::NoSoa { .. } => None,
            Self::OutOfZone { place, .. } => Some(*place),
        }
    }
}

impl Zone {
    /// The apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The serial in the SOA record.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// How many records.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Every record, in canonical order of owners, the SOA first.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.records.iter().cloned()
    }
}
