//! The steps of one check: what the state directory has, where the file is, reading, judging, what is to be served and kept.

use std::path::Path;
use std::sync::Arc;

use crate::wire::{Name, Serial};
use crate::zone::{Snapshot, Zone};

use crate::publish::accept::{
    Accepted, Candidate, Provenance, Refused, Standing, Terms, accept, needs_digest,
};
use crate::publish::fault::{Fault, SourceFault};
use crate::publish::settings::{Dnssec, SerialRule};
use crate::publish::source::SourceKey;
use crate::publish::source::read::{Files, holds, read};
use crate::publish::source::scan::{Found, same_file};
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::version::header::Header;
use crate::publish::state::version::step::StepOrigin;
use crate::publish::validate::delegation::broken_above;
use crate::publish::validate::validate;
use crate::publish::verify::before;
use crate::publish::work::queue::Size;
use crate::publish::work::zone::entry::{Entry, LARGE};
use crate::zonefile::{Beside, IncludeGate, ReadZone, digest};

use crate::publish::work::zone::check_context::{CheckContext, Effects, GivenBack};
use crate::publish::work::zone::include_watch::IncludeWatch;
use crate::publish::work::zone::zones_below::ZonesBelow;

/// One check of one zone.
pub(in crate::publish) struct CheckRun<'a> {
    pub(in crate::publish) context: &'a CheckContext,
    /// What was served when the check began.
    pub(in crate::publish) served: &'a Snapshot,
    pub(in crate::publish) name: &'a Name,
    pub(in crate::publish) rule: SerialRule,
    /// The zones that it is checked with: its thread may wait for the file systems of these.
    pub(in crate::publish) group: &'a SourceKey,
    pub(in crate::publish) effects: &'a mut Effects,
    pub(in crate::publish) size: Size,
    pub(in crate::publish) given_back: &'a mut Option<GivenBack>,
    /// Whether the files of the reading are those that the state directory knows.
    pub(in crate::publish) files_are_known: bool,
    /// What the look into the state directory found, if it is all that is kept of the zone.
    pub(in crate::publish) looked: Option<Box<[u8]>>,
}

