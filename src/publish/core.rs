//! The publisher's state and its one activity: a look at all sources. Blocking; runs off the event loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::wire::{Name, Serial};
use crate::zone::Published;

use super::crew::visit_all;
use super::debounce::Debounce;
use super::entry::Entry;
use super::error::{AcceptError, PublishError, ReconfigureError, RemoveError};
use super::fault::{Fault, SourceFault};
use super::keeper::{Keeper, Version};
use super::launch::Launch;
use super::meter::Meter;
use super::report::{Report, WatchState};
use super::scan::{Found, Scan, scan};
use super::settings::{Rules, Settings};
use super::store::Store;
use super::visit::Visitor;
use super::watch::Watch;
use super::watch_set::WatchSet;

/// While versions are being kept, how often a report says how many are not yet.
const KEPT_SOON: Duration = Duration::from_secs(1);
/// At the end of the process what is not kept yet may take this long: an init system waits longer before it kills.
const KEEP_AT_END: Duration = Duration::from_secs(20);
/// Looks before the watches must stand still; then the next regular look is the net.
const WATCH_ROUNDS: usize = 4;

/// Everything the publisher owns.
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) watch: Watch,
    pub(super) keeper: Option<Keeper>,
    pub(super) zones: BTreeMap<Name, Entry>,
    /// Zones whose version could not be kept; it is tried again at the next look.
    pub(super) unkept: BTreeSet<Name>,
    pub(super) published: Arc<Published>,
    report: watch::Sender<Arc<Report>>,
    /// Faults of the last look.
    faults: Vec<SourceFault>,
    /// Faults that stay until the process ends.
    alarms: Vec<SourceFault>,
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

impl Core {
    /// Locks the state directory and takes in what it holds; serves nothing yet.
    pub(super) fn open(
        settings: Settings,
        published: Arc<Published>,
        wake: Arc<Notify>,
    ) -> Result<(Self, watch::Receiver<Arc<Report>>), PublishError> {
        let settings = settings.absolute().map_err(|source| PublishError::CurrentDirectory { source })?;
        let store = settings.state_directory.as_deref().map(Store::open).transpose()?;
        let keeper = store.map(|store| keeper(store, wake.clone())).transpose()?;
        let (report, receiver) = watch::channel(Arc::default());
        let now = Instant::now();
        let mut core = Self {
            settings,
            watch: Watch::start(wake),
            keeper,
            zones: BTreeMap::new(),
            unkept: BTreeSet::new(),
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
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let path = keeper.store().directory().to_path_buf();
        let (kept, damaged) =
            keeper.store().list().map_err(|source| PublishError::StateList { path, source })?;
        self.zones = kept.into_iter().map(|zone| (zone, Entry::stored())).collect();
        for (path, error) in damaged {
            let fault = SourceFault::State { path, error: error.to_string() };
            tracing::error!("{fault}");
            self.alarm(fault);
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
        self.visit(partial);
        self.publish_absences();
        self.keep_again();
        self.watch_includes(&sources);
        if !self.settled {
            self.settle(start);
        }
        self.looked = Instant::now();
        self.took = self.looked - start;
        self.say();
    }

    /// Reads and judges every zone on all cores, and publishes meanwhile.
    fn visit(&mut self, partial: bool) {
        let settings = self.settings.clone();
        let still_written = self.watch.still_written();
        let (served, meter) = (self.published.load(), Meter::default());
        let visitor = Visitor {
            settings: &settings,
            keeper: self.keeper.as_ref(),
            served: &served,
            meter: &meter,
            still_written: &still_written,
            partial,
            first: !self.settled,
        };
        let mut launch = Launch::new(&self.published, &meter, self.zones.len());
        let (mut gone, mut alarms) = (Vec::new(), Vec::new());
        let (report, reloads, rescans) = (&self.report, self.reloads, self.rescans);
        visit_all(&visitor, &Rules::new(&settings), &mut self.zones, self.settled, |mut effects| {
            gone.append(&mut effects.gone);
            alarms.append(&mut effects.alarms);
            if let Some(progress) = launch.take(effects) {
                report.send_modify(|report| {
                    let report = Arc::make_mut(report);
                    (report.progress, report.reloads, report.rescans) = (Some(progress), reloads, rescans);
                });
            }
        });
        launch.finish();
        for name in gone {
            self.zones.remove(&name);
        }
        alarms.into_iter().for_each(|alarm| self.alarm(alarm));
    }

    /// The first load is over.
    fn settle(&mut self, start: Instant) {
        self.settled = true;
        self.published.store((*self.published.load()).clone().completed());
        if let Some(keeper) = &self.keeper {
            keeper.begin();
        }
        let (zones, took) = (self.zones.len(), start.elapsed());
        tracing::info!(zones, ?took, "all zones are loaded, restored or refused");
    }

    /// Tries again to keep what could not be kept.
    fn keep_again(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        let served = self.published.load();
        for name in std::mem::take(&mut self.unkept) {
            let header =
                self.zones.get(&name).filter(|entry| !entry.durable).and_then(|entry| entry.header.clone());
            if let (Some(header), Some(zone)) = (header, served.zone(&name)) {
                keeper.keep(Version { header, zone: zone.clone() });
            }
        }
    }

    /// Whether there is something to [take in](Self::take_kept).
    pub(super) fn has_kept(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::has_outcomes)
    }

    /// Takes in what became of the versions that were to be kept.
    pub(super) fn take_kept(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        for outcome in keeper.outcomes() {
            let name = outcome.version.zone.origin();
            // Only if it is still the version that stands: of a newer one there will be another outcome.
            let stands = |entry: &&mut Entry| entry.header.as_ref() == Some(&outcome.version.header);
            let Some(entry) = self.zones.get_mut(name).filter(stands) else { continue };
            let noticed = matches!(entry.notice.as_deref(), Some(Fault::ServedNotDurable { .. }));
            match outcome.result {
                Ok(()) => {
                    entry.durable = true;
                    if noticed {
                        entry.notice = None;
                    }
                }
                Err(error) if !entry.durable => {
                    let fault = Fault::ServedNotDurable { error };
                    if !noticed {
                        tracing::warn!(zone = %name, "{fault}");
                    }
                    entry.notice = Some(Box::new(fault));
                    self.unkept.insert(name.clone());
                }
                // The older copy says another path; it does no harm.
                Err(_) => {}
            }
        }
        if keeper.is_idle() || self.reported.elapsed() >= KEPT_SOON {
            self.say();
        }
    }

    /// Keeps what is not kept yet, within a bound of time, and gives the state directory back.
    pub(super) fn finish(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.finish(KEEP_AT_END);
        }
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
        let mut fresh = Vec::new();
        // Both are sorted: one pass over both.
        let mut known = self.zones.iter_mut().peekable();
        for (name, found) in scan.zones {
            while let Some((_, entry)) = known.next_if(|(known, _)| **known < name) {
                entry.found = None;
            }
            match known.next_if(|(known, _)| **known == name) {
                Some((_, entry)) => entry.found = Some(found),
                None => fresh.push((name, found)),
            }
        }
        known.for_each(|(_, entry)| entry.found = None);
        let entry = |(name, found): (Name, Found)| (name, Entry { found: Some(found), ..Entry::default() });
        self.zones.append(&mut fresh.into_iter().map(entry).collect());
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
        let unkept = |entry: &&Entry| entry.serving && !entry.durable;
        let report = Report {
            settled: self.settled,
            zones: self.zones.iter().map(|(name, entry)| (name.clone(), entry.report())).collect(),
            unkept: self.keeper.as_ref().map_or(0, |_| self.zones.values().filter(unkept).count()),
            progress: None,
            faults: self.alarms.iter().chain(&self.faults).cloned().collect(),
            watch: watch.unwrap_or_default(),
            reloads: self.reloads,
            rescans: self.rescans,
            stopped: false,
        };
        self.report.send_replace(Arc::new(report));
    }

