//! The publisher's state, owned by the thread `zones-0`, and how the parts of it work together.
//!
//! ```text
//!   notifications, commands, the clock --> Core --> WorkQueue --> Pool: survey, zone_check
//!                                           ^                              |
//!                                           +------- results --------------+
//!                                           |
//!                                           +--> Publication --> zone::Published
//!                                           +--> StateWriter, Verify, Report
//! ```
//!
//! Each zone passes its steps in order; no zone waits for another. Waits for no source: what may block for a source's disk is
//! done by the pool. Waits for the state directory where something must be durable before it is served.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::publish::error::PublishError;
use crate::publish::settings::Settings;
use crate::publish::source::watch::Watch;
use crate::publish::state::opener::{self, StateOpener};
use crate::publish::verify::Verify;
use crate::publish::work::configured::Configured;
use crate::publish::work::jobs::board::Board;
use crate::publish::work::kept::keeping::Keeping;
use crate::publish::work::publication::Publication;
use crate::publish::work::reporting::Reporting;
use crate::publish::work::survey::round::Looks;
use crate::publish::work::survey::sources::Sources;
use crate::publish::work::survey::watching::Watching;
use crate::publish::work::zone::check_context::CheckContext;
use crate::publish::work::zone::entry::Entry;
use crate::telemetry::pulse::Pulse;
use crate::wire::Name;
use crate::zone::Published;
use crate::zonefile::FileProgress;

/// How often it is found out whether the threads at work go on.
const TICK: Duration = Duration::from_millis(250);

/// How long a start waits for a state directory that does not answer: as long as for a directory of zones.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Everything the publisher owns.
pub(in crate::publish) struct Core {
    /// The settings that are in force.
    pub(in crate::publish) configured: Configured,
    /// Every zone that is known.
    pub(in crate::publish) zones: BTreeMap<Name, Entry>,
    /// Where zones are found.
    pub(in crate::publish) sources: Sources,
    /// What was heard of changes.
    pub(in crate::publish) watching: Watching,
    /// What is kept over restarts.
    pub(in crate::publish) keeping: Keeping,
    /// The rescans of all sources.
    pub(in crate::publish) looks: Looks,
    /// What is told of all this.
    pub(in crate::publish) reporting: Reporting,
    /// The zones that have work, and the threads.
    pub(in crate::publish) board: Board,
    /// What checks may use; `None` when it must be made anew.
    pub(in crate::publish) context: Option<Arc<CheckContext>>,
    /// What is served.
    pub(in crate::publish) publication: Publication,
}

/// What the publisher's loop needs to know after a job.
#[derive(Debug)]
pub(in crate::publish) struct After {
    /// When to give the next [`Core::turn`] at the latest.
    pub(in crate::publish) turn_at: Instant,
    /// Something changed: [`Core::check_heard`] is due when the burst is over.
    pub(in crate::publish) changed: bool,
    /// A file is being written; its end will be heard.
    pub(in crate::publish) changing: bool,
}

impl Core {
    /// Locks the state directory and takes in what it holds; serves nothing yet.
    pub(in crate::publish) fn open(
        settings: Settings,
        published: Arc<Published>,
        wake: Arc<Notify>,
        pulse: Arc<Pulse>,
    ) -> Result<Self, PublishError> {
        let settings = settings.absolute().map_err(|source| PublishError::CurrentDirectory { source })?;
        let kept = (settings.state_directory.as_deref(), settings.history);
        let mut opener = StateOpener::new(kept, wake.clone(), pulse.clone());
        let state = opener.open_at_start(START_PATIENCE).transpose()?.unwrap_or_else(opener::silent);
        let board =
            Board::start(wake.clone(), pulse.clone()).map_err(|source| PublishError::Thread { source })?;
        let verify = Verify::new(&settings, published.clone(), wake.clone(), pulse.clone());
        let now = Instant::now();
        let mut core = Self {
            configured: Configured::new(settings),
            zones: BTreeMap::new(),
            sources: Sources::default(),
            watching: Watching::new(Watch::start(wake, pulse.clone()), now),
            keeping: Keeping::new(state, opener),
            looks: Looks::new(now, Arc::new(FileProgress::new(pulse))),
            reporting: Reporting::new(now),
            board,
            context: None,
            publication: Publication::new(published, verify),
        };
        core.list_state();
        core.list_holds();
        core.keeping.take_over_holds();
        if !core.keeping.opener.is_pending() {
            core.keeping.tell();
        }
        if let Some(fault) = core.keeping.fault() {
            tracing::error!("{fault}");
        }
        Ok(core)
    }

