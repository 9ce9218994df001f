//! One zone, as the publisher keeps it between two checks. There may be hundreds of thousands: what is rare is in a
//! box, what is the same for many is shared.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::wire::{Name, Serial};
use crate::zone::{Absence, Expiry};

use crate::publish::accept::{Digest, MADE_HERE, Provenance, Refused};
use crate::publish::fault::{Fault, one_line};
use crate::publish::report::{ZoneReport, ZoneState};
use crate::publish::source::SourceKey;
use crate::publish::source::read::Files;
use crate::publish::source::scan::Found;
use crate::publish::state::version::header::Header;
use crate::publish::verify::Signatures;
use crate::publish::work::queue::Size;
use crate::publish::work::zone::file_away::FileAway;

/// Octets of a zone file from which on the zone is large: reading and compiling it takes some 30 ms.
pub(in crate::publish) const LARGE: u64 = 1 << 20;

/// Checks in a row that cannot read what the state directory has of a zone, half a second apart, until it is looked at with all others
/// only, and what its primaries offer is taken.
pub(in crate::publish) const MOST_UNREAD: u8 = 20;

/// A version that was refused and may be forced.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Denied {
    pub(in crate::publish) serial: Serial,
    pub(in crate::publish) digest: Digest,
}

/// A version of a primary that was refused and is kept: an operator may let just this one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct RefusedOffer {
    pub(in crate::publish) serial: Serial,
    pub(in crate::publish) primary: SocketAddr,
    /// The zone file that has it.
    pub(in crate::publish) path: PathBuf,
    /// SHA-256 over the octets of that file.
    pub(in crate::publish) octets: Digest,
}

/// What the work on a zone is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) enum WorkState {
    /// Nothing is to be done.
    #[default]
    Idle,
    /// It waits for a thread.
    Queued,
    /// A thread checks it.
    Running,
    /// A thread checks it, and it is to be checked once more.
    RunningAgain,
}

/// Where a zone's new versions come from, as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum Origin {
    File,
    Primaries,
    Updates,
}

/// Which of the zones of its name an entry is of.
#[derive(Clone, Copy, Debug)]
pub(in crate::publish) struct EntryIdentity {
    /// No other entry that this process makes has it, and a later one has a higher one.
    number: u64,
    /// Whether another zone had the name before: everything that was kept of it was forgotten, for this one.
    pub(in crate::publish) is_another: bool,
}

impl Default for EntryIdentity {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), is_another: false }
    }
}

/// One zone.
#[derive(Clone, Debug, Default)]
pub(in crate::publish) struct Entry {
    /// Stays as long as the zone is known.
    pub(in crate::publish) identity: EntryIdentity,
    /// The version in service, or in the state directory while none is in service yet.
    pub(in crate::publish) header: Option<Arc<Header>>,
    /// Its file, as of the last look.
    pub(in crate::publish) found: Option<Found>,
    /// Another file for the same zone, in another source.
    pub(in crate::publish) rival: Option<Box<Found>>,
    /// The file that no source has and that is missed.
    pub(in crate::publish) away: Option<Box<FileAway>>,
    /// What is wrong with where the file is: gone, two of them, a FIFO.
    pub(in crate::publish) misplaced: Option<Box<Fault>>,
    /// What was wrong with the last reading.
    pub(in crate::publish) verdict: Option<Box<Fault>>,
    /// A fault that does not keep the newest version from being served.
    pub(in crate::publish) notice: Option<Box<Fault>>,
    /// What could not be made durable, until a write succeeds.
    pub(in crate::publish) durability: Option<Box<Fault>>,
    /// What is wrong between it and the zone above it.
    pub(in crate::publish) delegation: Option<Box<Fault>>,
    /// The signatures of what is served, if it is signed, and the fault in them.
    pub(in crate::publish) signatures: Option<Box<Signatures>>,
    pub(in crate::publish) wrong: Option<Box<Fault>>,
    /// The files of the last reading that came to an end: where its `$INCLUDE`s are.
    pub(in crate::publish) files: Files,
    /// Whether `files` gave the version of `header`, or what differences led on from.
    pub(in crate::publish) files_are_accepted: bool,
    /// The group of zones that it is checked with, if it includes files on other file systems than its own.
    pub(in crate::publish) includes_in: Option<Box<SourceKey>>,
    /// The version that was refused last.
    pub(in crate::publish) denied: Option<Box<Denied>>,
    /// The version of a primary that was refused last, if nothing has passed since.
    pub(in crate::publish) refused_offer: Option<Box<RefusedOffer>>,
    /// The version that the operator lets pass.
    pub(in crate::publish) forced: Option<Box<Denied>>,
    /// Whether a version is in service.
    pub(in crate::publish) serving: bool,
    /// Whether it may still be believed.
    pub(in crate::publish) expiry: Expiry,
    /// Whether `header`'s version is in the state directory.
    pub(in crate::publish) durable: bool,
    /// Whether the state directory has something of this zone that was not looked into yet.
    pub(in crate::publish) stored: bool,
    /// What the state directory had of it when it was looked into, and when that was accepted.
    pub(in crate::publish) kept_version: Option<(Serial, SystemTime)>,
    /// How many checks in a row could not read what the state directory has of it.
    pub(in crate::publish) unread: u8,
    /// Whether what the state directory had of it is lost: damaged, or in a directory that cannot be read.
    pub(in crate::publish) lost: bool,
    /// Whether `files` are those of the last reading, and nothing needs to be read while they stay as they are.
    pub(in crate::publish) read: bool,
    /// Under which settings it was judged: [`CheckContext::settings_generation`](super::check_context::CheckContext::settings_generation).
    pub(in crate::publish) settings_generation: u32,
    /// Whether it was checked.
    pub(in crate::publish) is_checked: bool,
    /// Whether it waits for a check, or is being checked.
    pub(in crate::publish) work: WorkState,
    /// Whether the next check looks where the file is, because a notification says that it is there.
    pub(in crate::publish) finds_again: bool,
    /// Whether its file turned out to be large before it was read.
    pub(in crate::publish) is_large: bool,
    /// Whether the look at all zones that goes on waits for it, and for which check.
    pub(in crate::publish) awaited: Awaited,
    /// Whether a catalog lists it: it comes from primaries, and stays without a file.
    pub(in crate::publish) is_member: bool,
    /// Whether it is a catalog zone: it is not answered from.
    pub(in crate::publish) is_catalog: bool,
    /// How it stands, whether it is confirmed by its primaries, and since when.
    pub(in crate::publish) since: Option<((ZoneState, Expiry), SystemTime)>,
}

