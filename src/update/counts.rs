//! What became of updates, counted.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::wire::rcode;

use super::fault::UpdateFault;

/// Counts since the start; clones are the same counts. A copy of an update that is known already is not counted.
#[derive(Clone, Debug, Default)]
pub struct UpdateCounts {
    /// In the order of [`UpdateResult`].
    counts: Arc<[AtomicU64; 5]>,
}

/// What became of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpdateResult {
    /// The zone changed.
    Done,
    /// All was so already.
    Unchanged,
    /// A prerequisite does not hold.
    Prerequisite,
    /// The same update would be refused again.
    Refused,
    /// The client may try again: SERVFAIL.
    Failed,
}

/// The names of the results, in their order.
const RESULTS: [&str; 5] = ["done", "unchanged", "prerequisite", "refused", "failed"];

impl UpdateCounts {
    pub(super) fn count(&self, result: UpdateResult) {
        if let Some(count) = self.counts.get(result as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn count_fault(&self, fault: &UpdateFault) {
        if fault.rcode().is_none() {
            // No UPDATE at all.
            return;
        }
        self.count(match fault {
            fault if fault.is_prerequisite() => UpdateResult::Prerequisite,
            fault if fault.rcode() == Some(rcode::SERVFAIL) => UpdateResult::Failed,
            _ => UpdateResult::Refused,
        });
    }

    /// How many, by result.
    pub fn by_result(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RESULTS.into_iter().zip(self.counts.iter().map(|count| count.load(Relaxed)))
    }
}
