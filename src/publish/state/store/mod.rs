//! The state directory: what was accepted survives a restart, whatever became of its source.
//!
//! Accepted versions flow in through [`crate::publish::state::writer`], restored ones flow out. One process at a time
//! ([`crate::publish::state::files::lock`]). What is damaged is set aside, never trusted and never a crash; a version replaces an older one
//! whole or not at all.
//!
//! # Format 5: one file, `zones.redb`
//!
//! A database of redb: a copy-on-write tree of pages, one sync for each commit, never mapped. Keys are zones
//! ([`crate::publish::state::database::fields::key_of`]); numbers are big-endian.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `zones` | zone | a version: header, files, records ([`crate::publish::state::version::record`]) |
//! | `bodies` | zone, number | the records of a large zone, in pieces |
//! | `steps` | zone, number | a difference between two versions ([`crate::publish::state::version::step`]) |
//! | `sources` | zone, number | who gave the version that the step led to ([`crate::publish::state::version::step_source`]) |
//! | `tails` | zone | which steps there are, and the last version ([`crate::publish::state::version::tail`]) |
//! | `timers` | zone | when a secondary zone was checked ([`crate::publish::state::tables::timers`]) |
//! | `members` | zone | which catalog lists it ([`crate::publish::state::tables::members`]) |
//! | `releases` | zone | which version all secondaries may have ([`crate::publish::state::tables::releases`]) |
//! | `rejected` | zone | which contents of its file a rollback rejected ([`crate::publish::state::tables::rejected`]) |
//! | `removed` | zone | until when what is kept of a zone that left the configuration stays ([`crate::publish::state::tables::removed`]) |
//! | `serials`, `former-serials` | zone | which serials it had before it went back, or was forgotten ([`crate::publish::state::tables::serials`]) |
//! | `anew` | zone | what was kept of it was forgotten, and a catalog may have to say so ([`crate::publish::state::tables::anew`]) |
//! | `lost` | zone | what was kept of it was damaged ([`crate::publish::state::tables::lost`]) |
//! | `about` | `format` | 5 |
//! | `about` | `lost` | the database before this one was damaged |
//!
//! What is served is the version in `zones` with the steps behind it applied: a difference costs what it changes, not what the zone
//! holds. The other steps are the history. State files (formats 2 to 4) are taken over ([`crate::publish::state::store::format4`]). An older
//! build finds no lock file that it could lock; a newer format is refused.

pub(in crate::publish) mod format4;
pub(in crate::publish) mod history;
pub(in crate::publish) mod peek;
pub(in crate::publish) mod reading;
pub(in crate::publish) mod shared;
pub(in crate::publish) mod writing;
pub(in crate::publish) mod zone_serials;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use redb::ReadTransaction;

use crate::publish::accept::Digest;
use crate::publish::error::StoreError;
use crate::publish::settings::HistoryBounds;
use crate::publish::state::database::fields::key_of;
use crate::publish::state::database::{Database, DatabaseError, FILE, replace_damaged};
use crate::publish::state::files::aside::free_place;
use crate::publish::state::files::lock::Lock;
use crate::publish::state::store::reading::{
    Damaged, DamagedSteps, KeptError, Loaded, Looked, is_on_the_way, list, load, look, pieces, steps_from,
    tail, value,
};
use crate::publish::state::store::shared::StoreShared;
use crate::publish::state::store::writing::Writing;
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::tables::lost::{Losses, mark_all};
use crate::publish::state::tables::releases::KeptRelease;
use crate::publish::state::version::header::Header;
use crate::publish::state::version::tail::Tail;
use crate::telemetry::locked;
use crate::wire::Name;
use crate::zone::Zone;

/// After an error of the system the database takes nothing, also from others who read at that time, until it is opened anew; and that
/// waits for them. So long at most, and the reading is tried once more.
const READ_AGAIN: Duration = Duration::from_millis(10);
/// So many errors in a row, and nothing is tried again: the disk is gone, and a start with many zones would wait for each of them.
const MOST_ERRORS: u32 = 100;

