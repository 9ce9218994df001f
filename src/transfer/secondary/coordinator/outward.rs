//! What the coordinator tells others: the query path which zones have expired, the state directory the timers, the status what is
//! new of each zone.
//!
//! Names of changed zones flow in; of each the latest facts flow out, together with those of other zones, as soon as those who take
//! them are ready. So a burst of changes costs one message for each zone, and nobody is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::handoff::Queue;
use crate::transfer::refresh::Saved;
use crate::wire::Name;
use crate::zone::Expiry;

use crate::transfer::secondary::report::{ZoneNews, ZoneReport};
use crate::transfer::secondary::sink::{Sink, SinkError};

/// How long changed timers wait for others: a crash makes a zone look so much older at most, and a disk is asked seldom.
const KEEP_AFTER: Duration = Duration::from_secs(5);
/// The pause after what could not be told.
const AGAIN: Duration = Duration::from_secs(1);
/// The pause when the status takes nothing: it looks ten times a second.
const FULL: Duration = Duration::from_millis(100);
/// Zones whose timers are kept in one transaction.
const BATCH: usize = 4096;

/// See the module.
pub(in crate::transfer::secondary) struct Outward {
    sink: Arc<dyn Sink>,
    status: Option<Queue<ZoneNews>>,
    news: BTreeSet<Name>,
    expiry: BTreeMap<Name, Expiry>,
    /// Zones of which no primary has the refused version any more.
    withdrawn: BTreeSet<Name>,
    timers: BTreeSet<Name>,
    /// When timers are kept.
    keep_at: Option<Instant>,
    /// When it goes on after a failure.
    blocked_until: Option<Instant>,
    /// At most one at a time.
    tasks: JoinSet<Delivered>,
}

/// What a task has told.
struct Delivered {
    expiry: Vec<(Name, Expiry)>,
    withdrawn: Vec<Name>,
    timers: Vec<Name>,
    result: Result<(), SinkError>,
}

impl Outward {
    pub(in crate::transfer::secondary) fn new(sink: Arc<dyn Sink>, status: Option<Queue<ZoneNews>>) -> Self {
        Self {
            sink,
            status,
            news: BTreeSet::new(),
            expiry: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
            timers: BTreeSet::new(),
            keep_at: None,
            blocked_until: None,
            tasks: JoinSet::new(),
        }
    }

    /// Something of this zone is to be shown.
    pub(in crate::transfer::secondary) fn note(&mut self, zone: &Name) {
        if self.status.is_some() {
            self.news.insert(zone.clone());
        }
    }

    /// The query path is to know this. The timers are kept at once: a restart must know it, too.
    pub(in crate::transfer::secondary) fn note_expiry(&mut self, zone: &Name, expiry: Expiry, now: Instant) {
        self.expiry.insert(zone.clone(), expiry);
        self.timers.insert(zone.clone());
        self.keep_at = Some(now);
    }

    /// No primary of this zone has the version any more that was refused.
    pub(in crate::transfer::secondary) fn note_withdrawn(&mut self, zone: &Name) {
        self.withdrawn.insert(zone.clone());
    }

    /// A version of this zone was refused: what was withdrawn before is nothing to it.
    pub(in crate::transfer::secondary) fn note_refused(&mut self, zone: &Name) {
        self.withdrawn.remove(zone);
    }

    /// The timers of this zone are to be kept at once.
    pub(in crate::transfer::secondary) fn note_timers_at_once(&mut self, zone: &Name, now: Instant) {
        self.timers.insert(zone.clone());
        self.keep_at = Some(now);
    }

    /// The timers of this zone are to be kept.
    pub(in crate::transfer::secondary) fn note_timers(&mut self, zone: &Name, now: Instant) {
        self.timers.insert(zone.clone());
        self.keep_at.get_or_insert(now + KEEP_AFTER);
    }

