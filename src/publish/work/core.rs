//! The publisher's state and its one activity: a look at all sources. Blocking; owned by the looker's thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::handoff::Latest;
use crate::wire::Name;
use crate::zone::Published;

use crate::publish::error::PublishError;
use crate::publish::fault::{SourceFault, SourceWarning, one_line};
use crate::publish::report::{Report, WatchState};
use crate::publish::settings::{Deploy, Rules, Settings};
use crate::publish::source::scan::{Found, Scan, Unseen, scan};
use crate::publish::source::watch::{Heard, Watch};
use crate::publish::source::watch_set::WatchSet;
use crate::publish::state::directory::State;
use crate::publish::verify::Verify;
use crate::publish::work::crew::visit_all;
use crate::publish::work::entry::Entry;
use crate::publish::work::launch::Launch;
use crate::publish::work::visit::Visitor;
use crate::telemetry::pulse::{Place, Pulse};
use crate::zonefile::Meter;

/// No look by itself: only a reload deploys.
const NEVER: Duration = Duration::from_secs(365 * 86_400);
/// When a file that somebody was writing is tried again, if its end was not heard.
const BUSY_RETRY: Duration = Duration::from_millis(500);
/// Looks for the sake of such a file take at most a fifth of a core: they pause four times as long as they took.
const BUSY_SHARE: u32 = 4;
/// Looks before the watches must stand still; then the next regular look is the net.
const WATCH_ROUNDS: usize = 4;

/// Everything the publisher owns.
pub(in crate::publish) struct Core {
    pub(in crate::publish) settings: Settings,
    pub(in crate::publish) watch: Watch,
    pub(in crate::publish) state: State,
    /// Says that the thread is there; `None` before it starts.
    pub(in crate::publish) place: Option<Place>,
    pub(in crate::publish) pulse: Arc<Pulse>,
    pub(in crate::publish) wake: Arc<Notify>,
    pub(in crate::publish) zones: BTreeMap<Name, Entry>,
    /// Zones whose version could not be kept; it is tried again at the next look.
    pub(in crate::publish) unkept: BTreeSet<Name>,
    pub(in crate::publish) published: Arc<Published>,
    pub(in crate::publish) verify: Verify,
    report: Arc<Latest<Report>>,
    /// Faults of the last look.
    faults: Vec<SourceFault>,
    /// Faults that stay until the process ends.
    alarms: Vec<SourceFault>,
    pub(in crate::publish) settled: bool,
    reloads: u64,
    rescans: u64,
    pub(in crate::publish) reported: Instant,
    /// The end of the last look.
    looked: Instant,
    /// How long it took.
    took: Duration,
    /// Whether the watcher's queue overflowed since the last look.
    overflowed: bool,
    /// What was heard and the publisher's loop does not know yet.
    heard: Heard,
    /// Whether a zone waits for its writer, as of the last look.
    postponed: bool,
    /// The zone that the order at hand is about, where only a reload deploys.
    only: Option<Name>,
    /// The warnings of sources that were said.
    warned: BTreeSet<SourceWarning>,
    /// The panic since the last look that came to its end, and when to look again because of it.
    panicked: Option<SourceFault>,
    retry_at: Option<Instant>,
}

/// What is known after a job.
#[derive(Debug)]
pub(in crate::publish) struct After {
    /// When to look at the latest.
    pub(in crate::publish) look_at: Instant,
    pub(in crate::publish) heard: Heard,
}