/// The state directory, locked.
#[derive(Debug)]
pub(in crate::publish) struct Store {
    directory: PathBuf,
    /// `None` where there is no lock file and none can be made.
    lock: Mutex<Option<Lock>>,
    opened: Mutex<Opened>,
    shared: StoreShared,
    /// What was found to be damaged when it was opened.
    damaged: Mutex<Vec<Damaged>>,
    /// Whether a whole database is lost.
    losses: Losses,
    /// The versions that all secondaries may have, as they are kept: who says them says each once, and a new database needs them all.
    pub(in crate::publish) releases: Mutex<BTreeMap<Name, KeptRelease>>,
    /// Whether the database was set aside since the last time that somebody asked: what was durable is no more.
    lost: AtomicBool,
    /// Whether zones that are forgotten are noted for the catalogs that are made here.
    pub(in crate::publish) notes_anew: AtomicBool,
    /// Errors of the system in a row.
    errors: AtomicU32,
    /// How many threads read.
    readings: Mutex<usize>,
    reading_ended: Condvar,
}

/// The database of the directory, as far as it could be opened.
#[derive(Debug, Default)]
struct Opened {
    /// `None` if it cannot even be read.
    database: Option<Database>,
    is_read_only: bool,
    /// Why there is no database, though there is a file.
    unread: Option<String>,
}

