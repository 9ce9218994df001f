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

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::publish::error::PublishError;
use crate::publish::settings::{Deploy, Rules, Settings};
use crate::publish::source::mounts::MountTable;
use crate::publish::source::watch::Watch;
use crate::publish::state::opener::{self, OpenerParts, StateOpener};
use crate::publish::verify::Verify;
use crate::publish::work::jobs::board::Board;
use crate::publish::work::kept::keeping::Keeping;
use crate::publish::work::publication::Publication;
use crate::publish::work::reporting::Reporting;
use crate::publish::work::survey::round::Looks;
use crate::publish::work::survey::sources::Sources;
use crate::publish::work::survey::watching::Watching;
use crate::publish::work::zone::check_context::{CheckContext, Offered};
use crate::publish::work::zone::entry::Entry;
use crate::telemetry::pulse::{Place, Pulse};
use crate::wire::Name;
use crate::zone::Published;
use crate::zonefile::FileProgress;

/// No look by itself: only a reload deploys.
const NEVER: Duration = Duration::from_secs(365 * 86_400);
/// When a file that somebody was writing is tried again, if its end was not heard.
const BUSY_RETRY: Duration = Duration::from_millis(500);
/// How often it is found out whether the threads at work go on.
const TICK: Duration = Duration::from_millis(250);

