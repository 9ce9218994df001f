//! What the operator chose about zones and where they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::publish::validate::settings::ZoneChecks;
use crate::wire::Name;

use crate::zonefile::Limits;

/// What to do with other content under the serial that is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SerialRule {
    /// Refuse it: the serial is the author's word for "changed" (RFC 1035 section 3.3.13).
    #[default]
    Strict,
    /// Serve it with the served serial plus one; for authors who never touch the serial. The served serial then
    /// differs from the file's. Needs a state directory, or a restart would serve the file's serial again.
    Bump,
}

/// What to do with the DNSSEC signatures of a signed zone. Expired ones, those that are not valid yet, and those of algorithms that
/// are not supported never refuse a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dnssec {
    /// Do not verify them.
    Off,
    /// Verify those of the version that is served, and tell which are wrong.
    #[default]
    Warn,
    /// Verify those of what changed before a version is published, and refuse it if one is wrong; the others as with `Warn`.
    Refuse,
}

/// A zone that the config names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleZone {
    /// The zone's apex.
    pub name: Name,
    /// Its file; `None` where one of the directories holds it and only the rule is set here. All that names the file shares this path: a
    /// config may list 100,000.
    pub file: Option<Arc<Path>>,
    /// Its own serial rule; `None` takes [`Settings::serial`].
    pub serial: Option<SerialRule>,
    /// What to do with its signatures; `None` takes [`Settings::dnssec`].
    pub dnssec: Option<Dnssec>,
}

/// How much history is kept of each zone, in the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryBounds {
    /// Octets of all steps of a zone.
    pub octets: u64,
    /// Steps of a zone; with 0 none is kept.
    pub steps: u64,
}

impl Default for HistoryBounds {
    fn default() -> Self {
        Self { octets: Settings::DEFAULT_HISTORY_OCTETS, steps: Settings::DEFAULT_HISTORY_STEPS }
    }
}

/// When changed files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deploy {
    /// When they change.
    #[default]
    Watch,
    /// At the start and when a reload is ordered, never by themselves.
    Reload,
}

/// What the operator chose about zones.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directories whose `*.zone` files are zones, subdirectories included. The file name without `.zone` is the
    /// apex in presentation format (`@.zone` is the root, `0\04725.2.0.192.in-addr.arpa.zone` has a slash).
    pub directories: Vec<PathBuf>,
    /// Zones named one by one; copies of the settings share them.
    pub zones: Arc<[SingleZone]>,
    /// Zones that come from primaries: [`PublisherHandle::offer`](super::PublisherHandle::offer).
    pub transferred: BTreeSet<Name>,
    /// Catalog zones (RFC 9432), which are among `transferred`: they are not answered from, and may shrink to nothing, because who
    /// follows them holds what that removes.
    pub catalogs: BTreeSet<Name>,
    /// Zones that live in the state directory and take updates: a file of theirs is only the seed, read while nothing is kept of them.
    pub databases: BTreeSet<Name>,
    /// Directories, beside [`Settings::directories`], whose files `$INCLUDE` may name from any zone; a file in the zone
    /// file's own directory or below it needs none.
    pub include_roots: Vec<PathBuf>,
    /// Where accepted versions are kept across restarts; `None` keeps nothing.
    pub state_directory: Option<PathBuf>,
    /// The rule for other content under the same serial.
    pub serial: SerialRule,
    /// What to do with DNSSEC signatures.
    pub dnssec: Dnssec,
    /// By how many percent of its records a zone may shrink in one step, 0 to 100; see [`Settings::SHRINK_FLOOR`].
    pub shrink_limit_percent: u8,
    /// How often everything is looked at again although nothing was heard: the net under the watching. At least
    /// [`Settings::LEAST_RESCAN`].
    pub rescan: Duration,
    /// How long a file that was written to in place must rest before it is read: its writer may open it again and go on. A file
    /// that is moved into place is read at once. At most [`Settings::LONGEST_SETTLE`].
    pub settle: Duration,
    /// What is asked of the versions of each zone of this map.
    pub checks: BTreeMap<Name, ZoneChecks>,
    /// What is asked of all others, and where a zone of the map leaves it open.
    pub all_checks: ZoneChecks,
    /// How long a program that judges a version may take; see [`Settings::DEFAULT_VALIDATE_LIMIT`].
    pub validate_limit: Duration,
    /// When changed files are read.
    pub deploy: Deploy,
    /// How much history is kept of each zone.
    pub history: HistoryBounds,
    /// Bounds of reading one zone file. What it allows to be included is replaced by what the directories above say.
    pub limits: Limits,
}

