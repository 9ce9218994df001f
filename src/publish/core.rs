//! The publisher's state and its one activity: a look at all sources. Blocking; runs off the event loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::wire::{Name, Serial};
use crate::zone::{Published, Zone};

use super::debounce::Debounce;
use super::entry::Entry;
use super::error::{AcceptError, PublishError, ReconfigureError, RemoveError};
use super::fault::{Fault, SourceFault};
use super::report::{Report, WatchState};
use super::scan::{Scan, scan};
use super::settings::{Rules, Settings};
use super::store::Store;
use super::watch::Watch;
use super::watch_set::WatchSet;

/// Zones that are published together: replacing the snapshot costs time in proportion to all zones.
const BATCH: usize = 1024;
/// A loaded zone waits at most this long for its batch during the first load.
const BATCH_AGE: Duration = Duration::from_millis(100);
/// How often the first load says how far it is.
const PROGRESS: Duration = Duration::from_secs(1);
/// Looks before the watches must stand still; then the next regular look is the net.
const WATCH_ROUNDS: usize = 4;

/// Everything the publisher owns.
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) store: Option<Store>,
    pub(super) zones: BTreeMap<Name, Entry>,
    pub(super) watch: Watch,
    pub(super) batch: Batch,
    published: Arc<Published>,
    report: watch::Sender<Arc<Report>>,
    /// Faults of the last look.
    faults: Vec<SourceFault>,
    /// Faults that stay until the process ends.
    pub(super) alarms: Vec<SourceFault>,
    settled: bool,
    reloads: u64,
    rescans: u64,
    reported: Instant,
    /// The end of the last look.
    looked: Instant,
    /// How long it took.
    took: Duration,
    /// Whether the watcher's queue overflowed since the last look.
    overflowed: bool,
}

/// Changes on their way into the snapshot.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) added: Vec<Arc<Zone>>,
    pub(super) removed: Vec<Name>,
    since: Instant,
}

impl Core {
    /// Locks the state directory and takes in what it holds; serves nothing yet.
    pub(super) fn open(
        settings: Settings,
        published: Arc<Published>,
        wake: Arc<Notify>,
    ) -> Result<(Self, watch::Receiver<Arc<Report>>), PublishError> {
        let settings = settings.absolute().map_err(|source| PublishError::CurrentDirectory { source })?;
        let store = settings.state_directory.as_deref().map(Store::open).transpose()?;
        let (report, receiver) = watch::channel(Arc::default());
        let now = Instant::now();
        let batch = Batch { added: Vec::new(), removed: Vec::new(), since: now };
        let mut core = Self {
            settings,
            store,
            zones: BTreeMap::new(),
            watch: Watch::start(wake),
            batch,
            published,
            report,
            faults: Vec::new(),
            alarms: Vec::new(),
            settled: false,
            reloads: 0,
            rescans: 0,
            reported: now,
            looked: now,
            took: Duration::ZERO,
            overflowed: false,
        };
        core.list_state()?;
        Ok((core, receiver))
    }

    fn list_state(&mut self) -> Result<(), PublishError> {
        let Some(store) = &self.store else { return Ok(()) };
        let path = store.directory().to_path_buf();
        let (kept, damaged) = store.list().map_err(|source| PublishError::StateList { path, source })?;
        self.zones = kept.into_iter().map(|kept| (kept.zone, Entry::restored(kept.header))).collect();
        for (path, error) in damaged {
            self.alarm(SourceFault::State { path, error: error.to_string() });
        }
        Ok(())
    }

    /// Looks at every source, reads what changed, publishes what was accepted.
    pub(super) fn look(&mut self) {
        let start = Instant::now();
        self.reloads += 1;
        if std::mem::take(&mut self.overflowed) | self.watch.take().overflowed {
            self.rescans += 1;
            tracing::warn!("the watcher's queue overflowed; looking at all zones");
        }
        let scan = self.scan();
        let (partial, sources) = (scan.partial, scan.watch.clone());
        self.take_sources(scan);
        if !self.settled {
            self.publish_absences();
        }
        let names: Vec<Name> = self.zones.keys().cloned().collect();
        let settings = self.settings.clone();
        let rules = Rules::new(&settings);
        for name in names {
            self.visit(&name, rules.of(&name), partial);
            self.publish_if_due();
        }
        self.watch_includes(&sources);
        self.publish();
        self.publish_absences();
        if !self.settled {
            self.settled = true;
            self.published.store((*self.published.load()).clone().completed());
            tracing::info!(zones = self.zones.len(), "all zones are loaded, restored or refused");
        }
        self.looked = Instant::now();
        self.took = self.looked - start;
        self.say();
    }

