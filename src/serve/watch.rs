//! Heartbeats and lost sockets in, [`Facts`] out, whenever the observer looks. No thread of its own: the observer's run time is
//! the only clock, so that a pause of the whole process makes no heartbeat stale. Never judges what a fact means.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::telemetry::{Beat, Freshness};

use super::shared::{LostListener, Phase, Shared};

/// A worker that has sent no heartbeat for this long is stale: ten times the longest wait of a worker.
pub(super) const STALE: Duration = Duration::from_secs(1);

/// What is wrong with serving; all empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Listening sockets that cannot be read any more.
    pub lost_listeners: Vec<LostListener>,
    /// Threads that have sent no heartbeat for a second, or that ended: the indices of their counters. The hickory
    /// engine's are the first for UDP and the second for TCP; that of encrypted transports is the last.
    pub stale_workers: Vec<usize>,
    /// How old the oldest heartbeat of those threads is.
    pub heartbeat_age: Duration,
}

/// A thread that is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// The index of its counters.
    pub(super) set: usize,
    /// Its heartbeat.
    pub(super) beat: Beat,
    /// Goes when the thread ends.
    pub(super) alive: Weak<()>,
}

/// Looks at the threads and the sockets for one observer.
#[derive(Debug)]
pub struct ServeWatch {
    shared: Arc<Shared>,
    threads: Vec<(Watched, Freshness)>,
    /// As they were last told.
    lost: Vec<LostListener>,
}

impl ServeWatch {
    pub(super) fn new(shared: Arc<Shared>, threads: Vec<Watched>) -> Self {
        let threads = threads.into_iter().map(|thread| (thread, Freshness::default())).collect();
        Self { shared, threads, lost: Vec::new() }
    }

    /// What is wrong at this run time of the observer ([`crate::telemetry::RunTime`]), to be asked every 100 ms. Never waits for
    /// a thread. Once the stop has begun no thread is stale: each ends when it is done.
    pub fn observe(&mut self, at: Duration) -> Facts {
        if let Some(lost) = self.shared.lost() {
            self.lost = lost;
        }
        let mut facts = Facts { lost_listeners: self.lost.clone(), ..Facts::default() };
        let stops = self.shared.phase() != Phase::Serve;
        for (thread, freshness) in &mut self.threads {
            let age = freshness.observe(thread.beat.beats(), at);
            let has_ended = thread.alive.strong_count() == 0;
            if !stops && (has_ended || age >= STALE) {
                facts.stale_workers.push(thread.set);
                facts.heartbeat_age = facts.heartbeat_age.max(age);
            }
        }
        facts
    }

    /// Returns when a socket was lost; then it is time to look. For one observer.
    pub async fn loss(&self) {
        self.shared.loss().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_stale_after_a_second_of_run_time_and_fresh_when_it_moves() {
        let (shared, alive) = (Arc::new(Shared::default()), [Arc::new(()), Arc::new(())]);
        let beats = [Beat::new("serve-0"), Beat::new("serve-1")];
        let watched =
            |set: usize| Watched { set, beat: beats[set].clone(), alive: Arc::downgrade(&alive[set]) };
        let mut watch = ServeWatch::new(shared.clone(), vec![watched(0), watched(1)]);
        for (milliseconds, beating, stale, age) in [
            (0, [true, true], vec![], 0),
            (900, [true, false], vec![], 0),
            (1000, [true, false], vec![1], 1000),
            (1100, [true, false], vec![1], 1100),
            (1200, [false, true], vec![], 0),
            (2099, [false, true], vec![], 0),
            (2100, [false, true], vec![0], 1000),
        ] {
            beats.iter().zip(beating).filter(|(_, beats)| *beats).for_each(|(beat, _)| beat.beat());
            let facts = watch.observe(Duration::from_millis(milliseconds));
            assert_eq!(facts.stale_workers, stale, "at {milliseconds} ms");
            assert_eq!(facts.heartbeat_age.as_millis(), age, "at {milliseconds} ms");
        }
        let [_first, second] = alive;
        drop(second);
        beats.iter().for_each(Beat::beat);
        assert_eq!(watch.observe(Duration::from_millis(2200)).stale_workers, [1], "it has ended");
        shared.set_phase(Phase::Drain);
        assert_eq!(
            watch.observe(Duration::from_millis(9000)),
            Facts::default(),
            "a thread that ends now is no news"
        );
    }
}
