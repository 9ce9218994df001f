//! Rescans of all zones: the one that goes on, and what was asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::publish::fault::SourceFault;
use crate::publish::report::Progress;
use crate::publish::source::SourceKey;
use crate::publish::work::orders::order::Then;
use crate::publish::work::time_share::TimeShare;
use crate::wire::Name;
use crate::zonefile::FileProgress;

/// How often it is said how far a rescan is that takes longer.
const PROGRESS: Duration = Duration::from_secs(1);

/// Looks at single sources that come at once take CPU time for at most one part in so many of the time: one thread makes them, which lets
/// others go first.
const EARLY_SHARE: u32 = 4;

/// A rescan of all zones.
#[derive(Debug)]
pub(in crate::publish) struct Round {
    pub(in crate::publish) start: Instant,
    pub(in crate::publish) said: Instant,
    /// The sources that are still to be looked at.
    pub(in crate::publish) sources: BTreeSet<SourceKey>,
    /// The number of the last job before it: what that or an earlier one found is not of this rescan.
    pub(in crate::publish) begun_after: u64,
    /// How many zones are still to be checked, and how many there are.
    pub(in crate::publish) left: usize,
    pub(in crate::publish) of: usize,
    /// Whether the zones without a file are on their way.
    pub(in crate::publish) has_checked_missing: bool,
    /// The zones that may be read, where only an order deploys; `None` for all.
    pub(in crate::publish) only: Option<BTreeSet<Name>>,
    pub(in crate::publish) then: Vec<Then>,
}

/// A rescan that was asked for.
#[derive(Debug, Default)]
pub(in crate::publish) struct Asked {
    pub(in crate::publish) only: Option<BTreeSet<Name>>,
    pub(in crate::publish) then: Vec<Then>,
}

/// The rescans of all zones.
#[derive(Debug)]
pub(in crate::publish) struct Looks {
    /// The one that goes on.
    pub(in crate::publish) round: Option<Round>,
    /// What was asked for meanwhile.
    pub(in crate::publish) asked: Option<Asked>,
    /// The end of the last one.
    pub(in crate::publish) ended_at: Instant,
    /// The panic since the last one that came to its end, and when the next one begins because of it.
    pub(in crate::publish) panicked: Option<SourceFault>,
    pub(in crate::publish) retry_at: Option<Instant>,
    /// Shows the large file that is being read.
    pub(in crate::publish) file_progress: Arc<FileProgress>,
    /// The time for looks at single sources that come at once, before a burst of changes is over.
    pub(in crate::publish) early: TimeShare,
}

impl Looks {
    /// There was none yet.
    pub(in crate::publish) fn new(now: Instant, file_progress: Arc<FileProgress>) -> Self {
        let early = TimeShare::new(EARLY_SHARE, now);
        Self { round: None, asked: None, ended_at: now, panicked: None, retry_at: None, file_progress, early }
    }

    /// Notes that a rescan is asked for. `zone`: it need not read the files of others.
    pub(in crate::publish) fn ask(&mut self, zone: Option<&Name>, then: Option<Then>) {
        let is_first = self.asked.is_none();
        let asked = self.asked.get_or_insert_default();
        match (zone, &mut asked.only) {
            (None, only) => *only = None,
            (Some(zone), Some(only)) => drop(only.insert(zone.clone())),
            (Some(zone), only @ None) if is_first => *only = Some(BTreeSet::from([zone.clone()])),
            // A look at all was asked for already.
            (Some(_), None) => {}
        }
        asked.then.extend(then);
    }

    /// When the next one begins by itself: soon after a panic, else so long after the last one.
    pub(in crate::publish) fn due(&self, pause: Duration) -> Instant {
        self.retry_at.unwrap_or(self.ended_at + pause)
    }

    /// Whether a job was handed out for the rescan that goes on, or while it did.
    pub(in crate::publish) fn is_of_round(&self, ticket: u64) -> bool {
        self.round.as_ref().is_some_and(|round| ticket > round.begun_after)
    }

    /// Whether the rescan that goes on has still to look at this source.
    pub(in crate::publish) fn awaits(&self, source: &SourceKey) -> bool {
        self.round.as_ref().is_some_and(|round| round.sources.contains(source))
    }

    /// A source was looked at, or does not answer.
    pub(in crate::publish) fn source_done(&mut self, key: &SourceKey) {
        if let Some(round) = &mut self.round {
            round.sources.remove(key);
        }
    }

    /// How far the rescan is that goes on, once a second.
    pub(in crate::publish) fn progress(&mut self) -> Option<Progress> {
        let round = self.round.as_mut().filter(|round| round.said.elapsed() >= PROGRESS)?;
        round.said = Instant::now();
        let (elapsed, of, done) = (round.start.elapsed(), round.of, round.of - round.left);
        let zones = (done > 0).then(|| elapsed.mul_f64(round.left as f64 / done as f64));
        let file = self.file_progress.shown();
        let remaining = zones.max(file.map(|file| file.remaining));
        Some(Progress { zones: done, of, elapsed, file: file.map(|file| (file.read, file.of)), remaining })
    }
}
