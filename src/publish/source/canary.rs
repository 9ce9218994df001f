//! The canary of the notifications: a file that is written every second and whose change must be heard.
//!
//! The file is in memory and watched like the zones' directories, on the same queue and by the same thread. If the thread
//! that takes notifications hangs, or none come, the canary is not heard. Where it cannot be had (no memfd_create(2), no
//! /proc, no watch left) nothing is written and nothing is said of it; [`WatchState`](crate::publish::WatchState) tells of a watch that
//! is missing.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::sys::memfd::memory_file;

use crate::telemetry::pulse::Pulse;

/// The canary.
#[derive(Debug)]
pub(in crate::publish) struct Canary {
    /// What is watched, for as long as it is open.
    _file: File,
    /// The same file opened once more by its path: since Linux 6.14 nothing is told of what is written through the first.
    writer: File,
    path: PathBuf,
    pulse: Arc<Pulse>,
}

impl Canary {
    /// How often it is written: several times within the observer's patience.
    pub(in crate::publish) const PERIOD: Duration = Duration::from_secs(1);

    pub(in crate::publish) fn new(pulse: Arc<Pulse>) -> io::Result<Self> {
        let file = memory_file()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let writer = File::options().write(true).open(&path)?;
        Ok(Self { _file: file, writer, path, pulse })
    }

    /// What to watch.
    pub(in crate::publish) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file; never waits for a disk.
    pub(in crate::publish) fn write(&self) {
        self.pulse.canary_written.fetch_add(1, Relaxed);
        if let Err(error) = self.writer.write_all_at(b".", 0) {
            tracing::debug!(%error, "the canary of the notifications cannot be written");
        }
    }

    /// A change was heard: all up to the last writing.
    pub(in crate::publish) fn heard(&self) {
        self.pulse.canary_heard.store(self.pulse.canary_written.load(Relaxed), Relaxed);
    }
}
