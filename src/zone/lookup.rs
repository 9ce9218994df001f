//! Where a name is in a zone: exact match, closest encloser, wildcard, delegation or DNAME above.
//!
//! One binary search over the keys, then steps up: O(log n + labels), whatever the zone's size.

use crate::wire::LookupName;

use super::compiled::{NO_NODE, NodeRef, Zone};
use super::key::{Key, shared_labels};

/// What a zone knows about a name.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'z> {
    /// The name exists; without RRsets it is an empty non-terminal (RFC 4592 section 2.2.2).
    Exact(NodeRef<'z>),
    /// The name does not exist, and this wildcard is the source of synthesis (RFC 4592 section 3.3.1).
    Wildcard(NodeRef<'z>),
    /// The name is at or below this delegation point.
    Cut {
        /// The delegation point.
        node: NodeRef<'z>,
        /// Whether the name is the delegation point itself.
        exact: bool,
    },
    /// The name is below this owner of a DNAME.
    Dname(NodeRef<'z>),
    /// The name does not exist; this is its closest encloser (RFC 4592 section 3.3.1).
    Missing(NodeRef<'z>),
}

impl Zone {
    /// Looks up a name, which must be at or below the apex.
    pub fn lookup(&self, name: &LookupName) -> Lookup<'_> {
        let key = Key::new(name, self.origin.label_count());
        let (node, exact) = self.closest(key.as_octets());
        let Some(inner) = node.inner() else { return Lookup::Missing(node) };
        if let Some(cover) = self.node(inner.cover) {
            let exact = exact && cover.index == node.index;
            return if cover.is_cut() { Lookup::Cut { node: cover, exact } } else { Lookup::Dname(cover) };
        }
        if exact {
            return Lookup::Exact(node);
        }
        // RFC 6672 section 2.3: a DNAME redirects what is below it, not its owner.
        if inner.has_dname {
            return Lookup::Dname(node);
        }
        match self.node(inner.wildcard) {
            Some(wildcard) => Lookup::Wildcard(wildcard),
            None => Lookup::Missing(node),
        }
    }

    /// The node of exactly this name, wherever it is: also below a cut, where glue is.
    pub fn find(&self, name: &LookupName) -> Option<NodeRef<'_>> {
        let key = Key::new(name, self.origin.label_count());
        let (node, exact) = self.closest(key.as_octets());
        exact.then_some(node)
    }

    /// The node with this key, or the closest encloser of the name that has it.
    pub(super) fn closest(&self, key: &[u8]) -> (NodeRef<'_>, bool) {
        let after = partition(self.name_count, |index| self.key(index) <= key);
        // The apex has the empty key, so that something is always at or before the key.
        let last = after.saturating_sub(1);
        let last_key = self.key(last);
        if last_key == key {
            return (NodeRef { zone: self, index: last as u32 }, true);
        }
        // Between the closest encloser and the key stand only names below the closest encloser: it is the
        // lowest common ancestor of the key and its predecessor.
        let shared = shared_labels(last_key, key);
        let mut index = last as u32;
        while let Some(node) = self.nodes.get(index as usize) {
            if usize::from(node.labels) <= shared || node.parent == NO_NODE {
                break;
            }
            index = node.parent;
        }
        (NodeRef { zone: self, index }, false)
    }
}

/// The first index of `0..length` for which `before` is false.
pub(super) fn partition(length: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
