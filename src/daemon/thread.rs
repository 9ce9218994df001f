//! A named thread with a runtime of its own, for one part of the control plane.
//!
//! What runs on it shares no scheduler with the other parts: one that hangs or is frozen holds up nobody else's timers or
//! sockets.

use std::io;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::daemon::DaemonError;

/// How often it is looked whether a thread has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A running thread.
#[derive(Debug)]
pub(super) struct Thread {
    name: &'static str,
    handle: std::thread::JoinHandle<()>,
    stop: CancellationToken,
}

impl Thread {
    /// Starts the thread and runs on it what `work` makes, until that ends or `stop` is cancelled.
    pub(super) fn start<F: Future<Output = ()>>(
        name: &'static str,
        stop: CancellationToken,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Self, DaemonError> {
        let stopped = stop.clone();
        Self::start_ending(name, stop, move || async move {
            stopped.run_until_cancelled(work()).await;
        })
    }

    /// The same for work that ends by itself soon after `stop` is cancelled.
    pub(super) fn start_ending<F: Future<Output = ()>>(
        name: &'static str,
        stop: CancellationToken,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Self, DaemonError> {
        let failed = |source: io::Error| DaemonError::Thread { name, source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let run = move || {
            runtime.block_on(async { work().await });
            // A blocking call that hangs must not hold up the stop.
            runtime.shutdown_background();
        };
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(failed)?;
        Ok(Self { name, handle, stop })
    }

    /// Ends it soon.
    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Ends it, and waits for that up to `patience`.
    pub(super) async fn stop(self, patience: Duration) {
        self.stop.cancel();
        let ended = async {
            while !self.handle.is_finished() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::warn!(thread = self.name, "the thread does not end; it is left behind");
        }
    }
}