/// For which check of a zone a look at all zones waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) enum Awaited {
    /// For none.
    #[default]
    No,
    /// For the one that is queued or goes on.
    ThisCheck,
    /// For the one after that which goes on: it began before the look, so it may have read what has been replaced since.
    NextCheck,
}

impl Entry {
    /// An entry for a zone of which the state directory has something.
    pub(in crate::publish) fn stored() -> Self {
        Self { stored: true, ..Self::default() }
    }

    /// How much work a check of it is, as far as that is known.
    pub(in crate::publish) fn size(&self) -> Size {
        if self.is_large || self.files.octets() >= LARGE { Size::Large } else { Size::Small }
    }

    /// Begins with another entry; where its file is, and what the work on it is at, stays.
    pub(in crate::publish) fn begin_again(&mut self, with: Self) {
        let before = std::mem::take(self);
        let Self { found, rival, away, since, work, finds_again, awaited, is_checked, is_catalog, .. } =
            before;
        *self =
            Self { found, rival, away, since, work, finds_again, awaited, is_checked, is_catalog, ..with };
        self.identity = before.identity;
    }

    /// Takes over what became of the zone while it was being checked: what other threads found, what was ordered, where its file is.
    /// `was_stored`: whether the check began with the look into the state directory. `has_failed`: whether it found that something
    /// cannot be made durable.
    pub(in crate::publish) fn take_over(
        &mut self,
        current: &mut Self,
        (was_stored, has_failed): (bool, bool),
    ) {
        let is_same = self.chain() == current.chain();
        self.durable |= is_same && current.durable;
        if !has_failed {
            // A write that was waited for nowhere may have succeeded or failed.
            let lasts = self.serving && (is_same || !self.durable);
            self.durability = current.durability.take().filter(|_| lasts);
        }
        // The state directory may have been opened meanwhile.
        self.stored |= current.stored && !was_stored;
        self.signatures = current.signatures.take();
        self.wrong = current.wrong.take();
        self.forced = current.forced.take();
        self.awaited = current.awaited;
        (self.expiry, self.identity) = (current.expiry, current.identity);
        (self.is_member, self.is_catalog) = (current.is_member, current.is_catalog);
        // A survey may have found another file, or an order asks for the same one again.
        let place =
            |found: &Option<Found>| found.as_ref().map(|found| (found.key.clone(), found.path.clone()));
        if place(&self.found) != place(&current.found) {
            self.found = current.found.take();
        }
        self.rival = current.rival.take();
        self.away.clone_from(&current.away);
        if current.work == WorkState::RunningAgain {
            self.read &= self.forced.is_none();
        }
        (self.work, self.finds_again, self.is_large) = (WorkState::Idle, false, false);
    }

