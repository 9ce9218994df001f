//! The same reading and judging as in service, without serving, locking or writing anything: for `anyns check`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::unix_now;
use crate::wire::{Name, Serial};
use crate::zone::Zone;
use crate::zone::signatures::{Findings, Pieces, Validity, validity};

use crate::publish::accept::{
    Accepted, Candidate, Provenance, Refused, Standing, Terms, accept, needs_digest,
};
use crate::publish::fault::{Fault, SourceFault, SourceWarning};
use crate::publish::settings::{Dnssec, Rules, SerialRule, Settings};
use crate::publish::source::read::{Files, read};
use crate::publish::source::scan::{Found, scan};
use crate::publish::source::watch::Writer;
use crate::publish::state::store::peek::Peek;
use crate::publish::validate::validate;
use crate::publish::verify::parallel::verify;
use crate::publish::verify::{Modes, before};
use crate::zonefile::{Beside, Located};

/// What would be served.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Every zone that was found.
    pub zones: BTreeMap<Name, CheckedZone>,
    /// What is wrong beside any one zone.
    pub faults: Vec<SourceFault>,
    /// What is odd and no fault.
    pub warnings: Vec<SourceWarning>,
}

/// One zone.
#[derive(Debug)]
pub struct CheckedZone {
    /// Its file.
    pub path: PathBuf,
    /// The serial it would be served with and its number of records, or why it would not be.
    pub result: Result<(Serial, usize), Fault>,
    /// What is odd in the file but no error.
    pub warnings: Vec<Located>,
}

impl CheckReport {
    /// Whether everything that was found would be served.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty() && self.zones.values().all(|zone| zone.result.is_ok())
    }
}

/// Reads every zone as [`Publisher`](crate::publish::Publisher) would, against the versions in the state directory if there
/// is one, and runs the programs of `validate` on new ones. Blocks. Fails only where a path is relative and there is no current directory.
pub fn check(settings: Settings) -> io::Result<CheckReport> {
    let settings = settings.absolute()?;
    let (rules, modes) = (Rules::new(&settings), Modes::new(&settings));
    let found = scan(&settings, &|_| {});
    let mut peek = settings.state_directory.as_deref().map(Peek::new);
    let has_seed = |name: &Name| found.zones.binary_search_by(|(found, _)| found.cmp(name)).is_ok();
    let databases = check_databases(&settings, has_seed, |name| peek.as_mut()?.standing(name));
    let files = found.zones.into_iter().filter(|(name, _)| !databases.contains_key(name));
    let zones = files.map(|(name, found)| {
        let rule = (rules.of(&name), modes.of(&name));
        let checked = check_zone((&settings, peek.as_mut()), rule, &name, found);
        (name, checked)
    });
    let mut zones: BTreeMap<Name, CheckedZone> = zones.collect();
    zones.extend(databases);
    let unread = found.unread.into_iter().map(|(path, error)| SourceWarning::Directory { path, error });
    Ok(CheckReport {
        zones,
        faults: found.faults,
        warnings: found.warnings.into_iter().chain(unread).collect(),
    })
}

/// Says that these directories hold no zone.
pub fn no_zone_file(directories: &[PathBuf]) -> String {
    match directories {
        [] => "no directory is named".to_owned(),
        some => {
            let shown: Vec<String> = some.iter().map(|directory| directory.display().to_string()).collect();
            format!("{} holds no file NAME.zone", shown.join(", "))
        }
    }
}

/// Whether these settings name no zone and their directories, which can be read, hold none: nothing would be served. Blocks for as long as
/// their disks do; `at` is told each directory before it is read.
pub fn finds_no_zone(settings: &Settings, at: &dyn Fn(&Path)) -> bool {
    if !settings.zones.is_empty() || !settings.transferred.is_empty() || !settings.databases.is_empty() {
        return false;
    }
    let found = scan(settings, at);
    found.zones.is_empty() && found.faults.is_empty() && !found.partial
}

