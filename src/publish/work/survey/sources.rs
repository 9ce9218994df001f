//! What is known of the configured sources: what the last look at each of them found, and which do not answer.
//!
//! Surveys flow in; faults, and which directories nothing is known of, flow out. Does no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::publish::fault::{SourceFault, SourceWarning};
use crate::publish::settings::Settings;
use crate::publish::source::directories::Directories;
use crate::publish::source::key::sources;
use crate::publish::source::mounts::MountTable;
use crate::publish::source::survey::Survey;
use crate::publish::source::unseen::Unseen;
use crate::publish::source::{SourceKey, ZoneSource};
use crate::wire::Name;

/// What the last look at a source found beside its zones.
#[derive(Debug, Default)]
struct Surveyed {
    faults: Vec<SourceFault>,
    warnings: Vec<SourceWarning>,
    unread: Vec<(PathBuf, String)>,
    unseen: Unseen,
    partial: bool,
    /// The file system that the directory is on.
    device: Option<u64>,
    /// How much CPU time it took.
    took: Duration,
}

/// What changed of what a directory has on other file systems.
#[derive(Debug, Default)]
pub(in crate::publish) struct MountedChanges {
    /// The sources that are no longer.
    pub(in crate::publish) gone: Vec<SourceKey>,
    /// Those that are new, or have other files or folders.
    pub(in crate::publish) changed: Vec<ZoneSource>,
    /// The zones whose files have left a source that has changed.
    pub(in crate::publish) lost: Vec<(SourceKey, Name)>,
}

/// The sources.
#[derive(Debug, Default)]
pub(in crate::publish) struct Sources {
    /// The settings that they are made of.
    settings: Option<Arc<Settings>>,
    configured: Vec<ZoneSource>,
    /// What of a configured directory is on other file systems.
    mounted: BTreeMap<SourceKey, Vec<ZoneSource>>,
    /// All of them, the configured ones first.
    list: Vec<ZoneSource>,
    /// Where in the list each is.
    index: BTreeMap<SourceKey, usize>,
    surveyed: BTreeMap<SourceKey, Surveyed>,
    /// The zones that were found in each.
    zones: BTreeMap<SourceKey, BTreeSet<Name>>,
    /// Of each source the number of the last survey that was taken in: an earlier one that comes later says nothing.
    last_survey: BTreeMap<SourceKey, u64>,
    /// Those that do not answer: when to look at them again, and the pause before that.
    stalled: BTreeMap<SourceKey, (Instant, Duration)>,
    /// The file system that each configured directory was on when it was last seen with zones in it.
    devices: BTreeMap<SourceKey, u64>,
    /// Where their files are.
    pub(in crate::publish) directories: Directories,
    /// Which paths lead to another file system.
    pub(in crate::publish) mounts: Arc<MountTable>,
}

impl Sources {
    /// Takes the sources of these settings, unless they are made of these already. Returns those that are configured no longer.
    pub(in crate::publish) fn configure(&mut self, settings: &Arc<Settings>) -> Vec<SourceKey> {
        if self.settings.as_ref().is_some_and(|known| Arc::ptr_eq(known, settings)) {
            return Vec::new();
        }
        self.settings = Some(settings.clone());
        self.configured = sources(settings);
        let keys: BTreeSet<&SourceKey> = self.configured.iter().map(|source| &source.key).collect();
        self.mounted.retain(|key, _| keys.contains(key));
        self.list_again()
    }

    /// Takes what of a source is on other file systems.
    pub(in crate::publish) fn set_mounted(
        &mut self,
        key: &SourceKey,
        mounted: Vec<ZoneSource>,
    ) -> MountedChanges {
        let before = self.mounted.remove(key).unwrap_or_default();
        let mut changes = MountedChanges::default();
        if before != mounted {
            let changed: Vec<&ZoneSource> =
                mounted.iter().filter(|source| !before.contains(source)).collect();
            for source in &changed {
                let known = before.iter().filter(|known| known.key == source.key);
                let names: BTreeSet<&Name> = source.files.iter().map(|(name, _)| name).collect();
                let lost =
                    known.flat_map(|known| known.files.iter()).filter(|(name, _)| !names.contains(name));
                changes.lost.extend(lost.map(|(name, _)| (source.key.clone(), name.clone())));
            }
            changes.changed = changed.into_iter().cloned().collect();
        }
        if !mounted.is_empty() {
            self.mounted.insert(key.clone(), mounted);
        }
        if before != self.mounted.get(key).map(Vec::as_slice).unwrap_or_default() {
            changes.gone = self.list_again();
        }
        for (key, name) in &changes.lost {
            self.zones.get_mut(key).map(|zones| zones.remove(name));
        }
        changes
    }

