//! The loop of rounds.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::JoinSet;

use crate::handoff::{Latest, Reader};
use crate::policy::Probe;
use crate::telemetry::{Beat, Load};

use super::evidence::{Ledger, Seen, Stage, describe, judge};
use super::rotation::{Pick, Rotation, ServedZones};
use super::round::{self, Report};
use super::settings::{Settings, SettingsError, Target};
use super::statistics::{ProbeTransport, Statistics, ZoneFault};
use super::track::{Evidence, Outcome, Track, combine};

/// Between rounds while a standing may soon change, so that failure and recovery are seen fast; a longer `interval`
/// yields to it.
const FAST_INTERVAL: Duration = Duration::from_millis(200);

/// The least between two rounds however often the loop is woken.
const LEAST_INTERVAL: Duration = Duration::from_millis(20);

/// A round takes no longer than the timeout of its probes. One that took so much longer was not run all the time: the process,
/// or this task, was paused, and the losses are its own.
const PAUSED: Duration = Duration::from_millis(250);

/// What the probes of each service address say, in the order of the settings.
pub type Verdicts = Vec<(IpAddr, Probe)>;

/// Reads the load now; with `true`, also whether the queues of handshakes are full, which takes longer.
pub type LoadSource = Box<dyn FnMut(bool) -> Load + Send>;

/// What the monitor tells others.
#[derive(Clone, Debug)]
pub struct Health {
    /// What the probes of each service address say, in the order of the settings; changes when a verdict does.
    pub probes: Reader<Verdicts>,
    /// What the probes have seen, two per service address; changes with every round.
    pub statistics: Reader<Vec<Statistics>>,
    rounds: Arc<AtomicU64>,
    asked: Arc<[AtomicU64; 2]>,
    round_now: Arc<Latest<()>>,
    settings: Arc<ArcSwap<Settings>>,
}

impl Health {
    /// Goes on with another interval, time limit, `rise`, `fall` and other required zones; what the probes have found so far
    /// stays. Whom it asks, from where, and as which instance stays as well.
    ///
    /// # Errors
    /// Settings with which probes cannot work; those in force stay.
    pub fn change(&self, settings: &Settings) -> Result<(), SettingsError> {
        let changed = self.settings.load().changed_to(settings);
        changed.check()?;
        self.settings.store(Arc::new(changed));
        self.start_round_now();
        Ok(())
    }

    /// Returns a function that reads the reference addresses of the settings.
    pub fn references(&self) -> impl Fn() -> Vec<IpAddr> + Send + Sync + use<> {
        let settings = self.settings.clone();
        move || settings.load().reference_addresses.clone()
    }

    /// Starts the next round now: something happened to a socket, an address or a worker.
    pub fn start_round_now(&self) {
        self.round_now.publish(());
    }

    /// How many rounds have ended: while it grows, the verdicts are checked.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Returns a function that reads [`rounds`](Self::rounds).
    pub fn rounds_source(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let rounds = self.rounds.clone();
        move || rounds.load(Ordering::Relaxed)
    }

    /// Returns a function that reads how many questions were asked over IPv4 and over IPv6: answers to them never leave this host.
    pub fn asked(&self) -> impl Fn() -> [u64; 2] + Send + Sync + use<> {
        let asked = self.asked.clone();
        move || [0, 1].map(|index: usize| asked.get(index).map_or(0, |count| count.load(Ordering::Relaxed)))
    }
}

/// Makes a monitor that is still to be run, and what it tells. `zones` are the zones that are served and
/// must answer (leave out those that may answer SERVFAIL, such as expired ones). Where all have expired the server is asked who it
/// is; while there are none at all nothing is asked and every address is untested. `load` is called once in a round and must not wait for others.
pub fn prepare(
    settings: Settings,
    zones: Reader<Arc<dyn ServedZones>>,
    load: LoadSource,
) -> Result<(Monitor, Health), SettingsError> {
    let targets = settings.targets()?;
    let subjects: Vec<Subject> = targets.into_iter().map(|target| Subject::new(target, &settings)).collect();
    let (probes, statistics) = (Latest::new(verdicts(&subjects)), Latest::new(all_statistics(&subjects)));
    let (round_now, rounds) = (Arc::new(Latest::new(())), Arc::new(AtomicU64::new(0)));
    let asked: Arc<[AtomicU64; 2]> = Arc::default();
    let health = Health {
        probes: probes.reader(),
        statistics: statistics.reader(),
        rounds: rounds.clone(),
        asked: asked.clone(),
        round_now: round_now.clone(),
        settings: Arc::new(ArcSwap::from_pointee(settings.clone())),
    };
    let (latest, settings) = (health.settings.clone(), Arc::new(settings));
    let beat = Beat::new("health");
    Ok((
        Monitor {
            latest,
            settings,
            subjects,
            zones,
            load,
            beat,
            rounds,
            asked,
            round_now: round_now.reader(),
            probes,
            statistics,
        },
        health,
    ))
}