impl Store {
    /// Makes the directory if need be, locks it, opens the database, and takes over what older builds left.
    pub(in crate::publish) fn open(directory: &Path, shared: StoreShared) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Unusable { path: directory.to_path_buf(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        let store = Self::new(directory, shared, Some(Lock::take(directory)?));
        store.open_database().map_err(|error| unusable(error.into_io()))?;
        Ok(store)
    }

    /// A directory that cannot be written, to read what is there. Fails only if another process uses it.
    pub(in crate::publish) fn read_only(directory: &Path, shared: StoreShared) -> Result<Self, StoreError> {
        let store = Self::new(directory, shared, Lock::take_to_read(directory)?);
        let unread = |error: DatabaseError| (None, Some(error.to_string()));
        let (database, unread) = read_only(directory).map_or_else(unread, |database| (database, None));
        if let Some(database) = &database {
            // What cannot be read of it is said when a zone is looked for.
            let _ = store.losses.learn(database);
        }
        *store.opened() = Opened { database, is_read_only: true, unread };
        Ok(store)
    }

    fn new(directory: &Path, shared: StoreShared, lock: Option<Lock>) -> Self {
        Self {
            directory: directory.to_path_buf(),
            lock: Mutex::new(lock),
            opened: Mutex::default(),
            shared,
            damaged: Mutex::default(),
            losses: Losses::default(),
            releases: Mutex::default(),
            lost: AtomicBool::new(false),
            notes_anew: AtomicBool::new(true),
            errors: AtomicU32::new(0),
            readings: Mutex::default(),
            reading_ended: Condvar::new(),
        }
    }

    /// Opens the database to write it. One that is damaged is set aside, and a new one begins.
    fn open_database(&self) -> Result<(), DatabaseError> {
        let database = match Database::open(&self.directory) {
            Err(DatabaseError::Damaged(why)) => {
                let aside = free_place(&self.directory, FILE);
                replace_damaged(&self.directory.join(FILE), &aside, mark_all)?;
                self.note_damage((aside, DatabaseError::Damaged(why).into()));
                self.losses.set_all();
                Database::open(&self.directory)?
            }
            opened => opened?,
        };
        match self.losses.learn(&database) {
            // It is set aside with the first reading.
            Ok(()) | Err(DatabaseError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        for damaged in format4::take_over(&self.directory, &database, true)? {
            self.note_damage(damaged);
        }
        *self.opened() = Opened { database: Some(database), is_read_only: false, unread: None };
        Ok(())
    }

    /// Locks it and opens it to write, if that could not be before, and finds out whether it can be written. What reads from it
    /// meanwhile fails, and reads again later.
    pub(in crate::publish) fn lock_and_probe(&self) -> io::Result<()> {
        self.probe()?;
        let mut lock = locked(&self.lock);
        if lock.is_none() {
            *lock = Some(Lock::take(&self.directory).map_err(io::Error::other)?);
        }
        let is_open = |opened: &Opened| opened.database.is_some() && !opened.is_read_only;
        if is_open(&self.opened()) {
            return Ok(());
        }
        if let Some(database) = self.opened().database.take() {
            database.close_for_good();
        }
        self.open_database().map_err(DatabaseError::into_io)
    }

    /// Whether something can be written here: as much as the least of filesystems gives a file.
    pub(in crate::publish) fn probe(&self) -> io::Result<()> {
        let path = self.directory.join("probe.new");
        let written = File::create(&path).and_then(|mut file| file.write_all(&[0; 4096]));
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    /// Gives it back: the database is closed, the lock free. Nothing may be asked of it afterwards.
    pub(in crate::publish) fn close(&self) {
        if let Some(database) = self.database() {
            database.close_for_good();
        }
        drop(locked(&self.lock).take());
    }

    /// Where it is.
    pub(in crate::publish) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Why what the directory holds cannot be read; `None` if it can be, or holds nothing.
    pub(in crate::publish) fn unread(&self) -> Option<String> {
        self.opened().unread.clone()
    }

    /// Whether a whole database is lost.
    pub(in crate::publish) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The database, to read from.
    pub(in crate::publish) fn database(&self) -> Option<Database> {
        self.opened().database.clone()
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        locked(&self.opened)
    }

    /// The database; an error if there is none.
    pub(in crate::publish) fn open_one(&self) -> Result<Database, DatabaseError> {
        let missing = || DatabaseError::Io(io::Error::other("the state directory cannot be read"));
        self.database().ok_or_else(missing)
    }

    /// Every zone that is kept, not looked into; and what was found to be damaged, and set aside.
    pub(in crate::publish) fn list(&self) -> io::Result<(BTreeSet<Name>, Vec<Damaged>)> {
        let kept = match self.database() {
            None => BTreeSet::new(),
            Some(database) => {
                let of = database.given_up();
                match database.read(list) {
                    Err(error @ DatabaseError::Damaged(_)) => {
                        self.lose(error, of);
                        BTreeSet::new()
                    }
                    listed => listed.map_err(DatabaseError::into_io)?,
                }
            }
        };
        Ok((kept, std::mem::take(&mut *locked(&self.damaged))))
    }

    /// What is known of the last version that is kept of one zone, without its records; `None` if nothing is. What is damaged is set
    /// aside.
    pub(in crate::publish) fn look(&self, zone: &Name) -> Result<Option<Looked>, Damaged> {
        let key = key_of(zone);
        let (found, of) = self.read_patiently(|from| look(from, &key));
        match found.map_err(KeptError::from).flatten() {
            Ok(Some((mut looked, Some(damage)))) => {
                looked.damage = Some(self.cut_steps(zone, &looked.header, damage));
                Ok(Some(looked))
            }
            Ok(Some((looked, None))) => Ok(Some(looked)),
            Ok(None) => Ok(None),
            Err(KeptError::Lost) => Err((self.directory.join(FILE), KeptError::Lost)),
            Err(error) => Err(self.set_aside(zone, error, of)),
        }
    }

    /// One kept zone with its records, after [`look`](Self::look); what is damaged is set aside. What the steps say but cannot be
    /// applied counts as damage.
    pub(in crate::publish) fn load(&self, zone: &Name) -> Result<Loaded, Damaged> {
        let key = key_of(zone);
        let (found, of) = self.read_patiently(|from| load(from, &key, zone));
        match found.map_err(KeptError::from).flatten() {
            Ok((mut loaded, Some(damage))) => {
                loaded.damage = Some(self.cut_steps(zone, &loaded.header, damage));
                Ok(loaded)
            }
            Ok((loaded, None)) => Ok(loaded),
            Err(error) => Err(self.set_aside(zone, error, of)),
        }
    }

    /// Reads, once more after an error of the system; and of which of the files in this place that was ([`Database::given_up`]).
    fn read_patiently<T>(
        &self,
        read: impl Fn(&ReadTransaction) -> Result<T, DatabaseError>,
    ) -> (Result<T, DatabaseError>, u64) {
        let of = self.database().map_or(0, |database| database.given_up());
        let once = || {
            #[cfg(test)]
            reading::fail_if_ordered(&self.directory)?;
            self.open_one()?.read(&read)
        };
        let counted = || {
            *locked(&self.readings) += 1;
            let found = once();
            *locked(&self.readings) -= 1;
            self.reading_ended.notify_all();
            found
        };
        let mut found = counted();
        if matches!(found, Err(DatabaseError::Io(_))) && self.errors.load(Ordering::Relaxed) < MOST_ERRORS {
            let others =
                self.reading_ended.wait_timeout_while(locked(&self.readings), READ_AGAIN, |left| *left > 0);
            drop(others);
            found = counted();
        }
        match found {
            Err(DatabaseError::Io(_)) => drop(self.errors.fetch_add(1, Ordering::Relaxed)),
            _ => self.errors.store(0, Ordering::Relaxed),
        }
        (found, of)
    }

    /// The last version of a zone that is kept, for a difference to the next one.
    pub(in crate::publish) fn last_version(&self, zone: &Name) -> Option<(Digest, Arc<Zone>)> {
        let key = key_of(zone);
        let (loaded, damage) = self.open_one().ok()?.read(|from| load(from, &key, zone)).ok()?.ok()?;
        damage.is_none().then(|| (loaded.header.chain, Arc::new(loaded.zone)))
    }

    /// Where the steps of a zone end.
    pub(in crate::publish) fn tail(&self, zone: &Name) -> Result<Option<Tail>, DatabaseError> {
        let key = key_of(zone);
        self.open_one()?.read(|from| tail(from, &key))
    }

    /// Whether a version with this link is in the record, with steps behind it, or one of these steps leads to it.
    pub(in crate::publish) fn is_on_the_way(&self, zone: &Name, tail: &Tail, chain: &Digest) -> bool {
        let key = key_of(zone);
        let found = self.open_one().and_then(|it| it.read(|from| is_on_the_way(from, &key, tail, chain)));
        found.unwrap_or(false)
    }

    /// How much history a zone may have.
    pub(in crate::publish) fn bounds(&self) -> HistoryBounds {
        *locked(&self.shared.bounds)
    }

    /// Which serials zones had before.
    pub(in crate::publish) fn serials(&self) -> &ZoneSerials {
        &self.shared.serials
    }

    /// Writes in one transaction.
    pub(in crate::publish) fn write<T>(
        &self,
        write: impl FnOnce(&mut Writing<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let bounds = self.bounds();
        let database = self.open_to_write()?;
        let of = database.given_up();
        let told = (self.notes_anew.load(Ordering::Relaxed), self.serials());
        let outcome = database.write(|to| write(&mut Writing::open(to, bounds)?.telling(told)));
        match outcome {
            Err(DatabaseError::Damaged(why)) => {
                self.lose(DatabaseError::Damaged(why.clone()), of);
                Err(DatabaseError::Damaged(why))
            }
            outcome => outcome,
        }
    }

    /// The database, in its place. If it was removed or another one is there, what is there now is locked and opened: the next
    /// [`take_lost`](Self::take_lost) says so, and what is served is kept anew.
    pub(in crate::publish) fn open_to_write(&self) -> Result<Database, DatabaseError> {
        let database = self.open_one()?;
        if database.is_in_place() || self.opened().is_read_only {
            return Ok(database);
        }
        let mut lock = locked(&self.lock);
        // The one that is held may be of a file that is not there any more.
        *lock = None;
        fs::create_dir_all(&self.directory)?;
        *lock = Some(Lock::take(&self.directory).map_err(io::Error::other)?);
        database.close_and_forget();
        self.note_damage((self.directory.join(FILE), DatabaseError::Replaced.into()));
        self.lost.store(true, Ordering::Relaxed);
        Ok(database)
    }

    /// Finds out whether the database is still in its place, and takes the one that is there if not. For a look now and then: each
    /// writing does the same.
    pub(in crate::publish) fn look_at_place(&self) {
        if let Err(error) = self.open_to_write() {
            tracing::error!(directory = %self.directory.display(), %error, "the state directory was removed or replaced, and cannot be opened again");
        }
    }

    /// Whether [`take_lost`](Self::take_lost) has something to tell.
    pub(in crate::publish) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether the database was set aside since this was last asked: nothing that was durable is any more. And why.
    pub(in crate::publish) fn take_lost(&self) -> Option<Vec<Damaged>> {
        let lost = self.lost.swap(false, Ordering::Relaxed);
        lost.then(|| std::mem::take(&mut *locked(&self.damaged)))
    }

    /// Sets the whole database aside, if it is still the one that was found to be damaged ([`Database::given_up`]); the next call
    /// begins a new one.
    fn lose(&self, error: DatabaseError, of: u64) {
        let Some(database) = self.database() else { return };
        if self.opened().is_read_only {
            let unread = Some(error.to_string());
            *self.opened() = Opened { database: None, is_read_only: true, unread };
            return;
        }
        let aside = free_place(&self.directory, FILE);
        match database.move_away(of, &aside, mark_all) {
            Ok(true) => {
                self.note_damage((aside, error.into()));
                self.losses.set_all();
                self.lost.store(true, Ordering::Relaxed);
            }
            // Another thread has done it.
            Ok(false) => {}
            Err(failed) => tracing::error!(%error, %failed, "the damaged database cannot be set aside"),
        }
    }

    fn note_damage(&self, damaged: Damaged) {
        locked(&self.damaged).push(damaged);
    }

    /// Puts what is kept of a zone into a file of its own, so that somebody can look at it, and forgets it; or the whole database, if
    /// that is damaged.
    fn set_aside(&self, zone: &Name, error: KeptError, of: u64) -> Damaged {
        let path = free_place(&self.directory, &format4::file_name(zone));
        match error {
            KeptError::Database(error @ DatabaseError::Damaged(_)) => {
                let text = error.to_string();
                self.lose(error, of);
                (self.directory.join(FILE), KeptError::Zone(text))
            }
            // What cannot be read now may be read later: nothing is taken out.
            error @ KeptError::Database(_) => (self.directory.join(FILE), error),
            error => {
                self.leave_tail(zone, None);
                let key = key_of(zone);
                let octets = |from: &ReadTransaction| {
                    let mut octets = value(from, &key)?.unwrap_or_default();
                    octets.extend(pieces(from, &key)?);
                    Ok(octets)
                };
                let octets = self.open_one().and_then(|database| database.read(octets));
                if !self.opened().is_read_only {
                    // It stays in its place unless there is a copy.
                    let copied = octets.and_then(|octets| Ok(fs::write(&path, octets)?));
                    if let Err(error) = copied.and_then(|()| self.write(|writing| writing.lose(&key))) {
                        tracing::error!(%zone, %error, "what is damaged cannot be set aside");
                    }
                }
                (path, error)
            }
        }
    }

    /// Takes steps out that cannot be read, and those behind them: what stands before them counts.
    fn cut_steps(&self, zone: &Name, header: &Header, (number, error): (u64, KeptError)) -> DamagedSteps {
        let path = free_place(&self.directory, &format!("{}.steps", format4::file_name(zone)));
        let key = key_of(zone);
        self.leave_tail(zone, Some(header.standing.serial));
        if !self.opened().is_read_only {
            let found = self.open_one().and_then(|it| it.read(|from| steps_from(from, &key, number)));
            let copied = found.and_then(|octets| Ok(fs::write(&path, octets)?));
            let cut =
                |writing: &mut Writing<'_>| writing.cut(&key, number, header.chain, header.standing.serial);
            if let Err(error) = copied.and_then(|()| self.write(cut)) {
                tracing::error!(%zone, %error, "damaged steps cannot be set aside");
            }
        }
        (path, error)
    }
}

/// The database of a directory that cannot be written, or what older builds left, in memory.
pub(in crate::publish) fn read_only(directory: &Path) -> Result<Option<Database>, DatabaseError> {
    if let Some(database) = Database::open_read_only(directory)? {
        return Ok(Some(database));
    }
    if !format4::is_there(directory)? {
        return Ok(None);
    }
    let database = Database::in_memory()?;
    format4::take_over(directory, &database, false)?;
    Ok(Some(database))
}
