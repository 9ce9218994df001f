//! What an operator orders: other settings, the end of a zone whose file is gone, a version that was refused.

use crate::wire::{Name, Serial};

use crate::publish::error::{AcceptError, ReconfigureError, RemoveError};
use crate::publish::settings::Settings;
use crate::publish::work::core::Core;
use crate::publish::work::entry::Entry;

impl Core {
    /// Takes new settings; zones that are no longer configured go.
    pub(in crate::publish) fn reconfigure(&mut self, settings: Settings) -> Result<(), ReconfigureError> {
        let settings = settings.absolute().map_err(|source| ReconfigureError::CurrentDirectory { source })?;
        if settings.state_directory != self.settings.state_directory {
            return Err(ReconfigureError::StateDirectory);
        }
        self.settings = settings;
        self.verify.set_modes(&self.settings);
        for entry in self.zones.values_mut() {
            // Another rule or limit may judge the same file otherwise.
            entry.read = false;
        }
        self.look();
        Ok(())
    }

    /// Takes a zone out of service whose file is gone.
    pub(in crate::publish) fn remove(&mut self, zone: &Name) -> Result<(), RemoveError> {
        self.look_for(zone);
        let Some(entry) = self.zones.get(zone) else {
            return Err(RemoveError::NoSuchZone { zone: zone.clone() });
        };
        if let Some(found) = entry.found.as_ref().filter(|found| !found.is_missing()) {
            return Err(RemoveError::FilePresent { zone: zone.clone(), path: found.path.to_path_buf() });
        }
        self.forget(zone).map_err(|source| RemoveError::State { zone: zone.clone(), source })?;
        if let Some(named) = self.zones.remove(zone).and_then(|entry| entry.found) {
            // The config names it, so it is still reported as missing.
            let misplaced = named.fault.clone();
            let entry = Entry { found: Some(named), misplaced, visited: true, ..Entry::default() };
            self.zones.insert(zone.clone(), entry);
        }
        self.published.store(self.published.load().with_changes([], std::slice::from_ref(zone)));
        self.verify.changed([zone]);
        self.publish_absences();
        self.say();
        tracing::info!(%zone, "removed by command");
        Ok(())
    }

    /// Lets the refused version with this serial pass.
    pub(in crate::publish) fn accept(&mut self, zone: &Name, serial: Serial) -> Result<(), AcceptError> {
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
        self.look_for(zone);
        let Some(entry) = self.zones.get_mut(zone) else {
            return Err(AcceptError::NoSuchZone { zone: zone.clone() });
        };
        entry.forced = None;
        let stands = entry.header.as_ref().is_some_and(|header| header.standing.digest == Some(digest));
        match entry.faults().next() {
            None if stands => Ok(()),
            Some(fault) if stands && fault.is_of_served() => Ok(()),
            Some(fault) => Err(AcceptError::StillRefused { fault: Box::new(fault.clone()) }),
            None => Err(AcceptError::Changed { zone: zone.clone() }),
        }
    }
}