    /// Takes what the watcher heard as a reason to look.
    pub(super) fn listen(&mut self, debounce: &mut Debounce, now: Instant) {
        let heard = self.watch.take();
        self.overflowed |= heard.overflowed;
        if heard.changed {
            debounce.changed(now);
        } else if heard.changing {
            debounce.changing(now);
        }
    }

    /// When the last look ended, and how long it took.
    pub(super) fn last_look(&self) -> (Instant, Duration) {
        (self.looked, self.took)
    }

    /// Another way to send reports, for when the publisher is gone.
    pub(super) fn reporter(&self) -> watch::Sender<Arc<Report>> {
        self.report.clone()
    }

    /// Finds the files, with the watches in place before the last look.
    fn scan(&mut self) -> Scan {
        let mut found = scan(&self.settings);
        for _ in 0..WATCH_ROUNDS {
            if !self.watch.set(self.wanted_watches(&found.watch)) {
                break;
            }
            found = scan(&self.settings);
        }
        found
    }

    fn wanted_watches(&self, sources: &WatchSet) -> WatchSet {
        let mut wanted = sources.clone();
        for included in self.zones.values().flat_map(|entry| entry.files.included()) {
            wanted.trace(included);
        }
        wanted
    }

    /// Watches the files that this look found to be included; a change since they were read is seen by comparing.
    fn watch_includes(&mut self, sources: &WatchSet) {
        if self.watch.set(self.wanted_watches(sources)) {
            self.watch.nudge();
        }
    }

    /// Notes where each zone's file is.
    fn take_sources(&mut self, scan: Scan) {
        for fault in &scan.faults {
            if !self.faults.iter().any(|known| known.to_string() == fault.to_string()) {
                tracing::warn!("{fault}");
            }
        }
        self.faults = scan.faults;
        for entry in self.zones.values_mut() {
            entry.found = None;
        }
        for (name, found) in scan.zones {
            self.zones.entry(name).or_default().found = Some(found);
        }
    }

    fn publish_if_due(&mut self) {
        let waiting = self.batch.added.len() + self.batch.removed.len();
        let aged = !self.settled && self.batch.since.elapsed() >= BATCH_AGE;
        if waiting >= BATCH || (waiting > 0 && aged) {
            self.publish();
        }
        if !self.settled && self.reported.elapsed() >= PROGRESS {
            self.say();
        }
    }

    fn publish(&mut self) {
        let added = std::mem::take(&mut self.batch.added);
        let removed = std::mem::take(&mut self.batch.removed);
        self.batch.since = Instant::now();
        if !added.is_empty() || !removed.is_empty() {
            self.published.store(self.published.load().with_changes(added, &removed));
        }
    }

    /// Tells the query path which zones are configured and not served, once when all are on their way and after each
    /// look: names in them are nobody else's.
    fn publish_absences(&mut self) {
        let absent = self.zones.iter().filter_map(|(name, entry)| Some((name, entry.absence()?)));
        if let Some(snapshot) = self.published.load().with_absent(absent) {
            self.published.store(snapshot);
        }
    }

    /// Sends a new report.
    pub(super) fn say(&mut self) {
        self.reported = Instant::now();
        let watch = self.watch.degraded().map(|reason| WatchState::Degraded { reason: reason.to_owned() });
        let report = Report {
            settled: self.settled,
            zones: self.zones.iter().map(|(name, entry)| (name.clone(), entry.report())).collect(),
            faults: self.alarms.iter().chain(&self.faults).cloned().collect(),
            watch: watch.unwrap_or_default(),
            reloads: self.reloads,
            rescans: self.rescans,
            stopped: false,
        };
        self.report.send_replace(Arc::new(report));
    }

    /// Whether a zone waits for its writer.
    pub(super) fn is_postponed(&self) -> bool {
        self.zones.values().any(Entry::is_postponed)
    }

    /// Notes a fault that stays until the process ends.
    pub(super) fn alarm(&mut self, fault: SourceFault) {
        tracing::error!("{fault}");
        if self.alarms.len() < SourceFault::MOST {
            self.alarms.push(fault);
        }
    }

    /// Takes new settings; zones that are no longer configured go.
    pub(super) fn reconfigure(&mut self, settings: Settings) -> Result<(), ReconfigureError> {
        let settings = settings.absolute().map_err(|source| ReconfigureError::CurrentDirectory { source })?;
        if settings.state_directory != self.settings.state_directory {
            return Err(ReconfigureError::StateDirectory);
        }
        self.settings = settings;
        for entry in self.zones.values_mut() {
            // Another rule or limit may judge the same file otherwise.
            entry.read = None;
        }
        self.look();
        Ok(())
    }