impl Settings {
    /// Half: a truncated file, an empty export or a failed join loses more, a normal day's work loses less.
    pub const DEFAULT_SHRINK_LIMIT_PERCENT: u8 = 50;
    /// Only zones of more records than this are held to the limit: in a small zone half is one person's edit.
    pub const SHRINK_FLOOR: usize = 100;
    /// The default of `rescan`: a minute, about what a resolver's cache hides.
    pub const DEFAULT_RESCAN: Duration = Duration::from_secs(60);
    /// The default of `settle`: several times the pause between the steps of a script that appends to a file.
    pub const DEFAULT_SETTLE: Duration = Duration::from_secs(1);
    /// The longest `settle`.
    pub const LONGEST_SETTLE: Duration = Duration::from_secs(60);
    /// A walk over 100,000 files takes some 0.2 s; once a second is as often as makes sense.
    pub const LEAST_RESCAN: Duration = Duration::from_secs(1);
    /// The default of the time of a program that judges a version: ten times what a checker takes for a million records.
    pub const DEFAULT_VALIDATE_LIMIT: Duration = Duration::from_secs(30);
    /// The longest such time: a version that waits for longer is late for any purpose.
    pub const LONGEST_VALIDATE_LIMIT: Duration = Duration::from_secs(600);
    /// The default of the octets of a zone's history: the difference of some 200,000 records, so that a zone of a million
    /// records that is signed anew in parts fits, and what a secondary fetches in one transfer stays small.
    pub const DEFAULT_HISTORY_OCTETS: u64 = 16 << 20;
    /// The most octets: a step is in memory as a whole while it is written and read.
    pub const MOST_HISTORY_OCTETS: u64 = 1 << 30;
    /// The default of the steps of a zone's history: with one change a minute, more than an hour and a half, in which a secondary
    /// may be away without a whole transfer.
    pub const DEFAULT_HISTORY_STEPS: u64 = 100;
    /// The most steps: `anyns zone history` shows all of them.
    pub const MOST_HISTORY_STEPS: u64 = 100_000;
    /// A net that is cast less often than once a day catches nothing.
    pub const LONGEST_RESCAN: Duration = Duration::from_secs(86_400);

    /// By how many percent a zone may shrink.
    pub(super) fn shrink_limit_of(&self, zone: &Name) -> u8 {
        if self.catalogs.contains(zone) { 100 } else { self.shrink_limit_percent }
    }

    /// Whether a zone that came from `root` (a directory source, or a single zone's file) is still configured.
    pub(super) fn covers(&self, origin: &Name, root: &Path) -> bool {
        self.directories.iter().any(|directory| directory == root)
            || self.single(origin).is_some_and(|zone| zone.file.is_some())
    }

    /// Whether a zone is named one by one; for settings made [absolute](Self::absolute).
    pub(super) fn names(&self, origin: &Name) -> bool {
        self.single(origin).is_some()
    }

    /// The entry of a zone that is named one by one; for settings made [absolute](Self::absolute).
    fn single(&self, origin: &Name) -> Option<&SingleZone> {
        let at = self.zones.binary_search_by(|zone| zone.name.cmp(origin)).ok()?;
        self.zones.get(at)
    }

    /// Tells by which rules a file is judged: under others, or by another build, the same file may be judged otherwise.
    pub(super) fn terms(&self, serial: SerialRule, dnssec: Dnssec) -> [u8; 32] {
        let Limits { octets, records, generate, include_roots } = &self.limits;
        let mut hash = Sha256::new().chain_update(env!("CARGO_PKG_VERSION"));
        hash.update([serial as u8, dnssec as u8, self.shrink_limit_percent]);
        [octets, records, generate].into_iter().for_each(|number| hash.update(number.to_be_bytes()));
        for root in include_roots {
            hash.update(root.as_os_str().as_encoded_bytes());
            hash.update([0]);
        }
        hash.finalize().into()
    }

