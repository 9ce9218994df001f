//! The zones that catalogs list, as the publisher keeps them. Pure.

use std::collections::BTreeMap;

use crate::clock::{Due, Moment, Retention};
use crate::publish::state::tables::members::KeptMember;
use crate::publish::work::kept::removed_list::KEPT;
use crate::wire::Name;

/// The zones that catalogs list, and those whose data waits for its end.
#[derive(Debug, Default)]
pub(in crate::publish) struct Members {
    /// All of them.
    pub(in crate::publish) all: BTreeMap<Name, KeptMember>,
    /// Whether the state directory has others.
    pub(in crate::publish) is_unkept: bool,
    /// Whose data waits for its end, and since when.
    pub(in crate::publish) retention: Retention<Name>,
}

/// Zones, and what the state directory is to have of each.
type MemberRows = Vec<(Name, Option<KeptMember>)>;

impl Members {
    /// Whether a catalog lists this zone.
    pub(in crate::publish) fn lists(&self, zone: &Name) -> bool {
        self.all.get(zone).is_some_and(|member| member.kept_until.is_none())
    }

    /// Whether the zone is listed no more, and its data is kept.
    pub(in crate::publish) fn keeps_aside(&self, zone: &Name) -> bool {
        self.all.get(zone).is_some_and(|member| member.kept_until.is_some())
    }

    /// Takes out those whose time is over; and those for which it was put off, because the clock was wrong.
    pub(in crate::publish) fn take_due(&mut self, now: Moment) -> (Vec<Name>, MemberRows) {
        let Self { all, retention, .. } = self;
        let (mut old, mut later) = (Vec::new(), Vec::new());
        for (name, member) in all.iter_mut() {
            let Some(until) = &mut member.kept_until else { continue };
            match retention.due(name, *until, KEPT, now) {
                Due::No => {}
                Due::Yes => old.push(name.clone()),
                Due::Until(moved) => {
                    *until = moved;
                    later.push((name.clone(), Some(member.clone())));
                }
            }
        }
        for name in &old {
            all.remove(name);
        }
        retention.retain(|name| all.get(name).is_some_and(|member| member.kept_until.is_some()));
        (old, later)
    }
}