    /// Says what is new of one zone: a report of all takes as long as they are many.
    pub(super) fn say_of(&self, name: &Name) {
        let Some(zone) = self.zones.get(name).map(Entry::report) else { return };
        self.report.send_modify(|report| {
            let report = Arc::make_mut(report);
            report.zones.insert(name.clone(), zone);
        });
    }

    /// Whether a zone waits for its writer.
    pub(super) fn is_postponed(&self) -> bool {
        self.zones.values().any(Entry::is_postponed)
    }

    /// Notes a fault that stays until the process ends.
    fn alarm(&mut self, fault: SourceFault) {
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
            entry.read = false;
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
            return Err(RemoveError::FilePresent { zone: zone.clone(), path: found.path.to_path_buf() });
        }
        if let Some(keeper) = &self.keeper {
            keeper.forget(zone).map_err(|source| RemoveError::State { zone: zone.clone(), source })?;
        }
        if let Some(named) = self.zones.remove(zone).and_then(|entry| entry.found) {
            // The config names it, so it is still reported as missing.
            let misplaced = named.fault.clone();
            let entry = Entry { found: Some(named), misplaced, visited: true, ..Entry::default() };
            self.zones.insert(zone.clone(), entry);
        }
        self.published.store(self.published.load().with_changes([], std::slice::from_ref(zone)));
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
        entry.read = false;
        self.look();
        let Some(entry) = self.zones.get_mut(zone) else {
            return Err(AcceptError::NoSuchZone { zone: zone.clone() });
        };
        entry.forced = None;
        let stands = entry.header.as_ref().is_some_and(|header| header.standing.digest == Some(digest));
        match entry.faults().next() {
            None if stands => Ok(()),
            Some(fault) if stands && matches!(fault, Fault::ServedNotDurable { .. }) => Ok(()),
            Some(fault) => Err(AcceptError::StillRefused { fault: Box::new(fault.clone()) }),
            None => Err(AcceptError::Changed { zone: zone.clone() }),
        }
    }
}

fn keeper(store: Store, wake: Arc<Notify>) -> Result<Keeper, PublishError> {
    Keeper::start(store, wake).map_err(|source| PublishError::Thread { source })
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