    /// Makes the list of all sources anew. Returns those that are no longer in it.
    fn list_again(&mut self) -> Vec<SourceKey> {
        let all = self.configured.iter().chain(self.mounted.values().flatten());
        let list: Vec<ZoneSource> = all.cloned().collect();
        let keys: BTreeSet<&SourceKey> = list.iter().map(|source| &source.key).collect();
        let gone: Vec<SourceKey> =
            self.list.iter().map(|source| source.key.clone()).filter(|key| !keys.contains(key)).collect();
        for key in &gone {
            self.surveyed.remove(key);
            self.devices.remove(key);
            self.last_survey.remove(key);
            self.stalled.remove(key);
        }
        self.directories.configure(&list);
        self.index = list.iter().enumerate().map(|(at, source)| (source.key.clone(), at)).collect();
        self.list = list;
        gone
    }

    /// The sources, in their order.
    pub(in crate::publish) fn list(&self) -> &[ZoneSource] {
        &self.list
    }

    /// A source.
    pub(in crate::publish) fn get(&self, key: &SourceKey) -> Option<&ZoneSource> {
        self.index.get(key).and_then(|at| self.list.get(*at))
    }

    /// The rank of a source: of two that have a zone, the first counts, and one that answers before one that does not.
    pub(in crate::publish) fn rank(&self, key: &SourceKey) -> (bool, usize) {
        (self.stalled.contains_key(key), self.index.get(key).copied().unwrap_or(usize::MAX))
    }

    /// The zones that were found in a source.
    pub(in crate::publish) fn zones_of(&self, key: &SourceKey) -> Vec<Name> {
        self.zones.get(key).into_iter().flatten().cloned().collect()
    }

    /// The sources that do not answer.
    pub(in crate::publish) fn silent(&self) -> Vec<SourceKey> {
        self.stalled.keys().cloned().collect()
    }

    /// Whether it is not known of some directory yet which zones are in it.
    pub(in crate::publish) fn has_unknown(&self) -> bool {
        let is_unknown = |source: &ZoneSource| {
            matches!(source.key, SourceKey::Directory(_)) && !self.surveyed.contains_key(&source.key)
        };
        self.list.iter().any(is_unknown)
    }

    /// Notes the number of a survey; false if a later one was taken in.
    pub(in crate::publish) fn is_newest(&mut self, key: &SourceKey, ticket: u64) -> bool {
        let last = self.last_survey.entry(key.clone()).or_default();
        let is_newest = ticket > *last;
        *last = ticket.max(*last);
        is_newest
    }

    /// Takes the zones that a survey found. Returns those that were there before and are no longer.
    pub(in crate::publish) fn replace_zones(&mut self, key: &SourceKey, zones: &[Name]) -> Vec<Name> {
        let before = self.zones.remove(key).unwrap_or_default();
        let now: BTreeSet<Name> = zones.iter().cloned().collect();
        let gone = before.into_iter().filter(|name| !now.contains(name)).collect();
        if !now.is_empty() {
            self.zones.insert(key.clone(), now);
        }
        gone
    }

    /// A zone was found between two surveys.
    pub(in crate::publish) fn add_zone(&mut self, key: &SourceKey, zone: &Name) {
        self.zones.entry(key.clone()).or_default().insert(zone.clone());
        let device = self.surveyed.get(key).and_then(|surveyed| surveyed.device);
        self.devices.extend(device.map(|device| (key.clone(), device)));
    }

    /// Takes what a survey found, but for the zones.
    pub(in crate::publish) fn take(&mut self, survey: &mut Survey) {
        let surveyed = Surveyed {
            faults: std::mem::take(&mut survey.faults),
            warnings: std::mem::take(&mut survey.warnings),
            unread: std::mem::take(&mut survey.unread),
            unseen: std::mem::take(&mut survey.unseen),
            partial: survey.partial,
            device: survey.device,
            took: survey.took,
        };
        if let Some(device) = survey.device.filter(|_| !survey.zones.is_empty() || !survey.mounted.is_empty())
        {
            self.devices.insert(survey.source.key.clone(), device);
        }
        self.directories.set(&survey.source.key, std::mem::take(&mut survey.directories));
        self.surveyed.insert(survey.source.key.clone(), surveyed);
    }

    /// How much CPU time the last look at it took; nothing if there was none.
    pub(in crate::publish) fn cost(&self, key: &SourceKey) -> Duration {
        self.surveyed.get(key).map_or(Duration::ZERO, |surveyed| surveyed.took)
    }

