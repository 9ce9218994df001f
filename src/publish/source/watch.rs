//! Hears of changes in the watched directories.
//!
//! The system's notifications flow in on the watcher's own thread; "look soon", "look later" and what is wrong with
//! the watching flow out through [`Heard`]. Never says what changed: a look at everything decides that, so that a
//! lost or doubled notification does no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::publish::settings::Settings;
use crate::publish::source::canary::Canary;
use crate::publish::source::watch_set::WatchSet;
use crate::telemetry::pulse::Pulse;

/// Files known to be written at the same time; beyond it they are read when the kernel's lease says so or not.
const MAX_WRITTEN: usize = 10_000;

/// A writer that wrote nothing for so long is taken for gone, where the kernel's lease does not tell: a truncate(2)
/// has no end that could be heard.
const WRITER_PATIENCE: Duration = Duration::from_secs(60);

/// What is known of a program that writes to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum Writer {
    /// Nothing was heard of one.
    None,
    /// A change was heard and not its end.
    Writes,
    /// It has closed the file a moment ago, after writing to it in place: it may open it again and go on.
    Settles,
}

/// What was heard since it was last asked.
#[derive(Debug, Default)]
pub(in crate::publish) struct Heard {
    /// Something changed.
    pub(in crate::publish) changed: bool,
    /// A file is being written; its end will be heard.
    pub(in crate::publish) changing: bool,
    /// The system lost notifications: its queue was full.
    pub(in crate::publish) overflowed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    set: WatchSet,
    heard: Heard,
    /// A watched directory was moved or deleted, so watches must be set again.
    moved: bool,
    /// The watching failed.
    failed: Option<String>,
    /// Files written to and not closed yet, and when they were written to last.
    written: BTreeMap<PathBuf, Instant>,
    /// Files that were written to in place and closed, and when. One that another file took the place of is not.
    closed: BTreeMap<PathBuf, Instant>,
}

/// The watches and what they heard.
pub(in crate::publish) struct Watch {
    shared: Arc<Mutex<Shared>>,
    wake: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    canary: Option<Arc<Canary>>,
    /// What is watched, by device and inode, so that another directory in the same place is noticed.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    degraded: Option<String>,
}

