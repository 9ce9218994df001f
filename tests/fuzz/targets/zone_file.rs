//! The zone file scanner.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyns::wire::Name;
use anyns::zonefile::{Limits, ReadZone, read_zone, write_zone};

/// Any octets are a zone or faults, and a zone that is written reads back the same.
pub fn check(data: &[u8]) {
    static ORIGIN: OnceLock<Name> = OnceLock::new();
    let origin = ORIGIN.get_or_init(|| "example.org.".parse().expect("a name"));
    // Small bounds: what is looked for is a fault, not memory.
    let limits = Limits { octets: 1 << 20, records: 10_000, generate: 1000, include_roots: Vec::new() };
    let path = scratch();
    let Some(read) = read(&path, data, origin, &limits) else { return };
    let mut text = Vec::new();
    write_zone(&read.zone, &mut text).expect("memory can be written");
    let Some(again) = self::read(&path, &text, origin, &Limits { octets: 1 << 24, ..limits }) else {
        panic!("what was written cannot be read: {}", String::from_utf8_lossy(&text));
    };
    assert_eq!(read.digest, again.digest, "{}", String::from_utf8_lossy(&text));
}

fn read(path: &Path, text: &[u8], origin: &Name, limits: &Limits) -> Option<ReadZone> {
    std::fs::write(path, text).expect("the scratch file can be written");
    let read = read_zone(path, origin, limits).ok();
    let _ = std::fs::remove_file(path);
    read
}

/// A file of this process in a directory of its own, so that `$INCLUDE` finds nothing of others.
fn scratch() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("anyns-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a scratch directory");
        directory
    });
    directory.join("zone")
}

/// Removes what [`check`] left; cargo-fuzz has no end at which this could run, so `run` gives it a directory.
pub fn clean_up() {
    if let Some(directory) = scratch().parent() {
        let _ = std::fs::remove_dir_all(directory);
    }
}
