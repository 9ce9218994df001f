//! The one task that owns every zone's state machine: events in, queries and transfers out.

pub(in crate::transfer::secondary) mod changes;
mod clock_steps;
pub(in crate::transfer::secondary) mod clock_watch;
pub(in crate::transfer::secondary) mod comparing;
pub(in crate::transfer::secondary) mod entry;
pub(in crate::transfer::secondary) mod follower;
pub(in crate::transfer::secondary) mod late;
pub(in crate::transfer::secondary) mod outward;
pub(in crate::transfer::secondary) mod results;
#[cfg(test)]
#[path = "../../../../tests/unit/transfer/coordinator.rs"]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::handoff::{Latest, Queue, Reader, Receiver};
use crate::publish::{KeptState, Report};
use crate::sys::suspended::suspended;
use crate::telemetry::LogLimit;
use crate::transfer::refresh::{Action, Comparison, DueComparison, Now, Order, Refresh, Saved};
use crate::wire::{Name, Serial};

use crate::transfer::secondary::access::AtService;
use crate::transfer::secondary::awaited::{Awaited, AwaitedZones};
use crate::transfer::secondary::coordinator::clock_watch::ClockWatch;
use crate::transfer::secondary::coordinator::entry::ZoneEntry;
use crate::transfer::secondary::coordinator::follower::Follower;
use crate::transfer::secondary::coordinator::late::LateState;
use crate::transfer::secondary::coordinator::outward::Outward;
use crate::transfer::secondary::expire_times::ExpireTimes;
use crate::transfer::secondary::fetch::fetch_error::FetchError;
use crate::transfer::secondary::fetch::install_gate::forget;
use crate::transfer::secondary::fetch::memory::TransferMemory;
use crate::transfer::secondary::fetch::{Credentials, Fetch, Fetched, fetch};
use crate::transfer::secondary::jobs::comparisons::Comparisons;
use crate::transfer::secondary::jobs::pacer::Pacer;
use crate::transfer::secondary::jobs::{Ask, Jobs, Next};
use crate::transfer::secondary::net::ask::{AskError, AskOver, ToldVersion, ask_soa};
use crate::transfer::secondary::net::edns::EdnsPeers;
use crate::transfer::secondary::net::forwarder::Forwarder;
use crate::transfer::secondary::net::idle::IdleConnections;
use crate::transfer::secondary::report::{ZoneNews, ZoneReport};
use crate::transfer::secondary::settings::{MemberZones, PrimaryServer, SecondarySettings};
use crate::transfer::secondary::sink::Sink;

/// How often it is looked whether time has passed that no timer has counted.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(10);

/// What comes from outside.
#[derive(Debug)]
pub(in crate::transfer::secondary) enum Event {
    /// A NOTIFY: of a primary, or of another server that may send some; at a service address, or at a management address. Which primary that
    /// is says the list of the moment in which it is taken.
    Notified { zone: Name, source: IpAddr, hint: Option<Serial>, is_at_service: bool },
    /// An operator's order, for one zone or for all; how many zones took it.
    /// Those in `except` are left out.
    Ordered { zone: Option<Name>, except: BTreeSet<Name>, order: Order, reply: oneshot::Sender<usize> },
    /// The configuration says this now.
    Settings(Arc<SecondarySettings>),
    /// Zones that catalogs list.
    Members(Box<MemberZones>, oneshot::Sender<()>),
    /// The facts of all zones.
    Report(oneshot::Sender<Vec<ZoneReport>>),
    /// The timers of all zones, to be kept.
    Save(oneshot::Sender<Vec<(Name, Saved)>>),
}

/// What a task brings back.
#[derive(Debug)]
pub(in crate::transfer::secondary) enum Done {
    Asked(Result<ToldVersion, AskError>),
    Fetched(Fetched),
    Compared(Result<Comparison, FetchError>),
}

/// What a task was about, because one that panics brings nothing back.
#[derive(Clone, Debug)]
pub(in crate::transfer::secondary) enum About {
    Ask(Ask),
    Fetch { fetch: Fetch, begun: Instant },
    Compare { fetch: Fetch, of: DueComparison, begun: Instant },
}

/// What the coordinator starts with, and where its news go.
#[derive(Debug, Default)]
pub struct SecondaryContext {
    /// The timers that the last process kept.
    pub saved: HashMap<Name, Saved>,
    /// Whether members of catalogs come, which may have timers among those: [`SecondaryHandle::change_members`](crate::transfer::secondary::SecondaryHandle::change_members).
    pub has_members: bool,
    /// What the last process kept, when it is read: beside what is said here.
    pub late: Option<Reader<Option<KeptState>>>,
    /// What the publisher serves; without it, what is served at the start is all that is.
    pub report: Option<Reader<Report>>,
    /// Takes what is new of each zone, for the status.
    pub status: Option<Queue<ZoneNews>>,
}