/// Runs the rounds.
pub struct Monitor {
    /// The settings that are wanted, and those of the round.
    latest: Arc<ArcSwap<Settings>>,
    settings: Arc<Settings>,
    subjects: Vec<Subject>,
    zones: Reader<Arc<dyn ServedZones>>,
    load: LoadSource,
    beat: Beat,
    rounds: Arc<AtomicU64>,
    asked: Arc<[AtomicU64; 2]>,
    round_now: Reader<()>,
    probes: Latest<Verdicts>,
    statistics: Latest<Vec<Statistics>>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// One service address.
struct Subject {
    target: Target,
    rotation: Rotation,
    udp: Lane,
    tcp: Lane,
}

/// One service address over one transport.
struct Lane {
    track: Track,
    statistics: Statistics,
    ledger: Ledger,
}

/// What one address's task brings back: its place in the list, what it asked, what came of it.
type Finished = (usize, Pick, (Report, Report));

impl Monitor {
    /// The heartbeat of [`Monitor::run`].
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Runs rounds until it is dropped; may be run again after a panic. Needs a tokio runtime with time and I/O.
    pub async fn run(&mut self) {
        let beat = self.beat.clone();
        tokio::select! {
            () = self.run_rounds() => {}
            () = beat.keep_beating() => {}
        }
    }

    async fn run_rounds(&mut self) {
        loop {
            let start = tokio::time::Instant::now();
            self.round().await;
            self.publish();
            self.rounds.fetch_add(1, Ordering::Relaxed);
            let fast = self.subjects.iter().any(Subject::is_unsettled);
            let interval =
                if fast { self.settings.interval.min(FAST_INTERVAL) } else { self.settings.interval };
            tokio::time::sleep_until(start + LEAST_INTERVAL).await;
            tokio::select! {
                () = tokio::time::sleep_until(start + interval) => {}
                () = self.round_now.changed() => {}
                () = self.zones.changed() => {}
            }
        }
    }

    /// Takes the settings that are wanted now.
    fn follow_settings(&mut self) {
        let latest = self.latest.load();
        if Arc::ptr_eq(&latest, &self.settings) {
            return;
        }
        self.settings = latest.clone();
        self.subjects.iter_mut().for_each(|subject| subject.retune(&latest));
    }

    async fn round(&mut self) {
        self.follow_settings();
        let zones = self.zones.load();
        if zones.after(None).is_none() && !zones.all_expired() {
            let settings = &self.settings;
            self.subjects.iter_mut().for_each(|subject| subject.forget(settings));
            return;
        }
        let begun = Instant::now();
        let finished = self.ask_all(&**zones).await;
        let paused = was_paused(begun.elapsed(), self.settings.timeout);
        let is_connecting = |(_, _, (_, tcp)): &Finished| tcp.stage == Some(Stage::Connecting);
        let load = (self.load)(finished.iter().any(is_connecting));
        let mut unheard: Vec<bool> = vec![true; self.subjects.len()];
        for (index, pick, reports) in finished {
            let Some(subject) = self.subjects.get_mut(index) else { continue };
            unheard.iter_mut().skip(index).take(1).for_each(|one| *one = false);
            let (udp, tcp) = (reports.0.asked, reports.1.asked);
            if let Some(asked) = self.asked.get(usize::from(subject.target.service().is_ipv6())) {
                asked.fetch_add(udp + tcp, Ordering::Relaxed);
            }
            subject.learn(&pick, reports, &load, paused);
        }
        for (subject, _) in self.subjects.iter_mut().zip(unheard).filter(|(_, unheard)| *unheard) {
            subject.fail();
        }
    }

    async fn ask_all(&mut self, zones: &dyn ServedZones) -> Vec<Finished> {
        let mut tasks = JoinSet::new();
        for (index, subject) in self.subjects.iter_mut().enumerate() {
            let Some(pick) = subject.rotation.pick(zones, &self.settings.required) else { continue };
            let (target, limit) = (subject.target, self.settings.timeout);
            let instance = self.settings.instance.clone();
            tasks.spawn(async move {
                let reports = round::run(target, &pick, &instance, limit).await;
                (index, pick, reports)
            });
        }
        all_that_end_well(tasks).await
    }

    fn publish(&self) {
        self.statistics.publish(all_statistics(&self.subjects));
        self.probes.publish_if_new(verdicts(&self.subjects));
    }
}

/// What the tasks bring back. One that panicked brings nothing; the panic hook has logged it.
async fn all_that_end_well<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut finished = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        finished.extend(ended);
    }
    finished
}

/// Whether a round of probes with this timeout that took so long was not run all the time.
fn was_paused(took: Duration, timeout: Duration) -> bool {
    took > timeout + PAUSED
}