    /// Tells what can be told now; when to come again. `report` and `saved` have the facts of a zone; none: it is gone.
    pub(in crate::transfer::secondary) fn tell(
        &mut self,
        now: Instant,
        report: impl Fn(&Name) -> Option<ZoneReport>,
        saved: impl Fn(&Name) -> Option<Saved>,
    ) -> Option<Instant> {
        let full = self.tell_status(report).then(|| now + FULL);
        let next = self.begin(now, saved);
        [full, next].into_iter().flatten().min()
    }

    /// Whether some of it has to wait.
    fn tell_status(&mut self, report: impl Fn(&Name) -> Option<ZoneReport>) -> bool {
        let Some(status) = &self.status else { return false };
        while let Some(zone) = self.news.pop_first() {
            let news = report(&zone).map(Box::new);
            if let Err((zone, _)) = status.push((zone, news)) {
                self.news.insert(zone);
                return true;
            }
        }
        false
    }

    fn begin(&mut self, now: Instant, saved: impl Fn(&Name) -> Option<Saved>) -> Option<Instant> {
        if !self.tasks.is_empty() {
            return None;
        }
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            return Some(until);
        }
        self.blocked_until = None;
        let keeps = self.keep_at.is_some_and(|at| at <= now);
        if self.expiry.is_empty() && self.withdrawn.is_empty() && !keeps {
            return self.keep_at;
        }
        let expiry: Vec<(Name, Expiry)> = std::mem::take(&mut self.expiry).into_iter().collect();
        let withdrawn: Vec<Name> = std::mem::take(&mut self.withdrawn).into_iter().collect();
        let timers = if keeps { self.take_timers(now) } else { Vec::new() };
        let kept = timers.iter().map(|zone| (zone.clone(), saved(zone))).collect();
        let sink = self.sink.clone();
        self.tasks.spawn_blocking(move || {
            // The query path first: a disk may be slow.
            let told = if expiry.is_empty() { Ok(()) } else { sink.expiry(expiry.clone()) };
            let told = told.and_then(|()| match withdrawn.is_empty() {
                true => Ok(()),
                false => sink.withdrawn(withdrawn.clone()),
            });
            let result = told.and_then(|()| sink.keep(kept));
            Delivered { expiry, withdrawn, timers, result }
        });
        None
    }

    fn take_timers(&mut self, now: Instant) -> Vec<Name> {
        let mut taken = Vec::new();
        while taken.len() < BATCH
            && let Some(zone) = self.timers.pop_first()
        {
            taken.push(zone);
        }
        self.keep_at = (!self.timers.is_empty()).then_some(now);
        taken
    }

    /// Returns when something was told. Cancel-safe.
    pub(in crate::transfer::secondary) async fn told(&mut self) {
        let Some(told) = self.tasks.join_next().await else { return std::future::pending().await };
        let Ok(Delivered { expiry, withdrawn, timers, result }) = told else {
            tracing::error!("the thread that tells of expired zones has failed");
            return;
        };
        let Err(error) = result else { return };
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "the expiry or the timers of zones could not be told; it is tried again");
        let now = Instant::now();
        for (zone, expiry) in expiry {
            self.expiry.entry(zone).or_insert(expiry);
        }
        self.withdrawn.extend(withdrawn);
        self.timers.extend(timers);
        self.keep_at.get_or_insert(now + AGAIN);
        self.blocked_until = Some(now + AGAIN);
    }

    /// Keeps what is not kept yet, at the end.
    pub(in crate::transfer::secondary) async fn finish(mut self, saved: impl Fn(&Name) -> Option<Saved>) {
        while let Some(told) = self.tasks.join_next().await {
            if let Ok(Delivered { timers, result: Err(_), .. }) = told {
                self.timers.extend(timers);
            }
        }
        if self.timers.is_empty() {
            return;
        }
        let timers: Vec<_> = self.timers.iter().map(|zone| (zone.clone(), saved(zone))).collect();
        let sink = self.sink.clone();
        // A failure costs a start that asks earlier than it must.
        let _ = tokio::task::spawn_blocking(move || drop(sink.keep(timers))).await;
    }
}
