//! Signatures that were not accepted, counted.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::fault::TsigFault;

/// Counts since the start, by the TSIG error of the response (RFC 8945 section 5.2); clones are the same counts.
#[derive(Clone, Debug, Default)]
pub struct TsigCounts {
    /// In the order of [`ERRORS`].
    counts: Arc<[AtomicU64; 5]>,
}

/// The last is what has no TSIG error of its own: a record that cannot be read, or that is missing.
const ERRORS: [&str; 5] = ["BADSIG", "BADKEY", "BADTIME", "BADTRUNC", "other"];

impl TsigCounts {
    /// A request was not accepted.
    pub fn count(&self, fault: &TsigFault) {
        let place = match fault {
            TsigFault::BadSignature { .. } => 0,
            TsigFault::UnknownKey { .. } => 1,
            TsigFault::BadTime { .. } => 2,
            TsigFault::BadTruncation { .. } => 3,
            _ => 4,
        };
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many, by error.
    pub fn by_error(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ERRORS.into_iter().zip(self.counts.iter().map(|count| count.load(Relaxed)))
    }
}
