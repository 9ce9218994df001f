//! Makes the version for the others again, from the history: after a restart with a newer one.

use std::sync::Arc;
use std::time::Instant;

use crate::zone::Zone;

use super::entries::CanaryEntry;
use super::restoring::{WantedVersion, version_before};
use super::task::CanaryTask;

impl CanaryTask {
    /// Begins to make the version whose turn it is.
    pub(super) fn restore(&mut self) {
        while let Some(name) = self.restoring.take() {
            let now = Instant::now();
            let served = self.context.published.load().zone(&name).cloned();
            let Some(entry) = self.entries.zones.get_mut(&name).filter(|entry| entry.missing.is_some())
            else {
                continue;
            };
            let Some(served) = served else {
                entry.try_later(now);
                self.settle(&name, now);
                continue;
            };
            let (released, history) = (entry.machine.released_version(), self.history.clone());
            let wanted = WantedVersion { zone: name, generation: entry.generation, released };
            self.restoring.start(wanted, move || version_before(&served, released, &history));
        }
    }

    /// Takes the version that was made, or tries later.
    pub(super) fn restored(&mut self, (wanted, made): (WantedVersion, Option<Arc<Zone>>)) {
        let now = Instant::now();
        let WantedVersion { zone, generation, released } = wanted;
        let is_wanted = |entry: &&mut CanaryEntry| entry.generation == generation && entry.missing.is_some();
        let Some(entry) = self.entries.zones.get_mut(&zone).filter(is_wanted) else { return };
        let serial = released.serial;
        match made.filter(|_| entry.machine.released_version().is(released)) {
            Some(version) => {
                entry.missing = None;
                tracing::info!(%zone, %serial, "the released version was made again from the history");
                self.context.versions.put(version);
                self.tell_secondaries(&zone);
            }
            None => {
                entry.try_later(now);
                tracing::debug!(%zone, %serial, "the history does not lead back to the released version");
            }
        }
        self.settle(&zone, now);
    }
}
