//! The one task that owns every zone's state machine: events in, queries and transfers out.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::transfer::message::Soa;
use crate::transfer::refresh::{Action, Now, Order, Refresh, Saved, Transferred};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::Zone;

use super::ask::{AskError, ask_soa};
use super::fetch::{Fetch, FetchError, Fetched, fetch};
use super::jobs::{Ask, Jobs, Next};
use super::pacer::Pacer;
use super::report::{LastTransfer, ZoneReport};
use super::settings::{SecondarySettings, SecondaryZone};
use super::sink::{Sink, SinkError};

/// What comes from outside.
#[derive(Debug)]
pub(super) enum Event {
    /// A NOTIFY: of this primary, or of another server that may send some.
    Notified { zone: Name, primary: Option<usize>, hint: Option<Serial> },
    /// An operator's order.
    Ordered { zone: Name, order: Order },
    /// The facts of all zones.
    Report(oneshot::Sender<Vec<ZoneReport>>),
    /// The timers of all zones, to be kept.
    Save(oneshot::Sender<Vec<(Name, Saved)>>),
}

/// What a task brings back.
#[derive(Debug)]
enum Done {
    Asked(Result<Soa, AskError>),
    Fetched(Fetched),
}

/// What a task was about, for one that panics brings nothing back.
#[derive(Clone, Debug)]
enum About {
    Ask(Ask),
    Fetch { fetch: Fetch, begun: Instant },
}

struct Entry {
    settings: SecondaryZone,
    refresh: Refresh,
    /// When it is in the list of timers.
    armed: Option<Instant>,
    last_error: Option<(SystemTime, String)>,
    last_transfer: Option<LastTransfer>,
}

/// See the module.
pub(super) struct Coordinator {
    settings: Arc<SecondarySettings>,
    sink: Arc<dyn Sink>,
    zones: HashMap<Name, Entry>,
    timers: BTreeSet<(Instant, Name)>,
    jobs: Jobs,
    tasks: JoinSet<Done>,
    about: HashMap<Id, About>,
}

fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}

impl Coordinator {
    /// All zones of the settings; those that `saved` names go on where they were.
    pub(super) fn new(
        settings: Arc<SecondarySettings>,
        sink: Arc<dyn Sink>,
        saved: &HashMap<Name, Saved>,
    ) -> Self {
        let now = now();
        let pacer = Pacer::new(settings.soa_queries, settings.soa_queries_per_primary, now.instant);
        let jobs = Jobs::new(pacer, settings.transfers, settings.transfers_per_primary);
        let mut coordinator = Self {
            settings: settings.clone(),
            sink,
            zones: HashMap::new(),
            timers: BTreeSet::new(),
            jobs,
            tasks: JoinSet::new(),
            about: HashMap::new(),
        };
        for zone in &settings.zones {
            let served = coordinator.sink.served(&zone.name).as_deref().and_then(soa_of);
            let saved = saved.get(&zone.name).copied();
            let primaries = zone.primaries.len();
            let rng = fastrand::Rng::new();
            let refresh = Refresh::new(settings.bounds, primaries, served, saved, now, rng);
            let entry =
                Entry { settings: zone.clone(), refresh, armed: None, last_error: None, last_transfer: None };
            coordinator.zones.insert(zone.name.clone(), entry);
            coordinator.arm(&zone.name);
        }
        coordinator
    }