    /// Takes what the watcher heard, what threads did, and what became of versions that were to be kept.
    pub(in crate::publish) fn listen(&mut self) {
        let heard = self.watching.watch.take();
        if self.configured.watches() {
            self.hear(heard);
        }
        self.take_kept();
        self.take_verified();
        self.turn();
    }

    /// Begins the first load, or a look after the publisher's loop panicked.
    pub(in crate::publish) fn start(&mut self) {
        self.check_all();
        self.go_on();
    }

    /// Goes on with whatever is due.
    pub(in crate::publish) fn turn(&mut self) {
        let now = Instant::now();
        self.take_results();
        self.give_up_stalled();
        self.probe_sources(now);
        self.report_kept(now);
        if self.keeping.opener.is_pending() {
            self.take_opened_state();
        }
        if self.watching.retry_at().is_some_and(|at| at <= now) {
            if self.keeping.state.unread().is_some() {
                // Some wait for what is kept of them.
                self.take_opened_state();
            }
            for name in self.watching.take_postponed() {
                self.push(&name, false);
            }
        }
        if self.looks.round.is_none() && now >= self.looks.due(self.configured.rescan_pause()) {
            self.check_all();
        }
        self.go_on();
    }

    /// Hands out what waits, publishes what is ready, ends a rescan that is done, says what is new.
    pub(in crate::publish) fn go_on(&mut self) {
        self.dispatch();
        self.publication.flush_if_due();
        self.look_at_delegations();
        self.end_round_if_done();
        if self.looks.round.is_none() {
            self.watch_includes();
            if self.publication.has_new_absences {
                self.publish_absences();
            }
        }
        self.report_changed_if_due();
    }

    /// What the publisher's loop needs to know after a job.
    pub(in crate::publish) fn after(&mut self) -> After {
        let now = Instant::now();
        let busy = (self.board.is_busy() || self.looks.round.is_some()).then(|| now + TICK);
        let postponed = self.watching.retry_at();
        let look = self.looks.round.is_none().then(|| self.looks.due(self.configured.rescan_pause()));
        let probe = self.sources.next_probe();
        let delegations = self.publication.delegations.has_some().then_some(now);
        let (publication, reporting, kept) =
            (self.publication.due(), self.reporting.due(), self.reporting.kept_due());
        let times = [busy, postponed, look, probe, delegations, publication, reporting, kept];
        let turn_at = times.into_iter().flatten().min().unwrap_or(now + TICK);
        let (changed, changing) = self.watching.heard.take_news();
        After { turn_at, changed, changing }
    }

    /// What checks may use.
    pub(in crate::publish) fn context(&mut self) -> Arc<CheckContext> {
        if let Some(context) = &self.context {
            return context.clone();
        }
        let first = !self.reporting.settled;
        // At the first look it is not known yet which zones are in a directory that cannot be read.
        let partial = self.sources.is_partial(|path| first || self.has_zone_in(path));
        let watches = self.configured.watches();
        let context = Arc::new(CheckContext {
            settings: self.configured.settings.clone(),
            settings_generation: self.configured.generation,
            modes: self.publication.verify.modes(),
            state: self.keeping.state.clone(),
            holds: self.keeping.holds.clone(),
            serials: self.keeping.serials.clone(),
            published: self.publication.published.clone(),
            file_progress: self.looks.file_progress.clone(),
            watch: watches.then(|| self.watching.watch.clone()),
            writers: self.watching.watch.clone(),
            partial,
            unseen: self.sources.unseen(),
            mounts: self.sources.mounts.clone(),
            first,
        });
        self.context = Some(context.clone());
        context
    }

    /// Whether the file of a version that stands is in this directory.
    pub(in crate::publish) fn has_zone_in(&self, directory: &Path) -> bool {
        let stands = |entry: &&Entry| entry.header.is_some();
        self.zones.values().filter(stands).any(|entry| entry.path().starts_with(directory))
    }

    /// Takes what was found of signatures.
    fn take_verified(&mut self) {
        for (name, signatures) in self.publication.verify.outcomes() {
            let Some(entry) = self.zones.get_mut(&name) else { continue };
            if entry.take_signatures(signatures)
                && let Some(fault) = &entry.wrong
            {
                tracing::warn!(zone = %name, "{fault}");
            }
            self.reporting.note(&name);
        }
    }

    /// Tells the query path which zones are configured and not served.
    pub(in crate::publish) fn publish_absences(&mut self) {
        let absent = self.zones.iter().filter_map(|(name, entry)| Some((name, entry.absence()?)));
        self.publication.set_absent(absent);
    }
}
