//! Which zones have another delegation: those below a new version of a zone, and the queue of them.

use std::collections::{BTreeSet, VecDeque};

use crate::publish::difference::Difference;
use crate::wire::{Name, RecordType};

/// Zones below a zone.
#[derive(Debug)]
pub(in crate::publish) enum ZonesBelow {
    /// All of them; those up to the second name, in canonical order, have been looked at.
    All(Name, Option<Name>),
    /// These.
    Of(Vec<Name>),
}

/// The zones to be looked at.
#[derive(Debug, Default)]
pub(in crate::publish) struct Delegations {
    pub(in crate::publish) waiting: VecDeque<ZonesBelow>,
    /// Those that are being checked, perhaps beside an older version of the zone above: they are looked at after that.
    pub(in crate::publish) in_check: BTreeSet<Name>,
}

impl Delegations {
    pub(in crate::publish) fn add(&mut self, below: Vec<ZonesBelow>) {
        self.waiting.extend(below);
    }

    pub(in crate::publish) fn has_some(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A check of this zone has ended.
    pub(in crate::publish) fn checked(&mut self, zone: &Name) {
        if self.in_check.remove(zone) {
            self.waiting.push_back(ZonesBelow::Of(vec![zone.clone()]));
        }
    }
}

impl Default for ZonesBelow {
    fn default() -> Self {
        Self::Of(Vec::new())
    }
}

impl ZonesBelow {
    pub(in crate::publish) fn all(zone: Name) -> Self {
        Self::All(zone, None)
    }

    /// Those to which differences change the delegation.
    pub(in crate::publish) fn of_differences(differences: &[Difference]) -> Self {
        let mut names = BTreeSet::new();
        for batch in differences.iter().flat_map(|it| [&it.deleted, &it.added]) {
            batch.for_each_record(|owner, record_type, _, _| {
                if record_type == RecordType::DS {
                    names.extend(Name::from_wire(owner));
                }
            });
        }
        Self::Of(names.into_iter().collect())
    }
}
