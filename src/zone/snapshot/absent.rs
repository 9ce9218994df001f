//! Zones that are configured and not served: names in them are answered with the reason, and by no other zone.
//!
//! The control plane says which; the query path asks only while there are any.

use std::collections::HashMap;

use crate::wire::{LookupName, Name};

/// Why a configured zone is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It is being loaded, or its file is being written.
    Loading,
    /// There is no version of it that could be accepted.
    NoData,
    /// It has expired ([`Expiry::Expired`](super::expiry::Expiry)).
    Expired,
}

/// All of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::zone) struct Absences {
    /// By the apex's wire form in lower case.
    zones: HashMap<Box<[u8]>, Absence>,
    /// Bit n: some apex has n labels.
    depths: u128,
}

impl Absences {
    pub(in crate::zone) fn of<'n>(absent: impl IntoIterator<Item = (&'n Name, Absence)>) -> Self {
        let mut absences = Self::default();
        for (origin, absence) in absent {
            absences.depths |= bit(origin.label_count());
            absences.zones.insert(origin.as_wire().to_ascii_lowercase().into(), absence);
        }
        absences
    }

    pub(in crate::zone) fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// The longest apex at or above `name` once its leftmost `removed` labels are taken: its labels, and the reason.
    pub(in crate::zone) fn closest(&self, name: &LookupName, removed: usize) -> Option<(usize, Absence)> {
        let labels = name.label_count();
        (removed..=labels)
            .filter(|removed| self.depths & bit(labels - removed) != 0)
            .find_map(|removed| Some((labels - removed, *self.zones.get(name.ancestor(removed))?)))
    }
}

/// The bit of this many labels; a name has at most 127.
fn bit(labels: usize) -> u128 {
    1_u128.checked_shl(labels as u32).unwrap_or(0)
}