    /// Runs until it is told to stop, or nobody can send events any more.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        loop {
            let wait = self.begin_jobs();
            let timer = self.timers.first().map(|(at, _)| *at);
            let until = [wait.map(|wait| Instant::now() + wait), timer].into_iter().flatten().min();
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.recv() => match event {
                    Some(event) => self.handle(event),
                    None => break,
                },
                done = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    if let Some(done) = done {
                        self.finish(done);
                    }
                }
                () = sleep_until(until) => self.wake(),
            }
        }
        self.tasks.shutdown().await;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Notified { zone, primary, hint } => {
                self.step(&zone, |refresh| refresh.notified(primary, hint));
            }
            Event::Ordered { zone, order } => self.step(&zone, |refresh| refresh.ordered(order)),
            // Nobody waits for the answer any more: nothing is lost.
            Event::Report(answer) => drop(answer.send(self.report())),
            Event::Save(answer) => {
                let now = now();
                let saved = self.zones.iter().map(|(name, entry)| (name.clone(), entry.refresh.save(now)));
                drop(answer.send(saved.collect()));
            }
        }
    }

    fn report(&self) -> Vec<ZoneReport> {
        let now = now();
        let report = |entry: &Entry| ZoneReport {
            zone: entry.settings.name.clone(),
            primaries: entry.settings.primaries.iter().map(|primary| primary.address).collect(),
            status: entry.refresh.status(),
            is_expired: entry.refresh.is_expired(now),
            last_error: entry.last_error.clone(),
            last_transfer: entry.last_transfer.clone(),
        };
        let mut reports: Vec<ZoneReport> = self.zones.values().map(report).collect();
        reports.sort_by(|a, b| a.zone.cmp(&b.zone));
        reports
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
    fn step(&mut self, name: &Name, event: impl FnOnce(&mut Refresh) -> Option<Action>) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        let action = event(&mut entry.refresh);
        match action {
            None => {}
            Some(Action::AskSoa(primaries)) => {
                for primary in primaries {
                    let Some(settings) = entry.settings.primaries.get(primary) else { continue };
                    let address = settings.address;
                    self.jobs.add_ask(Ask { zone: name.clone(), primary, address });
                }
            }
            Some(Action::Transfer { primary, from, is_forced }) => {
                if let Some(primary) = entry.settings.primaries.get(primary) {
                    let key = primary.key.as_ref().and_then(|key| self.settings.keys.get(key)).cloned();
                    let (zone, address, tls) = (name.clone(), primary.address, primary.tls.clone());
                    self.jobs.add_fetch(Fetch { zone, address, key, tls, from, is_forced });
                }
            }
        }
        self.arm(name);
    }

    fn arm(&mut self, name: &Name) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        let due = entry.refresh.due();
        if due != entry.armed {
            if let Some(armed) = entry.armed {
                self.timers.remove(&(armed, name.clone()));
            }
            if let Some(due) = due {
                self.timers.insert((due, name.clone()));
            }
            entry.armed = due;
        }
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
        let settings = self.settings.clone();
        let primary = self.zones.get(&ask.zone).and_then(|entry| entry.settings.primaries.get(ask.primary));
        let key = primary.and_then(|primary| primary.key.as_ref()).and_then(|key| settings.keys.get(key));
        let tls = primary.and_then(|primary| primary.tls.clone());
        let (key, zone, address) = (key.cloned(), ask.zone.clone(), ask.address);
        let task = async move { Done::Asked(ask_soa(&settings, &zone, (address, key, tls.as_ref())).await) };
        let handle = self.tasks.spawn(task);
        self.about.insert(handle.id(), About::Ask(ask));
    }

    fn spawn_fetch(&mut self, job: Fetch) {
        let (settings, sink) = (self.settings.clone(), self.sink.clone());
        let about = About::Fetch { fetch: job.clone(), begun: Instant::now() };
        let handle = self.tasks.spawn(async move { Done::Fetched(fetch(&settings, &sink, &job).await) });
        self.about.insert(handle.id(), about);
    }

    /// Takes the result of a task.
    fn finish(&mut self, done: Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        match (self.about.remove(&id), done) {
            (Some(About::Ask(ask)), done) => {
                self.jobs.ask_ended();
                let soa = match done {
                    Some(Done::Asked(Ok(soa))) => Some(soa),
                    Some(Done::Asked(Err(error))) => {
                        self.failed(&ask.zone, ask.address, &error);
                        None
                    }
                    _ => None,
                };
                self.step(&ask.zone, |refresh| refresh.answered(now(), ask.primary, soa));
            }
            (Some(About::Fetch { fetch, begun }), done) => {
                self.jobs.fetch_ended(fetch.address);
                let thread = || Fetched {
                    end: Transferred::Faulty,
                    error: Some(FetchError::Thread),
                    received: (0, 0),
                };
                let fetched = match done {
                    Some(Done::Fetched(fetched)) => fetched,
                    _ => thread(),
                };
                self.fetched(&fetch, begun, fetched);
            }
            (None, _) => {}
        }
    }

    fn fetched(&mut self, fetch: &Fetch, begun: Instant, fetched: Fetched) {
        let Fetched { end, error, received: (octets, records) } = fetched;
        let zone = &fetch.zone;
        if let Some(error) = &error {
            if let FetchError::Sink(SinkError::NotFitting(_)) = error {
                tracing::error!(%zone, primary = %fetch.address, %error, "the zone differs from the primary's: transferring it whole");
            }
            self.failed(zone, fetch.address, error);
        }
        if let Transferred::Served(soa) = end {
            let (took, serial) = (begun.elapsed(), soa.serial);
            let whole = fetch.from.is_none();
            tracing::info!(%zone, primary = %fetch.address, %serial, whole, octets, records, ms = took.as_millis() as u64, "zone transferred");
            if let Some(entry) = self.zones.get_mut(zone) {
                let at = SystemTime::now();
                let primary = fetch.address;
                entry.last_transfer =
                    Some(LastTransfer { primary, whole, serial, octets, records, took, at });
            }
        }
        self.step(zone, |refresh| refresh.transferred(now(), end));
    }

    fn failed(&mut self, zone: &Name, primary: SocketAddr, error: &dyn Error) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        tracing::warn!(%zone, %primary, error = text, "the primary brought nothing");
        if let Some(entry) = self.zones.get_mut(zone) {
            entry.last_error = Some((SystemTime::now(), format!("{primary}: {text}")));
        }
    }
}

/// The numbers of a zone's SOA record.
fn soa_of(zone: &Zone) -> Option<Soa> {
    Soa::from_rdata(zone.apex().set(RecordType::SOA)?.rdata().next()?)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