/// How long a start waits for a state directory that does not answer: as long as for a directory of zones.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Everything the publisher owns.
pub(in crate::publish) struct Core {
    pub(in crate::publish) settings: Arc<Settings>,
    /// The rule of each zone whose serial has one of its own.
    pub(in crate::publish) rules: Rules,
    /// How often the settings were replaced.
    pub(in crate::publish) settings_generation: u32,
    pub(in crate::publish) zones: BTreeMap<Name, Entry>,
    pub(in crate::publish) sources: Sources,
    pub(in crate::publish) mounts: Arc<MountTable>,
    pub(in crate::publish) watching: Watching,
    pub(in crate::publish) keeping: Keeping,
    pub(in crate::publish) looks: Looks,
    pub(in crate::publish) reporting: Reporting,
    pub(in crate::publish) board: Board,
    /// What checks may use; `None` when it must be made anew.
    pub(in crate::publish) context: Option<Arc<CheckContext>>,
    pub(in crate::publish) file_progress: Arc<FileProgress>,
    /// Orders about zones that are being checked.
    pub(in crate::publish) orders: BTreeMap<Name, VecDeque<Offered>>,
    pub(in crate::publish) publication: Publication,
    pub(in crate::publish) published: Arc<Published>,
    /// Whether a zone is not served that was, or for another reason than before.
    pub(in crate::publish) has_new_absences: bool,
    pub(in crate::publish) verify: Verify,
    /// Says that the thread is there; `None` before it starts.
    pub(in crate::publish) place: Option<Place>,
    pub(in crate::publish) pulse: Arc<Pulse>,
    pub(in crate::publish) wake: Arc<Notify>,
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
        let history_bounds = Arc::new(Mutex::new(settings.history));
        let mut opener = StateOpener::default();
        let directory = settings.state_directory.as_deref();
        let parts = OpenerParts { directory, wake: &wake, pulse: &pulse, bounds: &history_bounds };
        let state = opener.open_at_start(&parts, START_PATIENCE).transpose()?.unwrap_or_else(opener::silent);
        let board =
            Board::start(wake.clone(), pulse.clone()).map_err(|source| PublishError::Thread { source })?;
        let now = Instant::now();
        let verify = Verify::new(&settings, published.clone(), wake.clone(), pulse.clone());
        let mut core = Self {
            rules: Rules::new(&settings),
            settings: Arc::new(settings),
            settings_generation: 0,
            zones: BTreeMap::new(),
            sources: Sources::default(),
            mounts: Arc::default(),
            watching: Watching::new(Watch::start(wake.clone(), pulse.clone()), now),
            keeping: Keeping::new((state, opener), history_bounds),
            looks: Looks::new(now),
            reporting: Reporting::new(now),
            board,
            context: None,
            file_progress: Arc::new(FileProgress::new(pulse.clone())),
            orders: BTreeMap::new(),
            publication: Publication::new(),
            published,
            has_new_absences: false,
            verify,
            place: None,
            pulse,
            wake,
        };
        core.list_state();
        core.list_holds();
        core.take_over_holds();
        if !core.keeping.opener.is_pending() {
            core.tell_kept();
        }
        if let Some(fault) = core.state_fault() {
            tracing::error!("{fault}");
        }
        Ok(core)
    }

    /// Takes what the watcher heard, what threads did, and what became of versions that were to be kept.
    pub(in crate::publish) fn listen(&mut self) {
        let heard = self.watching.watch.take();
        if self.settings.deploy == Deploy::Watch {
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
        if now >= self.watching.retry_postponed && !self.watching.postponed.is_empty() {
            self.watching.retry_postponed = now + BUSY_RETRY;
            if self.keeping.state.unread().is_some() {
                // Some wait for what is kept of them.
                self.take_opened_state();
            }
            for name in std::mem::take(&mut self.watching.postponed) {
                self.push(&name, false);
            }
        }
        if self.looks.round.is_none() && now >= self.check_all_due() {
            self.check_all();
        }
        self.go_on();
    }

    /// Hands out what waits, publishes what is ready, ends a rescan that is done, says what is new.
    pub(in crate::publish) fn go_on(&mut self) {
        self.dispatch();
        self.publication.flush_if_due(&self.published, &self.verify);
        self.look_at_delegations();
        self.end_round_if_done();
        if self.looks.round.is_none() {
            self.watch_includes();
            if self.has_new_absences {
                self.publish_absences();
            }
        }
        self.report_changed_if_due();
    }

    /// What the publisher's loop needs to know after a job.
    pub(in crate::publish) fn after(&mut self) -> After {
        let now = Instant::now();
        let busy = (self.board.is_busy() || self.looks.round.is_some()).then(|| now + TICK);
        let postponed = (!self.watching.postponed.is_empty()).then_some(self.watching.retry_postponed);
        let look = self.looks.round.is_none().then(|| self.check_all_due());
        let probe = self.sources.next_probe();
        let delegations = self.publication.delegations.has_some().then_some(now);
        let (publication, reporting, kept) = (self.publication.due(), self.reporting.due(), self.kept_due());
        let times = [busy, postponed, look, probe, delegations, publication, reporting, kept];
        let turn_at = times.into_iter().flatten().min().unwrap_or(now + TICK);
        let (changed, changing) =
            (std::mem::take(&mut self.watching.heard.soon), std::mem::take(&mut self.watching.heard.later));
        After { turn_at, changed, changing }
    }

    /// Notes a zone whose file waits for its writer.
    pub(in crate::publish) fn postpone(&mut self, name: &Name) {
        if self.watching.postponed.is_empty() {
            self.watching.retry_postponed = Instant::now() + BUSY_RETRY;
        }
        self.watching.postponed.insert(name.clone());
    }

    /// When to rescan all zones at the latest: soon after a panic, else as the clock has it.
    fn check_all_due(&self) -> Instant {
        let pause = match self.settings.deploy {
            Deploy::Reload => NEVER,
            Deploy::Watch => self.settings.rescan,
        };
        self.looks.retry_at.unwrap_or(self.looks.ended_at + pause)
    }

    /// Says where the thread is, in case it does not come back from there.
    pub(in crate::publish) fn at(&self, path: Option<&Path>) {
        if let Some(place) = &self.place {
            place.step(path.map(Arc::from).as_ref());
        }
    }

    /// What checks may use.
    pub(in crate::publish) fn context(&mut self) -> Arc<CheckContext> {
        if let Some(context) = &self.context {
            return context.clone();
        }
        let first = !self.reporting.settled;
        // At the first look it is not known yet which zones are in a directory that cannot be read.
        let partial = self.sources.is_partial(|path| first || self.has_zone_in(path));
        let watches = self.settings.deploy == Deploy::Watch;
        let context = Arc::new(CheckContext {
            settings: self.settings.clone(),
            settings_generation: self.settings_generation,
            modes: self.verify.modes(),
            state: self.keeping.state.clone(),
            holds: self.keeping.holds.clone(),
            published: self.published.clone(),
            file_progress: self.file_progress.clone(),
            watch: watches.then(|| self.watching.watch.clone()),
            writers: self.watching.watch.clone(),
            partial,
            unseen: self.sources.unseen(),
            mounts: self.mounts.clone(),
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
        for (name, signatures) in self.verify.outcomes() {
            let Some(entry) = self.zones.get_mut(&name) else { continue };
            if entry.take_signatures(signatures)
                && let Some(fault) = &entry.wrong
            {
                tracing::warn!(zone = %name, "{fault}");
            }
            self.reporting.note(&name);
        }
    }

    /// Tells the query path which zones are configured and not served: no other zone answers for names in them.
    pub(in crate::publish) fn publish_absences(&mut self) {
        self.has_new_absences = false;
        let absent = self.zones.iter().filter_map(|(name, entry)| Some((name, entry.absence()?)));
        if let Some(snapshot) = self.published.load().with_absent(absent) {
            self.published.store(snapshot);
        }
    }
}
