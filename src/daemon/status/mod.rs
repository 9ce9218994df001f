//! Keeps the status: what every part reports, put together on the thread `control`, without asking any task.
//!
//! ```text
//!   report, statistics, routes, facts, counters, what was ordered --> StatusTask --> control::Status
//!   heartbeats of all tasks, liveness of the publisher            -->   (a tick every 100 ms)
//! ```
//!
//! A tick observes heartbeats in the status task's own run time; every fifth one makes the document, so that the beginning of
//! everything that is wrong is known whether or not somebody asks. Of a new report only the zones that changed are looked at.
//! Never waits for a task, never locks what another thread locks.
//!
//! | folder | may name |
//! | --- | --- |
//! | `zones` | (nothing) |
//! | `transfers` | (nothing) |
//! | `answers` | `transfers` `zones` |

mod answers;
mod clock;
mod other;
mod tasks;
mod thread;
mod transfers;
mod zones;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::admission::Limits;
use crate::catchment::Catchment;
use crate::config::{self, Config, RouteDriver, ShownCertificate};
use crate::control::{
    self, Answers, CatchmentStatus, FEED_ZONES, Feed, Given, Inquiry, Memory, Request, Response, Selection,
    Status, Wanted,
};
use crate::fleet;
use crate::handoff::{Latest, Reader, Receiver};
use crate::health::Statistics;
use crate::publish::Report;
use crate::route::RouteStatus;
use crate::serve::{self, TlsFiles, TlsSettings, Transport};
use crate::telemetry::{Beat, ContentSums, Counters, RunTime};
use crate::zone::Published;

use crate::daemon::drain::Drain;
use crate::daemon::required::RequiredZones;
use answers::metric_sources::MetricWatch;
use clock::Anchor;
use tasks::TaskWatch;
use transfers::TransferTable;
use transfers::outward::TargetWatch;
use zones::ZoneTable;

pub(super) use answers::metric_sources::MetricSources;
pub(super) use other::OtherAlarm;
pub(super) use thread::ControlThread;
pub(super) use transfers::canaries::alarms as canary_alarms;
pub(super) use transfers::catalogs::alarms as catalog_alarms;
pub(super) use transfers::outward::OutwardSources;
pub(super) use transfers::{MOST_NEWS, TransferSources, ZoneLoads};

/// Ticks between two documents: with [`Beat::PERIOD`] half a second.
const TICKS_PER_DOCUMENT: u32 = 5;

/// What a part tells at this moment; never blocks.
pub(super) type Source<T> = Box<dyn FnMut() -> T + Send>;

/// Why changes of zone files are not seen, in the run time of the observer; `None` while they are.
pub(super) type UpdatesObserver = Box<dyn FnMut(Duration) -> Option<String> + Send>;

/// Where the status task gets everything from.
pub(super) struct StatusSources {
    pub(super) started: Instant,
    pub(super) settings: Settings,
    pub(super) report: Source<Arc<Report>>,
    pub(super) updates: UpdatesObserver,
    pub(super) serve_facts: Source<serve::Facts>,
    pub(super) counters: Counters,
    pub(super) statistics: Source<Arc<Vec<Statistics>>>,
    pub(super) routes: Source<RouteStatus>,
    pub(super) ordered: Source<Arc<Ordered>>,
    pub(super) reload: Source<Arc<Reload>>,
    /// What is served: of its zones the digests.
    pub(super) published: Arc<Published>,
    /// Sums over the contents of what is served.
    pub(super) contents: Arc<ContentSums>,
    /// Zones that come from primaries, and secondaries.
    pub(super) transfers: TransferSources,
    /// The certificate and the ticket keys of the encrypted transports, if there are any.
    pub(super) tls_files: Option<TlsFiles>,
    /// Every supervised task but those of the neighbors.
    pub(super) beats: Vec<Beat>,
    /// The supervised tasks of the neighbors: they come and go with the configuration.
    pub(super) neighbor_beats: Source<Arc<Vec<Beat>>>,
    pub(super) other_alarms: Vec<Source<Vec<OtherAlarm>>>,
    /// Which client prefixes reach this POP, if somebody counts them.
    pub(super) catchment: Option<Reader<Catchment>>,
    /// What only metrics tell.
    pub(super) metrics: MetricSources,
}

/// What the deciding task was ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ordered {
    pub(super) drain: Drain,
    /// Whether anyns stops in order.
    pub(super) stopping: bool,
    /// The zones that the config requires.
    pub(super) required: RequiredZones,
    /// How a planned stop goes.
    pub(super) times: config::Drain,
    /// The sections of the configuration that have changed where only a restart takes them over.
    pub(super) restart: Vec<&'static str>,
    /// Which text of the configuration is in force.
    pub(super) config_digest: String,
    /// The certificates that transfers show to others.
    pub(super) certificates: Vec<ShownCertificate>,
    /// The other POPs, for the page.
    pub(super) fleet: Arc<fleet::Settings>,
}

/// How the last reload went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Reload {
    /// There was none.
    #[default]
    None,
    /// The last one went well.
    Done,
    /// It goes on.
    Running { since: Instant },
    /// It failed; the old configuration stays.
    Failed { since: Instant, reason: String },
}

/// What the status says of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pop: String,
    instance: String,
    dry_run: bool,
    native: bool,
    listen: Vec<(Transport, SocketAddr)>,
    limits: Arc<Limits>,
}