    /// The serial of the refused version that an operator may let pass.
    fn refused_serial(&self) -> Option<Serial> {
        let offered = self.refused_offer.as_ref().map(|offer| offer.serial);
        self.denied.as_ref().map(|denied| denied.serial).or(offered)
    }

    /// Notes a version that the operator may let pass all the same.
    pub(in crate::publish) fn deny(
        &mut self,
        zone: &Name,
        path: &Path,
        (serial, digest): (Serial, Digest),
        refused: Refused,
    ) {
        self.denied = Some(Box::new(Denied { serial, digest }));
        let (path, zone) = (path.to_path_buf(), zone.clone());
        self.verdict = Some(Box::new(Fault::Refused { path, refused, zone, serial }));
    }

    /// No primary has the version any more that was refused.
    pub(in crate::publish) fn withdraw_refusal(&mut self) {
        self.refused_offer = None;
        if matches!(self.verdict.as_deref(), Some(Fault::RefusedOffer { .. })) {
            self.verdict = None;
        }
    }

    /// No file is its source: nothing that one had is to be accepted, and nothing is wrong with it.
    pub(in crate::publish) fn forget_file(&mut self) {
        self.denied = None;
        self.verdict.take_if(|fault| !matches!(**fault, Fault::RefusedOffer { .. }));
    }

    /// Notes that the look at it panicked; it is tried again when its file changes.
    pub(in crate::publish) fn panicked(&mut self, zone: &Name, reason: &str) {
        let fault = Fault::Panicked { path: self.path().to_path_buf(), reason: one_line(reason) };
        tracing::error!(%zone, serving = self.serving, "{fault}");
        self.verdict = Some(Box::new(fault));
        self.denied = None;
        self.is_checked = true;
        if let Some(found) = &self.found {
            self.files = self.files.now(&found.path);
            self.read = true;
        }
        self.note_state();
    }

    /// Takes which zone above it, if one, has DS records that match no key of it.
    pub(in crate::publish) fn take_delegation(&mut self, above: Option<&Name>) {
        let fault = above.map(|above| Fault::Delegation { above: above.clone() });
        self.delegation = fault.map(Box::new);
    }

    /// Takes what is known of the signatures; says whether something is wrong that was not.
    pub(in crate::publish) fn take_signatures(&mut self, signatures: Option<Box<Signatures>>) -> bool {
        let known = self.wrong.take();
        self.wrong = signatures.as_ref().and_then(|signatures| signatures.fault()).map(Box::new);
        self.signatures = signatures;
        self.wrong.is_some() && known.is_none()
    }

    /// How it stands.
    fn state(&self) -> ZoneState {
        let held = self.misplaced.is_some() || self.verdict.is_some();
        match (self.serving, held) {
            (true, false) => ZoneState::Serving,
            (true, true) => ZoneState::Kept,
            (false, _) if !self.is_checked => ZoneState::Waiting,
            (false, _) => ZoneState::Refused,
        }
    }

    /// Notes since when it stands as it does.
    pub(in crate::publish) fn note_state(&mut self) -> (ZoneState, SystemTime) {
        let stands = (self.state(), self.expiry);
        let (_, since) = match self.since {
            Some(known) if known.0 == stands => known,
            _ => *self.since.insert((stands, SystemTime::now())),
        };
        (stands.0, since)
    }

    /// The configured source of the version that stands.
    pub(in crate::publish) fn root(&self) -> Option<&Path> {
        let found = self.found.as_ref().map(|found| &*found.root);
        let found = found.or_else(|| Some(&*self.away.as_ref()?.root));
        found.or_else(|| match &self.header.as_ref()?.provenance {
            Provenance::File { root, .. } => Some(&**root),
            Provenance::Transfer { .. } => None,
        })
    }

    /// Whether the version that stands came from a primary.
    pub(in crate::publish) fn is_transferred(&self) -> bool {
        let from = self.header.as_ref().map(|header| &header.provenance);
        matches!(from, Some(Provenance::Transfer { primary }) if *primary != MADE_HERE)
    }

    /// The file of the version that stands, or the one that should be it.
    pub(in crate::publish) fn path(&self) -> Arc<Path> {
        let stands = self.header.as_ref().map(|header| match &header.provenance {
            Provenance::File { path, .. } => path.clone(),
            Provenance::Transfer { primary: MADE_HERE } => PathBuf::from("made here").into(),
            Provenance::Transfer { primary } => PathBuf::from(format!("primary {primary}")).into(),
        });
        let found = || self.found.as_ref().map(|found| found.path.clone());
        stands.or_else(found).unwrap_or_else(|| PathBuf::new().into())
    }

