//! Members that went, or began anew, within the last hour: a hub that loses its zones one by one makes a version of its catalog for each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::wire::Name;

/// How long what went counts. An operator who takes a customer's zones away in a day is not stopped, a loop that runs away is.
const WINDOW: Duration = Duration::from_secs(3600);

/// See the module. Holds as many names as went in an hour, which the limits bound.
#[derive(Clone, Debug, Default)]
pub struct RecentRemovals {
    /// The time; without it nothing is counted. A clock that is set changes nothing of it.
    now: Option<Instant>,
    /// When each went, and from which catalog.
    gone: BTreeMap<Name, (Name, Instant)>,
}

impl RecentRemovals {
    /// What counts at this time.
    pub fn set_time(&mut self, now: Instant) {
        self.now = Some(now);
        self.gone.retain(|_, (_, at)| now.saturating_duration_since(*at) < WINDOW);
    }

    /// How many members of a catalog went.
    pub fn count(&self, catalog: &Name) -> usize {
        self.gone.values().filter(|(of, _)| of == catalog).count()
    }

    /// These go now. Where an operator has accepted them, what went counts no more.
    pub fn note<'n>(&mut self, catalog: &Name, names: impl IntoIterator<Item = &'n Name>, is_accepted: bool) {
        if is_accepted {
            self.gone.retain(|_, (of, _)| of != catalog);
            return;
        }
        if let Some(now) = self.now {
            self.gone.extend(names.into_iter().map(|name| (name.clone(), (catalog.clone(), now))));
        }
    }

    /// This one is a member again.
    pub fn is_back(&mut self, name: &Name) {
        self.gone.remove(name);
    }
}
