//! The loop of rounds.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::policy::Probe;
use crate::wire::Name;

use super::activity::{Activity, Ledger};
use super::pending::Pending;
use super::rotation::{Pick, Rotation};
use super::round::{self, Report};
use super::settings::{Settings, SettingsError, Target};
use super::statistics::{Statistics, Transport, ZoneFault};
use super::track::{Evidence, Outcome, Track, combine};

/// Between rounds while a standing may soon change, so that failure and recovery are seen fast; a longer `interval`
/// yields to it.
const FAST_INTERVAL: Duration = Duration::from_millis(200);

/// The least between two rounds however often the loop is kicked.
const LEAST_INTERVAL: Duration = Duration::from_millis(20);

/// The most sockets kept open for late answers: one round of the most addresses. The oldest are closed first.
const MAX_PENDING: usize = 4 * super::MAX_ADDRESSES;

/// What the probes of each service address say, in the order of the settings.
pub type Verdicts = Arc<[(IpAddr, Probe)]>;

/// What [`start`] hands out.
#[derive(Clone, Debug)]
pub struct Health {
    /// What the probes of each service address say, in the order of the settings; changes when a verdict does. Closed
    /// when the loop has ended.
    pub probes: watch::Receiver<Verdicts>,
    /// What the probes have seen, two per service address; changes with every round.
    pub statistics: watch::Receiver<Arc<[Statistics]>>,
    kick: Arc<Notify>,
}

impl Health {
    /// Starts the next round now: something happened to a socket, an address or a worker.
    pub fn kick(&self) {
        self.kick.notify_one();
    }
}

/// Prepares the loop, which [`Monitor::run`] runs. `zones` are the zones that are served and
/// must answer (leave out those that may answer SERVFAIL, such as expired ones); while there are none nothing is
/// asked and every address is untested. `activity` is called once in a round and must not block.
pub fn prepare(
    settings: Settings,
    zones: watch::Receiver<Arc<[Name]>>,
    activity: Arc<dyn Fn() -> Activity + Send + Sync>,
) -> Result<(Monitor, Health), SettingsError> {
    let targets = settings.targets()?;
    let subjects: Vec<Subject> = targets.into_iter().map(|target| Subject::new(target, &settings)).collect();
    let (probes, probes_seen) = watch::channel(verdicts(&subjects));
    let (statistics, statistics_seen) = watch::channel(all_statistics(&subjects));
    let kick = Arc::new(Notify::new());
    let health = Health { probes: probes_seen, statistics: statistics_seen, kick: kick.clone() };
    let ledger = Ledger::default();
    let pending = Vec::new();
    let monitor = Monitor { settings, subjects, zones, activity, ledger, pending, kick, probes, statistics };
    Ok((monitor, health))
}

/// The loop of rounds.
pub struct Monitor {
    settings: Settings,
    subjects: Vec<Subject>,
    zones: watch::Receiver<Arc<[Name]>>,
    activity: Arc<dyn Fn() -> Activity + Send + Sync>,
    ledger: Ledger,
    pending: Vec<Pending>,
    kick: Arc<Notify>,
    probes: watch::Sender<Verdicts>,
    statistics: watch::Sender<Arc<[Statistics]>>,
}

/// One service address.
struct Subject {
    target: Target,
    rotation: Rotation,
    udp: (Track, Statistics),
    tcp: (Track, Statistics),
}

/// What one address's task brings back: its place in the list, what it asked, what came of it.
type Finished = (usize, Pick, (Report, Report));

impl Monitor {
    /// Runs until dropped; can be run again after a panic.
    pub async fn run(&mut self) {
        loop {
            let start = tokio::time::Instant::now();
            self.round().await;
            self.publish();
            let fast = self
                .subjects
                .iter()
                .any(|subject| subject.udp.0.is_unsettled() || subject.tcp.0.is_unsettled());
            let interval =
                if fast { self.settings.interval.min(FAST_INTERVAL) } else { self.settings.interval };
            tokio::time::sleep_until(start + LEAST_INTERVAL).await;
            tokio::select! {
                () = tokio::time::sleep_until(start + interval) => {}
                () = self.kick.notified() => {}
                // The daemon is gone when the sender is: then the timer alone remains.
                Ok(()) = self.zones.changed() => {}
            }
        }
    }

