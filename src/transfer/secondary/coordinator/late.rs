//! What the last process kept of the zones: known at the start, or when a state directory answers that was silent then.
//!
//! A zone that a primary has given meanwhile is as old as that version. One whose kept version comes into service late is as old as the
//! timers say that were kept with it.

use std::sync::Arc;

use crate::handoff::Reader;
use crate::publish::KeptState;

/// What is told of what was kept.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct LateState {
    state: Reader<Option<KeptState>>,
    taken: Option<Arc<Option<KeptState>>>,
}

impl LateState {
    pub(in crate::transfer::secondary) fn new(state: Reader<Option<KeptState>>) -> Self {
        Self { state, taken: None }
    }

    /// What was told since the last call.
    pub(in crate::transfer::secondary) fn news(&mut self) -> Option<Arc<Option<KeptState>>> {
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
pub(in crate::transfer::secondary) async fn told(late: &mut Option<LateState>) {
    match late {
        Some(late) => late.state.changed().await,
        None => std::future::pending().await,
    }
}