/// See the module.
pub(in crate::transfer::secondary) struct Coordinator {
    pub(in crate::transfer::secondary) settings: Arc<SecondarySettings>,
    pub(in crate::transfer::secondary) sink: Arc<dyn Sink>,
    pub(in crate::transfer::secondary) zones: HashMap<Name, ZoneEntry>,
    /// The zones of the settings, and those that catalogs list beside them.
    pub(in crate::transfer::secondary) configured: HashSet<Name>,
    pub(in crate::transfer::secondary) members: HashSet<Name>,
    pub(in crate::transfer::secondary) awaited: Awaited,
    pub(in crate::transfer::secondary) timers: BTreeSet<(Instant, Name)>,
    pub(in crate::transfer::secondary) jobs: Jobs,
    pub(in crate::transfer::secondary) comparisons: Comparisons,
    pub(in crate::transfer::secondary) idle: Arc<IdleConnections>,
    pub(in crate::transfer::secondary) edns: Arc<EdnsPeers>,
    /// The last number that was given to the primaries of a zone.
    generations: u64,
    pub(in crate::transfer::secondary) memory: Arc<TransferMemory>,
    pub(in crate::transfer::secondary) tasks: JoinSet<Done>,
    pub(in crate::transfer::secondary) about: HashMap<Id, About>,
    /// The timers of zones that are not known yet.
    pub(in crate::transfer::secondary) saved: HashMap<Name, Saved>,
    pub(in crate::transfer::secondary) late: Option<LateState>,
    pub(in crate::transfer::secondary) follower: Option<Follower>,
    pub(in crate::transfer::secondary) outward: Outward,
    pub(in crate::transfer::secondary) forwarder: Forwarder,
    /// For other servers that ask.
    pub(in crate::transfer::secondary) expire_times: ExpireTimes,
    /// Of UPDATEs that are refused.
    pub(in crate::transfer::secondary) log: LogLimit,
    /// Of primaries that bring nothing.
    pub(in crate::transfer::secondary) failure_log: LogLimit,
    pub(in crate::transfer::secondary) clock: ClockWatch,
    /// Whether the publisher holds all zones, because nobody knows which ones are held.
    are_all_held: bool,
    /// Zones that are in service no more, and whose data may come back: their timers stay.
    pub(in crate::transfer::secondary) kept_aside: HashSet<Name>,
    /// Whether what was kept of other zones is forgotten.
    pub(in crate::transfer::secondary) has_forgotten: bool,
}

pub(in crate::transfer::secondary) fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}

impl Coordinator {
    /// All zones of the settings; those whose timers were kept go on where they were.
    pub(in crate::transfer::secondary) fn new(
        settings: Arc<SecondarySettings>,
        sink: Arc<dyn Sink>,
        context: SecondaryContext,
        (awaited, expire_times): (Latest<AwaitedZones>, ExpireTimes),
    ) -> Self {
        let SecondaryContext { saved, has_members, late, report, status } = context;
        let pacer = Pacer::new(settings.soa_queries, settings.soa_queries_per_primary, Instant::now());
        let jobs = Jobs::new(pacer, settings.transfers, settings.transfers_per_primary);
        let mut coordinator = Self {
            settings: settings.clone(),
            sink: sink.clone(),
            zones: HashMap::new(),
            configured: HashSet::new(),
            members: HashSet::new(),
            awaited: Awaited::new(awaited),
            timers: BTreeSet::new(),
            jobs,
            comparisons: Comparisons::new(Instant::now()),
            idle: Arc::default(),
            edns: Arc::default(),
            generations: 0,
            memory: Arc::default(),
            tasks: JoinSet::new(),
            about: HashMap::new(),
            saved,
            late: late.map(LateState::new),
            follower: report.map(Follower::new),
            outward: Outward::new(sink, status),
            forwarder: Forwarder::new(settings),
            expire_times,
            log: LogLimit::default(),
            failure_log: LogLimit::default(),
            clock: ClockWatch::new(now(), suspended()),
            are_all_held: false,
            kept_aside: HashSet::new(),
            has_forgotten: false,
        };
        coordinator.take_kept();
        coordinator.add_zones();
        if !has_members {
            coordinator.forget_strange_timers();
        }
        coordinator.awaited.tell();
        coordinator
    }

