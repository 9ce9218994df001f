//! When what is served of zones from primaries expires, for other servers that ask (RFC 7314 section 4.2).
//!
//! The coordinator writes the time of a zone whenever it changes; threads that answer other servers read it. Each waits for the other no longer than
//! one entry takes. As many entries as there are zones from primaries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::telemetry::locked;
use crate::wire::Name;

/// How long what is served of a zone may be served on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// It does not come from primaries that are known here: this is its origin, unless it is a member of a catalog that comes or goes.
    Origin,
    /// It comes from primaries, and it is not known how old it is: none has confirmed it yet.
    Unknown,
    /// So long, unless a primary confirms it.
    Left(Duration),
}

/// All of them; clones are the same table.
#[derive(Clone, Debug, Default)]
pub(super) struct ExpireTimes {
    times: Arc<Mutex<HashMap<Name, Instant>>>,
}

impl ExpireTimes {
    /// A zone expires then; `None`: nothing of it is served, or that is not known.
    pub(super) fn note(&self, zone: &Name, expires: Option<Instant>) {
        let mut times = locked(&self.times);
        match (expires, times.get_mut(zone)) {
            (Some(expires), Some(known)) => *known = expires,
            (Some(expires), None) => drop(times.insert(zone.clone(), expires)),
            (None, _) => drop(times.remove(zone)),
        }
    }

    /// What is known of a zone that comes from primaries.
    pub(super) fn of(&self, zone: &Name, now: Instant) -> Remaining {
        let expires = locked(&self.times).get(zone).copied();
        expires.map_or(Remaining::Unknown, |it| Remaining::Left(it.saturating_duration_since(now)))
    }
}