/// The zones that live in the state directory, but for those whose seed is to be read.
fn check_databases(
    settings: &Settings,
    has_seed: impl Fn(&Name) -> bool,
    mut standing: impl FnMut(&Name) -> Option<Standing>,
) -> BTreeMap<Name, CheckedZone> {
    let path = settings.state_directory.clone().unwrap_or_default();
    let checked = settings.databases.iter().filter_map(|name| {
        let result = match standing(name) {
            Some(standing) => Ok((standing.serial, standing.records)),
            None if has_seed(name) => return None,
            None => Err(Fault::NoSeed),
        };
        Some((name.clone(), CheckedZone { path: path.clone(), result, warnings: Vec::new() }))
    });
    checked.collect()
}

/// Verifies all signatures of a zone at this moment, on all cores; `None` if it is not signed. `progress` gets how many parts of
/// how many are done, often. Blocks.
pub fn check_signatures(
    zone: &Zone,
    mut progress: impl FnMut(usize, usize),
) -> Option<(Findings, Option<Validity>)> {
    let now = unix_now();
    let pieces = Pieces::whole(zone, Some(now))?;
    let of = pieces.count();
    let found = verify(&pieces, |done| progress(done, of));
    Some((found, validity(zone, now)))
}

fn check_zone(
    (settings, mut peek): (&Settings, Option<&mut Peek>),
    (rule, dnssec): (SerialRule, Dnssec),
    name: &Name,
    found: Found,
) -> CheckedZone {
    let mut checked =
        CheckedZone { path: found.path.to_path_buf(), result: Ok((Serial(0), 0)), warnings: Vec::new() };
    if let Some(fault) = found.fault {
        checked.result = Err(*fault);
        return checked;
    }
    // A writer is known by the kernel's lease alone here: nothing is watched. No file is too large for this thread.
    let reading = read(
        &found.path,
        name,
        (&settings.limits, u64::MAX),
        (&Files::default(), Duration::ZERO),
        &|_| Writer::None,
        Beside::default(),
    );
    let Some(reading) = reading else { return checked };
    let zone = match reading.result {
        Ok(zone) => zone,
        Err(fault) => {
            checked.result = Err(fault);
            return checked;
        }
    };
    checked.warnings = zone.warnings;
    let provenance = Provenance::File { root: found.root, path: found.path, octets: zone.file_digest };
    let candidate = Candidate { zone: zone.zone, digest: zone.digest, provenance };
    let offered = candidate.zone.serial();
    let shrink_limit_percent = settings.shrink_limit_percent;
    let terms = Terms {
        serial: rule,
        shrink_limit_percent,
        forced: false,
        is_anew: false,
        is_forked: false,
        raise: 0,
    };
    let content = candidate.digest;
    let standing = peek.as_mut().and_then(|peek| {
        let mut standing = peek.standing(name)?;
        if needs_digest(candidate.zone.serial(), &standing, terms) {
            standing.digest = peek.digest(name);
        }
        Some(standing)
    });
    let stands = standing.is_some();
    let accepted = accept(candidate, standing.as_ref(), terms);
    let wrong = match &accepted {
        Ok(Accepted::New { zone, .. }) => {
            let signatures = || (dnssec == Dnssec::Refuse).then(|| before::refused(None, zone)).flatten();
            let is_rejected = || {
                rule == SerialRule::Bump && stands && peek.is_some_and(|peek| peek.rejects(name, &content))
            };
            let rejected = is_rejected().then_some(Refused::Rejected);
            rejected.or_else(|| validate(zone, settings).err()).or_else(signatures)
        }
        _ => None,
    };
    checked.result = match wrong.map_or(accepted, Err) {
        Ok(Accepted::Unchanged { zone, .. } | Accepted::New { zone, .. }) => {
            Ok((zone.serial(), zone.record_count()))
        }
        // Of the version in the state directory.
        Ok(Accepted::Outdated) => {
            Ok(standing.map_or((Serial(0), 0), |standing| (standing.serial, standing.records)))
        }
        Err(refused) => {
            Err(Fault::Refused { path: checked.path.clone(), refused, zone: name.clone(), serial: offered })
        }
    };
    checked
}