    /// Runs until it is told to stop, or nobody can send events any more. NOTIFYs and UPDATEs that came to service addresses come
    /// from `service`.
    pub(in crate::transfer::secondary) async fn run(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        service: &mut Receiver<AtService>,
        stop: &CancellationToken,
    ) {
        loop {
            let wait = self.begin_jobs().map(|wait| Instant::now() + wait);
            let compare = self.begin_comparison();
            let outward = self.tell();
            let timer = self.timers.first().map(|(at, _)| *at);
            let rest = self.idle.close_old(Instant::now());
            // A host that was suspended goes on where its timers were.
            let clock = Some(Instant::now() + LOOK_AT_CLOCK);
            let until = [wait, compare, outward, timer, rest, clock].into_iter().flatten().min();
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.recv() => match event {
                    Some(event) => self.handle(event),
                    None => break,
                },
                message = service.next() => self.take_from_service(message),
                done = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    if let Some(done) = done {
                        self.finish(done);
                    }
                }
                () = changed(&mut self.follower) => self.look_at_report(),
                () = late::told(&mut self.late) => self.take_kept(),
                () = self.outward.told() => {}
                () = self.forwarder.step() => {}
                () = sleep_until(until) => self.wake(),
            }
        }
    }

    /// Ends what goes on, and hands the timers out.
    pub(in crate::transfer::secondary) async fn end(mut self) {
        self.tasks.shutdown().await;
        self.look_at_clock();
        let Self { zones, saved, outward, .. } = self;
        let at = now();
        outward.finish(|zone| timers_of(&zones, &saved, zone, at)).await;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Notified { zone, source, hint, is_at_service } => {
                self.notified(&zone, source, hint);
                if is_at_service {
                    self.forwarder.notified(&zone, hint);
                }
            }
            // Nobody waits for the answer any more: nothing is lost.
            Event::Ordered { zone, except, order, reply } => {
                self.jobs.end_pauses(Instant::now());
                self.edns.forget_all();
                let _ = reply.send(self.ordered(zone, &except, order));
            }
            Event::Settings(settings) => self.change(settings),
            Event::Members(changes, reply) => {
                let closed = self.change_members(*changes);
                let forgotten = forget(self.sink.clone(), closed);
                tokio::spawn(async move {
                    forgotten.await;
                    let _ = reply.send(());
                });
            }
            Event::Report(answer) => drop(answer.send(self.report())),
            Event::Save(answer) => {
                let now = now();
                let saved =
                    self.zones.iter().filter_map(|(name, entry)| Some((name.clone(), entry.save(now)?)));
                drop(answer.send(saved.collect()));
            }
        }
    }

    fn report(&self) -> Vec<ZoneReport> {
        let now = now();
        let mut reports: Vec<ZoneReport> =
            self.zones.values().filter_map(|entry| entry.report(now)).collect();
        reports.sort_by(|a, b| a.zone.cmp(&b.zone));
        reports
    }

    /// Tells others what is new; when to come again.
    fn tell(&mut self) -> Option<Instant> {
        self.awaited.tell();
        self.look_at_clock();
        let (now, zones, saved) = (now(), &self.zones, &self.saved);
        let report = |zone: &Name| zones.get(zone)?.report(now);
        self.outward.tell(now.instant, report, |zone| timers_of(zones, saved, zone, now))
    }

    /// Wakes every zone whose time has come.
    fn wake(&mut self) {
        let now = now();
        while let Some((at, name)) = self.timers.pop_first() {
            if at > now.instant {
                self.timers.insert((at, name));
                break;
            }
            if let Some(entry) = self.zones.get_mut(&name) {
                entry.armed = None;
            }
            self.step(&name, |refresh| refresh.wake(now));
        }
    }

    /// Gives an event to a zone, and puts what it wants done into the queues.
    pub(in crate::transfer::secondary) fn step(
        &mut self,
        name: &Name,
        event: impl FnOnce(&mut Refresh) -> Option<Action>,
    ) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        let action = entry.step(event);
        self.act(name, action);
    }

    pub(in crate::transfer::secondary) fn act(&mut self, name: &Name, action: Option<Action>) {
        let Some(entry) = self.zones.get(name) else { return };
        let (generation, gate) = (entry.generation, entry.gate.clone());
        match action {
            None => {}
            Some(Action::AskSoa(primaries)) => {
                for primary in primaries {
                    let Some(settings) = entry.settings.primaries.get(primary) else { continue };
                    let address = settings.address;
                    let (zone, over) = (name.clone(), AskOver::Usual);
                    let is_hinted = entry.is_hinted();
                    self.jobs.add_ask(Ask {
                        zone,
                        primary,
                        address,
                        generation,
                        over,
                        doubt: None,
                        is_hinted,
                    });
                }
            }
            Some(Action::Transfer { primary, from, force }) => {
                if let Some(server) = entry.settings.primaries.get(primary) {
                    let (zone, address) = (name.clone(), server.address);
                    let fetch = Fetch { zone, primary, address, from, force, generation, gate };
                    if let Err((fetch, left)) = self.jobs.add_fetch(fetch, Instant::now()) {
                        // Another primary may have it; each of them is asked once.
                        return self.paused(&fetch, left);
                    }
                }
            }
        }
        self.settle(name);
    }

    /// After anything that may have changed a zone: notes what is to be told, and when it is due.
    pub(in crate::transfer::secondary) fn settle(&mut self, name: &Name) {
        let now = now();
        let Some(entry) = self.zones.get_mut(name) else { return };
        let changed = entry.settle(now);
        self.expire_times.note(name, entry.expires());
        // Of a catalog that has not come not even the names of its zones are known: one failure is not enough.
        // Nor of a zone that its primary was not asked for, because that was silent for another one.
        let is_tried = match self.settings.catalogs.contains(name) || entry.is_paused {
            true => entry.is_tried_often(),
            false => entry.is_tried(),
        };
        if is_tried {
            self.awaited.settled(name);
        }
        self.outward.note(name);
        if changed.withdrawn {
            self.outward.note_withdrawn(name);
        } else if changed.refused {
            self.outward.note_refused(name);
        }
        if let Some(expiry) = changed.expiry {
            self.outward.note_expiry(name, expiry, now.instant);
        } else if changed.diverged {
            self.outward.note_timers_at_once(name, now.instant);
        } else if changed.timers {
            self.outward.note_timers(name, now.instant);
        }
        let due = entry.due(now);
        if due != entry.armed {
            if let Some(armed) = entry.armed {
                self.timers.remove(&(armed, name.clone()));
            }
            if let Some(due) = due {
                self.timers.insert((due, name.clone()));
            }
            entry.armed = due;
        }
        self.settle_comparison(name);
    }

    /// Begins what may begin; how long to wait for the next, if that is known.
    fn begin_jobs(&mut self) -> Option<Duration> {
        loop {
            match self.jobs.next(Instant::now()) {
                Next::Ask(ask) => self.spawn_ask(ask),
                Next::Fetch(fetch) => self.spawn_fetch(fetch),
                Next::Wait(wait) => return wait,
            }
        }
    }

    fn spawn_ask(&mut self, ask: Ask) {
        let (settings, idle, edns) = (self.settings.clone(), self.idle.clone(), self.edns.clone());
        let Credentials { key, tls } = self.credentials(&ask.zone, (ask.primary, ask.address));
        let (zone, address, how) = (ask.zone.clone(), ask.address, (ask.over, ask.doubt));
        let task = async move {
            let peer = (address, key, tls.as_ref());
            Done::Asked(ask_soa(&settings, (&idle, &edns), &zone, peer, how).await)
        };
        let handle = self.tasks.spawn(task);
        self.about.insert(handle.id(), About::Ask(ask));
    }

    /// By what a primary of a zone is known now. Two may have one address and other keys; with other primaries the number says nothing.
    pub(super) fn credentials(&self, zone: &Name, (number, address): (usize, SocketAddr)) -> Credentials {
        let primaries = self.zones.get(zone).map(|entry| &entry.settings.primaries);
        let is_it = |primary: &&PrimaryServer| primary.address == address;
        let primary =
            primaries.and_then(|all| all.get(number).filter(is_it).or_else(|| all.iter().find(is_it)));
        let key = primary.and_then(|primary| self.settings.keys.get(primary.key.as_ref()?));
        Credentials { key: key.cloned(), tls: primary.and_then(|primary| primary.tls.clone()) }
    }

    /// A number that no primaries of any zone had before.
    pub(in crate::transfer::secondary) fn next_generation(&mut self) -> u64 {
        self.generations += 1;
        self.generations
    }

    fn spawn_fetch(&mut self, job: Fetch) {
        self.comparisons.stop(&job.zone);
        let (settings, idle, sink) = (self.settings.clone(), self.idle.clone(), self.sink.clone());
        let (memory, edns) = (self.memory.clone(), self.edns.clone());
        let about = About::Fetch { fetch: job.clone(), begun: Instant::now() };
        let (zone, primary, whole) = (&job.zone, job.address, job.from.is_none());
        let span = tracing::info_span!("transfer", %zone, %primary, whole);
        let credentials = self.credentials(&job.zone, (job.primary, job.address));
        let task = async move {
            Done::Fetched(fetch(&settings, (&idle, &edns, &memory), &sink, (&job, &credentials)).await)
        };
        let handle = self.tasks.spawn(task.instrument(span));
        self.about.insert(handle.id(), about);
    }
}

/// The timers of a zone, or those that it had before it went out of service.
fn timers_of(
    zones: &HashMap<Name, ZoneEntry>,
    saved: &HashMap<Name, Saved>,
    zone: &Name,
    now: Now,
) -> Option<Saved> {
    let of_entry = zones.get(zone).and_then(|entry| entry.save(now));
    of_entry.or_else(|| saved.get(zone).copied())
}

async fn changed(follower: &mut Option<Follower>) {
    match follower {
        Some(follower) => follower.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
