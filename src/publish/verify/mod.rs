//! Verifies the DNSSEC signatures of what is served, and makes the digests of its content, behind the serving.
//!
//! ```text
//!   names of changed zones --> Verify (bounded, else "look at all") --> thread `verify` --> outcomes --> zones-0 --> Report
//!                                                                         ^  reads the published snapshot
//!   a version that may be refused --> parallel::verify, on the cores of the look, before it is published
//! ```
//!
//! The thread (1x) runs when no other thread of the machine wants the core, takes a slice of time for each zone in turn and goes
//! over to a newer version at once. It shares no lock with anybody: frozen or panicked it delays neither a deploy nor an answer, and
//! no route depends on it. [`crate::publish::work::liveness`] tells when it does nothing.

pub(super) mod before;
mod digests;
mod modes;
mod outcome;
pub(super) mod parallel;
mod queue;
mod thread;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::Notify;

use crate::telemetry::{Beat, ContentSums};
use crate::wire::Name;
use crate::zone::Published;

use crate::publish::settings::Settings;
use crate::telemetry::pulse::Pulse;
pub(super) use modes::Modes;
pub use outcome::Signatures;
pub(super) use outcome::VerifyOutcome;
use queue::Shared;

#[cfg(test)]
pub(super) use thread::PANICS as VERIFY_PANICS;

/// The thread and what it is told.
#[derive(Debug)]
pub(super) struct Verify {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Verify {
    /// Nothing is verified before [`Verify::start`]. `wake` is called when there are outcomes.
    pub(super) fn new(
        settings: &Settings,
        published: Arc<Published>,
        wake: Arc<Notify>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let shared = Shared::new(Modes::new(settings), published, wake, pulse);
        Self { shared: Arc::new(shared), thread: None }
    }

    /// Starts the thread; its panics are counted by the beat.
    pub(super) fn start(&mut self, beat: Beat) -> io::Result<()> {
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name("verify".to_owned())
            .spawn(move || thread::run(&shared, &beat))?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Sums over the contents of what is served.
    pub(super) fn contents(&self) -> Arc<ContentSums> {
        self.shared.contents.clone()
    }

    /// What to do with signatures.
    pub(super) fn modes(&self) -> Arc<Modes> {
        self.shared.modes.load_full()
    }

    /// Takes other settings.
    pub(super) fn set_modes(&self, settings: &Settings) {
        self.shared.modes.store(Arc::new(Modes::new(settings)));
        self.shared.look_at_all();
        self.unpark();
    }

    /// Tells that other versions of these zones are served, or none. Never waits.
    pub(super) fn changed<'n>(&self, zones: impl IntoIterator<Item = &'n Name>) {
        zones.into_iter().for_each(|zone| self.shared.changed(zone.clone()));
        self.unpark();
    }

    /// What was found since it was last asked.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = VerifyOutcome> {
        std::iter::from_fn(|| self.shared.outcomes.pop())
    }

    fn unpark(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Verify {
    /// Ends the thread without waiting for it: nothing that it holds needs an end in order.
    fn drop(&mut self) {
        self.shared.stop();
        self.unpark();
    }
}
