//! Zones that are not well, by what they have in common, kept up to date zone by zone. Pure.
//!
//! Zones flow in and out as they change; a line for each group flows out. Making the lines costs what there are groups, never what
//! there are zones.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};

use crate::publish::Fault;
use crate::wire::Name;

/// Which kind of fault; zones with the same one are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FaultKind(u64);

impl FaultKind {
    /// It has expired: a kind that no fault has the number of, but by a chance of one in 2^64.
    pub(super) const EXPIRED: Self = Self(0);

    pub(super) fn of(fault: &Fault) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let kind: Discriminant<Fault> = discriminant(fault);
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What the zones of a group have in common. The last group in order is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    /// Whether the config requires them.
    pub(super) is_required: bool,
    /// Their state as a number: the graver, the greater.
    pub(super) state: u8,
    /// The kind of their first fault.
    pub(super) fault: Option<FaultKind>,
}

/// Every group that has a zone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    groups: BTreeMap<GroupKey, Group>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    /// In canonical order.
    zones: BTreeSet<Name>,
    /// How many of them have stood so since this second.
    since: BTreeMap<u64, usize>,
}

/// A group in figures.
pub(super) struct GroupLine<'a> {
    /// What its zones have in common.
    pub(super) key: GroupKey,
    /// How many they are.
    pub(super) count: u64,
    /// The first in canonical order.
    pub(super) first: &'a Name,
    /// Since when the one that has stood so longest does.
    pub(super) since: u64,
}

impl Groups {
    /// Takes in a zone that has stood so since this second.
    pub(super) fn add(&mut self, key: GroupKey, name: &Name, since: u64) {
        let group = self.groups.entry(key).or_default();
        if group.zones.insert(name.clone()) {
            *group.since.entry(since).or_default() += 1;
        }
    }

    /// Takes out what [`add`](Self::add) took in.
    pub(super) fn remove(&mut self, key: GroupKey, name: &Name, since: u64) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        if group.zones.remove(name)
            && let Some(count) = group.since.get_mut(&since)
        {
            *count -= 1;
            if *count == 0 {
                group.since.remove(&since);
            }
        }
        if group.zones.is_empty() {
            self.groups.remove(&key);
        }
    }

    /// A line for each group; those that are required come first, then those that are not served.
    pub(super) fn lines(&self) -> impl Iterator<Item = GroupLine<'_>> {
        self.groups.iter().rev().filter_map(|(key, group)| {
            let (first, (since, _)) = (group.zones.first()?, group.since.first_key_value()?);
            Some(GroupLine { key: *key, count: group.zones.len() as u64, first, since: *since })
        })
    }
}
