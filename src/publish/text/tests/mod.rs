//! The tests of the zone file reader as a whole.

use std::path::Path;

use crate::wire::Name;
use crate::zone::Record;

use super::{Limits, ReadError, ReadZone, read_zone, write_zone};

mod faults;
mod files;
mod generate;
mod random;
mod second_opinion;
mod syntax;
mod types;

const SOA: &str = "@ 3600 IN SOA ns.example. host.example. 1 7200 3600 1209600 300\n";

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

/// The records of `text` but for an SOA that is put before it.
fn records(text: &str) -> Vec<Record> {
    let zone = read(format!("{SOA}{text}")).unwrap_or_else(|error| panic!("{text}\n{error}")).zone;
    zone.records().skip(1).collect()
}

fn written(zone: &crate::zone::Zone) -> String {
    let mut text = Vec::new();
    write_zone(zone, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}
