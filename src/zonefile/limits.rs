//! What one zone may take to read.

use std::path::PathBuf;

/// What one zone may take to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the zone file and all its includes together; included twice counts twice. The default, 2 GiB, is
    /// twenty times the file of a zone of 2.6 million records.
    pub octets: u64,
    /// Records, duplicates counted. The default is 50 million: some gigabytes of memory.
    pub records: u64,
    /// Records of all `$GENERATE` lines, known before one is expanded. The default is 2^22, the addresses of a /10:
    /// a short file must not fill the memory.
    pub generate: u64,
    /// Directories, absolute, in or below which files that are included may lie, beside the directory of the zone file. The
    /// publisher puts the configured zone directories and `zones.include-roots` here.
    pub include_roots: Vec<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { octets: 2 << 30, records: 50_000_000, generate: 1 << 22, include_roots: Vec::new() }
    }
}
