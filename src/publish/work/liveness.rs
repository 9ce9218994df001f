//! Whether changes of zone files are seen: what an observer on another thread can tell without waiting for anybody.
//!
//! The beat of the publisher's loop, the threads at work ([`Pulse`]) and the canary ([`crate::publish::source::watch`]) flow in, with the CPU
//! time of each thread from /proc; the reason why changes are not seen flows out. Takes no lock that another thread holds,
//! and reads nothing but /proc/self. Where there is no /proc/self/task (no Linux, or not mounted) a thread that hangs is not
//! found, but the publisher's loop and the notifications are.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::telemetry::{Beat, Freshness};

use crate::telemetry::pulse::{Observed, Pulse, Work};

/// Observes the publisher; [`PublisherHandle::liveness`](crate::publish::PublisherHandle::liveness) makes it.
#[derive(Debug)]
pub struct Liveness {
    beat: Beat,
    pulse: Arc<Pulse>,
    beaten: Freshness,
    heard: Freshness,
    threads: Vec<Observed>,
    /// For how long the thread that verifies signatures has done nothing.
    verifier: Duration,
}

/// Why changes of zone files are not seen, or are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The publisher has ended.
    Ended,
    /// The publisher's loop does not run.
    Publisher {
        /// For how long.
        age: Duration,
    },
    /// A thread that looks for zone files or reads them does nothing.
    Look {
        /// What it is at, if it is known.
        path: Option<Arc<Path>>,
        /// For how long.
        age: Duration,
    },
    /// The thread that writes the state directory does nothing.
    StateWriter {
        /// For how long.
        age: Duration,
    },
    /// The thread that the system tells of changes does not answer.
    Notifications {
        /// For how long.
        age: Duration,
    },
}

impl fmt::Display for Stall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SEEN: &str = "changes of zone files are not seen";
        match self {
            Self::Ended => write!(formatter, "{SEEN}: the publisher has stopped; what is served stays"),
            Self::Publisher { age } => {
                write!(formatter, "{SEEN}: the publisher has not run for {} s", age.as_secs())
            }
            Self::Look { path: Some(path), age } => {
                let (path, age) = (path.display(), age.as_secs());
                write!(
                    formatter,
                    "{SEEN}: reading {path} has made no progress for {age} s; does its disk answer?"
                )
            }
            Self::Look { path: None, age } => {
                write!(formatter, "{SEEN}: looking at the zones has made no progress for {} s", age.as_secs())
            }
            Self::StateWriter { age } => {
                let age = age.as_secs();
                write!(
                    formatter,
                    "what is served is not kept: writing the state directory has made no progress for {age} s; does its \
                     disk answer?"
                )
            }
            Self::Notifications { age } => {
                let age = age.as_secs();
                write!(
                    formatter,
                    "changes of zone files are seen late or not at all: the thread that is told of them has not answered \
                     for {age} s"
                )
            }
        }
    }
}

impl Liveness {
    /// How long nothing may move: long beside a busy machine's delays, short beside the 5 s within which an operator
    /// learns it.
    pub const PATIENCE: Duration = Duration::from_secs(3);

    pub(in crate::publish) fn new(beat: Beat, pulse: Arc<Pulse>) -> Self {
        let threads = vec![Observed::default(); pulse.shown().len()];
        Self {
            beat,
            pulse,
            beaten: Freshness::default(),
            heard: Freshness::default(),
            threads,
            verifier: Duration::ZERO,
        }
    }

    /// Looks now, `at` being the observer's own [`RunTime`](crate::telemetry::RunTime); to be called every second or more
    /// often. The worst that is wrong, or `None` while changes are seen.
    pub fn observe(&mut self, at: Duration) -> Option<Stall> {
        let beaten = self.beaten.observe(self.beat.beats(), at);
        let heard = self.unheard(at);
        let stuck = self.stuck(at);
        if self.beat.has_ended() {
            return Some(Stall::Ended);
        }
        if beaten >= Self::PATIENCE {
            return Some(Stall::Publisher { age: beaten });
        }
        let notifications = Some(Stall::Notifications { age: heard }).filter(|_| heard >= Self::PATIENCE);
        stuck.or(notifications)
    }

    /// For how long the thread that verifies signatures had done nothing when [`observe`](Self::observe) was last called, if that is
    /// too long. What is served and what is deployed do not depend on it.
    pub fn verifier(&self) -> Option<Duration> {
        Some(self.verifier).filter(|age| *age >= Self::PATIENCE)
    }

    /// For how long the canary's writing has not been heard.
    fn unheard(&mut self, at: Duration) -> Duration {
        let (written, heard) =
            (self.pulse.canary_written.load(Relaxed), self.pulse.canary_heard.load(Relaxed));
        if written == heard {
            self.heard = Freshness::default();
        }
        self.heard.observe(heard, at)
    }

