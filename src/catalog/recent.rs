//! Members that went, or began anew, within the last hour: a hub that loses its zones one by one makes a version of its catalog for each.

use std::collections::BTreeMap;

use crate::wire::Name;

/// How long what went counts. An operator who takes a customer's zones away in a day is not stopped, a loop that runs away is.
const WINDOW: u64 = 3600;

/// See the module. Holds as many names as went in an hour, which the limits bound.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentRemovals {
    /// The time, in seconds since 1970; without it nothing is counted.
    now: Option<u64>,
    /// When each went, and from which catalog.
    gone: BTreeMap<Name, (Name, u64)>,
}

impl RecentRemovals {
    pub(super) fn set_time(&mut self, now: u64) {
        self.now = Some(now);
        // A clock that went backwards makes nothing count for longer.
        self.gone.retain(|_, (_, at)| *at <= now && now - *at < WINDOW);
    }

    /// How many members of a catalog went.
    pub(super) fn count(&self, catalog: &Name) -> usize {
        self.gone.values().filter(|(of, _)| of == catalog).count()
    }

    /// These go now. Where an operator has accepted them, what went counts no more.
    pub(super) fn note<'n>(
        &mut self,
        catalog: &Name,
        names: impl IntoIterator<Item = &'n Name>,
        is_accepted: bool,
    ) {
        if is_accepted {
            self.gone.retain(|_, (of, _)| of != catalog);
            return;
        }
        if let Some(now) = self.now {
            self.gone.extend(names.into_iter().map(|name| (name.clone(), (catalog.clone(), now))));
        }
    }

    /// This one is a member again.
    pub(super) fn is_back(&mut self, name: &Name) {
        self.gone.remove(name);
    }
}