impl Subject {
    fn new(target: Target, settings: &Settings) -> Self {
        let new = |transport| Lane {
            track: Track::new(settings.rise, settings.fall),
            statistics: Statistics::new(target.service().ip(), transport, Instant::now()),
            ledger: Ledger::default(),
        };
        Self {
            target,
            rotation: Rotation::default(),
            udp: new(ProbeTransport::Udp),
            tcp: new(ProbeTransport::Tcp),
        }
    }

    fn is_unsettled(&self) -> bool {
        self.udp.track.is_unsettled() || self.tcp.track.is_unsettled()
    }

    /// Untested again: nothing is served.
    fn forget(&mut self, settings: &Settings) {
        for lane in [&mut self.udp, &mut self.tcp] {
            lane.track = Track::new(settings.rise, settings.fall);
            lane.note_standing(Instant::now());
        }
    }

    /// Goes on with these numbers of rounds.
    fn retune(&mut self, settings: &Settings) {
        for lane in [&mut self.udp, &mut self.tcp] {
            lane.track.retune(settings.rise, settings.fall);
        }
    }

    /// Takes one round.
    fn learn(&mut self, pick: &Pick, (udp, tcp): (Report, Report), load: &Load, paused: bool) {
        self.rotation.learn(pick, udp.good.0 && tcp.good.0, udp.good.1 && tcp.good.1);
        let (service, now) = (self.target.service(), Instant::now());
        let of_udp = self.udp.ledger.observe(load, service, ProbeTransport::Udp, now);
        let of_tcp = self.tcp.ledger.observe(load, service, ProbeTransport::Tcp, now);
        self.udp.learn(udp, &of_udp, &of_tcp, paused);
        self.tcp.learn(tcp, &of_tcp, &of_udp, paused);
    }

    /// The task that asks has panicked: whether the address answers is not known.
    fn fail(&mut self) {
        for lane in [&mut self.udp, &mut self.tcp] {
            let reason = "the probe itself failed".to_owned();
            lane.take(Outcome::Lost { reason, evidence: Evidence::Idle });
        }
    }
}

impl Lane {
    /// Takes one round and what was seen of this transport and of the other.
    fn learn(&mut self, report: Report, seen: &Seen, other: &Seen, paused: bool) {
        let outcome = match report.outcome {
            Outcome::Lost { reason, .. } if paused => {
                self.statistics.evidence = Some("the prober was paused during the round".to_owned());
                Outcome::Lost { reason, evidence: Evidence::Busy }
            }
            Outcome::Lost { reason, evidence } => {
                let judged = report.stage.map(|stage| (stage, judge(stage, seen, other)));
                self.statistics.evidence = judged.map(|(stage, evidence)| describe(stage, seen, evidence));
                Outcome::Lost { reason, evidence: judged.map_or(evidence, |(_, evidence)| evidence) }
            }
            outcome => outcome,
        };
        self.take(outcome);
        self.statistics.questions += report.asked;
        self.statistics.questions_lost += report.lost;
        self.statistics.recent.note(report.asked, report.lost);
        self.statistics.round_trip = report.round_trip.or(self.statistics.round_trip);
        if let Some((zone, reason)) = report.zone_fault {
            self.statistics.zone_fault = Some(ZoneFault { zone, reason, at: Instant::now() });
        }
    }

    fn take(&mut self, outcome: Outcome) {
        let now = Instant::now();
        self.track.observe(&outcome);
        self.note_standing(now);
        let statistics = &mut self.statistics;
        match outcome {
            Outcome::Good => statistics.good += 1,
            Outcome::Wrong { reason } => {
                statistics.wrong += 1;
                (statistics.reason, statistics.reason_at) = (Some(reason), Some(now));
                statistics.evidence = None;
            }
            Outcome::Lost { reason, .. } => {
                statistics.lost += 1;
                (statistics.reason, statistics.reason_at) = (Some(reason), Some(now));
            }
        }
    }

    fn note_standing(&mut self, now: Instant) {
        let word = self.track.standing().word();
        if self.statistics.standing != word {
            (self.statistics.standing, self.statistics.since) = (word, now);
        }
    }
}

fn verdicts(subjects: &[Subject]) -> Verdicts {
    let verdict = |subject: &Subject| {
        (subject.target.service().ip(), combine(subject.udp.track.standing(), subject.tcp.track.standing()))
    };
    subjects.iter().map(verdict).collect()
}

fn all_statistics(subjects: &[Subject]) -> Vec<Statistics> {
    subjects
        .iter()
        .flat_map(|subject| [subject.udp.statistics.clone(), subject.tcp.statistics.clone()])
        .collect()
}

#[cfg(test)]
#[path = "../../tests/unit/health/monitor.rs"]
mod tests;
