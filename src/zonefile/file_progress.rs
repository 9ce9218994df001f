//! How far the large file is that is being read: one at a time is (`pieces`), and a look at all zones says so.
//!
//! Octets read flow in from the thread that cuts the file, and what to expect flows out to whoever asks. Never locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::telemetry::pulse::Pulse;

/// Reading is this part of what a large zone takes; sorting, checking and compiling are the rest.
const READING: f64 = 1.0 / 3.0;

/// How far it is.
#[derive(Debug)]
pub struct FileProgress {
    /// Where the threads that read the file's pieces have their places.
    pub pulse: Arc<Pulse>,
    start: Instant,
    /// Octets of the file; 0 while there is none.
    of: AtomicU64,
    read: AtomicU64,
    /// When its reading began and when the last octets came, in microseconds since `start`.
    began: AtomicU64,
    last: AtomicU64,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShownProgress {
    pub read: u64,
    pub of: u64,
    /// Until the zone is ready, if it goes on as it did.
    pub remaining: Duration,
}

impl FileProgress {
    /// Shows nothing yet.
    pub fn new(pulse: Arc<Pulse>) -> Self {
        let zero = || AtomicU64::new(0);
        Self { pulse, start: Instant::now(), of: zero(), read: zero(), began: zero(), last: zero() }
    }

    /// A file of so many octets begins.
    pub fn begin(&self, octets: u64) {
        let now = self.now();
        self.began.store(now, Relaxed);
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
    pub fn shown(&self) -> Option<ShownProgress> {
        let (of, read) = (self.of.load(Relaxed), self.read.load(Relaxed));
        if of == 0 || read == 0 {
            return None;
        }
        let (began, last) = (self.began.load(Relaxed), self.last.load(Relaxed));
        let reading = last.saturating_sub(began) as f64 * of as f64 / read as f64;
        let end = began as f64 + reading / READING;
        let remaining = Duration::from_micros((end - self.now() as f64).max(0.0) as u64);
        Some(ShownProgress { read, of, remaining })
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
        let file_progress = FileProgress::new(Arc::new(Pulse::new(1)));
        assert_eq!(file_progress.shown(), None);
        file_progress.begin(1000);
        assert_eq!(file_progress.shown(), None);
        file_progress.began.store(0, Relaxed);
        file_progress.add(250);
        // As if the quarter had taken an hour.
        file_progress.last.store(3_600_000_000, Relaxed);
        let shown = file_progress.shown().unwrap();
        assert_eq!((shown.read, shown.of), (250, 1000));
        let hours = shown.remaining.as_secs_f64() / 3600.0;
        assert!((11.9..=12.0).contains(&hours), "four hours to read, eight to compile: {hours}");
        file_progress.end();
        assert_eq!(file_progress.shown(), None);
    }
}
