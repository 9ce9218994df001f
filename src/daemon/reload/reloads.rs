//! The reloads that are on their way.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use crate::config::Loaded;
use crate::control::Reply;
use crate::telemetry::with_causes;

/// A configuration that was read, or why it cannot be used.
pub(in crate::daemon) type Read = Result<ReadConfig, String>;

/// A configuration that was read.
#[derive(Debug)]
pub(in crate::daemon) struct ReadConfig {
    pub(in crate::daemon) loaded: Loaded,
    /// A directory that does not answer, so that it is not known whether zones are left.
    pub(in crate::daemon) silent: Option<PathBuf>,
}

/// Where the looks are that have not come back, of those whether a configuration leaves zones: one at a directory that does not answer
/// has no end.
pub(in crate::daemon) type ZoneLooks = Arc<Mutex<Vec<Arc<Mutex<PathBuf>>>>>;

/// The reloads that were asked for and have not been read yet. One file is read at a time; all that are asked for meanwhile are one
/// reload after it.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Reloads {
    pub(in crate::daemon) reading: Option<(JoinHandle<Read>, Vec<Reply>)>,
    pub(in crate::daemon) next: Option<Vec<Reply>>,
    pub(in crate::daemon) looks: ZoneLooks,
}

impl Reloads {
    /// The next file that was read, and who is told of it. Cancel-safe; never returns while nothing is read.
    pub(in crate::daemon) async fn read(&mut self) -> (Read, Vec<Reply>) {
        let Some((reading, _)) = &mut self.reading else { return std::future::pending().await };
        let read = reading.await.unwrap_or_else(|error| Err(with_causes(&error)));
        let replies = self.reading.take().map(|(_, replies)| replies).unwrap_or_default();
        (read, replies)
    }
}
