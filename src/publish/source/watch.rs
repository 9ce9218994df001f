//! Hears of changes in the watched directories.
//!
//! The system's notifications flow in on the watcher's own thread; "look soon", "look later" and what is wrong with
//! the watching flow out through [`WatchEvents`]. Never says what changed: a look at everything decides that, so that a
//! lost or doubled notification does no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RenameMode};
use notify::{Config, Event, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::publish::settings::Settings;
use crate::publish::source::SourceKey;
use crate::publish::source::canary::Canary;
use crate::publish::source::watch_set::{MergedSet, WatchSet};
use crate::telemetry::locked;
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
pub(in crate::publish) struct WatchEvents {
    /// Something changed, and it is not sure what: everything must be looked at.
    pub(in crate::publish) changed: bool,
    /// Files that are whole again: moved into place, or closed by their writer.
    pub(in crate::publish) files: BTreeSet<PathBuf>,
    /// Files that are being written, or were just made; their end will be heard.
    pub(in crate::publish) written: BTreeSet<PathBuf>,
    /// Whether one of them was just made: it may be whole, as a link is.
    pub(in crate::publish) created: bool,
    /// What appeared under a name that no zone file has: a directory, a link to one, or nothing of interest.
    pub(in crate::publish) unclear: BTreeSet<PathBuf>,
    /// The system lost notifications: its queue was full.
    pub(in crate::publish) overflowed: bool,
}

impl WatchEvents {
    /// Notes one of these paths, or that everything must be looked at if they are too many.
    fn note(&mut self, which: impl Fn(&mut Self) -> &mut BTreeSet<PathBuf>, path: &Path) {
        if which(self).len() < MAX_WRITTEN {
            which(self).insert(path.to_path_buf());
        } else {
            self.changed = true;
        }
    }
}

#[derive(Debug, Default)]
struct WatchShared {
    set: MergedSet,
    /// What each source wants to be watched.
    sets: BTreeMap<SourceKey, WatchSet>,
    heard: WatchEvents,
    /// A watched directory was moved or deleted, so watches must be set again.
    moved: bool,
    /// The watching failed.
    failed: Option<String>,
    degraded: Degraded,
    /// Files written to and not closed yet, and when they were written to last.
    written: BTreeMap<PathBuf, Instant>,
    /// Files that were written to in place and closed, and when. One that another file took the place of is not.
    closed: BTreeMap<PathBuf, Instant>,
}

/// The watches and what they heard; clones share them.
#[derive(Clone)]
pub(in crate::publish) struct Watch {
    shared: Arc<Mutex<WatchShared>>,
    wake: Arc<Notify>,
    canary: Option<Arc<Canary>>,
    watcher: Arc<Mutex<Watches>>,
}

/// The watches themselves. A thread that sets some may wait for a disk while it has them.
#[derive(Debug, Default)]
struct Watches {
    watcher: Option<RecommendedWatcher>,
    /// What is watched, by device and inode, so that another directory in the same place is noticed.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

/// What is wrong with the watching, by source.
type Degraded = BTreeMap<SourceKey, String>;

impl Watch {
    /// Starts the watcher; one that cannot be started is said in [`Watch::degraded`]. `wake` is called whenever
    /// something was heard; the pulse tells whether the canary is.
    pub(in crate::publish) fn start(wake: Arc<Notify>, pulse: Arc<Pulse>) -> Self {
        let shared = Arc::new(Mutex::new(WatchShared::default()));
        let canary = Canary::new(pulse).ok().map(Arc::new);
        let (for_thread, wake_thread, for_canary) = (shared.clone(), wake.clone(), canary.clone());
        let hear = move |event: notify::Result<Event>| {
            if let (Some(canary), Ok(event)) = (&for_canary, &event)
                && event.paths.iter().any(|path| path == canary.path())
            {
                return canary.heard();
            }
            if locked(&for_thread).hear(event) {
                wake_thread.notify_one();
            }
        };
        let mut watcher = RecommendedWatcher::new(hear, Config::default().with_event_kinds(event_kinds()))
            .inspect_err(|error| {
                let reason = format!("cannot watch: {error}");
                locked(&shared).degraded.insert(SourceKey::None, reason);
            })
            .ok();
        let canary = canary.filter(|canary| {
            let watched = |watcher: &mut RecommendedWatcher| {
                watcher.watch(canary.path(), RecursiveMode::NonRecursive).is_ok()
            };
            watcher.as_mut().is_some_and(watched)
        });
        let watcher = Arc::new(Mutex::new(Watches { watcher, ..Watches::default() }));
        Self { shared, wake, canary, watcher }
    }

    /// The file by which it is seen whether notifications come, if it can be had.
    pub(in crate::publish) fn canary(&self) -> Option<Arc<Canary>> {
        self.canary.clone()
    }

    /// Takes what was heard.
    pub(in crate::publish) fn take(&self) -> WatchEvents {
        std::mem::take(&mut locked(&self.shared).heard)
    }

    /// Stops the watcher's thread at its next notification, as a busy machine would, until the guard is dropped.
    #[cfg(test)]
    #[cfg(native)]
    pub(in crate::publish) fn hold(&self) -> impl Drop + use<> {
        struct Held(std::sync::mpsc::Sender<()>, Option<std::thread::JoinHandle<()>>);
        impl Drop for Held {
            fn drop(&mut self) {
                let _ = self.0.send(());
                self.1.take().unwrap().join().unwrap();
            }
        }
        let (shared, (release, released)) = (self.shared.clone(), std::sync::mpsc::channel());
        let (stopped, is_stopped) = std::sync::mpsc::channel();
        let holder = std::thread::spawn(move || {
            let _guard = locked(&shared);
            stopped.send(()).unwrap();
            let _ = released.recv();
        });
        is_stopped.recv().unwrap();
        Held(release, Some(holder))
    }

    /// Makes it as if a change had been heard.
    pub(in crate::publish) fn nudge(&self) {
        locked(&self.shared).heard.changed = true;
        self.wake.notify_one();
    }

    /// Why not every change is heard at once; `None` while all is well.
    pub(in crate::publish) fn degraded(&self) -> Option<String> {
        locked(&self.shared).degraded.values().next().cloned()
    }

    /// The sources that lead over this path: it is a part of their path, or a link on their way. Waits for no disk.
    pub(in crate::publish) fn sources_over(&self, path: &Path) -> Vec<SourceKey> {
        let shared = locked(&self.shared);
        if !shared.set.is_entry(path) {
            return Vec::new();
        }
        let sets = shared.sets.iter().filter(|(_, set)| set.has_entry(path));
        sets.map(|(key, _)| key.clone()).collect()
    }

    /// Answers what is known of the writer of a file, for any thread; one that closed it longer ago than `settle` is done.
    pub(in crate::publish) fn writer(&self, settle: Duration) -> impl Fn(&Path) -> Writer + Sync + use<> {
        let shared = self.shared.clone();
        move |path: &Path| {
            if locked(&shared).is_quiet() {
                return Writer::None;
            }
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
            let shared = locked(&shared);
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

    /// Watches exactly these directories for a source; blocks for as long as their disk does. Says whether a watch was added: what
    /// happened there before was not heard, so it must be looked at again.
    pub(in crate::publish) fn set(&self, key: &SourceKey, set: &WatchSet) -> bool {
        // Here, not while others wait: a disk may not answer.
        let wanted: BTreeMap<PathBuf, (u64, u64)> = set
            .directories()
            .into_iter()
            .filter_map(|path| {
                let status = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
                Some((path.to_path_buf(), (status.dev(), status.ino())))
            })
            .collect();
        let mut watches = locked(&self.watcher);
        let moved = {
            let mut shared = locked(&self.shared);
            if shared.sets.get(key) != Some(set) {
                shared.set.add(set);
                if let Some(before) = shared.sets.insert(key.clone(), set.clone()) {
                    shared.set.remove(&before);
                }
            }
            std::mem::take(&mut shared.moved)
        };
        let stale = {
            let shared = locked(&self.shared);
            let is_stale = |(path, inode): &(&PathBuf, &(u64, u64))| {
                moved || !shared.set.is_watched(path) || wanted.get(*path).is_some_and(|now| now != *inode)
            };
            watches.watched.iter().filter(is_stale).map(|(path, _)| path.clone()).collect::<Vec<_>>()
        };
        if moved {
            // The other sources set their watches when they are looked at, which this leads to.
            self.nudge();
        }
        let (added, fault) = watches.change(stale, wanted);
        let mut shared = locked(&self.shared);
        match shared.failed.take().or(fault) {
            Some(reason) => drop(shared.degraded.insert(key.clone(), reason)),
            None => drop(shared.degraded.remove(key)),
        }
        added
    }

    /// Watches nothing for a source any more.
    pub(in crate::publish) fn unset(&self, key: &SourceKey) {
        let is_set = locked(&self.shared).sets.contains_key(key);
        if is_set {
            self.set(key, &WatchSet::default());
            locked(&self.shared).sets.remove(key);
        }
    }
}

impl Watches {
    /// Gives watches back and adds others. Says whether one was added, and what is wrong.
    fn change(
        &mut self,
        stale: Vec<PathBuf>,
        wanted: BTreeMap<PathBuf, (u64, u64)>,
    ) -> (bool, Option<String>) {
        let Some(watcher) = &mut self.watcher else { return (false, Some("cannot watch".to_owned())) };
        for path in stale {
            self.watched.remove(&path);
            // It fails where the system dropped the watch together with the directory.
            let _ = watcher.unwatch(&path);
        }
        let (mut added, mut fault) = (false, None);
        for (path, inode) in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    added = true;
                    self.watched.insert(path, inode);
                }
                Err(error) if fault.is_none() => {
                    fault = Some(format!("cannot watch {}: {error}", path.display()));
                }
                Err(_) => {}
            }
        }
        (added, fault)
    }
}

impl WatchShared {
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
        if gone && event.paths.iter().any(|path| self.set.is_watched(path)) {
            self.moved = true;
            self.heard.changed = true;
            return true;
        }
        let paths: Vec<PathBuf> = event.paths.into_iter().filter(|path| self.set.matters(path)).collect();
        if paths.is_empty() {
            return false;
        }
        match event.kind {
            // Its two halves are heard, too.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return false,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.closed(&paths, Instant::now()),
            // Reading changes nothing.
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_)) if cfg!(native) => self.written_to(&paths),
            EventKind::Create(CreateKind::Folder) => self.heard.changed = true,
            EventKind::Create(CreateKind::File) if cfg!(native) => {
                paths.iter().for_each(|path| self.appeared(path, true));
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                self.replaced(&paths);
                paths.iter().for_each(|path| self.appeared(path, false));
            }
            EventKind::Modify(ModifyKind::Metadata(_)) => {
                paths.iter().for_each(|path| self.appeared(path, false));
            }
            _ if gone => {
                self.replaced(&paths);
                // A name that no zone file has, and no directory that is watched: a temporary file.
                self.heard.changed |= paths.iter().any(|path| is_zone_file(path) || self.set.is_entry(path));
            }
            _ => self.heard.changed = true,
        }
        true
    }

    /// There is something with this name that was not there, or is another one now.
    fn appeared(&mut self, path: &Path, is_new: bool) {
        match is_zone_file(path) || self.set.is_entry(path) {
            true if is_new => {
                self.heard.created = true;
                self.heard.note(|heard| &mut heard.written, path);
            }
            true => self.heard.note(|heard| &mut heard.files, path),
            false => self.heard.note(|heard| &mut heard.unclear, path),
        }
    }

    fn is_quiet(&self) -> bool {
        self.written.is_empty() && self.closed.is_empty()
    }

    fn closed(&mut self, paths: &[PathBuf], now: Instant) {
        self.closed.retain(|_, closed| now.saturating_duration_since(*closed) < Settings::LONGEST_SETTLE);
        for path in paths {
            if self.written.remove(path).is_some() && self.closed.len() < MAX_WRITTEN {
                self.closed.insert(path.clone(), now);
            }
            if is_zone_file(path) || self.set.is_entry(path) {
                self.heard.note(|heard| &mut heard.files, path);
            }
        }
    }

    /// The file is another one, or none: nobody writes to it in place.
    fn replaced(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.written.remove(path);
            self.closed.remove(path);
        }
    }

    fn written_to(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if self.written.len() < MAX_WRITTEN || self.written.contains_key(path) {
                self.written.insert(path.clone(), Instant::now());
            }
            if is_zone_file(path) || self.set.is_entry(path) {
                self.heard.note(|heard| &mut heard.written, path);
            }
        }
    }
}

