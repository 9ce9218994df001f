//! Serves versions when their time has come.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock::at_unix;
use crate::handoff::Reader;
use crate::publish::{Fault, Report};
use crate::telemetry::with_causes;
use crate::transfer::secondary::SinkError;
use crate::wire::{Name, Serial};

use super::machine::{Facts, NextRelease};
use super::queue::DueStep;
use super::sink::{DelayedVersions, now};

/// Steps that are put into service at one time: the publisher has as many threads for it.
const MAX_RUNNING_STEPS: usize = 4;
/// The pause after a version that was refused: a person corrects it, or another version comes and is tried at its time.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
/// The pause after a failure of the publisher or of the disk.
const FAILED_PAUSE: Duration = Duration::from_secs(30);
/// How often it is kept how long versions have waited: a crash costs so much of it at most.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// What is kept anew waits for others, because many zones change together.
const KEEP_AFTER: Duration = Duration::from_secs(1);

/// See the module. Runs until it is dropped.
pub struct DelayTask {
    versions: Arc<DelayedVersions>,
    report: Reader<Report>,
    /// After how many changes the report was looked at last.
    seen: Option<u64>,
    /// Zones of which it is known what limits their wait.
    known: BTreeSet<Name>,
    tasks: JoinSet<(DueStep, Result<(), SinkError>)>,
    keep_at: Option<Instant>,
}

impl DelayTask {
    /// Serves these versions; `report` tells which zones are held, and when signatures expire.
    pub fn new(versions: Arc<DelayedVersions>, report: Reader<Report>) -> Self {
        Self { versions, report, seen: None, known: BTreeSet::new(), tasks: JoinSet::new(), keep_at: None }
    }

    /// Runs for ever. Can be run again after a panic.
    pub async fn run(&mut self) {
        let versions = self.versions.clone();
        loop {
            self.follow();
            let due = self.begin();
            self.keep().await;
            let until = [due, self.keep_at].into_iter().flatten().min();
            tokio::select! {
                () = versions.changed.notified() => {}
                () = self.report.changed() => {}
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Ok((step, outcome)) = done {
                        self.finish(&step, outcome);
                    }
                }
                () = sleep_until(until) => {}
            }
        }
    }

    /// Takes in what limits the wait of zones that changed.
    fn follow(&mut self) {
        let report = self.report.load();
        let changed: Option<BTreeSet<Name>> =
            self.seen.and_then(|seen| report.changed_since(seen)).map(|names| names.cloned().collect());
        self.seen = Some(report.changes());
        let mut state = self.versions.lock();
        for (name, queue) in &mut state.zones {
            let is_known = self.known.contains(name);
            if changed.as_ref().is_none_or(|changed| changed.contains(name)) || !is_known {
                queue.machine.tell(self.versions.facts(name, &report));
            }
        }
        self.known = state.zones.keys().cloned().collect();
    }

    /// Begins what is due, as much as may go on at one time; when to come again.
    fn begin(&mut self) -> Option<Instant> {
        let (now, mut due) = (now(), None);
        let mut state = self.versions.lock();
        for (name, queue) in &mut state.zones {
            match queue.machine.next(now) {
                NextRelease::Release(count, why) if self.tasks.len() < MAX_RUNNING_STEPS => {
                    let Some(step) = queue.begin(name, count, why) else { continue };
                    let inner = self.versions.inner.clone();
                    self.tasks.spawn_blocking(move || {
                        let serve = AssertUnwindSafe(|| step.serve(&*inner));
                        let panicked = |_| Err(SinkError::Failed("it panicked: see the log".into()));
                        let outcome = catch_unwind(serve).unwrap_or_else(panicked);
                        (step, outcome)
                    });
                }
                NextRelease::Wait(at, _) | NextRelease::NotTaken(at) => {
                    due = due.into_iter().chain([at]).min()
                }
                _ => {}
            }
        }
        due
    }

    fn finish(&self, step: &DueStep, outcome: Result<(), SinkError>) {
        let (name, serial) = (&step.name, step.zone.serial());
        let mut state = self.versions.lock();
        state.is_unkept = true;
        // Not one of a zone that has begun anew.
        let Some(queue) = state.zones.get_mut(name).filter(|queue| step.is_of(queue)) else { return };
        match outcome {
            Ok(()) => {
                tracing::info!(zone = %name, %serial, why = step.why.words(), "a version that waited is served");
                queue.released(serial);
                queue.machine.tell(self.versions.facts(name, &self.report.load()));
                if queue.machine.count() == 0 {
                    state.zones.remove(name);
                }
            }
            Err(error) => {
                let reason = with_causes(&error);
                let Serial(number) = serial;
                tracing::warn!(zone = %name, serial = number, reason, "a version that waited is not served");
                let pause = if matches!(error, SinkError::Failed(_)) { FAILED_PAUSE } else { REFUSED_PAUSE };
                queue.machine.not_taken(reason, pause, now());
            }
        }
    }

    /// Keeps since when versions wait, if it is time.
    async fn keep(&mut self) {
        let now = now();
        let (is_unkept, has_some) = {
            let state = self.versions.lock();
            (state.is_unkept, state.has_some())
        };
        if is_unkept {
            let soon = now.instant + KEEP_AFTER;
            self.keep_at = Some(self.keep_at.map_or(soon, |at| at.min(soon)));
        }
        if self.keep_at.is_none_or(|at| at > now.instant) {
            return;
        }
        self.keep_at = has_some.then(|| now.instant + KEEP_EVERY);
        let versions = self.versions.clone();
        let written = tokio::task::spawn_blocking(move || versions.keep_waiting()).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "cannot keep since when versions wait: after a restart they wait from the beginning");
        }
    }
}

impl DelayedVersions {
    /// What limits the wait of a zone. A report may be behind what is served: then nothing is known of its signatures.
    fn facts(&self, name: &Name, report: &Report) -> Facts {
        let Some(zone) = report.zones.get(name) else { return Facts::default() };
        let is_held = zone.faults.iter().any(|fault| matches!(fault, Fault::Held { .. }));
        let served = self.inner.served(name).map(|zone| zone.serial());
        let signatures = zone.signatures.as_ref().filter(|it| Some(it.serial) == served);
        let validity = signatures.and_then(|it| it.verdict.validity);
        let expires = validity.and_then(|it| at_unix(it.expires));
        Facts { is_held, expires }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
