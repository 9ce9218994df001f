//! The thread that supervises the speaker (1x): when the speaker has sent no heartbeat for longer than the lease, it ends every BGP
//! connection (shutdown(2)), so that the neighbors drop the routes of a POP whose deciding task no longer controls them.
//!
//! Never locks and, before it has acted, never logs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::Thread;
use std::time::Instant;

use super::bgp::Sessions;
use super::gate::LeaseTime;
use crate::telemetry::{Beat, Freshness, RunTime, keep_thread_running};

/// The watchdog at work.
#[derive(Debug)]
pub(super) struct Watchdog {
    beat: Beat,
    stop: Arc<AtomicBool>,
    thread: Thread,
}

impl Watchdog {
    /// Starts the thread.
    pub(super) fn start(lease: LeaseTime, speaker: Beat, sessions: Sessions) -> io::Result<Self> {
        let (beat, stop) = (Beat::new("watchdog"), Arc::new(AtomicBool::new(false)));
        let handle = std::thread::Builder::new().name("watchdog".to_owned()).spawn({
            let (beat, stop) = (beat.clone(), stop.clone());
            move || keep_thread_running(&beat, || watch(&lease, &speaker, &sessions, &beat, &stop))
        })?;
        Ok(Self { beat, stop, thread: handle.thread().clone() })
    }

    pub(super) fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Ends the thread soon.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
        self.thread.unpark();
    }
}

fn watch(lease: &LeaseTime, speaker: &Beat, sessions: &Sessions, beat: &Beat, stop: &AtomicBool) {
    let (mut time, mut freshness) = (RunTime::new(Instant::now()), Freshness::default());
    while !stop.load(Relaxed) {
        beat.beat();
        let age = freshness.observe(speaker.beats(), time.advance(Instant::now()));
        if age >= lease.get() && !speaker.has_ended() {
            let connections = sessions.shut_down();
            if connections > 0 {
                let silent_ms = age.as_millis() as u64;
                tracing::error!(
                    connections,
                    silent_ms,
                    "the speaker does not run: its BGP connections were shut down"
                );
            }
        }
        std::thread::park_timeout(Beat::PERIOD);
    }
}