    /// The thread that has done nothing for longest. The reason of the state writer goes first: a reading may wait for it.
    fn stuck(&mut self, at: Duration) -> Option<Stall> {
        let mut worst: Option<(bool, Duration, usize)> = None;
        self.verifier = Duration::ZERO;
        for (index, (thread, shown)) in self.threads.iter_mut().zip(self.pulse.shown()).enumerate() {
            let Some(shown) = shown else {
                thread.forget();
                continue;
            };
            let age = thread.observe(shown, at);
            if shown.work == Work::Verify {
                self.verifier = age;
                continue;
            }
            let found = (shown.work == Work::Keep, age, index);
            if age >= Self::PATIENCE && worst.is_none_or(|worst| worst < found) {
                worst = Some(found);
            }
        }
        let (keeps, age, index) = worst?;
        Some(match keeps {
            true => Stall::StateWriter { age },
            false => Stall::Look { path: self.pulse.path(index), age },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_loop_that_does_not_beat_and_one_that_ended_are_told() {
        let (beat, pulse) = (Beat::new("publisher"), Arc::new(Pulse::new(1)));
        let mut liveness = Liveness::new(beat.clone(), pulse);
        beat.beat();
        assert_eq!(liveness.observe(seconds(0)), None);
        assert_eq!(liveness.observe(seconds(2)), None);
        assert_eq!(liveness.observe(seconds(4)), Some(Stall::Publisher { age: seconds(4) }));
        beat.beat();
        assert_eq!(liveness.observe(seconds(5)), None);
        beat.end();
        assert_eq!(liveness.observe(seconds(5)), Some(Stall::Ended));
    }

    #[test]
    fn a_canary_that_is_written_and_not_heard_is_told() {
        let (beat, pulse) = (Beat::new("publisher"), Arc::new(Pulse::new(1)));
        let mut liveness = Liveness::new(beat.clone(), pulse.clone());
        let mut observe = |at, written, heard| {
            beat.beat();
            pulse.canary_written.store(written, Relaxed);
            pulse.canary_heard.store(heard, Relaxed);
            liveness.observe(seconds(at))
        };
        // Never written: there is none.
        assert_eq!([observe(0, 0, 0), observe(9, 0, 0)], [None, None]);
        assert_eq!([observe(10, 1, 0), observe(11, 2, 1), observe(13, 4, 1)], [None, None, None]);
        assert_eq!(observe(14, 5, 1), Some(Stall::Notifications { age: seconds(3) }));
        assert_eq!([observe(15, 6, 5), observe(17, 8, 8), observe(19, 9, 8)], [None, None, None]);
    }

    #[test]
    fn a_thread_that_never_begins_is_told() {
        let (beat, pulse) = (Beat::new("publisher"), Arc::new(Pulse::new(1)));
        let mut liveness = Liveness::new(beat.clone(), pulse.clone());
        let place = pulse.reserve(Work::Read);
        let mut observe = |at| {
            beat.beat();
            liveness.observe(seconds(at))
        };
        assert_eq!([observe(0), observe(2)], [None, None]);
        assert_eq!(observe(3), Some(Stall::Look { path: None, age: seconds(3) }));
        place.begin();
        assert_eq!(observe(4), None);
    }

    #[cfg(native)]
    #[test]
    fn a_thread_that_waits_without_a_sign_is_told_with_its_file() {
        let (beat, pulse) = (Beat::new("publisher"), Arc::new(Pulse::new(1)));
        let mut liveness = Liveness::new(beat.clone(), pulse.clone());
        let (placed, is_placed) = std::sync::mpsc::channel();
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let place = pulse.place(Work::Read);
            place.step(Some(&Path::new("/zones/a.zone").into()));
            placed.send(()).unwrap();
            goes.recv().unwrap();
            drop(place);
            placed.send(()).unwrap();
        });
        is_placed.recv().unwrap();
        let stuck =
            |age| Some(Stall::Look { path: Some(Path::new("/zones/a.zone").into()), age: seconds(age) });
        let mut at = 0;
        // Its first wait may take CPU time after the first looks.
        let found = loop {
            at += 4;
            beat.beat();
            if let Some(found) = liveness.observe(seconds(at)) {
                break found;
            }
            assert!(at < 400_000, "never told");
        };
        assert_eq!(Some(&found), stuck(4).as_ref());
        assert!(found.to_string().contains("reading /zones/a.zone has made no progress for 4 s"), "{found}");
        go.send(()).unwrap();
        is_placed.recv().unwrap();
        beat.beat();
        assert_eq!(liveness.observe(seconds(at + 4)), None);
        thread.join().unwrap();
    }
}