impl CheckRun<'_> {
    /// No file: the zone stays, unless the config no longer speaks of it. Says whether it stays.
    pub(in crate::publish) fn missing(&mut self, entry: &mut Entry) -> bool {
        if self.is_transferred(entry) {
            entry.forget_file();
            self.restore(entry);
            if !entry.stored && (entry.serving || entry.header.is_none()) {
                let waits = entry.header.is_none();
                entry.misplaced = waits.then(|| Box::new(Fault::NotTransferred));
            }
            return true;
        }
        if self.is_database() {
            if !self.is_kept_without_file(entry) {
                let is_lost = entry.lost;
                entry.misplaced = Some(Box::new(if is_lost { Fault::StateLost } else { Fault::NoSeed }));
            }
            return true;
        }
        let covered = entry.root().is_some_and(|root| self.context.settings.covers(self.name, root));
        // Where a directory cannot be read the zone may only have moved there.
        if !covered && !self.context.partial && entry.header.is_some() {
            self.forget();
            return false;
        }
        if entry.header.is_none() {
            return false;
        }
        let path = entry.away.as_ref().map_or_else(|| entry.path(), |away| away.path.clone());
        if self.context.unseen.has(&path) {
            self.unseen(entry);
            return entry.header.is_some();
        }
        entry.misplaced =
            Some(Box::new(Fault::Vanished { path: path.to_path_buf(), zone: self.name.clone() }));
        entry.verdict = None;
        entry.denied = None;
        entry.read = false;
        self.restore(entry);
        entry.header.is_some()
    }

    /// The directory of its file cannot be read, and one fault says so for all: of the file nothing new is known.
    pub(in crate::publish) fn unseen(&mut self, entry: &mut Entry) {
        if matches!(entry.misplaced.as_deref(), Some(Fault::Vanished { .. } | Fault::Missing { .. })) {
            entry.misplaced = None;
        }
        self.restore(entry);
    }

    /// Its file was there when it was last looked for, and now its directory cannot be read.
    fn not_answering(&mut self, entry: &mut Entry, found: &Found) {
        self.unseen(entry);
        if entry.header.is_none() {
            let error = "its directory does not answer".to_owned();
            entry.misplaced = Some(Box::new(Fault::Unreadable { path: found.path.to_path_buf(), error }));
        }
    }

    /// Whether something is kept of a zone that lives in the state directory, or may be: then its file, which was the seed, says
    /// nothing more.
    fn is_kept_without_file(&mut self, entry: &mut Entry) -> bool {
        self.restore(entry);
        if entry.header.is_some() && entry.serving {
            (entry.misplaced, entry.verdict, entry.denied) = (None, None, None);
            entry.notice.take_if(|notice| matches!(**notice, Fault::UpdatesInNoFile { .. }));
        }
        entry.header.is_some() || entry.stored
    }

    /// The zone left the config.
    fn forget(&mut self) {
        tracing::info!(zone = %self.name, "no longer configured, no longer served; what is kept of it stays for 30 days, unless it came from a primary");
        self.effects.forgotten = true;
    }

    pub(in crate::publish) fn found(&mut self, entry: &mut Entry, found: &Found) {
        if self.is_database() && self.is_kept_without_file(entry) {
            return;
        }
        if self.rule == SerialRule::Bump && entry.waits_for_state() {
            return;
        }
        if self.context.unseen.hides(&found.key, &found.path)
            && (entry.header.is_some() || found.fault.is_none())
        {
            return self.not_answering(entry, found);
        }
        entry.misplaced = match self.fault_of_place(entry, found) {
            Some(Fault::Missing { path }) if entry.header.is_some() => {
                Some(Box::new(Fault::Vanished { path, zone: self.name.clone() }))
            }
            fault => fault.map(Box::new),
        };
        if entry.misplaced.is_some() {
            return self.restore(entry);
        }
        let generation = self.context.settings_generation;
        entry.read &= std::mem::replace(&mut entry.settings_generation, generation) == generation;
        if !self.may_ask_included(entry, found) {
            return;
        }
        if entry.read && entry.files.are_as_before(&found.path) {
            return;
        }
        if self.size == Size::Small && entry.files.octets() >= LARGE {
            *self.given_back = Some(GivenBack::TooLarge);
            return;
        }
        if self.is_still_standing(entry, found) {
            return;
        }
        if !entry.serving && std::mem::take(&mut entry.files_are_accepted) {
            // Of an earlier process: it does not tell whether somebody writes to the file now.
            entry.files = Files::default();
        }
        let stood = entry.header.is_some();
        if !self.is_still_outdated(entry, found) {
            self.read_and_judge(entry, found);
        }
        if self.given_back.is_some() {
            return;
        }
        self.restore(entry);
        if stood && entry.header.is_none() {
            // Its state is damaged, so nothing stands: the file is judged by itself.
            self.read_and_judge(entry, found);
        }
    }

    /// What is wrong with where the file is.
    fn fault_of_place(&self, entry: &Entry, found: &Found) -> Option<Fault> {
        // One in a directory of which nothing is known does not count, and is not looked at: that may not answer.
        let rival = entry.rival.as_ref().filter(|rival| !self.context.unseen.hides(&rival.key, &rival.path));
        let rival = rival.filter(|rival| !same_file(&found.path, &rival.path));
        if let Some(rival) = rival {
            return Some(Fault::TwoFiles { paths: [found.path.to_path_buf(), rival.path.to_path_buf()] });
        }
        found.fault.as_deref().cloned()
    }

    /// Whether differences led on from what is in the file, octet by octet; then it is not parsed, and what they led to
    /// stays, as it would if the file were judged. Without this a start would read such a zone twice: its file, to find
    /// that it says nothing new, and its state.
    fn is_still_outdated(&mut self, entry: &mut Entry, found: &Found) -> bool {
        let Some(header) = entry.header.clone().filter(|header| header.standing.has_differences()) else {
            return false;
        };
        let Provenance::File { octets: Some(octets), .. } = &header.provenance else { return false };
        let limits = &self.context.settings.limits;
        let writer_of = self.context.writers.writer(self.context.settings.settle);
        let Some(files) = holds(&found.path, octets, (limits, self.most_octets()), &writer_of) else {
            return false;
        };
        self.files_are_known = entry.files.is_same(&files);
        (entry.read, entry.files) = (true, files);
        (entry.verdict, entry.denied, entry.notice) = (None, None, None);
        let (root, path) = (found.root.clone(), found.path.clone());
        self.outdated(entry, Provenance::File { root, path, octets: Some(*octets) });
        true
    }

    /// The most octets of a file that are read: a large one is left to the threads for large zones.
    fn most_octets(&self) -> u64 {
        match self.size {
            Size::Small => LARGE - 1,
            Size::Large => u64::MAX,
        }
    }

    pub(in crate::publish) fn read_and_judge(&mut self, entry: &mut Entry, found: &Found) {
        let limits = &self.context.settings.limits;
        let watched = IncludeWatch::new(&self.context.mounts, &found.path, self.group);
        let may_include = |path: &Path| watched.may_include(path);
        let beside = Beside {
            served: self.served.zone(self.name),
            file_progress: Some(&self.context.file_progress),
            includes: Some(IncludeGate(&may_include)),
        };
        let before = (&entry.files, self.context.settings.settle);
        let writer_of = self.context.writers.writer(self.context.settings.settle);
        let reading = read(&found.path, self.name, (limits, self.most_octets()), before, &writer_of, beside);
        let Some(reading) = reading else {
            *self.given_back = Some(GivenBack::TooLarge);
            return;
        };
        let (group, is_refused) = watched.end();
        if let Some(group) = group.as_ref().filter(|_| is_refused) {
            return self.elsewhere(entry, found, group);
        }
        entry.includes_in = group.map(Box::new);
        match reading.result {
            Ok(zone) => {
                entry.read = true;
                self.files_are_known = entry.files_are_accepted && entry.files.is_same(&reading.files);
                (entry.files, entry.files_are_accepted) = (reading.files, self.files_are_known);
                self.judge(entry, found, zone);
            }
            Err(fault) => {
                // A bad file is as it is until one of its files changes; any other fault passes by itself.
                entry.read = matches!(fault, Fault::Bad(_));
                if entry.read {
                    (entry.files, entry.files_are_accepted) = (reading.files, false);
                }
                entry.denied = None;
                entry.verdict = Some(Box::new(fault));
            }
        }
    }

    fn judge(&mut self, entry: &mut Entry, found: &Found, read: ReadZone) {
        for warning in &read.warnings {
            tracing::warn!(zone = %self.name, "{warning}");
        }
        let (serial, digest) = (read.zone.serial(), read.digest);
        let forced =
            entry.forced.as_ref().is_some_and(|forced| forced.serial == serial && forced.digest == digest);
        let settings = &self.context.settings;
        let (shrink_limit_percent, raise) = (settings.shrink_limit_percent, self.raise(entry));
        let (rule, is_anew, is_forked) = (self.rule, false, false);
        let terms = Terms { serial: rule, shrink_limit_percent, forced, is_anew, is_forked, raise };
        let (root, path) = (found.root.clone(), found.path.clone());
        let provenance = Provenance::File { root, path, octets: read.file_digest };
        let candidate = Candidate { zone: read.zone, digest, provenance };
        if let Err(refused) = self.take(entry, candidate, terms) {
            entry.deny(self.name, &found.path, (serial, digest), refused);
        }
        if self.rule == SerialRule::Bump && matches!(*self.context.state, StateDirectory::None) {
            entry.notice.get_or_insert_with(|| Box::new(Fault::BumpWithoutState));
        }
    }

    /// Judges a version, and has it kept and served if it may replace what stands.
    pub(in crate::publish) fn take(
        &mut self,
        entry: &mut Entry,
        candidate: Candidate,
        terms: Terms,
    ) -> Result<(), Refused> {
        let provenance = candidate.provenance.clone();
        (entry.verdict, entry.denied, entry.notice) = (None, None, None);
        entry.refused_offer = None;
        if entry.lost && self.is_database() && !terms.forced {
            // What was kept is the zone: its seed is older.
            return Err(Refused::StateLost);
        }
        self.learn_digest(entry, candidate.zone.serial(), terms);
        let standing = entry.header.as_ref().map(|header| &header.standing);
        let content = candidate.digest;
        match accept(candidate, standing, terms)? {
            Accepted::Outdated => self.outdated(entry, provenance),
            Accepted::Unchanged { zone, standing } => self.unchanged(entry, zone, standing, provenance),
            Accepted::New { zone, standing } => {
                // Where nothing stands, content that an operator went back from is better than none.
                if entry.header.is_some() {
                    self.check_rejected(&content, terms)?;
                }
                self.check_new(entry, &zone, terms)?;
                self.new_version(entry, zone, standing, provenance);
            }
        }
        Ok(())
    }

    /// Notes whether the zone above, if it is served here, has DS records that match no key. At each check anew: that zone may have
    /// changed.
    pub(in crate::publish) fn note_delegation(&self, entry: &mut Entry) {
        let zone = self.in_service(entry);
        let above = zone.as_ref().and_then(|zone| broken_above(self.served, zone));
        entry.take_delegation(above.map(|above| above.origin()));
    }

    /// Whether the operator's rules refuse a new version.
    fn check_new(&self, entry: &Entry, zone: &Zone, terms: Terms) -> Result<(), Refused> {
        if terms.forced && !terms.is_anew {
            return Ok(());
        }
        if let Some(hold) = self.context.holds.get(self.name).filter(|_| entry.header.is_some()) {
            return Err(Refused::Held { zone: self.name.clone(), reason: hold.reason.to_string() });
        }
        self.wrong_signatures(zone, terms).map_or(Ok(()), Err)?;
        self.validate(zone)
    }

    /// Whether a version has what the settings ask for.
    pub(in crate::publish) fn validate(&self, zone: &Zone) -> Result<(), Refused> {
        validate(zone, &self.context.settings)
    }

    /// Whether wrong signatures refuse a version.
    fn wrong_signatures(&self, zone: &Zone, terms: Terms) -> Option<Refused> {
        if (terms.forced && !terms.is_anew) || self.context.modes.of(self.name) != Dnssec::Refuse {
            return None;
        }
        // Another zone is not judged by how this one was signed.
        let served = self.served.zone(self.name).filter(|_| !terms.is_anew);
        before::refused(served.map(Arc::as_ref), zone)
    }

    /// Makes the digest of a version that came by a difference, if the judgement of a file depends on it.
    fn learn_digest(&mut self, entry: &mut Entry, offered: Serial, terms: Terms) {
        let unknown =
            |entry: &Entry| entry.header.clone().filter(|it| needs_digest(offered, &it.standing, terms));
        if unknown(entry).is_some() {
            self.restore(entry);
        }
        // What was restored may be another version.
        let (Some(header), Some(zone)) = (unknown(entry), self.in_service(entry)) else { return };
        let standing = Standing { digest: Some(digest(&zone)), ..header.standing.clone() };
        entry.header = Some(Arc::new(Header { standing, ..Header::clone(&header) }));
    }

    /// The zone that is in service, or is about to be.
    fn in_service(&self, entry: &Entry) -> Option<Arc<Zone>> {
        let zone = self.effects.added.as_ref().or_else(|| self.served.zone(self.name));
        zone.filter(|_| entry.serving).cloned()
    }

    /// The version that stands came again: perhaps it is not in service or not durable yet.
    fn unchanged(&mut self, entry: &mut Entry, zone: Zone, standing: Standing, provenance: Provenance) {
        let Some(before) = entry.header.clone() else { return };
        // One that was only looked up has paths of its own; these are shared with the source.
        let header = Arc::new(Header { standing, provenance, ..Header::clone(&before) });
        // Other octets that say the same do not count: they will be read once more if differences follow.
        let moved =
            header.standing != before.standing || !header.provenance.is_same_place(&before.provenance);
        entry.header = Some(header.clone());
        let zone = Arc::new(zone);
        if self.stand(entry, &header.provenance) || !entry.durable || moved {
            let version = (header.clone(), zone.clone());
            self.effects.kept = Some(self.version(entry, version, StepOrigin::File, None));
        }
        if !entry.serving {
            self.serve(entry, header, zone);
        }
    }

    /// The source has what differences led on from: the version that they led to stays.
    fn outdated(&mut self, entry: &mut Entry, provenance: Provenance) {
        self.restore(entry);
        if matches!(*self.context.state, StateDirectory::None) {
            entry.notice = Some(Box::new(Fault::DifferenceWithoutState));
        }
        let (Some(before), Some(zone)) = (entry.header.clone(), self.in_service(entry)) else { return };
        let header = Arc::new(Header { provenance, ..Header::clone(&before) });
        let moved = header != before;
        entry.header = Some(header.clone());
        self.note_updates(entry, zone.serial());
        if self.stand(entry, &header.provenance) || !entry.durable || moved {
            self.effects.kept = Some(self.version(entry, (header, zone), StepOrigin::File, None));
        }
    }

    /// A version that is in its file is served at once and kept behind that; one with a serial that is in no file
    /// must not be forgotten, so it is kept first. The first version that a primary gives is served at once, too: nothing stood
    /// that a crash could bring back, the zone would come again, and an empty POP that waits for a disk for each of many
    /// thousand zones is not announced for minutes.
    fn new_version(&mut self, entry: &mut Entry, zone: Zone, standing: Standing, provenance: Provenance) {
        let ends_run = self.note_serial(entry.header.as_deref(), standing.serial);
        let header = Arc::new(Header::whole(self.name, standing, provenance));
        let zone = Arc::new(zone);
        let origin = header.origin();
        let in_its_file = origin == StepOrigin::File;
        let before = entry.header.as_ref().map(|header| header.chain).zip(self.in_service(entry));
        let comes_first = matches!(header.provenance, Provenance::Transfer { .. }) && entry.header.is_none();
        self.stand(entry, &header.provenance);
        let version = self.version(entry, (header.clone(), zone.clone()), origin, before);
        if in_its_file || comes_first || matches!(*self.context.state, StateDirectory::None) {
            entry.durable = false;
            self.effects.kept = Some(version);
            if ends_run {
                self.keep_serials();
            }
            return self.serve(entry, header, zone);
        }
        match self.context.state.keep_first(version) {
            Ok(()) => {
                entry.durable = true;
                self.serve(entry, header, zone);
            }
            Err(error) => {
                (entry.read, entry.files_are_accepted) = (false, false);
                // It may still be written: then what is served is kept anew behind it.
                self.effects.is_unkept = true;
                self.effects.is_unsure = error.kind() == std::io::ErrorKind::TimedOut;
                self.not_kept(entry, header, zone, error.to_string());
            }
        }
    }

    /// What stands stays in service; if nothing does, a version that a restart may lose is better than none.
    fn not_kept(&mut self, entry: &mut Entry, header: Arc<Header>, zone: Arc<Zone>, error: String) {
        self.restore(entry);
        if entry.serving {
            entry.verdict = Some(Box::new(Fault::NotDurable { error }));
            return;
        }
        entry.durable = false;
        let fault = Fault::ServedNotDurable { error };
        (entry.durability, self.effects.has_failed) = (Some(Box::new(fault)), true);
        self.serve(entry, header, zone);
    }

    pub(in crate::publish) fn serve(&mut self, entry: &mut Entry, header: Arc<Header>, zone: Arc<Zone>) {
        let (serial, records) = (zone.serial().0, zone.record_count());
        match self.context.first {
            true => tracing::debug!(zone = %self.name, serial, records, "zone served"),
            false => tracing::info!(zone = %self.name, serial, records, "zone served"),
        }
        entry.header = Some(header);
        // It stands in the place of what could not be read.
        (entry.stored, entry.unread, entry.lost) = (false, 0, false);
        entry.serving = true;
        self.effects.below = ZonesBelow::all(self.name.clone());
        self.effects.added = Some(zone);
    }

    pub(in crate::publish) fn alarm(&mut self, fault: SourceFault) {
        tracing::error!("{fault}");
        self.effects.alarms.push(fault);
    }
}