    /// Where the version that stands came from: a file, or in words where no file holds what is served.
    fn source(&self, origin: Origin) -> Arc<Path> {
        let has_differences = self.header.as_ref().is_some_and(|header| header.standing.has_differences());
        match self.header.as_ref().filter(|_| has_differences).map(|header| &header.provenance) {
            Some(_) if origin == Origin::Updates => PathBuf::from("updates").into(),
            Some(Provenance::Transfer { primary }) if *primary != MADE_HERE => {
                PathBuf::from(format!("primary {primary}, and differences since")).into()
            }
            Some(Provenance::File { path, .. }) if origin == Origin::Primaries => {
                PathBuf::from(format!("{}, and differences of primaries since", path.display())).into()
            }
            _ => self.path(),
        }
    }

    /// Whether a version was refused because the zone is held.
    pub(in crate::publish) fn is_refused_as_held(&self) -> bool {
        matches!(self.verdict.as_deref(), Some(Fault::Refused { refused: Refused::Held { .. }, .. }))
    }

    /// Whether it will be read as soon as its writer is done, which need not be heard.
    pub(in crate::publish) fn is_postponed(&self) -> bool {
        matches!(self.verdict.as_deref(), Some(Fault::BeingWritten { .. } | Fault::Unstable { .. }))
    }

    /// Whether it waits, and not for long yet, for what the state directory has of it: that could not be read.
    pub(in crate::publish) fn waits_for_state(&self) -> bool {
        !self.serving && (1..MOST_UNREAD).contains(&self.unread)
    }

    /// Whether what is served is to be kept anew: it is not durable, or a change was refused because nothing could be made durable.
    pub(in crate::publish) fn is_to_keep(&self) -> bool {
        self.serving && (!self.durable || self.has_refused_change())
    }

    /// Whether a change was refused because nothing could be made durable.
    fn has_refused_change(&self) -> bool {
        matches!(self.durability.as_deref(), Some(Fault::ChangeNotDurable { .. }))
    }

    /// Which version stands: no other has this link.
    pub(in crate::publish) fn chain(&self) -> Option<Digest> {
        self.header.as_ref().map(|header| header.chain)
    }

    /// Why it is not served; `None` if it is.
    pub(in crate::publish) fn absence(&self) -> Option<Absence> {
        match self.serving {
            true => None,
            false if !self.is_checked || self.is_postponed() => Some(Absence::Loading),
            false => Some(Absence::NoData),
        }
    }

    /// Everything that is wrong.
    pub(in crate::publish) fn faults(&self) -> impl Iterator<Item = &Fault> {
        let own = self.misplaced.iter().chain(&self.verdict).chain(&self.notice);
        let own = own.chain(&self.durability);
        own.chain(&self.delegation).chain(&self.wrong).map(Box::as_ref)
    }

    /// Whether the same is said of both.
    pub(in crate::publish) fn says_the_same(&self, other: &Self) -> bool {
        let same_header = match (&self.header, &other.header) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (None, None) => true,
            _ => false,
        };
        same_header
            && self.state() == other.state()
            && self.serving == other.serving
            && self.durable == other.durable
            && self.file() == other.file()
            && self.refused_serial() == other.refused_serial()
            && self.faults().map(ToString::to_string).eq(other.faults().map(ToString::to_string))
    }

    /// What is said of it.
    pub(in crate::publish) fn report(&mut self, origin: Origin) -> ZoneReport {
        let (state, since) = self.note_state();
        let standing = self.header.as_ref().filter(|_| self.serving);
        let is_of_file = |header: &&Arc<Header>| {
            origin == Origin::File && matches!(header.provenance, Provenance::File { .. })
        };
        let of_file = standing.filter(is_of_file);
        ZoneReport {
            state,
            since,
            serial: standing.map(|header| header.standing.serial),
            source_serial: of_file.and_then(|header| header.standing.other_source_serial()),
            records: standing.map_or(0, |header| header.standing.records),
            source: self.source(origin),
            file: self.file(),
            accepted_at: standing.map(|header| header.accepted_at),
            durable: self.durable,
            kept_version: self.kept_version,
            number: self.identity.number,
            is_another: self.identity.is_another,
            refused_serial: self.refused_serial(),
            signatures: self.signatures.as_deref().filter(|_| self.serving).cloned(),
            expiry: self.expiry,
            is_catalog: self.is_catalog,
            is_from_primaries: origin == Origin::Primaries,
            faults: self.faults().cloned().collect(),
        }
    }
}

#[cfg(test)]
#[path = "../../../../tests/unit/publish/entry.rs"]
mod tests;
