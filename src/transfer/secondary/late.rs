//! What the last process kept of the zones: known at the start, or when a state directory answers that was silent then.
//!
//! A zone that a primary has given meanwhile is as old as that version. One whose kept version comes into service late is as old as the
//! timers say that were kept with it.

use std::sync::Arc;
use std::time::Instant;

use crate::handoff::Reader;
use crate::publish::KeptState;

use super::coordinator::{Coordinator, now};

/// What is told of what was kept.
#[derive(Debug)]
pub(super) struct LateState {
    state: Reader<Option<KeptState>>,
    taken: Option<Arc<Option<KeptState>>>,
}

impl LateState {
    pub(super) fn new(state: Reader<Option<KeptState>>) -> Self {
        Self { state, taken: None }
    }

    /// What was told since the last call.
    fn news(&mut self) -> Option<Arc<Option<KeptState>>> {
        let state = self.state.load();
        let is_known = self.taken.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, &state));
        if is_known || state.is_none() {
            return None;
        }
        self.taken = Some(state.clone());
        Some(state)
    }
}

/// Returns when something may have been told. Cancel-safe.
pub(super) async fn told(late: &mut Option<LateState>) {
    match late {
        Some(late) => late.state.changed().await,
        None => std::future::pending().await,
    }
}

impl Coordinator {
    /// Takes what is told of what was kept. Whoever takes what is served calls this after having read that: a version that was kept is
    /// served after its timers are told.
    pub(super) fn take_kept(&mut self) {
        let Some(state) = self.late.as_mut().and_then(LateState::news) else { return };
        let Some(KeptState { timers, members, .. }) = &*state else { return };
        let now = now();
        for (zone, saved) in timers {
            match self.zones.get(zone) {
                // Nothing could be kept of it until now.
                Some(entry) if entry.is_confirmed(now) => self.outward.note_timers(zone, Instant::now()),
                _ => drop(self.saved.insert(zone.clone(), *saved)),
            }
        }
        let gone = members.iter().filter(|(_, member)| member.kept_until.is_some());
        let gone = gone.map(|(name, _)| name).filter(|name| !self.zones.contains_key(*name));
        self.kept_aside.extend(gone.cloned());
        let unkept = self.zones.iter().filter(|(zone, _)| !timers.contains_key(*zone));
        for (zone, _) in unkept.filter(|(_, entry)| entry.is_confirmed(now)) {
            self.outward.note_timers(zone, Instant::now());
        }
        self.has_forgotten = false;
    }
}
