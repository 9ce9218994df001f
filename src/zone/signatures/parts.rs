//! The parts of a zone in which its owners stand, each in canonical order; and in what two versions differ.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::zone::Zone;
use crate::zone::record::key::Key;
use crate::zone::store::blocks::NodeId;
use crate::zone::store::compiled::{Denial, NodeRef};
use crate::zone::store::order::{Order, Position};

/// A part of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::zone) enum Part {
    /// Its names.
    Names,
    /// The owners of the NSEC3 chain that is served.
    Members,
    /// The owners of other NSEC3 records.
    Others,
}

/// An owner: its part, and its key there. Sorts as the owners stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnerId(pub(super) Part, pub(super) Box<[u8]>);

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Names, Self::Members, Self::Others];

    /// The next one.
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::Names => Some(Self::Members),
            Self::Members => Some(Self::Others),
            Self::Others => None,
        }
    }

    pub(super) fn order(self, zone: &Zone) -> Option<&Order> {
        match (self, &zone.denial) {
            (Self::Names, _) => Some(&zone.order),
            (Self::Members, Denial::Nsec3(chain)) => Some(&chain.order),
            (Self::Members, _) => None,
            (Self::Others, _) => Some(&zone.others),
        }
    }
}

impl OwnerId {
    pub(super) fn of(part: Part, node: NodeRef<'_>) -> Self {
        Self(part, Key::of_relative(node.node.owner()).as_octets().into())
    }

    /// The owner in a version, if it is there.
    pub(super) fn find<'z>(&self, zone: &'z Zone) -> Option<NodeRef<'z>> {
        let order = self.0.order(zone)?;
        let place = order.get(position(zone, order, &self.1)?)?;
        let node = zone.node(place);
        (Key::of_relative(node.node.owner()).as_octets() == &*self.1).then_some(node)
    }
}

/// The last position of a part that is not behind a key.
pub(super) fn position(zone: &Zone, order: &Order, key: &[u8]) -> Option<Position> {
    order.at_or_before(|place| Key::of_relative(zone.node(place).node.owner()).as_octets().cmp(key))
}

/// Whether a name stands below a cut or a DNAME: then nothing at it is authoritative data of the zone.
pub(super) fn is_hidden(part: Part, node: NodeRef<'_>) -> bool {
    part == Part::Names && node.zone().cover(node).is_some_and(|cover| !cover.is_same(node))
}

/// Shows each owner that has other records in `new` than in `old`, the one or the other `None` if it is there not at all; in
/// canonical order, part by part. What both versions share is skipped, so that the costs are those of the change.
pub(in crate::zone) fn for_each_change<'z>(
    old: &'z Zone,
    new: &'z Zone,
    mut show: impl FnMut(Part, Option<NodeRef<'z>>, Option<NodeRef<'z>>),
) {
    for part in Part::ALL {
        let (before, after) = (part.order(old), part.order(new));
        let (known, kept) = (leaves(before), leaves(after));
        let mut before = nodes(old, before, &kept).peekable();
        let mut after = nodes(new, after, &known).peekable();
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => compare(*a, *b),
            };
            let was = if order == Ordering::Greater { None } else { before.next() };
            let is = if order == Ordering::Less { None } else { after.next() };
            let is_same = was.zip(is).is_some_and(|(was, is)| {
                // The same memory: both versions hold it.
                std::ptr::eq(was.node.octets(), is.node.octets()) || was.node.has_records_of(is.node)
            });
            if !is_same {
                show(part, was, is);
            }
        }
    }
}

type Leaves = HashSet<*const NodeId>;

fn leaves(order: Option<&Order>) -> Leaves {
    order.into_iter().flat_map(Order::leaves).map(|leaf| leaf.as_ptr()).collect()
}

/// The nodes of the leaves that the other version does not share.
fn nodes<'z>(
    zone: &'z Zone,
    order: Option<&'z Order>,
    shared: &Leaves,
) -> impl Iterator<Item = NodeRef<'z>> + use<'z> {
    let own = order.into_iter().flat_map(Order::leaves).filter(|leaf| !shared.contains(&leaf.as_ptr()));
    let own: Vec<&[NodeId]> = own.map(AsRef::as_ref).collect();
    own.into_iter().flatten().map(|place| zone.node(*place))
}

fn compare(a: NodeRef<'_>, b: NodeRef<'_>) -> Ordering {
    let (a, b) = (a.node.owner(), b.node.owner());
    if a == b {
        return Ordering::Equal;
    }
    Key::of_relative(a).as_octets().cmp(Key::of_relative(b).as_octets())
}
