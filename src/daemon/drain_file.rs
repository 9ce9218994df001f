//! The file that keeps an ordered drain: a POP that was taken out of service stays out when the process restarts.
//!
//! A reason in, or the end of the drain; a blocking thread writes or removes the file, one order after the other; what came of it
//! out. The deciding task never waits for the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::control::Reply;
use crate::publish;

use super::drain::Drain;

/// The file, and the end of a drain that is on its way to it.
#[derive(Debug)]
pub(super) struct DrainFile {
    /// `None` without a state directory.
    path: Option<PathBuf>,
    /// Who holds it writes; the others wait in their order.
    turn: Arc<Mutex<()>>,
    ending: Option<(JoinHandle<io::Result<bool>>, Reply)>,
}

impl DrainFile {
    pub(super) fn new(settings: &publish::Settings) -> Self {
        let path = settings.state_directory.as_ref().map(|directory| directory.join("drained"));
        Self { path, turn: Arc::default(), ending: None }
    }

    /// The drain that was ordered before a restart. Blocks: for the start.
    pub(super) fn restore(&self, now: Instant) -> Drain {
        let reason = self.path.as_ref().and_then(|file| fs::read_to_string(file).ok());
        reason.map_or(Drain::None, |reason| {
            tracing::warn!(reason, "drained before the restart, and still");
            Drain::restored(reason, now)
        })
    }

    /// Keeps the drain, or with `None` its end; false where there is no state directory.
    pub(super) fn keep(&self, reason: Option<String>) -> JoinHandle<io::Result<bool>> {
        let (path, turn) = (self.path.clone(), self.turn.clone());
        tokio::spawn(async move {
            let Some(path) = path else { return Ok(false) };
            let _turn = turn.lock().await;
            let written = spawn_blocking(move || write(&path, reason.as_deref())).await;
            written.map_err(io::Error::other).flatten().map(|()| true)
        })
    }

    /// Removes the file; [`DrainFile::ended`] tells when that is done. Returns an earlier asker whom nobody answers otherwise.
    pub(super) fn end(&mut self, reply: Reply) -> Option<Reply> {
        let removed = self.keep(None);
        self.ending.replace((removed, reply)).map(|(_, reply)| reply)
    }

    /// A newer drain replaces an end that is on its way; returns who asked for that end.
    pub(super) fn forget_end(&mut self) -> Option<Reply> {
        self.ending.take().map(|(_, reply)| reply)
    }

    /// What came of the end of a drain, and who asked for it. Cancel-safe; never returns while none is on its way.
    pub(super) async fn ended(&mut self) -> (io::Result<bool>, Reply) {
        let Some((removed, _)) = &mut self.ending else { return std::future::pending().await };
        let removed = removed.await.map_err(io::Error::other).flatten();
        match self.ending.take() {
            Some((_, reply)) => (removed, reply),
            None => std::future::pending().await,
        }
    }
}

fn write(file: &Path, reason: Option<&str>) -> io::Result<()> {
    match reason {
        Some(reason) => {
            let fresh = file.with_extension("new");
            fs::write(&fresh, reason)?;
            fs::rename(&fresh, file)
        }
        None => match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}