impl Core {
    /// Locks the state directory and takes in what it holds; serves nothing yet.
    pub(in crate::publish) fn open(
        settings: Settings,
        published: Arc<Published>,
        wake: Arc<Notify>,
        pulse: Arc<Pulse>,
    ) -> Result<Self, PublishError> {
        let settings = settings.absolute().map_err(|source| PublishError::CurrentDirectory { source })?;
        let state = State::open(settings.state_directory.as_deref(), &wake, &pulse)?;
        let now = Instant::now();
        let verify = Verify::new(&settings, published.clone(), wake.clone(), pulse.clone());
        let mut core = Self {
            settings,
            watch: Watch::start(wake.clone(), pulse.clone()),
            state,
            place: None,
            verify,
            pulse,
            wake,
            zones: BTreeMap::new(),
            unkept: BTreeSet::new(),
            published,
            report: Arc::new(Latest::new(Report::default())),
            faults: Vec::new(),
            alarms: Vec::new(),
            settled: false,
            reloads: 0,
            rescans: 0,
            reported: now,
            looked: now,
            took: Duration::ZERO,
            overflowed: false,
            heard: Heard::default(),
            postponed: false,
            only: None,
            warned: BTreeSet::new(),
            panicked: None,
            retry_at: None,
        };
        core.list_state();
        if let Some(fault) = core.state_fault() {
            tracing::error!("{fault}");
        }
        Ok(core)
    }

    /// Looks at every source, reads what changed, publishes what was accepted.
    pub(in crate::publish) fn look(&mut self) {
        let start = Instant::now();
        self.reloads += 1;
        if std::mem::take(&mut self.overflowed) | self.watch.take().overflowed {
            self.rescans += 1;
            tracing::warn!("the watcher's queue overflowed; looking at all zones");
        }
        self.open_state_again();
        let mut scan = self.scan();
        let sources = scan.watch.clone();
        let (unseen, unread) = (std::mem::take(&mut scan.unseen), std::mem::take(&mut scan.unread));
        let warnings = std::mem::take(&mut scan.warnings);
        // At the first look nobody knows yet which zones are in a directory that cannot be read.
        let matters =
            !unread.is_empty() && (!self.settled || unread.iter().any(|(path, _)| self.has_zone_in(path)));
        let partial = scan.partial || matters;
        self.take_sources(scan);
        if !self.settled {
            self.publish_absences();
        }
        self.visit(partial, &unseen);
        self.judge_unread(unread, warnings);
        self.publish_absences();
        self.keep_again();
        self.watch_includes(&sources);
        if !self.settled {
            self.settle(start);
        }
        self.looked = Instant::now();
        self.took = self.looked - start;
        self.postponed = self.zones.values().any(Entry::is_postponed);
        (self.panicked, self.retry_at) = (None, None);
        self.say();
    }

    /// Looks because of an order about this zone: where only a reload deploys, no other zone's file is read.
    pub(in crate::publish) fn look_for(&mut self, zone: &Name) {
        self.only = Some(zone.clone()).filter(|_| self.settings.deploy == Deploy::Reload);
        self.look();
        self.only = None;
    }