    /// The same settings with every path absolute, `.` taken out, so that paths can be compared, and with the named zones in canonical
    /// order, so that one is found; the limits know what may be included.
    pub(super) fn absolute(mut self) -> std::io::Result<Self> {
        for directory in self.directories.iter_mut().chain(&mut self.include_roots) {
            *directory = std::path::absolute(&*directory)?;
        }
        self.zones = absolute_zones(self.zones)?;
        if let Some(directory) = &mut self.state_directory {
            *directory = std::path::absolute(&*directory)?;
        }
        self.limits.include_roots = self.directories.iter().chain(&self.include_roots).cloned().collect();
        self.rescan = self.rescan.max(Self::LEAST_RESCAN);
        Ok(self)
    }
}

/// The zones with absolute files, in canonical order; the same ones if they are.
fn absolute_zones(zones: Arc<[SingleZone]>) -> std::io::Result<Arc<[SingleZone]>> {
    let absolute = |zone: &SingleZone| match &zone.file {
        Some(file) if is_absolute(file) => Ok(None),
        Some(file) => {
            std::path::absolute(file).map(|path| (path.as_os_str() != file.as_os_str()).then_some(path))
        }
        None => Ok(None),
    };
    let mut changed = Vec::new();
    for (at, zone) in zones.iter().enumerate() {
        changed.extend(absolute(zone)?.map(|path| (at, path)));
    }
    if changed.is_empty() && zones.is_sorted_by(|a, b| a.name <= b.name) {
        return Ok(zones);
    }
    let mut zones = zones.to_vec();
    for (at, path) in changed {
        if let Some(zone) = zones.get_mut(at) {
            zone.file = Some(path.into());
        }
    }
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(zones.into())
}

/// Whether [`std::path::absolute`] would change nothing, as far as that is seen at once: of a hundred thousand paths none is copied
/// to find it out.
fn is_absolute(path: &Path) -> bool {
    let octets = path.as_os_str().as_encoded_bytes();
    let is_empty_or_dot = |name: &[u8]| matches!(name, b"" | b".");
    octets.strip_prefix(b"/").is_some_and(|rest| !rest.split(|octet| *octet == b'/').any(is_empty_or_dot))
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directories: Vec::new(),
            zones: Arc::new([]),
            transferred: BTreeSet::new(),
            catalogs: BTreeSet::new(),
            databases: BTreeSet::new(),
            include_roots: Vec::new(),
            state_directory: None,
            serial: SerialRule::Strict,
            dnssec: Dnssec::Warn,
            shrink_limit_percent: Self::DEFAULT_SHRINK_LIMIT_PERCENT,
            rescan: Self::DEFAULT_RESCAN,
            settle: Self::DEFAULT_SETTLE,
            checks: BTreeMap::new(),
            all_checks: ZoneChecks::default(),
            validate_limit: Self::DEFAULT_VALIDATE_LIMIT,
            deploy: Deploy::Watch,
            history: HistoryBounds::default(),
            limits: Limits::default(),
        }
    }
}

/// Serial rules by zone: a config may list thousands of zones.
#[derive(Debug)]
pub(super) struct Rules {
    by_zone: BTreeMap<Name, SerialRule>,
    other: SerialRule,
}

impl Rules {
    pub(super) fn new(settings: &Settings) -> Self {
        let own =
            settings.zones.iter().filter_map(|zone| zone.serial.map(|serial| (zone.name.clone(), serial)));
        Self { by_zone: own.collect(), other: settings.serial }
    }

    pub(super) fn of(&self, origin: &Name) -> SerialRule {
        self.by_zone.get(origin).copied().unwrap_or(self.other)
    }
}

#[cfg(test)]
#[path = "../../tests/unit/publish/settings.rs"]
mod tests;
