//! How far the large file is that is being read: one at a time is (`pieces`), and a look at all zones says so.
//!
//! Octets read flow in from the thread that cuts the file, and what to expect flows out to whoever asks. Never locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::telemetry::pulse::Pulse;

/// Reading is this part of what a large zone takes; sorting, checking and compiling are the rest (4 million addresses, 2
/// cores: 1.0 of 3.2 s).
const READING: f64 = 1.0 / 3.0;

/// The meter.
#[derive(Debug)]
pub struct Meter {
    /// Where the threads that read the file's pieces have their places.
    pub pulse: Arc<Pulse>,
    start: Instant,
    /// Octets of the file; 0 while there is none.
    of: AtomicU64,
    read: AtomicU64,
    /// When its reading began and when the last octets came, in microseconds since `start`.
    begun: AtomicU64,
    last: AtomicU64,
}

/// What the meter shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    pub read: u64,
    pub of: u64,
    /// Until the zone is ready, if it goes on as it did.
    pub remaining: Duration,
}

impl Meter {
    /// Shows nothing yet.
    pub fn new(pulse: Arc<Pulse>) -> Self {
        let zero = || AtomicU64::new(0);
        Self { pulse, start: Instant::now(), of: zero(), read: zero(), begun: zero(), last: zero() }
    }

    /// A file of so many octets is begun.
    pub fn begin(&self, octets: u64) {
        let now = self.now();
        self.begun.store(now, Relaxed);
        self.last.store(now, Relaxed);
        self.read.store(0, Relaxed);
        self.of.store(octets, Relaxed);
    }

    /// So many octets more were read.
    pub fn add(&self, octets: u64) {
        self.read.fetch_add(octets, Relaxed);
        self.last.store(self.now(), Relaxed);
    }

    /// The zone of the file is ready, or was given up.
    pub fn end(&self) {
        self.of.store(0, Relaxed);
    }

    /// What can be said; nothing before the first octets.
    pub fn shown(&self) -> Option<Shown> {
        let (of, read) = (self.of.load(Relaxed), self.read.load(Relaxed));
        if of == 0 || read == 0 {
            return None;
        }
        let (begun, last) = (self.begun.load(Relaxed), self.last.load(Relaxed));
        let reading = last.saturating_sub(begun) as f64 * of as f64 / read as f64;
        let end = begun as f64 + reading / READING;
        let remaining = Duration::from_micros((end - self.now() as f64).max(0.0) as u64);
        Some(Shown { read, of, remaining })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_a_file_from_its_first_octets_to_its_end() {
        let meter = Meter::new(Arc::new(Pulse::new(1)));
        assert_eq!(meter.shown(), None);
        meter.begin(1000);
        assert_eq!(meter.shown(), None);
        meter.begun.store(0, Relaxed);
        meter.add(250);
        // As if the quarter had taken an hour.
        meter.last.store(3_600_000_000, Relaxed);
        let shown = meter.shown().unwrap();
        assert_eq!((shown.read, shown.of), (250, 1000));
        let hours = shown.remaining.as_secs_f64() / 3600.0;
        assert!((11.9..=12.0).contains(&hours), "four hours to read, eight to compile: {hours}");
        meter.end();
        assert_eq!(meter.shown(), None);
    }
}
