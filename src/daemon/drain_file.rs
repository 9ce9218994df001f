//! The file that keeps an ordered drain: a POP that was taken out of service stays out when the process restarts.
//!
//! A reason in, or the end of the drain; a blocking thread writes or removes the file, one order after the other; what came of it
//! out. The deciding task never waits for the disk.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::control::Reply;
use crate::publish;
use crate::sys::files::{self, Durability, FileError};
use crate::sys::pending::{Pending, Unfinished};
use crate::telemetry::with_causes;

use crate::daemon::drain::Drain;

/// Octets of the file at most: more than a request over the admin socket has.
const MOST_OCTETS: u64 = 64 << 10;

/// How long a start waits for the disk of the file. One that does not answer tells no more than a file that cannot be read, until it does.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a drain was ordered that a start goes on with, or why that cannot be told; `None` if there is none. Blocks.
pub fn ordered_drain(settings: &publish::Settings) -> Option<String> {
    reason_in(files::read(&file_in(settings)?, MOST_OCTETS, false)).unwrap_or_else(Some)
}

/// Why a drain was ordered; `None` if there is no file, which alone says that nobody did.
///
/// # Errors
/// It is not known: in the words of a reason.
fn reason_in(read: Result<Vec<u8>, FileError>) -> Result<Option<String>, String> {
    match read {
        Ok(octets) => Ok(Some(String::from_utf8_lossy(&octets).into_owned())),
        Err(FileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("unknown, because its file cannot be read: {}", with_causes(&error))),
    }
}

/// `None` without a state directory.
fn file_in(settings: &publish::Settings) -> Option<PathBuf> {
    settings.state_directory.as_ref().map(|directory| directory.join("drained"))
}

/// The file, and the end of a drain that is on its way to it.
#[derive(Debug)]
pub(super) struct DrainFile {
    /// `None` without a state directory.
    path: Option<PathBuf>,
    /// Who holds it writes; the others wait in their order.
    turn: Arc<Mutex<()>>,
    ending: Option<(JoinHandle<io::Result<bool>>, Reply)>,
    /// Whether the file could not be read at the start.
    is_unknown: bool,
    /// The reading of a start whose disk did not answer.
    late: Option<Pending<Result<Vec<u8>, FileError>>>,
}

impl DrainFile {
    pub(super) fn new(settings: &publish::Settings) -> Self {
        Self { path: file_in(settings), turn: Arc::default(), ending: None, is_unknown: false, late: None }
    }

    /// Whether a drain was only supposed at the start, because the file could not be read.
    pub(super) fn is_unknown(&self) -> bool {
        self.is_unknown
    }

    /// The drain that was ordered before a restart. A file that cannot be read is one, too: only no file says that nobody ordered it.
    /// Blocks, for [`PATIENCE`] at most: for the start.
    pub(super) fn restore(&mut self, now: Instant) -> Drain {
        let Some(file) = self.path.clone() else { return Drain::None };
        let path = file.clone();
        let reading = Pending::start("drain-file", move || files::read(&path, MOST_OCTETS, false), || {});
        let read = match reading {
            Err(source) => Err(FileError::Read { path: file, source }),
            Ok(reading) => reading.wait(PATIENCE).unwrap_or_else(|_| {
                self.late = Some(reading);
                Err(FileError::Read { path: file, source: io::ErrorKind::TimedOut.into() })
            }),
        };
        self.drain_of(read, now)
    }

    /// What was ordered before a restart, once the disk of the file answers, if it did not at the start.
    pub(super) fn restore_late(&mut self, now: Instant) -> Option<Drain> {
        match self.late.as_ref()?.wait(Duration::ZERO) {
            Err(Unfinished::GoesOn) => None,
            Err(Unfinished::Ended) => {
                self.late = None;
                None
            }
            Ok(read) => {
                (self.late, self.is_unknown) = (None, false);
                tracing::info!("the file of the drain can be read");
                Some(self.drain_of(read, now))
            }
        }
    }

    /// An order counts, and not what the file said before.
    pub(super) fn forget_late(&mut self) {
        self.late = None;
    }

    fn drain_of(&mut self, read: Result<Vec<u8>, FileError>, now: Instant) -> Drain {
        match reason_in(read) {
            Ok(None) => Drain::None,
            Ok(Some(reason)) => {
                tracing::warn!(reason, "drained before the restart, and still");
                Drain::restored(reason, now)
            }
            Err(unknown) => {
                tracing::error!(
                    reason = unknown,
                    "whether a drain was ordered before the restart: drained until undrain"
                );
                self.is_unknown = true;
                Drain::restored(unknown, now)
            }
        }
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
    let changed = match reason {
        Some(reason) => files::replace(file, Durability::Synced, |file| file.write_all(reason.as_bytes())),
        None => files::remove(file, Durability::Synced),
    };
    // The disk of the state directory is broken, or somebody has put something else there: it is said where.
    changed.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::policy::Operator;

    fn restored(directory: &Path) -> Operator {
        let path = Some(directory.join("drained"));
        let mut file = DrainFile { path, turn: Arc::default(), ending: None, is_unknown: false, late: None };
        let now = Instant::now();
        file.restore(now).operator(now)
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_drain_and_only_no_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drained");
        assert_eq!(restored(directory.path()), Operator::Automatic);
        fs::write(&path, b"broken \xff fan").unwrap();
        let drained = |reason: &str| Operator::Withdraw { reason: reason.to_owned() };
        assert_eq!(restored(directory.path()), drained("broken \u{fffd} fan"));
        let unreadable = |words: &str| match restored(directory.path()) {
            Operator::Withdraw { reason } => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        };
        fs::write(&path, vec![b'x'; MOST_OCTETS as usize + 1]).unwrap();
        unreadable("has more than 65536 octets");
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        unreadable("is a FIFO");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("drained", &path).unwrap();
        unreadable("cannot be read");
    }

    #[test]
    fn a_drain_is_kept_until_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drained");
        write(&path, Some("work")).unwrap();
        assert_eq!(restored(directory.path()), Operator::Withdraw { reason: "work".to_owned() });
        write(&path, None).unwrap();
        assert_eq!(restored(directory.path()), Operator::Automatic);
        fs::create_dir(&path).unwrap();
        let error = write(&path, None).unwrap_err().to_string();
        assert!(error.contains("drained: "), "{error}");
    }
}