/// The kinds of events that matter: changes, and the end of writing. That a file was opened or read is left out: the publisher itself does
/// that to each zone file, and the kernel would tell of each.
fn event_kinds() -> EventKindMask {
    EventKindMask::CREATE | EventKindMask::REMOVE | EventKindMask::ALL_MODIFY | EventKindMask::ACCESS_CLOSE
}

/// Whether a file has the name of a zone file.
fn is_zone_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(b".zone"))
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watch").finish_non_exhaustive()
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
    async fn until(watch: &Watch, mut condition: impl FnMut(&Watch, WatchEvents) -> bool) {
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
        let watch = Watch::start(Arc::new(Notify::new()), Arc::new(Pulse::new(1)));
        assert!(watch.set(&SourceKey::None, &set));
        assert!(!watch.set(&SourceKey::None, &set));
        let path = base.join("a.zone");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        let writer = |watch: &Watch, settle: u64| watch.writer(Duration::from_secs(settle))(&path);
        until(&watch, |watch, _| writer(watch, 9) == Writer::Writes).await;
        drop(file);
        until(&watch, |watch, heard| !heard.files.is_empty() && writer(watch, 9) == Writer::Settles).await;
        assert_eq!(writer(&watch, 0), Writer::None);
        // Another file in its place was written elsewhere.
        fs::write(base.join("b"), "whole").unwrap();
        fs::rename(base.join("b"), &path).unwrap();
        until(&watch, |watch, heard| !heard.files.is_empty() && writer(watch, 9) == Writer::None).await;
        assert_eq!(watch.degraded(), None);
    }

    #[tokio::test]
    async fn the_canary_is_heard_and_wakes_nobody() {
        let pulse = Arc::new(Pulse::new(1));
        let watch = Watch::start(Arc::new(Notify::new()), pulse.clone());
        let directory = tempfile::tempdir().unwrap();
        let mut set = WatchSet::default();
        set.directory(&fs::canonicalize(directory.path()).unwrap());
        watch.set(&SourceKey::None, &set);
        watch.canary().unwrap().write();
        fs::write(directory.path().join("a.zone"), "x").unwrap();
        // Notifications come in order: what comes after the canary is heard after it.
        until(&watch, |_, heard| !heard.files.is_empty()).await;
        assert_eq!(pulse.canary_heard.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_does_not_matter_wakes_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        let mut set = WatchSet::default();
        set.trace(&base.join("zones"));
        let watch = Watch::start(Arc::new(Notify::new()), Arc::new(Pulse::new(1)));
        watch.set(&SourceKey::None, &set);
        fs::write(base.join("other"), "x").unwrap();
        fs::create_dir(base.join("zones")).unwrap();
        until(&watch, |_, heard| heard.changed).await;
        let shared = locked(&watch.shared);
        assert!(shared.written.is_empty(), "{:?}", shared.written);
    }
}
