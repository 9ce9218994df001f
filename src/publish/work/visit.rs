//! What one look does to one zone: read it if it changed, judge it, say what is to be served and kept.
//!
//! Runs on many threads, one zone on each; touches nothing but its zone's entry and the state directory.

use std::sync::Arc;

use crate::wire::{Name, Serial};
use crate::zone::{Snapshot, Zone};

use crate::publish::accept::{
    Accepted, Candidate, Provenance, Refused, Standing, Terms, accept, needs_digest,
};
use crate::publish::fault::{Fault, SourceFault, one_line};
use crate::publish::settings::{Dnssec, SerialRule, Settings};
use crate::publish::source::read::{WriterOf, holds, read};
use crate::publish::source::scan::{Found, Unseen};
use crate::publish::state::directory::State;
use crate::publish::state::keeper::Version;
use crate::publish::state::state_file::Header;
use crate::publish::state::store::{DamagedJournal, Loaded};
use crate::publish::verify::{Modes, before};
use crate::publish::work::entry::Entry;
use crate::zonefile::Meter;
use crate::zonefile::{Beside, ReadZone, digest};

/// What a look at a zone may use.
pub(in crate::publish) struct Visitor<'a> {
    pub(in crate::publish) settings: &'a Settings,
    /// What to do with signatures.
    pub(in crate::publish) modes: &'a Modes,
    pub(in crate::publish) state: &'a State,
    /// What was served when the look began.
    pub(in crate::publish) served: &'a Snapshot,
    /// Shows the large file that is being read.
    pub(in crate::publish) meter: &'a Meter,
    pub(in crate::publish) writer_of: WriterOf<'a>,
    /// Whether a source could not be read whole.
    pub(in crate::publish) partial: bool,
    /// The zone that an order is about, where nothing else may be deployed.
    pub(in crate::publish) only: Option<&'a Name>,
    /// The directories that could not be read.
    pub(in crate::publish) unseen: &'a Unseen,
    /// Whether the first load goes on: then zones are not announced in the log one by one.
    pub(in crate::publish) first: bool,
}

/// What visits ask for.
#[derive(Debug, Default)]
pub(in crate::publish) struct Effects {
    /// How many zones were visited.
    pub(in crate::publish) visited: usize,
    /// To serve.
    pub(in crate::publish) added: Vec<Arc<Zone>>,
    /// To serve no longer.
    pub(in crate::publish) removed: Vec<Name>,
    /// Known here no longer.
    pub(in crate::publish) gone: Vec<Name>,
    /// Faults that stay until the process ends.
    pub(in crate::publish) alarms: Vec<SourceFault>,
}

impl Effects {
    /// Adds what another visit asked for.
    pub(in crate::publish) fn add(&mut self, other: Self) {
        self.visited += other.visited;
        self.added.extend(other.added);
        self.removed.extend(other.removed);
        self.gone.extend(other.gone);
        self.alarms.extend(other.alarms);
    }
}

impl Visitor<'_> {
    /// Looks at one zone. What it asks for is in `effects` as soon as the entry says it, also if it panics.
    pub(in crate::publish) fn visit(
        &self,
        name: &Name,
        rule: SerialRule,
        entry: &mut Entry,
        effects: &mut Effects,
    ) {
        #[cfg(test)]
        assert!(!PANICS.lock().is_ok_and(|name_of| name_of.as_ref() == Some(name)), "a test made it\nso");
        if entry.visited && self.only.is_some_and(|only| only != name) {
            return;
        }
        let mut visit = Visit { visitor: self, name, rule, effects };
        let before = entry.faults().map(ToString::to_string).collect::<Vec<_>>();
        visit.look_into_state(entry);
        let stays = match entry.found.clone() {
            None => visit.missing(entry),
            Some(found) => {
                visit.found(entry, &found);
                true
            }
        };
        if !stays {
            visit.effects.gone.push(name.clone());
            return;
        }
        entry.visited = true;
        for fault in entry.faults().map(ToString::to_string).filter(|fault| !before.contains(fault)) {
            tracing::warn!(zone = %name, serving = entry.serving, "{fault}");
        }
        entry.note_state();
    }
}

/// One look at one zone.
struct Visit<'a> {
    visitor: &'a Visitor<'a>,
    name: &'a Name,
    rule: SerialRule,
    effects: &'a mut Effects,
}

/// The zone at which a visit panics.
#[cfg(test)]
pub(in crate::publish) static PANICS: std::sync::Mutex<Option<Name>> = std::sync::Mutex::new(None);