    /// A source does not answer.
    pub(in crate::publish) fn stall(&mut self, key: &SourceKey, pause: Duration) {
        if key.path().is_some() {
            self.stalled.insert(key.clone(), (Instant::now() + pause, pause));
        }
    }

    /// The sources that do not answer and are to be looked at once more.
    pub(in crate::publish) fn due_probes(&self, now: Instant) -> Vec<SourceKey> {
        let due = self.stalled.iter().filter(|(_, (at, _))| *at <= now);
        due.map(|(key, _)| key.clone()).collect()
    }

    /// There is no thread for it: it is looked at later.
    pub(in crate::publish) fn put_off_probe(&mut self, key: &SourceKey, until: Instant) {
        if let Some((at, _)) = self.stalled.get_mut(key) {
            *at = until;
        }
    }

    /// It is looked at now: the next time comes after twice the pause.
    pub(in crate::publish) fn probed(&mut self, key: &SourceKey, now: Instant, longest: Duration) {
        if let Some((at, pause)) = self.stalled.get_mut(key) {
            *pause = (*pause * 2).min(longest);
            *at = now + *pause;
        }
    }

    /// When the next of them is to be looked at again.
    pub(in crate::publish) fn next_probe(&self) -> Option<Instant> {
        self.stalled.values().map(|(at, _)| *at).min()
    }

    /// A source answers again.
    pub(in crate::publish) fn recover(&mut self, key: &SourceKey) {
        self.stalled.remove(key);
    }

    /// Whether a zone that was not found may be there all the same. `matters` says of a directory below a source that could not be
    /// read whether it does.
    pub(in crate::publish) fn is_partial(&self, matters: impl Fn(&Path) -> bool) -> bool {
        let is_partial =
            |surveyed: &Surveyed| surveyed.partial || surveyed.unread.iter().any(|(path, _)| matters(path));
        let is_of_files = |key: &SourceKey| !matches!(key, SourceKey::Included(..));
        self.stalled.keys().any(is_of_files)
            || self.list.iter().any(|source| self.surveyed.get(&source.key).is_none_or(is_partial))
    }

    /// Whether no zone is found in a configured directory, and none ever was, or it was on another file system then: it may be the place of a
    /// mount that is not there.
    pub(in crate::publish) fn is_bare(&self, root: &Arc<Path>) -> bool {
        let key = SourceKey::Directory(root.clone());
        let mounted = self.mounted.get(&key).into_iter().flatten().map(|source| &source.key);
        let has_zones = std::iter::once(&key).chain(mounted).any(|key| self.zones.contains_key(key));
        let device = self.surveyed.get(&key).and_then(|surveyed| surveyed.device);
        !has_zones && (device.is_none() || self.devices.get(&key).copied() != device)
    }

    /// The directories of which nothing is known.
    pub(in crate::publish) fn unseen(&self) -> Arc<Unseen> {
        let mut unseen = Unseen::default();
        self.surveyed.values().for_each(|surveyed| unseen.add_all(&surveyed.unseen));
        let silent = self.stalled.keys().filter_map(|key| self.get(key));
        silent.for_each(|source| unseen.add_silent(source));
        let groups = self.stalled.keys().filter(|key| matches!(key, SourceKey::Included(..)));
        groups.for_each(|key| unseen.add_silent_group(key));
        Arc::new(unseen)
    }

    /// What is wrong with sources. A directory below a source that cannot be read is a fault if `matters` says so, and else a
    /// warning.
    pub(in crate::publish) fn faults(
        &self,
        matters: impl Fn(&Path) -> bool,
    ) -> (Vec<SourceFault>, Vec<SourceWarning>) {
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        // Two sources may be on one file system.
        let silent: BTreeSet<&Path> = self.stalled.keys().filter_map(SourceKey::path).collect();
        faults.extend(silent.into_iter().map(|path| SourceFault::Silent { path: path.to_path_buf() }));
        for surveyed in self.list.iter().filter_map(|source| self.surveyed.get(&source.key)) {
            faults.extend(surveyed.faults.iter().cloned());
            warnings.extend(surveyed.warnings.iter().cloned());
            for (path, error) in surveyed.unread.iter().cloned() {
                match matters(&path) {
                    true => faults.push(SourceFault::Directory { path, error }),
                    false => warnings.push(SourceWarning::Directory { path, error }),
                }
            }
        }
        faults.truncate(SourceFault::MAX_REPORTED);
        (faults, warnings)
    }
}
