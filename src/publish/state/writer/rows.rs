//! Short values of zones: on their way into the database, and out of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::atomic::Ordering;

use redb::WriteTransaction;

use crate::publish::accept::Digest;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::key_of;
use crate::publish::state::store::Store;
use crate::publish::state::tables::anew;
use crate::publish::state::tables::lost;
use crate::publish::state::tables::members::{self, KeptMember};
use crate::publish::state::tables::rejected;
use crate::publish::state::tables::releases::{self, KeptRelease, KeptReleases};
use crate::publish::state::tables::removed;
use crate::publish::state::tables::serials;
use crate::publish::state::tables::timers::{self, ZoneTimers};
use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Short values of zones, written in one transaction; none: forgets that of the zone.
#[derive(Debug)]
pub(in crate::publish) enum ZoneRows {
    /// Who is a member of which catalog.
    Members(Vec<(Name, Option<KeptMember>)>),
    /// Which version all secondaries may have.
    Releases(Vec<(Name, Option<KeptRelease>)>),
    /// The same of all zones of which it is known when it is written: for a database that has none of them.
    KnownReleases,
    /// Which zones left the configuration, and until when their data is kept.
    Removed(Vec<(Name, Option<u64>)>),
    /// Which contents of the file of a zone a rollback rejected.
    Rejected(Name, Vec<Digest>),
    /// Of which zones something was lost with a whole database: of no others.
    Lost(Vec<Name>),
    /// The catalogs that are made here have said that these began anew.
    SaidAnew(BTreeSet<Name>),
    /// Which serials a zone had before, as it is known when it is written; or all zones of which that is known.
    Serials(Option<Name>),
    /// No catalog is made here: of no zone it is to be said that it began anew.
    NoneAnew,
}

impl Store {
    /// The timers of secondary zones.
    pub(in crate::publish) fn timers(&self) -> Result<HashMap<Name, ZoneTimers>, DatabaseError> {
        self.open_one()?.read(timers::read_all)
    }

    /// Keeps timers of secondary zones in one transaction.
    pub(in crate::publish) fn write_timers(
        &self,
        timers: &BTreeMap<Name, Option<ZoneTimers>>,
    ) -> io::Result<()> {
        let write = |transaction: &_| timers::write(transaction, timers);
        self.open_to_write().and_then(|database| database.write(write)).map_err(DatabaseError::into_io)
    }

    /// The zones that catalogs list, or listed.
    pub(in crate::publish) fn members(&self) -> Result<BTreeMap<Name, KeptMember>, DatabaseError> {
        self.open_one()?.read(members::read_all)
    }

    /// The versions that all secondaries may have.
    pub(in crate::publish) fn releases(&self) -> Result<KeptReleases, DatabaseError> {
        let found = self.open_one()?.read(releases::read_all)?;
        locked(&self.releases).clone_from(&found.zones);
        Ok(found)
    }

    /// The same as they were told or read last.
    fn known_releases(&self) -> Vec<(Name, Option<KeptRelease>)> {
        let known = locked(&self.releases);
        known.iter().map(|(zone, release)| (zone.clone(), Some(*release))).collect()
    }

    /// Forgets a zone whose end is ordered, and which version of it all secondaries might have.
    pub(in crate::publish) fn forget(&self, zone: &Name) -> io::Result<()> {
        self.write(|writing| {
            writing.remove(&key_of(zone))?;
            releases::write(writing.transaction(), &[(zone.clone(), None)])
        })
        .map_err(DatabaseError::into_io)?;
        locked(&self.releases).remove(zone);
        self.serials().forgot([zone]);
        Ok(())
    }

    /// The contents of the file of a zone that a rollback rejected, the newest first.
    pub(in crate::publish) fn rejected(&self, zone: &Name) -> Result<Vec<Digest>, DatabaseError> {
        let key = key_of(zone);
        self.open_one()?.read(|from| rejected::read(from, &key))
    }

    /// The zones that left the configuration, and until when their data is kept.
    pub(in crate::publish) fn removed(&self) -> Result<BTreeMap<Name, u64>, DatabaseError> {
        self.open_one()?.read(removed::read_all)
    }

