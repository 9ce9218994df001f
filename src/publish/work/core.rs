//! The publisher's state, owned by the thread `zones-0`, and how the parts of it work together.
//!
//! ```text
//!   notifications, commands, the clock --> Core --> WorkQueue --> Pool: survey, zone_check
//!                                           ^                              |
//!                                           +------- results --------------+
//!                                           |
//!                                           +--> Publication --> zone::Published
//!                                           +--> Keeper, Verify, Report
//! ```
//!
//! Each zone passes its steps in order; no zone waits for another. Waits for no source: what may block for a source's disk is
//! done by the pool. Waits for the state directory where something must be durable before it is served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::handoff::Latest;
use crate::publish::error::PublishError;
use crate::publish::fault::{SourceFault, SourceWarning, one_line};
use crate::publish::report::{Report, WatchState};
use crate::publish::settings::{Deploy, HistoryBounds, Rules, Settings};
use crate::publish::source::scan::zones_without_file;
use crate::publish::source::watch::Watch;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::history::History;
use crate::publish::verify::Verify;
use crate::publish::work::board::Board;
use crate::publish::work::check_context::CheckContext;
use crate::publish::work::entry::Entry;
use crate::publish::work::order::Order;
use crate::publish::work::publication::Publication;
use crate::publish::work::round::{Asked, Round};
use crate::publish::work::sources::Sources;
use crate::telemetry::pulse::{Place, Pulse};
use crate::wire::Name;
use crate::zone::Published;
use crate::zonefile::Meter;

/// No look by itself: only a reload deploys.
const NEVER: Duration = Duration::from_secs(365 * 86_400);
/// When a file that somebody was writing is tried again, if its end was not heard.
const BUSY_RETRY: Duration = Duration::from_millis(500);
/// Making reports takes at most one part in so many of the time.
const REPORT_SHARE: u32 = 20;
/// How often it is found out whether the threads at work go on.
const TICK: Duration = Duration::from_millis(250);

/// Everything the publisher owns.
pub(in crate::publish) struct Core {
    pub(in crate::publish) settings: Arc<Settings>,
    /// The rule of each zone whose serial has one of its own.
    pub(in crate::publish) rules: Rules,
    /// How often the settings were replaced.
    pub(in crate::publish) generation: u32,
    pub(in crate::publish) watch: Watch,
    pub(in crate::publish) state: Arc<StateDirectory>,
    /// What was kept of the steps of zones, and how much that may be of each.
    pub(in crate::publish) history: History,
    pub(in crate::publish) history_bounds: Arc<Mutex<HistoryBounds>>,
    /// Says that the thread is there; `None` before it starts.
    pub(in crate::publish) place: Option<Place>,
    pub(in crate::publish) pulse: Arc<Pulse>,
    pub(in crate::publish) wake: Arc<Notify>,
    pub(in crate::publish) zones: BTreeMap<Name, Entry>,
    pub(in crate::publish) sources: Sources,
    pub(in crate::publish) board: Board,
    /// What checks may use; `None` when it must be made anew.
    pub(in crate::publish) context: Option<Arc<CheckContext>>,
    pub(in crate::publish) meter: Arc<Meter>,
    pub(in crate::publish) publication: Publication,
    /// The look at all zones that goes on, and what was asked for meanwhile.
    pub(in crate::publish) round: Option<Round>,
    pub(in crate::publish) asked: Option<Asked>,
    /// Orders about zones that are being checked.
    pub(in crate::publish) orders: BTreeMap<Name, Vec<Order>>,
    /// Whether a zone is not served that was, or for another reason than before.
    pub(in crate::publish) has_new_absences: bool,
    /// Whether a zone may include other files than before.
    pub(in crate::publish) has_new_includes: bool,
    /// The files that zones include, as they are watched.
    pub(in crate::publish) included: Vec<PathBuf>,
    /// Zones whose file waits for its writer.
    pub(in crate::publish) postponed: BTreeSet<Name>,
    retry_postponed: Instant,
    /// Zones whose version could not be kept; it is tried again at the next look.
    pub(in crate::publish) unkept: BTreeSet<Name>,
    pub(in crate::publish) published: Arc<Published>,
    pub(in crate::publish) verify: Verify,
    pub(in crate::publish) report: Arc<Latest<Report>>,
    /// Zones of which something new is to be said.
    pub(in crate::publish) news: BTreeSet<Name>,
    /// Zones that were kept since it was last said.
    pub(in crate::publish) kept: BTreeSet<Name>,
    /// Faults that stay until the process ends.
    pub(in crate::publish) alarms: Vec<SourceFault>,
    pub(in crate::publish) settled: bool,
    pub(in crate::publish) reloads: u64,
    pub(in crate::publish) rescans: u64,
    /// When a report was last made, and how long that took.
    pub(in crate::publish) reported: Instant,
    report_took: Duration,
    /// The end of the last look at all zones.
    pub(in crate::publish) looked: Instant,
    /// What was heard and is looked at when the burst is over.
    pub(in crate::publish) heard: HeardChanges,
    /// The faults and warnings of sources that were said.
    said: (BTreeSet<String>, BTreeSet<SourceWarning>),
    /// The panic since the last look that came to its end, and when to look again because of it.
    pub(in crate::publish) panicked: Option<SourceFault>,
    pub(in crate::publish) retry_at: Option<Instant>,
}

