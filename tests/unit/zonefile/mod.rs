//! The tests of the zone file reader as a whole.

use std::path::Path;

use crate::wire::{Name, RecordType};
use crate::zone::Record;

use crate::zonefile::Limits;
use crate::zonefile::ReadError;
use crate::zonefile::ReadZone;
use crate::zonefile::read_zone;
use crate::zonefile::write_zone;

mod faults;
mod files;
mod generate;
mod pieces;
mod random;
mod second_opinion;
mod syntax;
mod typed;
mod types;
mod values;
mod wild;
mod zone_faults;

const SOA: &str = "@ 3600 IN SOA ns.example. host.example. 1 7200 3600 1209600 300\n";

/// What a zone needs beside the SOA; absolute, so that it may stand anywhere.
const NS: &str = "example.org. 3600 IN NS ns.example.\n";

fn origin() -> Name {
    "example.org".parse().unwrap()
}

/// Reads `text` as the zone example.org from a file of its own.
fn read(text: impl AsRef<[u8]>) -> Result<ReadZone, ReadError> {
    let directory = tempfile::tempdir().unwrap();
    read_in(directory.path(), text)
}

fn read_in(directory: &Path, text: impl AsRef<[u8]>) -> Result<ReadZone, ReadError> {
    let path = directory.join("zone");
    std::fs::write(&path, text).unwrap();
    read_zone(&path, &origin(), &Limits::default())
}

/// The records of `text` in canonical order, but for the SOA and NS that are put before it.
fn records(text: &str) -> Vec<Record> {
    let zone = read(format!("{SOA}{NS}{text}")).unwrap_or_else(|error| panic!("{text}\n{error}")).zone;
    zone.records().filter(|record| !is_apex(record)).collect()
}

/// Whether it is the record of [`SOA`] or [`NS`].
fn is_apex(record: &Record) -> bool {
    let ns = record.record_type == RecordType::NS && *record.rdata == *b"\x02ns\x07example\0";
    record.owner == origin() && (ns || record.record_type == RecordType::SOA)
}

fn written(zone: &crate::zone::Zone) -> String {
    let mut text = Vec::new();
    write_zone(zone, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}