impl Settings {
    pub(super) fn new(config: &Config, limits: Arc<Limits>) -> Self {
        let plain = config.serve.listen.iter();
        let plain = plain.flat_map(|at| [Transport::Udp, Transport::Tcp].map(|transport| (transport, *at)));
        let encrypted = config.serve.tls.iter().flat_map(TlsSettings::listen);
        Self {
            pop: config.pop.name.clone(),
            instance: config.pop.instance.clone(),
            dry_run: matches!(config.route, RouteDriver::DryRun(_)),
            native: config.serve.engine.is_native(),
            listen: plain.chain(encrypted).collect(),
            limits,
        }
    }
}

/// Keeps the status and answers for it.
pub(super) struct StatusTask {
    beat: Beat,
    /// Whether [`Request::TestPanic`] is obeyed.
    test_hooks: bool,
    /// Locked on the thread `control` alone, and never across a wait: nobody ever waits for it.
    state: Mutex<State>,
    feed: Latest<Feed>,
}

struct State {
    sources: StatusSources,
    anchor: Anchor,
    time: RunTime,
    tasks: TaskWatch,
    zones: ZoneTable,
    transfers: TransferTable,
    targets: TargetWatch,
    memory: Memory,
    metrics: MetricWatch,
    updates_alive: Option<u64>,
    updates_fault: Option<String>,
}

impl StatusTask {
    /// `test_hooks`: whether a test may make tasks panic.
    pub(super) fn new(sources: StatusSources, beat: Beat, test_hooks: bool) -> Self {
        let mut tasks = TaskWatch::default();
        tasks.follow(&sources.beats, &[]);
        let state = State {
            anchor: Anchor::now(),
            time: RunTime::new(Instant::now()),
            tasks,
            sources,
            zones: ZoneTable::default(),
            transfers: TransferTable::default(),
            targets: TargetWatch::default(),
            memory: Memory::default(),
            metrics: MetricWatch::default(),
            updates_alive: None,
            updates_fault: None,
        };
        Self { beat, test_hooks, state: Mutex::new(state), feed: Latest::new(Feed::default()) }
    }

    /// Observes for ever. Can be run again after a panic.
    pub(super) async fn run(&self) {
        let mut ticks = interval(Beat::PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0_u32.. {
            ticks.tick().await;
            self.beat.beat();
            let mut state = self.lock();
            state.observe(Instant::now());
            if tick.is_multiple_of(TICKS_PER_DOCUMENT) {
                // Also for its memory of beginnings, whether or not anyone reads the feed.
                let page = Selection { zones: control::ZoneFilter::All, most: Some(FEED_ZONES) };
                let status = state.document(&page);
                let digests = state.zones.digests().to_vec();
                let (contents, made) = (state.sources.contents.contents(), state.sources.contents.serials());
                let latency = state.sources.counters.latency();
                drop(state);
                self.feed.publish(Feed { status, digests, contents, made, latency });
            }
        }
    }

    /// The newest document goes there, for other threads.
    pub(super) fn publishing(self, feed: Latest<Feed>) -> Self {
        Self { feed, ..self }
    }

    /// Answers what other threads ask beyond the feed, for ever.
    async fn answer_inquiries(&self, inquiries: &mut Receiver<Inquiry>) {
        loop {
            let inquiry = inquiries.next().await;
            let given = match &inquiry.wanted {
                Wanted::Status(selection) => Given::Status(Box::new(self.status(selection))),
                Wanted::Serials(buckets) => Given::Serials(self.lock().served_zones(buckets)),
                Wanted::Catchment(most) => Given::Catchment(self.catchment(*most).map(Box::new)),
                Wanted::Metrics { openmetrics } => Given::Metrics(self.metrics(*openmetrics)),
            };
            inquiry.answer(given);
            // A row of long answers leaves room for heartbeats.
            tokio::task::yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Heartbeats and the publisher's liveness, in this thread's run time.
    fn observe(&mut self, now: Instant) {
        let at = self.time.advance(now);
        self.tasks.follow(&self.sources.beats, &(self.sources.neighbor_beats)());
        self.tasks.observe(at);
        self.metrics.observe(&mut self.sources.metrics, at);
        self.transfers.follow(&mut self.sources.transfers, now);
        self.targets.observe(&self.sources.transfers.outward);
        self.updates_fault = (self.sources.updates)(at);
        if self.updates_fault.is_none() {
            self.updates_alive = Some(self.anchor.clock().unix());
        }
    }
}

impl Answers for StatusTask {
    fn status(&self, selection: &Selection) -> Status {
        self.lock().document(selection)
    }

    fn metrics(&self, openmetrics: bool) -> String {
        self.lock().metrics_text(openmetrics)
    }

    fn catchment(&self, most: usize) -> Option<CatchmentStatus> {
        self.lock().catchment(most)
    }

    fn silent(&self, order: &Request) -> Option<String> {
        let mut state = self.lock();
        let silent = state.tasks.silent("decide");
        let for_publisher = !matches!(order, Request::Drain { .. } | Request::Undrain {});
        silent.or_else(|| state.updates_fault.clone().filter(|_| for_publisher))
    }

    fn test_panic(&self, task: &str) -> Response {
        if !self.test_hooks {
            let message = "refused: anyns runs without ANYNS_TEST_HOOKS=1".to_owned();
            return Response::Failed { message };
        }
        match self.lock().tasks.beat(task) {
            None => Response::Failed { message: format!("there is no task {task:?}") },
            Some(beat) => {
                beat.ask_panic();
                crate::daemon::response::done(format!("the task {task} panics at its next heartbeat"))
            }
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/status.rs"]
mod tests;
