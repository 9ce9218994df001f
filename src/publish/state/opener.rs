//! Opens the state directory on a thread of its own: its disk may not answer, and zones that have files are served all the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::publish::error::PublishError;
use crate::publish::settings::HistoryBounds;
use crate::publish::state::directory::{StateDirectory, StateError};
use crate::publish::state::store::Store;
use crate::publish::state::store::shared::StoreShared;
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::writer::StateWriter;
use crate::sys::pending::{Pending, Unfinished};
use crate::telemetry::locked;
use crate::telemetry::pulse::{Observed, Pulse, Work};

/// What became of it.
pub(in crate::publish) type OpenOutcome = Result<StateDirectory, PublishError>;

/// What is said of a directory that has not answered yet.
const SILENT: &str = "it does not answer";

/// How often the one who waits looks whether the thread goes on.
const TICK: Duration = Duration::from_millis(100);

/// Opens the directory, as often as that is asked for: one opening goes on at a time.
#[derive(Debug)]
pub(in crate::publish) struct StateOpener {
    /// `None`: none is configured.
    directory: Option<PathBuf>,
    /// Called when it is open; and when something became of what is to be kept.
    wake: Arc<Notify>,
    /// Where the state writer has its place.
    pulse: Arc<Pulse>,
    shared: StoreShared,
    pending: Option<Pending<OpenOutcome>>,
    /// Where the thread that opens has its place.
    own_pulse: Arc<Pulse>,
}

impl StateOpener {
    /// Opens nothing yet.
    pub(in crate::publish) fn new(
        (directory, bounds): (Option<&Path>, HistoryBounds),
        wake: Arc<Notify>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            directory: directory.map(Path::to_path_buf),
            wake,
            pulse,
            shared: StoreShared { bounds: Arc::new(Mutex::new(bounds)), serials: ZoneSerials::default() },
            pending: None,
            own_pulse: Arc::new(Pulse::new(0)),
        }
    }

    /// The directory, if one is configured.
    pub(in crate::publish) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// How much may be kept of the steps of a zone from now on.
    pub(in crate::publish) fn set_bounds(&self, bounds: HistoryBounds) {
        *locked(&self.shared.bounds) = bounds;
    }

    /// Which serials zones had before: the same for each directory that is opened.
    pub(in crate::publish) fn serials(&self) -> ZoneSerials {
        self.shared.serials.clone()
    }

    /// Whether an opening goes on.
    pub(in crate::publish) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Opens it at the start; `None` if its thread has waited for the disk so long without a break. A large one takes as long as it takes:
    /// what it holds must not be taken for unknown because of that.
    pub(in crate::publish) fn open_at_start(&mut self, silence: Duration) -> Option<OpenOutcome> {
        if let Some(opened) = self.open(TICK) {
            return Some(opened);
        }
        let (start, mut observed) = (Instant::now(), Observed::default());
        loop {
            if let Some(opened) = self.wait(TICK) {
                return Some(opened);
            }
            let shown = self.own_pulse.shown().flatten().next();
            let silent = shown.map(|shown| observed.observe(shown, start.elapsed()));
            if silent.is_some_and(|silent| silent >= silence) {
                return None;
            }
        }
    }

    /// Opens it and waits so long at most; while an opening goes on that one is asked for, without waiting. `None`: it goes on.
    pub(in crate::publish) fn open(&mut self, patience: Duration) -> Option<OpenOutcome> {
        let Some(directory) = self.directory.clone() else {
            return Some(Ok(StateDirectory::None));
        };
        let (wake, pulse, shared) = (self.wake.clone(), self.pulse.clone(), self.shared.clone());
        let open = move || StateDirectory::open(Some(&directory), &wake, &pulse, &shared);
        self.begin_or_ask(open, patience)
    }

    /// The same for one that could be read only.
    pub(in crate::publish) fn open_to_write(
        &mut self,
        store: Arc<Store>,
        patience: Duration,
    ) -> Option<OpenOutcome> {
        let (wake, pulse) = (self.wake.clone(), self.pulse.clone());
        let open = move || match store.lock_and_probe() {
            Ok(()) => StateWriter::start(store, wake, pulse)
                .map(StateDirectory::Kept)
                .map_err(|source| PublishError::Thread { source }),
            Err(why) => Ok(StateDirectory::Unwritable { store: Some(store), error: StateError::new(why) }),
        };
        self.begin_or_ask(open, patience)
    }

    fn begin_or_ask(
        &mut self,
        open: impl FnOnce() -> OpenOutcome + Send + 'static,
        patience: Duration,
    ) -> Option<OpenOutcome> {
        if self.is_pending() {
            return self.wait(Duration::ZERO);
        }
        let (place, wake) = (self.own_pulse.reserve(Work::Keep), self.wake.clone());
        let work = move || {
            place.begin();
            open()
        };
        match Pending::start("state-opener", work, move || wake.notify_one()) {
            Ok(pending) => self.pending = Some(pending),
            Err(source) => return Some(Err(PublishError::Thread { source })),
        }
        self.wait(patience)
    }

    /// Waits so long at most for the opening that goes on.
    fn wait(&mut self, patience: Duration) -> Option<OpenOutcome> {
        let pending = self.pending.take()?;
        match pending.wait(patience) {
            Ok(opened) => Some(opened),
            Err(Unfinished::GoesOn) => {
                self.pending = Some(pending);
                None
            }
            Err(Unfinished::Ended) => Some(Ok(unread("opening it panicked"))),
        }
    }
}

/// Of a directory that has not answered yet.
pub(in crate::publish) fn silent() -> StateDirectory {
    unread(SILENT)
}

fn unread(error: &str) -> StateDirectory {
    StateDirectory::Unwritable { store: None, error: StateError::new(error) }
}
