//! The zones that catalogs list, as the publisher keeps them. Pure.

use std::collections::BTreeMap;

use crate::publish::state::members::KeptMember;
use crate::wire::Name;

/// The zones that catalogs list, and those whose data waits for its end.
#[derive(Debug, Default)]
pub(in crate::publish) struct Members {
    /// All of them.
    pub(in crate::publish) all: BTreeMap<Name, KeptMember>,
    /// Whether the state directory has others.
    pub(in crate::publish) is_unkept: bool,
}

impl Members {
    /// Whether a catalog lists this zone.
    pub(in crate::publish) fn lists(&self, zone: &Name) -> bool {
        self.all.get(zone).is_some_and(|member| member.kept_until.is_none())
    }

    /// Whether the zone is listed no more, and its data is kept.
    pub(in crate::publish) fn keeps_aside(&self, zone: &Name) -> bool {
        self.all.get(zone).is_some_and(|member| member.kept_until.is_some())
    }
}