    /// Learns which serials zones had before, of those of which something is kept.
    pub(in crate::publish) fn read_serials(&self) -> Result<(), DatabaseError> {
        let kept = self.open_one().and_then(|database| database.read(serials::read_all));
        self.serials().set_read(kept.is_ok());
        kept?.into_iter().for_each(|(zone, runs)| self.serials().learn(&zone, runs));
        Ok(())
    }

    /// What is kept of a zone ends earlier, or is no more: who has what it ended with must not take differences from there.
    pub(in crate::publish) fn leave_tail(&self, zone: &Name, left: Option<Serial>) {
        if let Ok(Some(tail)) = self.tail(zone) {
            self.serials().leave(zone, &tail, left);
        }
    }

    /// Looks at its place, and reads what could not be read.
    pub(in crate::publish) fn look_again(&self) {
        self.look_at_place();
        if self.serials().is_unread()
            && let Err(error) = self.read_serials()
        {
            tracing::warn!(%error, "which serials zones had before cannot be read still: secondaries get whole zones instead of differences");
        }
    }

    /// Adds what is known of the serials of a zone, or of all.
    fn add_serials(&self, to: &WriteTransaction, zone: Option<&Name>) -> Result<(), DatabaseError> {
        let mut known = self.serials().known();
        known.retain(|(known, _)| zone.is_none_or(|zone| zone == known));
        let mut table = to.open_table(serials::SERIALS).map_err(DatabaseError::of)?;
        known.iter().try_for_each(|(zone, runs)| serials::add(&mut table, &key_of(zone), runs))
    }

    /// A zone cannot be forgotten: the next one of its name must not be taken for it.
    pub(in crate::publish) fn not_forgotten(&self, zone: &Name) {
        if let Ok(tail) = self.tail(zone) {
            self.serials().not_forgotten(zone, tail.as_ref());
        }
    }

    /// The zones of which everything was forgotten, as far as catalogs that are made here have not said so; more are noted from now on.
    pub(in crate::publish) fn begun_anew(&self) -> Result<BTreeSet<Name>, DatabaseError> {
        self.notes_anew.store(true, Ordering::Relaxed);
        self.open_one()?.read(anew::read_all)
    }

    /// Which of the zones that are noted as forgotten these rows take out.
    fn taken_out(&self, rows: &ZoneRows) -> io::Result<BTreeSet<Name>> {
        let noted = || {
            let noted = self.open_one().and_then(|database| database.read(anew::read_all));
            noted.map_err(DatabaseError::into_io)
        };
        match rows {
            ZoneRows::SaidAnew(said) => Ok(noted()?.intersection(said).cloned().collect()),
            ZoneRows::NoneAnew => noted(),
            _ => Ok(BTreeSet::new()),
        }
    }

    /// Keeps short values of zones in one transaction.
    pub(in crate::publish) fn write_rows(&self, rows: &ZoneRows) -> io::Result<()> {
        let taken_out = self.taken_out(rows)?;
        // Most zones that come and go are not there.
        if taken_out.is_empty() && matches!(rows, ZoneRows::SaidAnew(_) | ZoneRows::NoneAnew) {
            return Ok(());
        }
        let write = |transaction: &_| match rows {
            ZoneRows::Members(members) => members::write(transaction, members),
            ZoneRows::Releases(releases) => releases::write(transaction, releases),
            ZoneRows::KnownReleases => releases::write(transaction, &self.known_releases()),
            ZoneRows::Removed(zones) => removed::write(transaction, zones),
            ZoneRows::Rejected(zone, contents) => rejected::write(transaction, zone, contents),
            ZoneRows::Lost(zones) => lost::write(transaction, zones),
            ZoneRows::Serials(zone) => self.add_serials(transaction, zone.as_ref()),
            ZoneRows::SaidAnew(_) | ZoneRows::NoneAnew => anew::take_out(transaction, &taken_out),
        };
        self.open_to_write().and_then(|database| database.write(write)).map_err(DatabaseError::into_io)?;
        if let ZoneRows::Releases(releases) = rows {
            let mut known = locked(&self.releases);
            for (zone, release) in releases {
                match release {
                    Some(release) => drop(known.insert(zone.clone(), *release)),
                    None => drop(known.remove(zone)),
                }
            }
        }
        Ok(())
    }
}
