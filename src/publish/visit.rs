//! What one look does to one zone: read it if it changed, judge it, keep it, hand it to the snapshot.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::wire::Name;
use crate::zone::Zone;

use super::accept::{Accepted, Candidate, Provenance, Standing, Terms, accept};
use super::core::Core;
use super::entry::{Denied, Entry};
use super::fault::{Fault, SourceFault};
use super::read::read;
use super::scan::Found;
use super::settings::SerialRule;
use super::state_file::Header;
use super::text::ReadZone;

impl Core {
    /// Looks at one zone; `partial` says that a source could not be read whole.
    pub(super) fn visit(&mut self, name: &Name, rule: SerialRule, partial: bool) {
        let Some(mut entry) = self.zones.remove(name) else { return };
        let before = entry.faults().map(ToString::to_string).collect::<Vec<_>>();
        let stays = match entry.found.clone() {
            None => self.visit_missing(name, &mut entry, partial),
            Some(found) => {
                self.visit_found(name, &mut entry, &found, rule);
                true
            }
        };
        if !stays {
            return;
        }
        entry.visited = true;
        for fault in entry.faults().map(ToString::to_string).filter(|fault| !before.contains(fault)) {
            tracing::warn!(zone = %name, serving = entry.serving, "{fault}");
        }
        self.zones.insert(name.clone(), entry);
    }

    /// No file: the zone stays, unless the config no longer speaks of it. Says whether it stays.
    fn visit_missing(&mut self, name: &Name, entry: &mut Entry, partial: bool) -> bool {
        let covered = entry.root().is_some_and(|root| self.settings.covers(name, root));
        // Where a directory cannot be read the zone may only have moved there.
        if !covered && !partial && entry.header.is_some() {
            self.forget(name);
            return false;
        }
        if entry.header.is_none() {
            return false;
        }
        entry.misplaced = Some(Fault::Vanished { path: entry.path() });
        entry.verdict = None;
        entry.denied = None;
        entry.read = None;
        self.restore(name, entry);
        entry.header.is_some()
    }

    /// The zone left the config.
    fn forget(&mut self, name: &Name) {
        tracing::info!(zone = %name, "no longer configured, no longer served");
        self.batch.removed.push(name.clone());
        let Some(Err(error)) = self.store.as_ref().map(|store| store.remove(name)) else { return };
        self.alarm(SourceFault::StateRemains { zone: name.clone(), error: error.to_string() });
    }

    fn visit_found(&mut self, name: &Name, entry: &mut Entry, found: &Found, rule: SerialRule) {
        entry.misplaced = match &found.fault {
            Some(Fault::Missing { path }) if entry.header.is_some() => {
                Some(Fault::Vanished { path: path.clone() })
            }
            fault => fault.clone(),
        };
        if entry.misplaced.is_some() {
            return self.restore(name, entry);
        }
        if entry.read.as_ref().is_some_and(|last| *last == last.again(&found.path)) {
            return;
        }
        self.read_and_judge(name, entry, found, rule);
        if !entry.serving && entry.header.is_some() {
            self.restore(name, entry);
            if entry.header.is_none() {
                // Its state is damaged, so nothing stands: the file is judged by itself.
                self.read_and_judge(name, entry, found, rule);
            }
        }
    }

    fn read_and_judge(&mut self, name: &Name, entry: &mut Entry, found: &Found, rule: SerialRule) {
        let still_written = |path: &Path| self.still_written(path);
        let reading = read(&found.path, name, &self.settings.limits, &entry.files, &still_written);
        match reading.result {
            Ok(zone) => {
                entry.read = Some(reading.files.clone());
                entry.files = reading.files;
                self.judge(name, entry, found, zone, rule);
            }
            Err(fault) => {
                // A bad file is as it is until one of its files changes; any other fault passes by itself.
                entry.read = None;
                if matches!(fault, Fault::Bad(_)) {
                    entry.read = Some(reading.files.clone());
                    entry.files = reading.files;
                }
                entry.denied = None;
                entry.verdict = Some(fault);
            }
        }
    }