    async fn round(&mut self) {
        let zones = self.zones.borrow_and_update().clone();
        if zones.is_empty() {
            let settings = &self.settings;
            self.subjects.iter_mut().for_each(|subject| subject.forget(settings));
            return;
        }
        let finished = self.ask_all(&zones).await;
        let activity = (self.activity)();
        let in_time: u64 = finished.iter().map(|(_, _, (udp, tcp))| udp.answers + tcp.answers).sum();
        let own = in_time + Pending::count_answered(&mut self.pending);
        let busy = self.ledger.observe(activity, own);
        for (index, pick, reports) in finished {
            let Some(subject) = self.subjects.get_mut(index) else { continue };
            self.pending.extend(subject.learn(&pick, reports, busy));
        }
        let surplus = self.pending.len().saturating_sub(MAX_PENDING);
        self.pending.drain(..surplus);
    }

    async fn ask_all(&mut self, zones: &[Name]) -> Vec<Finished> {
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
        tasks.join_all().await
    }

    fn publish(&self) {
        self.statistics.send_replace(all_statistics(&self.subjects));
        let now = verdicts(&self.subjects);
        self.probes.send_if_modified(|old| {
            let changed = *old != now;
            *old = now;
            changed
        });
    }
}

impl Subject {
    fn new(target: Target, settings: &Settings) -> Self {
        let new = |transport| {
            let statistics = Statistics::new(target.service().ip(), transport, Instant::now());
            (Track::new(settings.rise, settings.fall), statistics)
        };
        Self { target, rotation: Rotation::default(), udp: new(Transport::Udp), tcp: new(Transport::Tcp) }
    }

    /// Untested again: nothing is served.
    fn forget(&mut self, settings: &Settings) {
        for (track, statistics) in [&mut self.udp, &mut self.tcp] {
            *track = Track::new(settings.rise, settings.fall);
            note_standing(track, statistics, Instant::now());
        }
    }

    /// Takes one round; gives back the sockets on which late answers may come.
    fn learn(&mut self, pick: &Pick, (udp, tcp): (Report, Report), busy: bool) -> Vec<Pending> {
        self.rotation.learn(pick, udp.good.0 && tcp.good.0, udp.good.1 && tcp.good.1);
        // UDP lost and TCP good with idle workers is no overload: queries do not arrive, and resolvers ask over UDP
        // first. TCP lost and UDP good may be connections that others hold without asking anything: the workers look
        // idle, and withdrawing would hand the attackers the next POP. A refused connection stays a refusal.
        let tcp_busy = busy || udp.outcome == Outcome::Good;
        let mut pending = observe(&mut self.udp, udp, busy);
        pending.extend(observe(&mut self.tcp, tcp, tcp_busy));
        pending
    }
}

fn observe((track, statistics): &mut (Track, Statistics), report: Report, busy: bool) -> Vec<Pending> {
    let now = Instant::now();
    let outcome = match report.outcome {
        Outcome::Lost { reason, evidence: Evidence::Idle } if busy => {
            Outcome::Lost { reason, evidence: Evidence::Busy }
        }
        other => other,
    };
    track.observe(&outcome);
    note_standing(track, statistics, now);
    match outcome {
        Outcome::Good => statistics.good += 1,
        Outcome::Wrong { reason } => {
            statistics.wrong += 1;
            (statistics.reason, statistics.reason_at) = (Some(reason), Some(now));
        }
        Outcome::Lost { reason, .. } => {
            statistics.lost += 1;
            (statistics.reason, statistics.reason_at) = (Some(reason), Some(now));
        }
    }
    statistics.round_trip = report.round_trip.or(statistics.round_trip);
    if let Some((zone, reason)) = report.zone_fault {
        statistics.zone_fault = Some(ZoneFault { zone, reason, at: now });
    }
    report.pending
}

fn note_standing(track: &Track, statistics: &mut Statistics, now: Instant) {
    let word = track.standing().word();
    if statistics.standing != word {
        (statistics.standing, statistics.since) = (word, now);
    }
}

fn verdicts(subjects: &[Subject]) -> Verdicts {
    let verdict = |subject: &Subject| {
        (subject.target.service().ip(), combine(subject.udp.0.standing(), subject.tcp.0.standing()))
    };
    subjects.iter().map(verdict).collect()
}

fn all_statistics(subjects: &[Subject]) -> Arc<[Statistics]> {
    subjects.iter().flat_map(|subject| [subject.udp.1.clone(), subject.tcp.1.clone()]).collect()
}

#[cfg(test)]
mod tests;
