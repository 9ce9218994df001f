//! How much memory all transfers may take together: a primary that sends records without end must not take what the answers need.
//!
//! Octets that a transfer takes flow in, as its reader counts them; a refusal flows out. What was taken is given back when the transfer has
//! ended. Never waits: of two transfers that wait for each other's memory neither would end.

use std::sync::{Arc, Mutex};

use crate::sys::free_memory::free_memory;
use crate::telemetry::locked;

use crate::transfer::secondary::fetch::fetch_error::FetchError;

/// Octets that each transfer may take without being counted: small zones are transferred however large the others are.
const UNCOUNTED: u64 = 8 << 20;
/// Octets that are taken together: to ask the system what is free costs some files that are read.
const STEP: u64 = 16 << 20;
/// What may wait makes a quarter of it full at most.
const SMALL_SHARE: u64 = 4;
/// What all may take where the system does not say what is free.
const UNKNOWN: u64 = 4 << 30;

/// See the module.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct TransferMemory {
    taken: Mutex<u64>,
    /// Octets that are free now, if the system says so.
    free: fn() -> Option<u64>,
}

/// What one transfer has taken; given back when it is dropped.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct TakenMemory {
    memory: Arc<TransferMemory>,
    /// What all may take, if the operator says a number.
    most: Option<u64>,
    /// Which part of that this one may make full.
    share: u64,
    octets: u64,
}

impl Default for TransferMemory {
    fn default() -> Self {
        Self { taken: Mutex::default(), free: free_memory }
    }
}

impl TransferMemory {
    /// For one transfer; `most` is what the operator lets all of them take.
    pub(in crate::transfer::secondary) fn begin(self: &Arc<Self>, most: Option<u64>) -> TakenMemory {
        TakenMemory { memory: self.clone(), most, share: 1, octets: 0 }
    }

    /// The same for what may wait: it leaves room for the others.
    pub(in crate::transfer::secondary) fn begin_small(self: &Arc<Self>, most: Option<u64>) -> TakenMemory {
        TakenMemory { memory: self.clone(), most, share: SMALL_SHARE, octets: 0 }
    }
}

impl TakenMemory {
    /// The transfer takes this much now.
    ///
    /// # Errors
    /// There is not so much.
    pub(in crate::transfer::secondary) fn grow(&mut self, held: u64) -> Result<(), FetchError> {
        let wanted = held.saturating_sub(UNCOUNTED);
        if wanted <= self.octets {
            return Ok(());
        }
        let wanted = wanted.next_multiple_of(STEP);
        let mut taken = locked(&self.memory.taken);
        // Half of what would be free without the transfers. What they have taken is counted high, and may not be filled yet: so
        // they fill less than what is free in any case.
        let half = |free: u64| free.saturating_add(*taken) / 2;
        let most = self.most.unwrap_or_else(|| (self.memory.free)().map_or(UNKNOWN, half)) / self.share;
        let all = *taken - self.octets + wanted;
        if all > most {
            return Err(FetchError::Memory { all, most, is_alone: wanted > most });
        }
        (*taken, self.octets) = (all, wanted);
        Ok(())
    }
}

impl Drop for TakenMemory {
    fn drop(&mut self) {
        *locked(&self.memory.taken) -= self.octets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn memory(free: fn() -> Option<u64>) -> Arc<TransferMemory> {
        Arc::new(TransferMemory { taken: Mutex::default(), free })
    }

    #[test]
    fn all_transfers_share_half_of_what_is_free_and_each_has_a_little_of_its_own() {
        let memory = memory(|| Some(64 * MIB));
        let (mut first, mut second) = (memory.begin(None), memory.begin(None));
        first.grow(8 * MIB).unwrap();
        assert_eq!(*locked(&memory.taken), 0);
        first.grow(8 * MIB + 1).unwrap();
        first.grow(24 * MIB).unwrap();
        assert_eq!(*locked(&memory.taken), 16 * MIB);
        second.grow(10 * MIB).unwrap();
        // Half of 64 MiB and of what both have already.
        second.grow(40 * MIB).unwrap();
        let error = second.grow(40 * MIB + 1).unwrap_err().to_string();
        assert!(error.contains("transfer.most-memory"), "{error}");
        memory.begin(None).grow(8 * MIB).unwrap();
        // What the one gives back the other may have.
        drop(first);
        second.grow(40 * MIB + 1).unwrap();
        drop(second);
        assert_eq!(*locked(&memory.taken), 0);
    }

    #[test]
    fn what_may_wait_takes_a_quarter_of_that_at_most() {
        let memory = memory(|| None);
        let mut small = memory.begin_small(Some(128 * MIB));
        small.grow(40 * MIB).unwrap();
        assert!(matches!(small.grow(41 * MIB), Err(FetchError::Memory { is_alone: true, .. })));
        memory.begin(Some(128 * MIB)).grow(104 * MIB).unwrap();
        drop(small);
        let mut other = memory.begin(Some(128 * MIB));
        other.grow(40 * MIB).unwrap();
        // Because of the others: that says nothing of the size of this one.
        let refused = memory.begin_small(Some(128 * MIB)).grow(9 * MIB);
        assert!(matches!(refused, Err(FetchError::Memory { is_alone: false, .. })));
    }

    #[test]
    fn the_operators_number_counts_whatever_is_free() {
        for free in [|| None, || Some(0), || Some(u64::MAX)] as [fn() -> Option<u64>; 3] {
            let mut transfer = memory(free).begin(Some(32 * MIB));
            transfer.grow(40 * MIB).unwrap();
            assert!(
                matches!(transfer.grow(41 * MIB), Err(FetchError::Memory { all, most, .. }) if all > most)
            );
        }
        // Nothing is known: a number all the same.
        assert!(memory(|| None).begin(None).grow(1 << 33).is_err());
    }
}