    fn judge(&mut self, name: &Name, entry: &mut Entry, found: &Found, read: ReadZone, rule: SerialRule) {
        for warning in &read.warnings {
            tracing::warn!(zone = %name, "{warning}");
        }
        let (serial, digest) = (read.zone.serial(), read.digest);
        let forced = entry
            .forced
            .as_ref()
            .is_some_and(|forced: &Denied| forced.serial == serial && forced.digest == digest);
        let terms = Terms { serial: rule, shrink_limit_percent: self.settings.shrink_limit_percent, forced };
        let provenance = Provenance::File { root: found.root.clone(), path: found.path.clone() };
        let candidate = Candidate { zone: read.zone, digest, provenance: provenance.clone() };
        entry.verdict = None;
        entry.denied = None;
        entry.notice = (rule == SerialRule::Bump && self.store.is_none()).then_some(Fault::BumpWithoutState);
        let standing = entry.header.as_ref().map(|header| header.standing.clone());
        match accept(candidate, standing.as_ref(), terms) {
            Ok(Accepted::Unchanged(zone)) => self.unchanged(entry, zone, provenance),
            Ok(Accepted::New { zone, standing }) => self.new_version(name, entry, zone, standing, provenance),
            Err(refused) => entry.deny(&found.path, serial, digest, refused),
        }
    }

    /// The version that stands came again: perhaps it is not in service or not durable yet.
    fn unchanged(&mut self, entry: &mut Entry, zone: Zone, provenance: Provenance) {
        let Some(header) = &mut entry.header else { return };
        let moved = header.provenance != provenance;
        header.provenance = provenance;
        let header = header.clone();
        if let Some(store) = self.store.as_ref().filter(|_| !entry.durable || moved) {
            match store.save(&header, &zone) {
                Ok(()) => entry.durable = true,
                Err(error) if !entry.durable => {
                    entry.read = None;
                    entry.notice = Some(Fault::ServedNotDurable { error: error.to_string() });
                }
                // The older copy says another path; it does no harm.
                Err(_) => {}
            }
        }
        if !entry.serving {
            self.serve(entry, header, zone);
        }
    }

    /// Durable first, then served.
    fn new_version(
        &mut self,
        name: &Name,
        entry: &mut Entry,
        zone: Zone,
        standing: Standing,
        provenance: Provenance,
    ) {
        let header = Header { standing, provenance, accepted_at: SystemTime::now() };
        let saved = match &self.store {
            None => Ok(false),
            Some(store) => store.save(&header, &zone).map(|()| true),
        };
        let error = match saved {
            Ok(durable) => {
                entry.durable = durable;
                return self.serve(entry, header, zone);
            }
            Err(error) => error.to_string(),
        };
        entry.read = None;
        self.restore(name, entry);
        if entry.serving {
            entry.verdict = Some(Fault::NotDurable { error });
            return;
        }
        entry.durable = false;
        entry.notice = Some(Fault::ServedNotDurable { error });
        self.serve(entry, header, zone);
    }

    fn serve(&mut self, entry: &mut Entry, header: Header, zone: Zone) {
        tracing::info!(
            zone = %zone.origin(), serial = %zone.serial(), records = zone.record_count(), "serving"
        );
        entry.header = Some(header);
        entry.serving = true;
        self.batch.added.push(Arc::new(zone));
    }

    /// Serves the version in the state directory if nothing is served yet; a damaged one is forgotten.
    fn restore(&mut self, name: &Name, entry: &mut Entry) {
        let (false, Some(header), Some(store)) = (entry.serving, entry.header.clone(), &self.store) else {
            return;
        };
        match store.load(name, &self.settings.limits) {
            Ok(zone) => self.serve(entry, header, zone),
            Err((path, error)) => {
                entry.header = None;
                entry.durable = false;
                self.alarm(SourceFault::State { path, error: error.to_string() });
            }
        }
    }
}
