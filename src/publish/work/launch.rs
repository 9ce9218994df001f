//! From visits to the snapshot: batches of zones go into service while others are still being read.
//!
//! Effects of visits flow in, snapshots flow out, and once a second how far the look is. Putting zones into the
//! snapshot costs time in proportion to all that are in it, so batches come as often as that is little work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::wire::Name;
use crate::zone::{Published, Zone};

use crate::publish::report::Progress;
use crate::publish::verify::Verify;
use crate::publish::work::visit::Effects;
use crate::zonefile::Meter;

/// A zone that is ready waits at least this long for others: nobody notices it.
const BATCH_AGE: Duration = Duration::from_millis(50);
/// Publishing takes at most one part in so many of the time.
const SHARE: u32 = 20;
/// How often it is said how far a look is that takes longer.
const PROGRESS: Duration = Duration::from_secs(1);

/// The changes of one look on their way into the snapshot.
pub(in crate::publish) struct Launch<'a> {
    published: &'a Published,
    /// Is told what was published.
    verify: &'a Verify,
    meter: &'a Meter,
    added: Vec<Arc<Zone>>,
    removed: Vec<Name>,
    /// When the snapshot was last replaced, and how long that took.
    last: Instant,
    took: Duration,
    start: Instant,
    said: Instant,
    visited: usize,
    of: usize,
}

impl<'a> Launch<'a> {
    /// For a look at so many zones, the large ones of which the meter shows.
    pub(in crate::publish) fn new(
        (published, verify): (&'a Published, &'a Verify),
        meter: &'a Meter,
        zones: usize,
    ) -> Self {
        let now = Instant::now();
        Self {
            published,
            verify,
            meter,
            added: Vec::new(),
            removed: Vec::new(),
            last: now,
            took: Duration::ZERO,
            start: now,
            said: now,
            visited: 0,
            of: zones,
        }
    }

    /// Takes what visits asked for; once a second returns how far the look is.
    pub(in crate::publish) fn take(&mut self, effects: Effects) -> Option<Progress> {
        self.visited += effects.visited;
        self.added.extend(effects.added);
        self.removed.extend(effects.removed);
        if self.last.elapsed() >= BATCH_AGE.max(self.took * SHARE) {
            self.publish();
        }
        if self.said.elapsed() < PROGRESS {
            return None;
        }
        self.said = Instant::now();
        let progress = self.progress();
        tracing::info!("{progress}");
        Some(progress)
    }

    /// Publishes what is left.
    pub(in crate::publish) fn finish(mut self) {
        self.publish();
    }

    fn publish(&mut self) {
        let (added, removed) = (std::mem::take(&mut self.added), std::mem::take(&mut self.removed));
        self.last = Instant::now();
        if added.is_empty() && removed.is_empty() {
            return;
        }
        self.published.store(self.published.load().with_changes(added.iter().cloned(), &removed));
        self.verify.changed(added.iter().map(|zone| zone.origin()).chain(&removed));
        self.took = self.last.elapsed();
    }

    fn progress(&self) -> Progress {
        let elapsed = self.start.elapsed();
        let left = self.of.saturating_sub(self.visited);
        let zones = (self.visited > 0).then(|| elapsed.mul_f64(left as f64 / self.visited as f64));
        let file = self.meter.shown();
        let remaining = zones.max(file.map(|file| file.remaining));
        Progress {
            zones: self.visited,
            of: self.of,
            elapsed,
            file: file.map(|file| (file.read, file.of)),
            remaining,
        }
    }
}
