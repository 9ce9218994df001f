//! What is kept of the zones, and what could not be.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Moment;
use crate::publish::fault::SourceFault;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::files::holds::Holds;
use crate::publish::state::opener::StateOpener;
use crate::publish::state::store::history::History;
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::tables::anew::Successor;
use crate::publish::state::tables::releases::{KeptReleases, MissingReleases};
use crate::publish::state::tables::timers::ZoneTimers;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::kept::forgotten::ForgottenZones;
use crate::publish::work::kept::kept_state::{KeptState, ToldState};
use crate::publish::work::kept::member_list::Members;
use crate::publish::work::kept::removed_list::RemovedZones;
use crate::publish::work::zone::entry::Entry;
use crate::wire::Name;

/// What is kept of the zones.
#[derive(Debug)]
pub(in crate::publish) struct Keeping {
    pub(in crate::publish) state: Arc<StateDirectory>,
    pub(in crate::publish) opener: StateOpener,
    pub(in crate::publish) told: ToldState,
    /// What was kept of the steps of zones.
    pub(in crate::publish) history: History,
    /// Which serials they had before.
    pub(in crate::publish) serials: ZoneSerials,
    /// Zones whose version could not be kept; it is tried again at the next look.
    pub(in crate::publish) unkept: BTreeSet<Name>,
    /// Zones that were being checked when the database was lost; they are kept anew after that.
    pub(in crate::publish) after_check: BTreeSet<Name>,
    /// Zones that an operator holds at the version that is served.
    pub(in crate::publish) holds: Arc<Holds>,
    /// The zones that catalogs list.
    pub(in crate::publish) members: Members,
    /// The zones that left the configuration and whose data waits.
    pub(in crate::publish) removed: RemovedZones,
    /// The zones of which everything was forgotten, so that what has their names next is another zone.
    pub(in crate::publish) forgotten: ForgottenZones,
}

impl Keeping {
    /// In this directory.
    pub(in crate::publish) fn new(state: StateDirectory, opener: StateOpener) -> Self {
        let serials = opener.serials();
        Self {
            state: Arc::new(state),
            opener,
            told: ToldState::new(None),
            history: History::new(serials.clone()),
            serials,
            unkept: BTreeSet::new(),
            after_check: BTreeSet::new(),
            holds: Arc::default(),
            members: Members::default(),
            removed: RemovedZones::default(),
            forgotten: ForgottenZones::default(),
        }
    }

    /// Has it found out whether the state directory is still the one that was opened; its disk may not answer.
    pub(in crate::publish) fn look(&self) {
        if let Some(writer) = self.state.writer() {
            writer.look_soon();
        }
    }

    /// Tells others what was kept. The report has the zones of which something is kept by then, and none of them is served yet.
    pub(in crate::publish) fn tell(&self) {
        let (timers, releases) = (self.timers(), self.releases());
        let members = self.members.all.clone();
        self.told.publish(Some(KeptState { timers, members, releases }));
    }

    /// The timers of secondary zones that the last process kept; none if they cannot be read.
    pub(in crate::publish) fn timers(&self) -> HashMap<Name, ZoneTimers> {
        let Some(store) = self.state.store() else { return HashMap::new() };
        store.timers().unwrap_or_else(|error| {
            tracing::warn!(%error, "the timers of secondary zones cannot be read: their primaries are asked at once");
            HashMap::new()
        })
    }

    /// Which versions all secondaries may have, as the last process kept it. Where that is not known of all zones, it is said.
    pub(in crate::publish) fn releases(&self) -> KeptReleases {
        let state = self.state.clone();
        let missing = |missing| KeptReleases { missing: Some(missing), ..KeptReleases::default() };
        let (kept, error) = match (state.store(), state.unread()) {
            (_, Some(error)) => (missing(MissingReleases::Unread), Some(error)),
            (None, None) => (KeptReleases::default(), None),
            (Some(store), None) => match store.releases() {
                Ok(KeptReleases { zones, .. }) if store.losses().all() => {
                    (KeptReleases { zones, missing: Some(MissingReleases::Lost) }, None)
                }
                Ok(kept) => {
                    let error = kept.missing.map(|_| "a value is damaged".to_owned());
                    (kept, error)
                }
                Err(error) => (missing(MissingReleases::Unread), Some(error.to_string())),
            },
        };
        if let Some(error) = error {
            tracing::error!(
                error,
                "which versions all secondaries may have cannot be read: they get none until an order"
            );
        }
        kept
    }

    /// Keeps timers of secondary zones.
    pub(in crate::publish) fn keep_timers(&self, timers: Vec<(Name, Option<ZoneTimers>)>) {
        if let Some(writer) = self.state.writer() {
            writer.keep_timers(timers);
        }
    }

    /// The fault of a state directory that cannot be written.
    pub(in crate::publish) fn fault(&self) -> Option<SourceFault> {
        let error = self.state.unwritable()?.to_string();
        let error = match self.state.unread() {
            Some(unread) if unread != error => format!("{error}; and what it holds cannot be read: {unread}"),
            Some(_) => format!("what it holds cannot be read, either: {error}"),
            None => error,
        };
        let path = self.opener.directory().map(Path::to_path_buf).unwrap_or_default();
        Some(SourceFault::StateUnwritable { path, error })
    }

    /// Forgets what the state directory has of a zone. What has its name next is another one.
    pub(in crate::publish) fn forget(&mut self, zone: &Name) -> io::Result<()> {
        match &*self.state {
            StateDirectory::None => {}
            StateDirectory::Kept(writer) => writer.forget(zone)?,
            StateDirectory::Unwritable { error, .. } => return Err(error.to_io()),
        }
        self.forgotten.add(zone.clone());
        Ok(())
    }

    /// Forgets what is kept of a zone that is not in service, and which version of it all secondaries might have. What has its name next is
    /// another one.
    pub(in crate::publish) fn forget_soon(&mut self, zone: &Name) {
        if let Some(writer) = self.state.writer() {
            writer.forget_soon(zone, Successor::Another);
            writer.keep_rows_soon(ZoneRows::Releases(vec![(zone.clone(), None)]));
        }
        self.forgotten.add(zone.clone());
    }

    /// Learns from the state directory which zones left the configuration.
    pub(in crate::publish) fn read_removed(&mut self) {
        let state = self.state.clone();
        let Some(store) = state.store() else { return };
        match store.removed() {
            Ok(removed) => self.removed.until.extend(removed),
            Err(error) => tracing::error!(%error, "which zones left the configuration cannot be read"),
        }
    }

    /// Learns from the state directory which serials zones had before.
    pub(in crate::publish) fn read_serials(&self) {
        let Some(store) = self.state.store().filter(|store| store.database().is_some()) else { return };
        if let Err(error) = store.read_serials() {
            tracing::error!(%error, "which serials zones had before cannot be read: secondaries get whole zones instead of differences until a restart");
        }
    }

    /// A zone left the configuration, and something may be kept of it.
    pub(in crate::publish) fn keep_aside(&mut self, zone: &Name) {
        if !matches!(*self.state, StateDirectory::None) {
            self.removed.add(zone.clone(), Moment::now());
        }
    }

    /// An entry for a zone that was not known. One that left the configuration before begins with what is kept of it.
    pub(in crate::publish) fn new_entry(&mut self, zone: &Name) -> Entry {
        let mut entry = Entry { stored: self.removed.take(zone), ..Entry::default() };
        entry.identity.is_another = self.forgotten.take(zone);
        entry
    }
}
