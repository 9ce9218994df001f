//! Where a name is in a zone: exact match, closest encloser, wildcard, delegation or DNAME above.
//!
//! Down from the apex, one label at a time, as RFC 1034 section 4.3.2 step 3 has it: the first name that does not
//! exist, the first cut and the first DNAME end it.

use crate::wire::LookupName;

use crate::zone::store::compiled::{NodeRef, Zone};
use crate::zone::store::hash::NameHash;
use crate::zone::store::node::flag;

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
        self.lookup_below(name, None)
    }

    /// The same; `first` is the hash of the name one label below the apex, if that is known.
    pub(in crate::zone) fn lookup_below(&self, name: &LookupName, mut first: Option<NameHash>) -> Lookup<'_> {
        let mut node = self.apex();
        let mut hash = self.apex_hash;
        for (label, relative) in name.labels_upwards(self.apex_labels) {
            // RFC 6672 section 2.3: a DNAME redirects what is below it, not its owner.
            if node.has_dname() {
                return Lookup::Dname(node);
            }
            if node.is_cut() {
                return Lookup::Cut { node, exact: false };
            }
            let below = first.take().unwrap_or_else(|| hash.below_lower(label));
            node = match self.at(below, relative) {
                Some(child) => child,
                None => return self.missing(node, hash),
            };
            hash = below;
        }
        if node.is_cut() { Lookup::Cut { node, exact: true } } else { Lookup::Exact(node) }
    }

    /// The node of exactly this name, wherever it is: also below a cut, where glue is.
    pub fn find(&self, name: &LookupName) -> Option<NodeRef<'_>> {
        let labels = name.labels_upwards(self.apex_labels);
        let down = |(hash, _): (NameHash, _), (label, relative)| (hash.below_lower(label), relative);
        let (hash, relative) = labels.fold((self.apex_hash, &[][..]), down);
        self.at(hash, relative)
    }

    /// The node of the name with this hash, given without the apex and in lower case.
    pub(in crate::zone) fn at(&self, hash: NameHash, lower: &[u8]) -> Option<NodeRef<'_>> {
        self.index.find(hash.tag(), |place| Some(self.node(place)).filter(|node| node.node.is(lower)))
    }

    /// What stands for a name that does not exist, below its closest encloser, which has this hash.
    fn missing<'z>(&'z self, encloser: NodeRef<'z>, hash: NameHash) -> Lookup<'z> {
        if !encloser.node.has(flag::WILDCARD) {
            return Lookup::Missing(encloser);
        }
        let above = encloser.node.owner();
        let is_child = |node: &NodeRef<'_>| {
            let rest = node.node.owner().strip_prefix(b"\x01*");
            rest.is_some_and(|rest| rest == above || rest.eq_ignore_ascii_case(above))
        };
        let found = self.index.find(hash.below(b"*").tag(), |id| Some(self.node(id)).filter(is_child));
        found.map_or(Lookup::Missing(encloser), Lookup::Wildcard)
    }
}