impl Visit<'_> {
    /// Learns what the state directory has of the zone, once.
    fn look_into_state(&mut self, entry: &mut Entry) {
        if !std::mem::take(&mut entry.stored) {
            return;
        }
        let Some(store) = self.visitor.state.store() else { return };
        match store.look(self.name) {
            Ok((header, damage)) => {
                self.alarm_of_journal(damage, &header);
                entry.header = Some(Arc::new(header));
                entry.durable = true;
            }
            Err((path, error)) => self.alarm(SourceFault::State { path, error: error.to_string() }),
        }
    }

    /// No file: the zone stays, unless the config no longer speaks of it. Says whether it stays.
    fn missing(&mut self, entry: &mut Entry) -> bool {
        let covered = entry.root().is_some_and(|root| self.visitor.settings.covers(self.name, root));
        // Where a directory cannot be read the zone may only have moved there.
        if !covered && !self.visitor.partial && entry.header.is_some() {
            self.forget();
            return false;
        }
        if entry.header.is_none() {
            return false;
        }
        if self.visitor.unseen.has(&entry.path()) {
            self.unseen(entry);
            return entry.header.is_some();
        }
        entry.misplaced =
            Some(Box::new(Fault::Vanished { path: entry.path().to_path_buf(), zone: self.name.clone() }));
        entry.verdict = None;
        entry.denied = None;
        entry.read = false;
        self.restore(entry);
        entry.header.is_some()
    }

    /// The directory of its file cannot be read, and one fault says so for all: of the file nothing new is known.
    fn unseen(&mut self, entry: &mut Entry) {
        if matches!(entry.misplaced.as_deref(), Some(Fault::Vanished { .. } | Fault::Missing { .. })) {
            entry.misplaced = None;
        }
        self.restore(entry);
    }

    /// The zone left the config.
    fn forget(&mut self) {
        tracing::info!(zone = %self.name, "no longer configured, no longer served");
        self.effects.removed.push(self.name.clone());
        // Where the directory cannot be written, the zone is found again, and forgotten, once it can be.
        let Some(Err(error)) = self.visitor.state.keeper().map(|keeper| keeper.forget(self.name)) else {
            return;
        };
        self.alarm(SourceFault::StateRemains { zone: self.name.clone(), error: error.to_string() });
    }

    fn found(&mut self, entry: &mut Entry, found: &Found) {
        entry.misplaced = match found.fault.as_deref() {
            Some(Fault::Missing { path }) if entry.header.is_some() => {
                if self.visitor.unseen.has(path) {
                    return self.unseen(entry);
                }
                Some(Box::new(Fault::Vanished { path: path.clone(), zone: self.name.clone() }))
            }
            fault => fault.cloned().map(Box::new),
        };
        if entry.misplaced.is_some() {
            return self.restore(entry);
        }
        if entry.read && entry.files.are_as_before(&found.path) {
            return;
        }
        let stood = entry.header.is_some();
        if !self.is_still_outdated(entry, found) {
            self.read_and_judge(entry, found);
        }
        self.restore(entry);
        if stood && entry.header.is_none() {
            // Its state is damaged, so nothing stands: the file is judged by itself.
            self.read_and_judge(entry, found);
        }
    }

    /// Whether differences led on from what is in the file, octet by octet; then it is not parsed, and what they led to
    /// stays, as it would if the file were judged. Without this a start would read such a zone twice: its file, to find
    /// that it says nothing new, and its state.
    fn is_still_outdated(&mut self, entry: &mut Entry, found: &Found) -> bool {
        let Some(header) = entry.header.clone().filter(|header| header.standing.is_led_on()) else {
            return false;
        };
        let Provenance::File { octets: Some(octets), .. } = &header.provenance else { return false };
        let limits = &self.visitor.settings.limits;
        let Some(files) = holds(&found.path, octets, limits, self.visitor.writer_of) else {
            return false;
        };
        (entry.read, entry.files) = (true, files);
        (entry.verdict, entry.denied, entry.notice) = (None, None, None);
        let (root, path) = (found.root.clone(), found.path.clone());
        self.outdated(entry, Provenance::File { root, path, octets: Some(*octets) });
        true
    }

    fn read_and_judge(&mut self, entry: &mut Entry, found: &Found) {
        let limits = &self.visitor.settings.limits;
        let beside = Beside { served: self.visitor.served.zone(self.name), meter: Some(self.visitor.meter) };
        let before = (&entry.files, self.visitor.settings.settle);
        let reading = read(&found.path, self.name, limits, before, self.visitor.writer_of, beside);
        match reading.result {
            Ok(zone) => {
                entry.read = true;
                entry.files = reading.files;
                self.judge(entry, found, zone);
            }
            Err(fault) => {
                // A bad file is as it is until one of its files changes; any other fault passes by itself.
                entry.read = matches!(fault, Fault::Bad(_));
                if entry.read {
                    entry.files = reading.files;
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
        let settings = self.visitor.settings;
        let terms = Terms { serial: self.rule, shrink_limit_percent: settings.shrink_limit_percent, forced };
        let (root, path) = (found.root.clone(), found.path.clone());
        let provenance = Provenance::File { root, path, octets: read.file_digest };
        let candidate = Candidate { zone: read.zone, digest, provenance: provenance.clone() };
        entry.verdict = None;
        entry.denied = None;
        let bump_without_state = self.rule == SerialRule::Bump && matches!(self.visitor.state, State::None);
        entry.notice = bump_without_state.then(|| Box::new(Fault::BumpWithoutState));
        self.learn_digest(entry, serial, terms);
        let standing = entry.header.as_ref().map(|header| &header.standing);
        match accept(candidate, standing, terms) {
            Ok(Accepted::Outdated) => self.outdated(entry, provenance),
            Ok(Accepted::Unchanged { zone, standing }) => self.unchanged(entry, zone, standing, provenance),
            Ok(Accepted::New { zone, standing }) => match self.wrong_signatures(&zone, terms) {
                None => self.new_version(entry, zone, standing, provenance),
                Some(refused) => entry.deny(self.name, &found.path, (serial, digest), refused),
            },
            Err(refused) => entry.deny(self.name, &found.path, (serial, digest), refused),
        }
    }

    /// Whether wrong signatures refuse a version.
    fn wrong_signatures(&self, zone: &Zone, terms: Terms) -> Option<Refused> {
        if terms.forced || self.visitor.modes.of(self.name) != Dnssec::Refuse {
            return None;
        }
        before::refused(self.visitor.served.zone(self.name).map(Arc::as_ref), zone)
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
        let zone = self.effects.added.last().or_else(|| self.visitor.served.zone(self.name));
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
        if let Some(keeper) = self.visitor.state.keeper().filter(|_| !entry.durable || moved) {
            keeper.keep(Version { header: header.clone(), zone: zone.clone() });
        }
        if !entry.serving {
            self.serve(entry, header, zone);
        }
    }

    /// The source has what differences led on from: the version that they led to stays.
    fn outdated(&mut self, entry: &mut Entry, provenance: Provenance) {
        self.restore(entry);
        if matches!(self.visitor.state, State::None) {
            entry.notice = Some(Box::new(Fault::DifferenceWithoutState));
        }
        let (Some(before), Some(zone)) = (entry.header.clone(), self.in_service(entry)) else { return };
        let header = Arc::new(Header { provenance, ..Header::clone(&before) });
        let moved = header != before;
        entry.header = Some(header.clone());
        if let Some(keeper) = self.visitor.state.keeper().filter(|_| !entry.durable || moved) {
            keeper.keep(Version { header, zone });
        }
    }

    /// A version that is in its file is served at once and kept behind that; one with a serial that is in no file
    /// must not be forgotten, so it is kept first.
    fn new_version(&mut self, entry: &mut Entry, zone: Zone, standing: Standing, provenance: Provenance) {
        let in_its_file = standing.serial == standing.source_serial;
        let header = Arc::new(Header::whole(self.name, standing, provenance));
        let zone = Arc::new(zone);
        let version = Version { header: header.clone(), zone: zone.clone() };
        if in_its_file || matches!(self.visitor.state, State::None) {
            entry.durable = false;
            if let Some(keeper) = self.visitor.state.keeper() {
                keeper.keep(version);
            }
            return self.serve(entry, header, zone);
        }
        match self.visitor.state.keep_first(version) {
            Ok(()) => {
                entry.durable = true;
                self.serve(entry, header, zone);
            }
            Err(error) => {
                entry.read = false;
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
        entry.notice = Some(Box::new(Fault::ServedNotDurable { error }));
        self.serve(entry, header, zone);
    }

    fn serve(&mut self, entry: &mut Entry, header: Arc<Header>, zone: Arc<Zone>) {
        let (serial, records) = (zone.serial().0, zone.record_count());
        match self.visitor.first {
            true => tracing::debug!(zone = %self.name, serial, records, "zone served"),
            false => tracing::info!(zone = %self.name, serial, records, "zone served"),
        }
        entry.header = Some(header);
        entry.serving = true;
        self.effects.added.push(zone);
    }

    /// Serves the version in the state directory if nothing is served yet; a damaged one is forgotten.
    fn restore(&mut self, entry: &mut Entry) {
        let (false, Some(header), Some(store)) =
            (entry.serving, entry.header.clone(), self.visitor.state.store())
        else {
            return;
        };
        match store.load(self.name, &self.visitor.settings.limits) {
            Ok(Loaded { zone, header: found, tolerated, damage }) => {
                self.alarm_of_journal(damage, &found);
                // What is wrong with its file says the verdict already.
                if let Some(problem) = tolerated.filter(|_| entry.verdict.is_none()) {
                    entry.notice = Some(Box::new(Fault::RefusedToday { problem: one_line(&problem) }));
                }
                // What is known beside the file, its digest or where the source is now, stays.
                let header = if found.chain == header.chain { header } else { Arc::new(found) };
                self.serve(entry, header, Arc::new(zone));
            }
            Err((path, error)) => {
                entry.header = None;
                entry.durable = false;
                self.alarm(SourceFault::State { path, error: error.to_string() });
            }
        }
    }

    fn alarm_of_journal(&mut self, damage: Option<DamagedJournal>, header: &Header) {
        if let Some((path, error)) = damage {
            let (error, zone, serial) = (error.to_string(), self.name.clone(), header.standing.serial);
            self.alarm(SourceFault::Journal { path, error, zone, serial });
        }
    }

    fn alarm(&mut self, fault: SourceFault) {
        tracing::error!("{fault}");
        self.effects.alarms.push(fault);
    }
}
