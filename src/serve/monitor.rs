//! The monitor: heartbeats and losses in, [`Facts`] out.
//!
//! One thread looks ten times a second, and at once when a socket is lost. Never judges what a fact means.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::telemetry::Counters;

use super::bind::Transport;

/// How often the heartbeats are compared.
const LOOK: Duration = Duration::from_millis(100);

/// A heartbeat that stood still this long is stale: ten times the longest wait of a worker.
pub(super) const STALE: Duration = Duration::from_secs(1);

/// What is wrong with serving; all empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Listening sockets that cannot be read any more.
    pub lost_listeners: Vec<LostListener>,
    /// Threads whose heartbeat stood still for a second, or that ended: the indices of their counters. The hickory
    /// engine's are the first for UDP and the second for TCP; that of encrypted transports is the last.
    pub stale_workers: Vec<usize>,
}

/// A listening socket that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostListener {
    /// Where it listened.
    pub address: SocketAddr,
    /// What it spoke.
    pub transport: Transport,
    /// What the system said.
    pub reason: String,
}

impl LostListener {
    /// Lost with this error.
    pub(super) fn new(address: SocketAddr, transport: Transport, error: &io::Error) -> Self {
        Self { address, transport, reason: error.to_string() }
    }
}

impl fmt::Display for LostListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}: {}", self.address, self.transport, self.reason)
    }
}

/// How far the stop has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not at all.
    #[default]
    Serve,
    /// Answer what waits, take nothing new, end.
    Drain,
    /// End.
    Quit,
}

/// What the threads of one engine share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The phase for workers, who read it each turn; as `Phase` is numbered.
    phase: AtomicU8,
    /// The phase for tasks, who wait for it.
    phases: watch::Sender<Phase>,
    lost: Mutex<Vec<LostListener>>,
    changed: Condvar,
}

