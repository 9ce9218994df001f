//! What passes between the publisher and the thread `verify`, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwap;
use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

use crate::wire::Name;
use crate::zone::Published;

use crate::publish::verify::modes::Modes;
use crate::publish::verify::outcome::VerifyOutcome;
use crate::telemetry::ContentSums;
use crate::telemetry::pulse::Pulse;

/// Changed zones that wait; of more, all zones are looked at, as at the first load.
const CHANGED: usize = 1024;
/// Outcomes that wait for the publisher; the thread keeps the newest of each zone until there is room.
const OUTCOMES: usize = 1024;

#[derive(Debug)]
pub(super) struct Shared {
    changed: ArrayQueue<Name>,
    /// Whether a name did not fit, or every zone may have changed.
    all: AtomicBool,
    pub(super) outcomes: ArrayQueue<VerifyOutcome>,
    pub(super) modes: ArcSwap<Modes>,
    pub(super) published: Arc<Published>,
    pub(super) wake: Arc<Notify>,
    pub(super) pulse: Arc<Pulse>,
    /// Sums over the contents of what is served, for other threads.
    pub(super) contents: Arc<ContentSums>,
    stopped: AtomicBool,
}

impl Shared {
    pub(super) fn new(modes: Modes, published: Arc<Published>, wake: Arc<Notify>, pulse: Arc<Pulse>) -> Self {
        Self {
            changed: ArrayQueue::new(CHANGED),
            all: AtomicBool::new(false),
            outcomes: ArrayQueue::new(OUTCOMES),
            modes: ArcSwap::from_pointee(modes),
            published,
            wake,
            pulse,
            contents: Arc::default(),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn changed(&self, zone: Name) {
        if self.changed.push(zone).is_err() {
            self.look_at_all();
        }
    }

    pub(super) fn look_at_all(&self) {
        self.all.store(true, Relaxed);
    }

    /// Whether somebody told of a change.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty() || self.all.load(Relaxed) || self.is_stopped()
    }

    /// The next changed zone.
    pub(super) fn next(&self) -> Option<Name> {
        self.changed.pop()
    }

    /// Whether all zones are to be looked at; once.
    pub(super) fn take_all(&self) -> bool {
        self.all.load(Relaxed) && self.all.swap(false, Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }
}