/// What was heard and is looked at when the burst is over.
#[derive(Debug, Default)]
pub(in crate::publish) struct HeardChanges {
    /// Everything is to be looked at.
    pub(in crate::publish) everything: bool,
    /// Because the system lost notifications.
    pub(in crate::publish) overflowed: bool,
    /// Files that were being written.
    pub(in crate::publish) files: BTreeSet<PathBuf>,
    /// Whether something came that the publisher's loop does not know of: soon to be looked at, or later.
    pub(in crate::publish) soon: bool,
    pub(in crate::publish) later: bool,
}

/// What the publisher's loop needs to know after a job.
#[derive(Debug)]
pub(in crate::publish) struct After {
    /// When to give the next [`Core::turn`] at the latest.
    pub(in crate::publish) turn_at: Instant,
    /// Something changed: [`Core::look_at_heard`] is due when the burst is over.
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
        let state =
            StateDirectory::open(settings.state_directory.as_deref(), &wake, &pulse, &history_bounds)?;
        let board =
            Board::start(wake.clone(), pulse.clone()).map_err(|source| PublishError::Thread { source })?;
        let now = Instant::now();
        let verify = Verify::new(&settings, published.clone(), wake.clone(), pulse.clone());
        let mut core = Self {
            rules: Rules::new(&settings),
            settings: Arc::new(settings),
            generation: 0,
            watch: Watch::start(wake.clone(), pulse.clone()),
            state: Arc::new(state),
            history: History::default(),
            history_bounds,
            place: None,
            verify,
            meter: Arc::new(Meter::new(pulse.clone())),
            pulse,
            wake,
            zones: BTreeMap::new(),
            sources: Sources::default(),
            board,
            context: None,
            publication: Publication::new(),
            round: None,
            asked: None,
            orders: BTreeMap::new(),
            has_new_absences: false,
            has_new_includes: false,
            included: Vec::new(),
            postponed: BTreeSet::new(),
            retry_postponed: now,
            unkept: BTreeSet::new(),
            published,
            report: Arc::new(Latest::new(Report::default())),
            news: BTreeSet::new(),
            kept: BTreeSet::new(),
            report_took: Duration::ZERO,
            alarms: Vec::new(),
            settled: false,
            reloads: 0,
            rescans: 0,
            reported: now,
            looked: now,
            heard: HeardChanges::default(),
            said: Default::default(),
            panicked: None,
            retry_at: None,
        };
        core.list_state();
        if let Some(fault) = core.state_fault() {
            tracing::error!("{fault}");
        }
        Ok(core)
    }

    /// Where the reports go.
    pub(in crate::publish) fn reporter(&self) -> Arc<Latest<Report>> {
        self.report.clone()
    }

    /// Takes what the watcher heard, what threads did, and what became of versions that were to be kept.
    pub(in crate::publish) fn listen(&mut self) {
        let heard = self.watch.take();
        if self.settings.deploy == Deploy::Watch {
            self.hear(heard);
        }
        self.take_kept();
        self.take_verified();
        self.turn();
    }

    /// Begins the first load, or a look after the publisher's loop panicked.
    pub(in crate::publish) fn start(&mut self) {
        self.look();
        self.go_on();
    }

    /// Goes on with whatever is due.
    pub(in crate::publish) fn turn(&mut self) {
        let now = Instant::now();
        self.take_results();
        self.give_up_stalled();
        self.probe_sources(now);
        self.say_kept(now);
        if now >= self.retry_postponed && !self.postponed.is_empty() {
            self.retry_postponed = now + BUSY_RETRY;
            for name in std::mem::take(&mut self.postponed) {
                self.push(&name, false);
            }
        }
        if self.round.is_none() && now >= self.look_at() {
            self.look();
        }
        self.go_on();
    }

    /// Hands out what waits, publishes what is ready, ends a look that is done, says what is new.
    pub(in crate::publish) fn go_on(&mut self) {
        self.dispatch();
        self.publication.flush_if_due(&self.published, &self.verify);
        self.end_round_if_done();
        if self.round.is_none() {
            self.watch_includes();
            if self.has_new_absences {
                self.publish_absences();
            }
        }
        self.say_news();
    }

    /// What the publisher's loop needs to know after a job.
    pub(in crate::publish) fn after(&mut self) -> After {
        let now = Instant::now();
        let busy = (self.board.is_busy() || self.round.is_some()).then(|| now + TICK);
        let postponed = (!self.postponed.is_empty()).then_some(self.retry_postponed);
        let look = self.round.is_none().then(|| self.look_at());
        let probe = self.sources.next_probe();
        let times =
            [busy, postponed, look, probe, self.publication.due(), self.report_due(), self.kept_due()];
        let turn_at = times.into_iter().flatten().min().unwrap_or(now + TICK);
        let (changed, changing) =
            (std::mem::take(&mut self.heard.soon), std::mem::take(&mut self.heard.later));
        After { turn_at, changed, changing }
    }

    /// Notes a zone whose file waits for its writer.
    pub(in crate::publish) fn postpone(&mut self, name: &Name) {
        if self.postponed.is_empty() {
            self.retry_postponed = Instant::now() + BUSY_RETRY;
        }
        self.postponed.insert(name.clone());
    }

    /// When to look at all zones at the latest: soon after a panic, else as the clock has it.
    fn look_at(&self) -> Instant {
        let pause = match self.settings.deploy {
            Deploy::Reload => NEVER,
            Deploy::Watch => self.settings.rescan,
        };
        self.retry_at.unwrap_or(self.looked + pause)
    }

    /// Says that a job panicked; a look at this moment finds out whether all is well again.
    pub(in crate::publish) fn panicked(&mut self, reason: &str, retry_at: Instant) {
        self.retry_at = Some(retry_at);
        let fault = SourceFault::Panicked { reason: one_line(reason) };
        self.panicked = Some(fault.clone());
        self.report.update(|report| {
            report.faults.retain(|fault| !matches!(fault, SourceFault::Panicked { .. }));
            report.faults.insert(0, fault.clone());
        });
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
        let first = !self.settled;
        // At the first look it is not known yet which zones are in a directory that cannot be read.
        let partial = self.sources.is_partial(|path| first || self.has_zone_in(path));
        let watches = self.settings.deploy == Deploy::Watch;
        let context = Arc::new(CheckContext {
            settings: self.settings.clone(),
            rules: self.generation,
            modes: self.verify.modes(),
            state: self.state.clone(),
            published: self.published.clone(),
            meter: self.meter.clone(),
            watch: watches.then(|| self.watch.clone()),
            writers: self.watch.clone(),
            partial,
            unseen: self.sources.unseen(),
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
            self.news.insert(name);
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

    /// When [`say_news`](Self::say_news) is due.
    fn report_due(&self) -> Option<Instant> {
        (self.settled && !self.news.is_empty()).then(|| self.reported + self.report_took * REPORT_SHARE)
    }

    /// Says what is new of single zones. During the first load only how far it is.
    fn say_news(&mut self) {
        if self.report_due().is_some_and(|due| due <= Instant::now()) {
            self.say_news_now();
        }
    }

    /// Says what is new of single zones, at once.
    pub(in crate::publish) fn say_news_now(&mut self) {
        let start = Instant::now();
        let mut news = Vec::new();
        for name in std::mem::take(&mut self.news) {
            let report = self.zones.get_mut(&name).map(|entry| Arc::new(entry.report()));
            news.push((name, report));
        }
        let keeps = !matches!(*self.state, StateDirectory::None);
        self.report.update(|report| {
            report.keeps = keeps;
            for (name, zone) in &news {
                match zone {
                    Some(zone) => report.put(name.clone(), zone.clone()),
                    None => report.take_out(name),
                }
            }
        });
        self.reported = Instant::now();
        self.report_took = self.reported - start;
    }

    /// Says what is new, and what is wrong beside any one zone.
    pub(in crate::publish) fn say(&mut self) {
        let faults = self.source_faults();
        let watch = self.watch.degraded().map(|reason| WatchState::Degraded { reason });
        let watch = watch.unwrap_or_default();
        let other = [self.panicked.clone(), self.state_fault()];
        let faults: Vec<SourceFault> =
            other.into_iter().flatten().chain(self.alarms.iter().cloned()).chain(faults).collect();
        self.say_news_now();
        let (settled, reloads, rescans) = (self.settled, self.reloads, self.rescans);
        self.report.update(|report| {
            (report.settled, report.reloads, report.rescans) = (settled, reloads, rescans);
            (report.progress, report.faults, report.watch) = (None, faults.clone(), watch.clone());
        });
    }

    /// What is wrong with the sources; what is new of it is logged.
    fn source_faults(&mut self) -> Vec<SourceFault> {
        let (mut faults, warnings) = self.sources.faults(|path| self.has_zone_in(path));
        let is_found = |zone: &Name| self.zones.get(zone).is_some_and(|entry| entry.found.is_some());
        faults.extend(zones_without_file(&self.settings, is_found));
        faults.truncate(SourceFault::MOST);
        for fault in faults.iter().filter(|fault| !self.said.0.contains(&fault.to_string())) {
            tracing::warn!("{fault}");
        }
        for warning in warnings.iter().filter(|warning| !self.said.1.contains(*warning)) {
            tracing::warn!("{warning}");
        }
        self.said = (faults.iter().map(ToString::to_string).collect(), warnings.into_iter().collect());
        faults
    }

    /// Notes a fault that stays until the process ends.
    pub(in crate::publish) fn alarm(&mut self, fault: SourceFault) {
        if self.alarms.len() < SourceFault::MOST {
            self.alarms.push(fault);
        }
    }
}
