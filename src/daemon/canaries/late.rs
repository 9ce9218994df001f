//! What was released when the last process ended: known at the start, or when a state directory answers that was silent then.

use std::sync::Arc;

use crate::publish::{KeptReleases, KeptState};
use crate::wire::Name;

use super::task::{CanaryTask, UNKNOWN_BEFORE};

impl CanaryTask {
    /// Takes what the last process kept; anew when more of it can be read. What was halted because nobody knew what was released is looked
    /// at again, what an operator has ordered since counts.
    pub(super) fn take_kept(&mut self) {
        let state = self.state.load();
        let Some(KeptState { releases: KeptReleases { zones, missing }, .. }) = &*state else { return };
        if self.taken.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, &state)) {
            return;
        }
        let is_unknown = |name: &&Name| {
            let stopped = self.entries.zones.get(*name).and_then(|entry| entry.stopped.as_deref());
            stopped == Some(UNKNOWN_BEFORE)
        };
        let unknown: Vec<Name> = self.entries.zones.keys().filter(is_unknown).cloned().collect();
        for name in &unknown {
            self.entries.remove(name);
        }
        let is_open = |name: &Name| !self.entries.zones.contains_key(name);
        self.kept = zones.clone().into_iter().filter(|(name, _)| is_open(name)).collect();
        (self.missing, self.unknown, self.seen, self.has_settled) = (*missing, None, None, false);
        self.taken = Some(state.clone());
    }
}
