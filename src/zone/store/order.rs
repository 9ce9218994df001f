//! Places of nodes in canonical order: a list in leaves, which versions of a zone share.
//!
//! For what the hash index cannot say: what stands before a name that does not exist (NSEC, NSEC3), and all names one
//! after the other. A change copies the leaf it touches and the list of leaves.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::zone::store::blocks::NodeId;

/// Most places of a leaf, 2 KiB; a full one is split.
const LEAF: usize = 512;

/// The list.
#[derive(Clone, Debug, Default)]
pub(in crate::zone) struct Order {
    leaves: Vec<Arc<[NodeId]>>,
}

/// A position in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zone) struct Position {
    leaf: usize,
    index: usize,
}

impl Order {
    /// A list of places that stand in order.
    pub(in crate::zone) fn build(places: &[NodeId]) -> Self {
        // Not filled to the brim, so that a change seldom splits one.
        let most = if places.len() <= LEAF { LEAF } else { LEAF * 7 / 8 };
        Self { leaves: places.chunks(most).map(Arc::from).collect() }
    }

    /// All places.
    pub(in crate::zone) fn iter(&self) -> impl Iterator<Item = NodeId> {
        self.leaves.iter().flat_map(|leaf| leaf.iter().copied())
    }

    /// The pieces that versions share, in order.
    pub(in crate::zone) fn leaves(&self) -> &[Arc<[NodeId]>] {
        &self.leaves
    }

    /// Whether there are none.
    pub(in crate::zone) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The place at a position.
    pub(in crate::zone) fn get(&self, position: Position) -> Option<NodeId> {
        self.leaves.get(position.leaf)?.get(position.index).copied()
    }

    /// The position before another one; `None` before the first.
    pub(in crate::zone) fn before(&self, position: Position) -> Option<Position> {
        if let Some(index) = position.index.checked_sub(1) {
            return Some(Position { index, ..position });
        }
        let leaf = position.leaf.checked_sub(1)?;
        Some(Position { leaf, index: self.leaves.get(leaf)?.len().checked_sub(1)? })
    }

    /// The position after another one; `None` after the last.
    pub(in crate::zone) fn after(&self, position: Position) -> Option<Position> {
        let next = Position { index: position.index + 1, ..position };
        if self.get(next).is_some() {
            return Some(next);
        }
        let first = Position { leaf: position.leaf + 1, index: 0 };
        self.get(first).map(|_| first)
    }

    /// The first position.
    pub(in crate::zone) fn first(&self) -> Option<Position> {
        let first = Position { leaf: 0, index: 0 };
        self.get(first).map(|_| first)
    }

    /// The last position.
    pub(in crate::zone) fn last(&self) -> Option<Position> {
        let leaf = self.leaves.len().checked_sub(1)?;
        Some(Position { leaf, index: self.leaves.get(leaf)?.len().checked_sub(1)? })
    }

    /// The last position whose node stands not behind what is looked for; `compare` says how a node stands to that.
    /// Compares some 20 nodes in a list of a million.
    pub(in crate::zone) fn at_or_before(&self, compare: impl Fn(NodeId) -> Ordering) -> Option<Position> {
        let not_behind = |place: &NodeId| compare(*place) != Ordering::Greater;
        let leaf = self.leaves.partition_point(|leaf| leaf.first().is_some_and(not_behind)).checked_sub(1)?;
        let index = self.leaves.get(leaf)?.partition_point(not_behind).checked_sub(1)?;
        Some(Position { leaf, index })
    }

    /// Puts a place behind all nodes that `compare` calls less.
    pub(in crate::zone) fn insert(&mut self, place: NodeId, compare: impl Fn(NodeId) -> Ordering) {
        let Some(position) = self.at_or_before(compare) else {
            match self.leaves.first_mut() {
                Some(first) => *first = [&[place][..], first].concat().into(),
                None => self.leaves.push([place].into()),
            }
            return self.split(0);
        };
        if let Some(leaf) = self.leaves.get_mut(position.leaf) {
            let (front, back) = leaf.split_at(position.index + 1);
            *leaf = [front, &[place], back].concat().into();
        }
        self.split(position.leaf);
    }

    /// Puts another place at a position.
    pub(in crate::zone) fn replace(&mut self, position: Position, place: NodeId) {
        let Some(leaf) = self.leaves.get_mut(position.leaf) else { return };
        if Arc::get_mut(leaf).is_none() {
            *leaf = leaf.to_vec().into();
        }
        if let Some(slot) = Arc::get_mut(leaf).and_then(|leaf| leaf.get_mut(position.index)) {
            *slot = place;
        }
    }

    /// Takes out what is at a position.
    pub(in crate::zone) fn remove(&mut self, position: Position) {
        let Some(leaf) = self.leaves.get_mut(position.leaf) else { return };
        let kept: Vec<NodeId> = leaf
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != position.index)
            .map(|(_, place)| *place)
            .collect();
        if kept.is_empty() {
            self.leaves.remove(position.leaf);
        } else {
            *leaf = kept.into();
        }
    }

    /// Splits a leaf that grew too long.
    fn split(&mut self, at: usize) {
        let Some(leaf) = self.leaves.get(at).filter(|leaf| leaf.len() > LEAF).cloned() else { return };
        let (front, back) = leaf.split_at(leaf.len() / 2);
        self.leaves.splice(at..=at, [Arc::from(front), Arc::from(back)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a set of numbers, each its own place.
        #[test]
        fn it_is_a_sorted_list_in_versions(first in 0..3000_u32, changes in prop::collection::vec((any::<bool>(), 0..6000_u32), 0..100)) {
            let mut model: BTreeSet<u32> = (0..first).map(|number| number * 2).collect();
            let mut order = Order::build(&model.iter().map(|number| NodeId(*number)).collect::<Vec<_>>());
            let before = (order.clone(), model.clone());
            for (add, number) in changes {
                let compare = |place: NodeId| place.0.cmp(&number);
                let found = order.at_or_before(compare);
                prop_assert_eq!(found.and_then(|at| order.get(at)).map(|place| place.0), model.range(..=number).last().copied());
                if add && model.insert(number) {
                    order.insert(NodeId(number), compare);
                } else if !add && model.remove(&number) {
                    order.remove(found.unwrap());
                }
            }
            for (order, model) in [(&order, &model), (&before.0, &before.1)] {
                prop_assert!(order.iter().map(|place| place.0).eq(model.iter().copied()));
                prop_assert_eq!(order.is_empty(), model.is_empty());
                let mut back = Vec::new();
                let mut at = order.last();
                while let Some(position) = at {
                    back.extend(order.get(position).map(|place| place.0));
                    at = order.before(position);
                }
                prop_assert!(back.iter().rev().eq(model.iter()));
                let forth = std::iter::successors(order.first(), |at| order.after(*at));
                prop_assert!(forth.filter_map(|at| order.get(at)).map(|place| place.0).eq(model.iter().copied()));
            }
        }
    }
}
