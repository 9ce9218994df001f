//! Orders that may wait for a disk: each takes a thread, and so many threads at one time are theirs.
//!
//! A disk that hangs keeps the threads of those who asked for it, while scripts go on to ask. The reading of a reload and the file of a
//! drain need threads of the same runtime.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::control::{Reply, Response};

use crate::daemon::response::failed;

/// Threads at one time: more make no disk faster.
const MOST_THREADS: usize = 8;
/// How long an order waits for its turn: its client waits a second longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// The turns of such orders.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct BlockingOrders(Arc<Semaphore>);

impl Default for BlockingOrders {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_THREADS)))
    }
}

impl BlockingOrders {
    /// Does the work on a thread when it is its turn, and answers.
    pub(in crate::daemon) fn carry_out(
        &self,
        reply: Reply,
        work: impl FnOnce() -> Response + Send + 'static,
    ) {
        let turns = self.clone();
        tokio::spawn(async move {
            match turns.take().await {
                Err(busy) => reply.send(busy),
                Ok(turn) => drop(spawn_blocking(move || {
                    reply.send(work());
                    drop(turn);
                })),
            }
        });
    }

    /// A turn, which lasts until it is dropped; or what the client is told.
    pub(in crate::daemon) async fn take(&self) -> Result<OwnedSemaphorePermit, Response> {
        match timeout(PATIENCE, self.0.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(failed(format!(
                "busy: {MOST_THREADS} orders wait for a disk, of the state directory or of zone files; nothing was done"
            ))),
        }
    }
}
