//! Makes the version for the others again, from the history: after a restart with a newer one. One that was taken from its file again, because
//! the state directory answered late, is known by what the directory has, too.

use std::sync::Arc;
use std::time::Instant;

use crate::publish::{BeganReason, History, earlier};
use crate::transfer::canary::CanaryVersion;
use crate::wire::{Name, Serial};

use super::task::CanaryTask;

impl CanaryTask {
    /// Makes the version for the others again, or tries later.
    pub(super) async fn restore(&mut self, name: &Name) {
        let served = self.context.published.load().zone(name).cloned();
        let report = self.report.load();
        let Some(entry) = self.entries.zones.get_mut(name) else { return };
        let Some(served) = served else { return entry.try_later(Instant::now()) };
        let (released, newest) = (entry.machine.released_version(), entry.machine.newest_version());
        let (history, of, serial) = (self.history.clone(), name.clone(), released.serial);
        // What is served is what the state directory has.
        let of_zone = report.zones.get(name);
        let is_kept = of_zone.is_some_and(|zone| zone.durable && zone.accepted_at == newest.accepted_at);
        let is_served = served.serial() == serial && newest.serial == serial;
        let made = tokio::task::spawn_blocking(move || {
            let last = serial_of_last(&history, &of, released)?;
            if is_served {
                return (is_kept && last == serial).then_some(served);
            }
            let steps = history.between(&of, serial, Some(served.serial())).ok().flatten()?;
            earlier(&served, steps).ok().filter(|version| version.serial() == serial).map(Arc::new)
        });
        match made.await.ok().flatten() {
            Some(version) => {
                entry.missing = None;
                if is_served {
                    entry.machine.identify(released, newest);
                    entry.machine.offered(newest, Instant::now());
                    entry.offered = None;
                    self.unkept.insert(name.clone(), Some(entry.kept()));
                }
                tracing::info!(zone = %name, %serial, "the released version was made again from the history");
                self.context.versions.put(version);
                self.tell_secondaries(name);
            }
            None => {
                entry.try_later(Instant::now());
                tracing::debug!(zone = %name, %serial, "the history does not lead back to the released version");
            }
        }
    }
}

/// The serial of the last version in the history, if the version in it with the serial of this one is this one: the zone may have gone back
/// since, and have reached the serial again.
fn serial_of_last(history: &History, name: &Name, version: CanaryVersion) -> Option<Serial> {
    let kept = history.steps(name).ok().flatten()?;
    let is_it = match (version.accepted_at, kept.steps.iter().rev().find(|step| step.to == version.serial)) {
        (None, _) => true,
        // The same content may have come whole later. Other content under the serial would have begun the history anew.
        (Some(accepted_at), Some(step)) => step.accepted_at <= accepted_at,
        // When the first version was accepted is not kept: one with the serial to which the zone went back may be either.
        (Some(_), None) => kept.began.serial != version.serial || kept.began.reason != BeganReason::Back,
    };
    is_it.then_some(kept.serial)
}