impl Watch {
    /// Starts the watcher; one that cannot be started is said in [`Watch::degraded`]. `wake` is called whenever
    /// something was heard; the pulse tells whether the canary is.
    pub(in crate::publish) fn start(wake: Arc<Notify>, pulse: Arc<Pulse>) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let canary = Canary::new(pulse).ok().map(Arc::new);
        let (for_thread, wake_thread, for_canary) = (shared.clone(), wake.clone(), canary.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let (Some(canary), Ok(event)) = (&for_canary, &event)
                && event.paths.iter().any(|path| path == canary.path())
            {
                return canary.heard();
            }
            if lock(&for_thread).hear(event) {
                wake_thread.notify_one();
            }
        });
        let (mut watcher, degraded) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(format!("cannot watch: {error}"))),
        };
        let canary = canary.filter(|canary| {
            let watched = |watcher: &mut RecommendedWatcher| {
                watcher.watch(canary.path(), RecursiveMode::NonRecursive).is_ok()
            };
            watcher.as_mut().is_some_and(watched)
        });
        Self { shared, wake, watcher, canary, watched: BTreeMap::new(), degraded }
    }

    /// The file by which it is seen whether notifications come, if it can be had.
    pub(in crate::publish) fn canary(&self) -> Option<Arc<Canary>> {
        self.canary.clone()
    }

    /// Takes what was heard.
    pub(in crate::publish) fn take(&mut self) -> Heard {
        std::mem::take(&mut lock(&self.shared).heard)
    }

    /// Stops the watcher's thread at its next notification, as a busy machine would, until the guard is dropped.
    #[cfg(all(test, native))]
    pub(in crate::publish) fn hold(&self) -> impl Drop + use<> {
        struct Held(std::sync::mpsc::Sender<()>, Option<std::thread::JoinHandle<()>>);
        impl Drop for Held {
            fn drop(&mut self) {
                let _ = self.0.send(());
                self.1.take().unwrap().join().unwrap();
            }
        }
        let (shared, (release, released)) = (self.shared.clone(), std::sync::mpsc::channel());
        let (locked, is_locked) = std::sync::mpsc::channel();
        let holder = std::thread::spawn(move || {
            let _guard = lock(&shared);
            locked.send(()).unwrap();
            let _ = released.recv();
        });
        is_locked.recv().unwrap();
        Held(release, Some(holder))
    }

    /// Makes it as if a change had been heard.
    pub(in crate::publish) fn nudge(&self) {
        lock(&self.shared).heard.changed = true;
        self.wake.notify_one();
    }

    /// Why not every change is heard at once; `None` while all is well.
    pub(in crate::publish) fn degraded(&self) -> Option<&str> {
        self.degraded.as_deref()
    }

    /// Answers what is known of the writer of a file, for any thread; one that closed it longer ago than `settle` is done.
    pub(in crate::publish) fn writer(&self, settle: Duration) -> impl Fn(&Path) -> Writer + Sync + use<> {
        let shared = self.shared.clone();
        move |path: &Path| {
            if lock(&shared).is_quiet() {
                return Writer::None;
            }
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
            let shared = lock(&shared);
            let lately = |times: &BTreeMap<PathBuf, Instant>, limit| {
                times.get(&real).is_some_and(|time| time.elapsed() < limit)
            };
            match (lately(&shared.written, WRITER_PATIENCE), lately(&shared.closed, settle)) {
                (true, _) => Writer::Writes,
                (false, true) => Writer::Settles,
                (false, false) => Writer::None,
            }
        }
    }

    /// Watches exactly these directories. Says whether a watch was added: what happened there before was not
    /// heard, so it must be looked at again.
    pub(in crate::publish) fn set(&mut self, set: WatchSet) -> bool {
        let moved = {
            let mut shared = lock(&self.shared);
            shared.set = set.clone();
            std::mem::take(&mut shared.moved)
        };
        let Some(watcher) = &mut self.watcher else { return false };
        let wanted: BTreeMap<PathBuf, (u64, u64)> = set
            .directories()
            .into_iter()
            .filter_map(|path| {
                let status = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
                Some((path.to_path_buf(), (status.dev(), status.ino())))
            })
            .collect();
        let stale: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, inode)| moved || wanted.get(*path) != Some(inode))
            .map(|(path, _)| path.clone())
            .collect();
        for path in stale {
            self.watched.remove(&path);
            // It fails where the system dropped the watch together with the directory.
            let _ = watcher.unwatch(&path);
        }
        let mut added = false;
        let mut faults = BTreeSet::new();
        for (path, inode) in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    added = true;
                    self.watched.insert(path, inode);
                }
                Err(error) => {
                    faults.insert(format!("cannot watch {}: {error}", path.display()));
                }
            }
        }
        let failed = lock(&self.shared).failed.take();
        self.degraded = failed.into_iter().chain(faults).next();
        added
    }
}

