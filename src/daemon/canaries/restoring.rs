//! Versions that are made again from the history: one zone at a time, beside everything else. A disk that hangs holds one thread, and neither
//! answers nor orders wait for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::publish::{BeganReason, History, earlier};
use crate::transfer::canary::CanaryVersion;
use crate::wire::Name;
use crate::zone::Zone;

/// Which versions are to be made again, and the one that is.
#[derive(Debug, Default)]
pub(super) struct Restoring {
    waiting: BTreeSet<Name>,
    running: Option<(WantedVersion, JoinHandle<Option<Arc<Zone>>>)>,
}

/// A version that is made again.
#[derive(Clone, Debug)]
pub(super) struct WantedVersion {
    pub(super) zone: Name,
    /// That of the zone's entry.
    pub(super) generation: u64,
    pub(super) released: CanaryVersion,
}

impl Restoring {
    /// The version of this zone is to be made when it is its turn.
    pub(super) fn push(&mut self, zone: Name) {
        self.waiting.insert(zone);
    }

    /// Whose turn it is now.
    pub(super) fn take(&mut self) -> Option<Name> {
        if self.running.is_some() { None } else { self.waiting.pop_first() }
    }

    /// Begins; `make` may wait for a disk.
    pub(super) fn start(
        &mut self,
        wanted: WantedVersion,
        make: impl FnOnce() -> Option<Arc<Zone>> + Send + 'static,
    ) {
        self.running = Some((wanted, spawn_blocking(make)));
    }

    /// Waits for the version; for ever if none is being made.
    pub(super) async fn next(&mut self) -> (WantedVersion, Option<Arc<Zone>>) {
        let made = match &mut self.running {
            Some((_, made)) => made.await,
            None => std::future::pending().await,
        };
        match self.running.take() {
            Some((wanted, _)) => (wanted, made.ok().flatten()),
            None => std::future::pending().await,
        }
    }
}

/// The released version, which the served one has replaced, if the history leads back to it.
pub(super) fn version_before(served: &Zone, released: CanaryVersion, history: &History) -> Option<Arc<Zone>> {
    let (name, serial) = (served.origin(), released.serial);
    // One with the same serial is another one.
    if served.serial() == serial || !has(history, name, released) {
        return None;
    }
    let steps = history.between(name, serial, Some(served.serial())).ok().flatten()?;
    earlier(served, steps).ok().filter(|version| version.serial() == serial).map(Arc::new)
}

/// Whether the version in the history with the serial of this one is this one: the zone may have gone back since, and have reached the serial
/// again.
fn has(history: &History, name: &Name, version: CanaryVersion) -> bool {
    let Some(kept) = history.steps(name).ok().flatten() else { return false };
    match (version.accepted_at, kept.steps.iter().rev().find(|step| step.to == version.serial)) {
        (None, _) => true,
        // The same content may have come whole later. Other content under the serial would have begun the history anew.
        (Some(accepted_at), Some(step)) => step.accepted_at <= accepted_at,
        // When the first version was accepted is not kept: one with the serial to which the zone went back may be either.
        (Some(_), None) => kept.began.serial != version.serial || kept.began.reason != BeganReason::Back,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Serial;

    /// Neither the task nor the versions of other zones wait for a disk that does not answer, and it holds one thread.
    #[tokio::test]
    async fn one_version_is_made_at_a_time_and_nobody_waits_for_it() {
        let mut restoring = Restoring::default();
        let name = |text: &str| text.parse::<Name>().unwrap();
        restoring.push(name("a."));
        restoring.push(name("b."));
        restoring.push(name("a."));
        assert_eq!(restoring.take(), Some(name("a.")));
        let wanted = |zone| WantedVersion { zone, generation: 1, released: Serial(1).into() };
        let (disk, answer) = std::sync::mpsc::channel::<()>();
        restoring.start(wanted(name("a.")), move || {
            let _ = answer.recv();
            None
        });
        assert_eq!(restoring.take(), None, "the second would hold a second thread");
        tokio::select! {
            biased;
            _ = restoring.next() => panic!("the disk does not answer"),
            () = std::future::ready(()) => {}
        }
        drop(disk);
        let (made, version) = restoring.next().await;
        assert_eq!((made.zone, version.is_none()), (name("a."), true));
        assert_eq!((restoring.take(), restoring.take()), (Some(name("b.")), None));
    }
}
