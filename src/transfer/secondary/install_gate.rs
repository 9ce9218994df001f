//! Whether what was begun for a zone may still go into service.
//!
//! A zone that goes, and maybe comes anew under the same name (RFC 9432 section 5.4), closes the gate of what was begun for it: what
//! waits is forgotten, what is being transferred ends, and what has come whole is dropped. What is being put into service at that
//! moment can be waited for, so that nothing follows it.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::wire::Name;

use super::fetch_error::FetchError;
use super::sink::{Sink, SinkError};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct InstallGate {
    closed: CancellationToken,
    /// Locked while something is put into service; the gates of a zone share it, one after the other.
    passing: Arc<Mutex<()>>,
}

impl InstallGate {
    /// Another gate for the same zone, open. What passes this one is waited for at that one, too.
    pub(super) fn next(&self) -> Self {
        Self { closed: CancellationToken::new(), passing: self.passing.clone() }
    }

    /// Nothing passes any more, but for what is passing now.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Waits until nothing passes.
    pub(super) async fn passed(&self) {
        drop(self.passing.lock().await);
    }

    /// Puts a version into service, on a thread that may block.
    ///
    /// # Errors
    /// The gate is closed, or the version is not in service.
    pub(super) fn pass(&self, install: impl FnOnce() -> Result<(), SinkError>) -> Result<(), FetchError> {
        let _passing = self.passing.blocking_lock();
        match self.closed.is_cancelled() {
            true => Err(FetchError::ZoneGone),
            false => Ok(install()?),
        }
    }
}

/// Has nothing wait of zones that are gone, once what was passing their gates has passed.
pub(super) async fn forget(sink: Arc<dyn Sink>, gone: Vec<(Name, Arc<InstallGate>)>) {
    // Starts no thread when no zone is gone.
    if gone.is_empty() {
        return;
    }
    for (_, gate) in &gone {
        gate.passed().await;
    }
    let forget = move || gone.iter().for_each(|(zone, _)| sink.forget(zone));
    // A panic is in the log.
    let _ = tokio::task::spawn_blocking(forget).await;
}