impl Shared {
    /// Takes one notification; says whether it matters.
    fn hear(&mut self, event: notify::Result<Event>) -> bool {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.failed = Some(format!("watching failed: {error}"));
                self.heard.changed = true;
                return true;
            }
        };
        if event.need_rescan() {
            self.heard.overflowed = true;
            self.heard.changed = true;
            self.written.clear();
            self.closed.clear();
            return true;
        }
        let gone = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        let moved = gone && event.paths.iter().any(|path| self.set.is_watched(path));
        self.moved |= moved;
        let matters = moved || event.paths.iter().any(|path| self.set.matters(path));
        if !matters {
            return false;
        }
        match event.kind {
            // Reading is none of our business, and ours is heard as well.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.closed(&event, Instant::now()),
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_)) if cfg!(native) => self.written_to(&event),
            _ if gone => self.replaced(&event),
            _ => self.heard.changed = true,
        }
        true
    }

    fn is_quiet(&self) -> bool {
        self.written.is_empty() && self.closed.is_empty()
    }

    fn closed(&mut self, event: &Event, now: Instant) {
        self.closed.retain(|_, closed| now.saturating_duration_since(*closed) < Settings::LONGEST_SETTLE);
        for path in &event.paths {
            if self.written.remove(path).is_some() && self.closed.len() < MAX_WRITTEN {
                self.closed.insert(path.clone(), now);
            }
        }
        self.heard.changed = true;
    }

    /// The file is another one, or none: nobody writes to it in place.
    fn replaced(&mut self, event: &Event) {
        for path in &event.paths {
            self.written.remove(path);
            self.closed.remove(path);
        }
        self.heard.changed = true;
    }

    fn written_to(&mut self, event: &Event) {
        for path in &event.paths {
            if self.written.len() < MAX_WRITTEN || self.written.contains_key(path) {
                self.written.insert(path.clone(), Instant::now());
            }
        }
        self.heard.changing = true;
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Nothing panics while it holds the lock, and every state of `Shared` is a good one.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watch").field("watched", &self.watched.len()).finish_non_exhaustive()
    }
}

#[cfg(native)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Write;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Waits until something that was heard fulfils the condition.
    async fn until(watch: &mut Watch, mut condition: impl FnMut(&mut Watch, Heard) -> bool) {
        let wait = async {
            loop {
                watch.wake.notified().await;
                let heard = watch.take();
                if condition(watch, heard) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("nothing was heard");
    }

    #[tokio::test]
    async fn a_writer_is_known_from_its_first_write_to_its_close() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        let mut set = WatchSet::default();
        set.directory(&base);
        let mut watch = Watch::start(Arc::new(Notify::new()), Arc::new(Pulse::new(1)));
        assert!(watch.set(set.clone()));
        assert!(!watch.set(set));
        let path = base.join("a.zone");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        let writer = |watch: &mut Watch, settle: u64| watch.writer(Duration::from_secs(settle))(&path);
        until(&mut watch, |watch, _| writer(watch, 9) == Writer::Writes).await;
        drop(file);
        until(&mut watch, |watch, heard| heard.changed && writer(watch, 9) == Writer::Settles).await;
        assert_eq!(writer(&mut watch, 0), Writer::None);
        // Another file in its place was written elsewhere.
        fs::write(base.join("b"), "whole").unwrap();
        fs::rename(base.join("b"), &path).unwrap();
        until(&mut watch, |watch, heard| heard.changed && writer(watch, 9) == Writer::None).await;
        assert_eq!(watch.degraded(), None);
    }

    #[tokio::test]
    async fn the_canary_is_heard_and_wakes_nobody() {
        let pulse = Arc::new(Pulse::new(1));
        let mut watch = Watch::start(Arc::new(Notify::new()), pulse.clone());
        let directory = tempfile::tempdir().unwrap();
        let mut set = WatchSet::default();
        set.directory(&fs::canonicalize(directory.path()).unwrap());
        watch.set(set);
        watch.canary().unwrap().write();
        fs::write(directory.path().join("a.zone"), "x").unwrap();
        // Notifications come in order: what comes after the canary is heard after it.
        until(&mut watch, |_, heard| heard.changed).await;
        assert_eq!(pulse.canary_heard.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_does_not_matter_wakes_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        let mut set = WatchSet::default();
        set.trace(&base.join("zones"));
        let mut watch = Watch::start(Arc::new(Notify::new()), Arc::new(Pulse::new(1)));
        watch.set(set);
        fs::write(base.join("other"), "x").unwrap();
        fs::create_dir(base.join("zones")).unwrap();
        until(&mut watch, |_, heard| heard.changed).await;
        let shared = lock(&watch.shared);
        assert!(shared.written.is_empty(), "{:?}", shared.written);
    }
}
