//! How much one transfer may bring.

/// Bounds of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of all messages together.
    pub octets: u64,
    /// Records of all messages together.
    pub records: u64,
    /// Messages.
    pub messages: u64,
    /// Octets of an incremental transfer: differences are held whole until they are applied, and beyond this the whole zone,
    /// which is compiled as it comes, takes less memory.
    pub difference_octets: u64,
}

impl Default for Limits {
    /// Four times the largest zones in use: .com has some 5e8 records, most have less than 1e6.
    fn default() -> Self {
        Self { octets: 1 << 36, records: 1 << 31, messages: 1 << 31, difference_octets: 1 << 28 }
    }
}
