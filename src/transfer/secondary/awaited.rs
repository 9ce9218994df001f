//! Which catalogs and members of catalogs have neither come nor failed yet: an empty POP announces nothing before that.
//!
//! Zones that come and go, and what became of their attempts, flow in; two counts flow out. Never decides what is announced.

use std::collections::BTreeSet;

use crate::handoff::{Latest, Reader};
use crate::wire::Name;

/// How many zones have neither a version nor an attempt that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AwaitedZones {
    /// Catalogs.
    pub catalogs: usize,
    /// Members of catalogs.
    pub members: usize,
}

/// The zones themselves.
#[derive(Debug)]
pub(super) struct Awaited {
    catalogs: BTreeSet<Name>,
    members: BTreeSet<Name>,
    told: Latest<AwaitedZones>,
}

impl Awaited {
    pub(super) fn new(told: Latest<AwaitedZones>) -> Self {
        Self { catalogs: BTreeSet::new(), members: BTreeSet::new(), told }
    }

    /// A zone is new; nothing is known of it.
    pub(super) fn add_member(&mut self, zone: Name) {
        self.members.insert(zone);
    }

    /// A catalog is new; nothing is known of it.
    pub(super) fn add_catalog(&mut self, zone: Name) {
        self.catalogs.insert(zone);
    }

    /// A version of the zone is served, or an attempt has failed, or it has gone.
    pub(super) fn settled(&mut self, zone: &Name) {
        if !self.members.remove(zone) {
            self.catalogs.remove(zone);
        }
    }

    /// Tells the counts, if they are other ones.
    pub(super) fn tell(&self) {
        let (catalogs, members) = (self.catalogs.len(), self.members.len());
        self.told.publish_if_new(AwaitedZones { catalogs, members });
    }
}

/// Where the counts go, and where they are read.
pub(super) fn awaited() -> (Latest<AwaitedZones>, Reader<AwaitedZones>) {
    let told = Latest::new(AwaitedZones::default());
    let reader = told.reader();
    (told, reader)
}