    /// Reads and judges every zone on all cores, and publishes meanwhile.
    fn visit(&mut self, partial: bool, unseen: &Unseen) {
        let (settings, only) = (self.settings.clone(), self.only.clone());
        let writer_of = self.watch.writer(settings.settle);
        let (served, meter) = (self.published.load(), Meter::new(self.pulse.clone()));
        let modes = self.verify.modes();
        let visitor = Visitor {
            settings: &settings,
            modes: &modes,
            state: &self.state,
            served: &served,
            meter: &meter,
            writer_of: &writer_of,
            only: only.as_ref(),
            partial,
            unseen,
            first: !self.settled,
        };
        let mut launch = Launch::new((&self.published, &self.verify), &meter, self.zones.len());
        let (mut gone, mut alarms) = (Vec::new(), Vec::new());
        let (report, reloads, rescans) = (&self.report, self.reloads, self.rescans);
        let (pulse, gently) = (self.pulse.clone(), self.settled);
        visit_all(&visitor, &Rules::new(&settings), &mut self.zones, (&pulse, gently), |mut effects| {
            gone.append(&mut effects.gone);
            alarms.append(&mut effects.alarms);
            if let Some(progress) = launch.take(effects) {
                report.update(|report| {
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
        if let Some(keeper) = self.state.keeper() {
            keeper.begin();
        }
        let (zones, took_ms) = (self.zones.len(), start.elapsed().as_millis() as u64);
        let served = self.zones.values().filter(|entry| entry.serving).count();
        let refused = zones - served;
        tracing::info!(zones, served, refused, took_ms, "all zones are loaded, restored or refused");
    }

    /// Takes what the watcher heard, and what became of versions that were to be kept.
    pub(in crate::publish) fn listen(&mut self) {
        let heard = self.watch.take();
        self.overflowed |= heard.overflowed;
        self.heard = heard;
        self.take_kept();
        self.take_verified();
    }

    /// Takes what was found of signatures.
    fn take_verified(&mut self) {
        let mut news = Vec::new();
        for (name, signatures) in self.verify.outcomes() {
            let Some(entry) = self.zones.get_mut(&name) else { continue };
            if entry.take_signatures(signatures)
                && let Some(fault) = &entry.wrong
            {
                tracing::warn!(zone = %name, "{fault}");
            }
            news.push((name, entry.report()));
        }
        if !news.is_empty() {
            self.report.update(|report| report.zones.extend(news.iter().cloned()));
        }
    }

    /// What the publisher's loop needs to know after a job.
    pub(in crate::publish) fn after(&mut self) -> After {
        After { look_at: self.look_at(), heard: std::mem::take(&mut self.heard) }
    }

    /// When to look at the latest: again soon for a file that was being written, or after a panic; else as the clock has it.
    fn look_at(&self) -> Instant {
        let pause = match self.postponed {
            true => BUSY_RETRY.max(self.took * BUSY_SHARE).min(self.settings.rescan),
            false if self.settings.deploy == Deploy::Reload => NEVER,
            false => self.settings.rescan,
        };
        self.retry_at.unwrap_or(self.looked + pause)
    }

    /// Says that a job panicked; a look at this moment finds out whether all is well again.
    pub(in crate::publish) fn panicked(&mut self, reason: &str, retry_at: Instant) {
        self.retry_at = Some(retry_at);
        let fault = SourceFault::Panicked { reason: one_line(reason) };
        self.panicked = Some(fault.clone());
        self.report.update(|report| {
            report.faults.retain(|fault| !matches!(fault, SourceFault::Panicked { .. }));
            report.faults.insert(0, fault.clone());
        });
    }

    /// Says where the looking is, in case it does not come back from there.
    pub(in crate::publish) fn at(&self, path: Option<&Path>) {
        if let Some(place) = &self.place {
            place.step(path.map(Arc::from).as_ref());
        }
    }

    /// Where the reports go.
    pub(in crate::publish) fn reporter(&self) -> Arc<Latest<Report>> {
        self.report.clone()
    }

    /// Finds the files, with the watches in place before the last look.
    fn scan(&mut self) -> Scan {
        let mut found = scan(&self.settings, &|path| self.at(Some(path)));
        for _ in 0..WATCH_ROUNDS {
            if !self.watch.set(self.wanted_watches(&found.watch)) {
                break;
            }
            found = scan(&self.settings, &|path| self.at(Some(path)));
        }
        found
    }

    fn wanted_watches(&self, sources: &WatchSet) -> WatchSet {
        if self.settings.deploy == Deploy::Reload {
            return WatchSet::default();
        }
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

    /// Whether the file of a version that stands is in this directory.
    fn has_zone_in(&self, directory: &Path) -> bool {
        let stands = |entry: &&Entry| entry.header.is_some();
        self.zones.values().filter(stands).any(|entry| entry.path().starts_with(directory))
    }

    /// A directory below a source that cannot be read is a fault if a zone is known in it, and else a warning. Each warning is
    /// said once, until it is gone.
    fn judge_unread(&mut self, unread: Vec<(PathBuf, String)>, mut warnings: Vec<SourceWarning>) {
        let (known, others): (Vec<_>, Vec<_>) =
            unread.into_iter().partition(|(path, _)| self.has_zone_in(path));
        let faults = known.into_iter().map(|(path, error)| SourceFault::Directory { path, error });
        self.faults.extend(faults);
        warnings.extend(others.into_iter().map(|(path, error)| SourceWarning::Directory { path, error }));
        for warning in warnings.iter().filter(|warning| !self.warned.contains(*warning)) {
            tracing::warn!("{warning}");
        }
        self.warned = warnings.into_iter().collect();
    }

    /// Tells the query path which zones are configured and not served, once when all are on their way and after each
    /// look: names in them are nobody else's.
    pub(in crate::publish) fn publish_absences(&mut self) {
        let absent = self.zones.iter().filter_map(|(name, entry)| Some((name, entry.absence()?)));
        if let Some(snapshot) = self.published.load().with_absent(absent) {
            self.published.store(snapshot);
        }
    }

    /// Sends a new report.
    pub(in crate::publish) fn say(&mut self) {
        self.reported = Instant::now();
        let watch = self.watch.degraded().map(|reason| WatchState::Degraded { reason: reason.to_owned() });
        let unkept = |entry: &&Entry| entry.serving && !entry.durable;
        let other = [self.panicked.clone(), self.state_fault()];
        let report = Report {
            settled: self.settled,
            unkept: match self.state {
                State::None => 0,
                _ => self.zones.values().filter(unkept).count(),
            },
            zones: self.zones.iter_mut().map(|(name, entry)| (name.clone(), entry.report())).collect(),
            progress: None,
            faults: other
                .into_iter()
                .flatten()
                .chain(self.alarms.iter().chain(&self.faults).cloned())
                .collect(),
            watch: watch.unwrap_or_default(),
            reloads: self.reloads,
            rescans: self.rescans,
            stopped: false,
        };
        self.report.publish(report);
    }

    /// Says what is new of one zone: a report of all takes as long as they are many.
    pub(in crate::publish) fn say_of(&mut self, name: &Name) {
        let Some(zone) = self.zones.get_mut(name).map(Entry::report) else { return };
        self.report.update(|report| drop(report.zones.insert(name.clone(), zone.clone())));
    }

    /// Notes a fault that stays until the process ends.
    pub(in crate::publish) fn alarm(&mut self, fault: SourceFault) {
        if self.alarms.len() < SourceFault::MOST {
            self.alarms.push(fault);
        }
    }
}

#[cfg(native)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::skip::skip;
    use std::fs::{self, File};

    const ZONE: &str = "@ 60 IN SOA ns.example. host.example. 1 1 1 1 1\n@ 60 IN NS ns.example.\n";
    /// The kernel's default; with a much longer queue the test would take long.
    const MOST_EVENTS: usize = 65_536;

    #[tokio::test]
    async fn an_overflowing_queue_leads_to_a_look_at_everything() {
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        if limit > MOST_EVENTS {
            skip("an overflowing queue of notifications", &format!("it takes {limit} events"));
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let zones = directory.path().join("zones");
        fs::create_dir(&zones).unwrap();
        let settings = Settings { directories: vec![zones.clone()], ..Settings::default() };
        let (wake, published) = (Arc::new(Notify::new()), Arc::<Published>::default());
        let pulse = Arc::new(Pulse::new(1));
        let mut core = Core::open(settings, published.clone(), wake.clone(), pulse).unwrap();
        let report = core.reporter().reader();
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
        let mut changed = false;
        let heard = async {
            while !core.overflowed {
                wake.notified().await;
                core.listen();
                changed |= core.after().heard.changed;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.expect("the overflow was not heard");
        assert!(changed);
        core.look();
        assert_eq!(report.load().rescans, 1);
        assert!(published.load().zone(&"a.example.".parse().unwrap()).is_some());
    }
}
