//! Names in canonical order: all of them, those from a position on, those below a name.

use std::cmp::Ordering;

use crate::zone::record::key::Key;
use crate::zone::store::compiled::{NodeRef, Zone};
use crate::zone::store::order::Position;

impl Zone {
    /// The names in canonical order, each with whether it is below a cut or a DNAME.
    pub(in crate::zone) fn names(&self) -> impl Iterator<Item = (NodeRef<'_>, bool)> {
        let mut cover: Option<NodeRef<'_>> = None;
        self.order.iter().map(move |place| {
            let node = self.node(place);
            if cover.is_some_and(|cover| node.is_below(cover)) {
                return (node, true);
            }
            cover = Some(node).filter(|node| node.covers());
            (node, false)
        })
    }

    /// The names behind a position.
    pub(in crate::zone) fn names_behind(&self, at: Option<Position>) -> impl Iterator<Item = NodeRef<'_>> {
        let behind = std::iter::successors(at, |at| self.order.after(*at)).skip(1);
        behind.filter_map(|at| self.order.get(at)).map(|place| self.node(place))
    }

    /// The names below one of its names.
    pub(in crate::zone) fn names_below<'z>(&'z self, node: NodeRef<'z>) -> impl Iterator<Item = NodeRef<'z>> {
        let key = Key::of_relative(node.node.owner());
        let at = self.last_name(|other| other.cmp(key.as_octets()));
        self.names_behind(at).take_while(move |below| below.is_below(node))
    }

    /// The last position that is not behind what `compare` looks for; it says how a name's key stands to that.
    pub(in crate::zone) fn last_name(&self, compare: impl Fn(&[u8]) -> Ordering) -> Option<Position> {
        self.order.at_or_before(|place| compare(Key::of_relative(self.node(place).node.owner()).as_octets()))
    }
}

impl NodeRef<'_> {
    /// Whether what is below the name is no authoritative data of the zone.
    pub(in crate::zone) fn covers(self) -> bool {
        self.is_cut() || self.has_dname()
    }
}