impl Shared {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Serve,
            1 => Phase::Drain,
            _ => Phase::Quit,
        }
    }

    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.phases.subscribe()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.phases.send_replace(phase);
        self.changed.notify_all();
    }

    /// Reports a lost socket. Bounded: each socket is lost once.
    pub(super) fn lose(&self, lost: LostListener) {
        self.lock().push(lost);
        self.changed.notify_all();
    }

    /// What was lost so far, in order, each address and transport once.
    pub(super) fn lost(&self) -> Vec<LostListener> {
        let mut lost = self.lock().clone();
        lost.sort();
        lost.dedup_by(|a, b| (a.address, a.transport) == (b.address, b.transport));
        lost
    }

    /// Waits for a loss or a phase, at most [`LOOK`].
    fn wait(&self) {
        drop(self.changed.wait_timeout(self.lock(), LOOK).unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LostListener>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that is watched.
pub(super) struct Watched {
    /// The index of its counters.
    pub(super) set: usize,
    /// Goes when the thread ends.
    pub(super) alive: Weak<()>,
}

/// Publishes the facts until told to quit, or to drain: a worker that ends then is no news.
pub(super) fn run(
    shared: &Arc<Shared>,
    counters: &Counters,
    watched: &[Watched],
    facts: &watch::Sender<Facts>,
) {
    let mut heartbeats = Heartbeats::new(watched.len(), Instant::now());
    while shared.phase() == Phase::Serve {
        let beat = |watched: &Watched| {
            let beat =
                counters.worker(watched.set).map(|counters| counters.heartbeat.load(Ordering::Relaxed));
            if watched.alive.strong_count() == 0 { None } else { beat }
        };
        let beats: Vec<Option<u64>> = watched.iter().map(beat).collect();
        let stale = heartbeats.observe(&beats, Instant::now());
        let stale_workers = stale.iter().filter_map(|index| watched.get(*index)).map(|it| it.set).collect();
        let now = Facts { lost_listeners: shared.lost(), stale_workers };
        facts.send_if_modified(|before| {
            let modified = *before != now;
            *before = now;
            modified
        });
        shared.wait();
    }
}

/// When each heartbeat was last seen to move.
struct Heartbeats {
    seen: Vec<(Option<u64>, Instant)>,
}

impl Heartbeats {
    fn new(count: usize, now: Instant) -> Self {
        Self { seen: vec![(Some(0), now); count] }
    }

    /// Takes the heartbeats as they are at this time, `None` for a thread that ended. Returns which are stale.
    fn observe(&mut self, beats: &[Option<u64>], now: Instant) -> Vec<usize> {
        for (seen, beat) in self.seen.iter_mut().zip(beats) {
            if seen.0 != *beat {
                *seen = (*beat, now);
            }
        }
        let stale = |seen: &(Option<u64>, Instant)| seen.0.is_none() || now.duration_since(seen.1) >= STALE;
        self.seen.iter().enumerate().filter(|(_, seen)| stale(seen)).map(|(index, _)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::count;

    #[test]
    fn a_heartbeat_is_stale_after_a_second_and_fresh_when_it_moves() {
        let start = Instant::now();
        let mut heartbeats = Heartbeats::new(2, start);
        for (milliseconds, beats, stale) in [
            (0, [Some(0), Some(0)], vec![]),
            (900, [Some(9), Some(0)], vec![]),
            (1000, [Some(10), Some(0)], vec![1]),
            (1100, [Some(11), Some(0)], vec![1]),
            (1200, [Some(11), Some(1)], vec![]),
            (2099, [Some(11), Some(2)], vec![]),
            (2100, [Some(11), Some(3)], vec![0]),
            (2200, [Some(11), None], vec![0, 1]),
            (2300, [Some(12), None], vec![1]),
        ] {
            let now = start + Duration::from_millis(milliseconds);
            assert_eq!(heartbeats.observe(&beats, now), stale, "at {milliseconds} ms");
        }
    }

    #[tokio::test]
    async fn a_thread_that_ends_is_told_at_once_and_one_that_hangs_after_a_second() {
        let (shared, counters) = (Arc::new(Shared::default()), Counters::new(3));
        let threads = [Arc::new(()), Arc::new(()), Arc::new(())];
        let alive = threads.iter().enumerate();
        let watched: Vec<Watched> =
            alive.map(|(set, alive)| Watched { set, alive: Arc::downgrade(alive) }).collect();
        let (sender, mut facts) = watch::channel(Facts::default());
        let monitor = {
            let (shared, counters) = (shared.clone(), counters.clone());
            std::thread::spawn(move || run(&shared, &counters, &watched, &sender))
        };
        let begin = Instant::now();
        let [ended, _hangs, _lives] = threads;
        let beat = async {
            let mut ticks = tokio::time::interval(LOOK);
            loop {
                ticks.tick().await;
                count(&counters.workers()[2].heartbeat);
            }
        };
        let told = async {
            drop(ended);
            facts.wait_for(|facts| facts.stale_workers == [0]).await.unwrap();
            assert!(begin.elapsed() < STALE);
            facts.wait_for(|facts| facts.stale_workers == [0, 1]).await.unwrap();
            assert!(begin.elapsed() >= STALE);
        };
        tokio::select! {
            () = beat => {}
            told = tokio::time::timeout(STALE * 10, told) => told.unwrap(),
        }
        shared.set_phase(Phase::Quit);
        monitor.join().unwrap();
    }

    #[test]
    fn a_loss_is_told_once_for_each_address_and_transport() {
        let shared = Shared::default();
        let lost = |address: &str, transport| LostListener {
            address: address.parse().unwrap(),
            transport,
            reason: "gone".into(),
        };
        shared.lose(lost("192.0.2.1:53", Transport::Udp));
        shared.lose(lost("192.0.2.1:53", Transport::Tcp));
        shared.lose(lost("192.0.2.1:53", Transport::Udp));
        let told: Vec<String> = shared.lost().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["192.0.2.1:53/udp: gone", "192.0.2.1:53/tcp: gone"]);
    }
}