    /// Takes a zone out of service whose file is gone.
    pub(super) fn remove(&mut self, zone: &Name) -> Result<(), RemoveError> {
        self.look();
        let Some(entry) = self.zones.get(zone) else {
            return Err(RemoveError::NoSuchZone { zone: zone.clone() });
        };
        if let Some(found) = entry.found.as_ref().filter(|found| !found.is_missing()) {
            return Err(RemoveError::FilePresent { zone: zone.clone(), path: found.path.clone() });
        }
        if let Some(store) = &self.store {
            store.remove(zone).map_err(|source| RemoveError::State { zone: zone.clone(), source })?;
        }
        if let Some(named) = self.zones.remove(zone).and_then(|entry| entry.found) {
            // The config names it, so it is still reported as missing.
            let misplaced = named.fault.clone();
            let entry = Entry { found: Some(named), misplaced, visited: true, ..Entry::default() };
            self.zones.insert(zone.clone(), entry);
        }
        self.batch.removed.push(zone.clone());
        self.publish();
        self.publish_absences();
        self.say();
        tracing::info!(%zone, "removed by command");
        Ok(())
    }

    /// Lets the refused version with this serial pass.
    pub(super) fn accept(&mut self, zone: &Name, serial: Serial) -> Result<(), AcceptError> {
        let Some(entry) = self.zones.get_mut(zone) else {
            return Err(AcceptError::NoSuchZone { zone: zone.clone() });
        };
        let denied = match &entry.denied {
            None => return Err(AcceptError::NothingRefused { zone: zone.clone() }),
            Some(denied) if denied.serial != serial => {
                return Err(AcceptError::OtherSerial { refused: denied.serial, asked: serial });
            }
            Some(denied) => denied.clone(),
        };
        let digest = denied.digest;
        entry.forced = Some(denied);
        entry.read = None;
        self.look();
        let Some(entry) = self.zones.get_mut(zone) else {
            return Err(AcceptError::NoSuchZone { zone: zone.clone() });
        };
        entry.forced = None;
        let stands = entry.header.as_ref().is_some_and(|header| header.standing.digest == digest);
        match entry.faults().next() {
            None if stands => Ok(()),
            Some(fault) if stands && matches!(fault, Fault::ServedNotDurable { .. }) => Ok(()),
            Some(fault) => Err(AcceptError::StillRefused { fault: Box::new(fault.clone()) }),
            None => Err(AcceptError::Changed { zone: zone.clone() }),
        }
    }

    /// Whether the watcher knows of a writer that has not closed this file.
    pub(super) fn still_written(&self, path: &Path) -> bool {
        self.watch.is_written(path)
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    const ZONE: &str = "@ 60 IN SOA ns.example. host.example. 1 1 1 1 1\n@ 60 IN NS ns.example.\n";
    /// The kernel's default; with a much longer queue the test would take long.
    const MOST_EVENTS: usize = 65_536;

    #[tokio::test]
    async fn an_overflowing_queue_leads_to_a_look_at_everything() {
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        if limit > MOST_EVENTS {
            println!("skipped: a queue of {limit} events");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let zones = directory.path().join("zones");
        fs::create_dir(&zones).unwrap();
        let settings = Settings { directories: vec![zones.clone()], ..Settings::default() };
        let (wake, published) = (Arc::new(Notify::new()), Arc::<Published>::default());
        let (mut core, report) = Core::open(settings, published.clone(), wake.clone()).unwrap();
        core.look();
        let held = core.watch.hold();
        // Created, opened, closed, deleted: four events that the kernel cannot make one of. A third more than fit,
        // for the watcher takes some before it stands still.
        for _ in 0..=limit / 3 {
            File::create(zones.join("x.zone")).unwrap();
            fs::remove_file(zones.join("x.zone")).unwrap();
        }
        fs::write(zones.join("a.example.zone"), ZONE).unwrap();
        drop(held);
        let mut debounce = Debounce::default();
        let heard = async {
            while !core.overflowed {
                wake.notified().await;
                core.listen(&mut debounce, Instant::now());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.expect("the overflow was not heard");
        assert!(debounce.due().is_some());
        core.look();
        assert_eq!(report.borrow().rescans, 1);
        assert!(published.load().zone(&"a.example.".parse().unwrap()).is_some());
    }
}
