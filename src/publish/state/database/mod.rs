//! The database of the state directory: one file, opened, written in transactions, read beside them.
//!
//! Closures that read or write tables flow in; what they say, or a named error, flows out. A commit is one sync. Readers see the
//! last commit, also while the next one goes on or hangs. The database (redb) refuses everything after one I/O error until it is
//! opened anew; that is done here, with the next call. It may panic on a file that something else wrote to: that is an error here. Whether
//! the file is still in its place is for the store to ask before it writes: what was written to another one would be gone with the next start.

pub(in crate::publish) mod fields;
pub(in crate::publish) mod overlay;
pub(in crate::publish) mod zone_table;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};

use crate::publish::state::database::overlay::Overlay;
use crate::telemetry::{locked, panic_message};

/// What is kept of each zone: see [`crate::publish::state::version::record`].
pub(in crate::publish) const ZONES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("zones");
/// The records of large zones, in pieces.
pub(in crate::publish) const BODIES: TableDefinition<'_, (&[u8], u32), &[u8]> =
    TableDefinition::new("bodies");
/// The steps of each zone, numbered: see [`crate::publish::state::version::step`].
pub(in crate::publish) const STEPS: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("steps");
/// Where the steps of each zone begin and end: see [`crate::publish::state::version::tail`].
pub(in crate::publish) const TAILS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("tails");
/// What is said of the file itself.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// The key of the format's number.
const FORMAT: &str = "format";
/// The number of this format; state files had 2 to 4.
const THIS_FORMAT: u64 = 5;

/// Pages in memory at most. A start reads each page once, and later only changes go through here.
const CACHE: usize = 16 << 20;

/// The database file in a state directory.
pub(in crate::publish) const FILE: &str = "zones.redb";

/// Why the database gives nothing, or takes nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum DatabaseError {
    /// What the system says.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is no database, or something wrote to it.
    #[error("{file} is damaged: {0}", file = FILE)]
    Damaged(String),
    /// It is not there any more, or another file is.
    #[error("{file} was removed or replaced while anyns ran", file = FILE)]
    Replaced,
    /// A newer build wrote it.
    #[error("{file} has format {0}, and this build knows {this}: run the newer anyns, or move the directory away", file = FILE, this = THIS_FORMAT)]
    Newer(u64),
}

impl DatabaseError {
    /// Of anything that the database says.
    pub(in crate::publish) fn of(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            // Of a file that is no database, or a part of one.
            redb::Error::Io(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged(error.to_string())
            }
            redb::Error::Io(error) => Self::Io(error),
            // The error itself was said before.
            error @ (redb::Error::PreviousIo | redb::Error::DatabaseAlreadyOpen) => {
                Self::Io(io::Error::other(error.to_string()))
            }
            error => Self::Damaged(error.to_string()),
        }
    }

    /// As an error of the system.
    pub(in crate::publish) fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        }
    }
}

/// The database; clones are the same one.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Database(Arc<OpenFile>);

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    /// Whether it is only read: what is written stays in memory.
    is_read_only: bool,
    open: Mutex<Option<Arc<redb::Database>>>,
    /// Device and inode of the file that was opened, also while it is closed between two calls.
    identity: Mutex<Option<(u64, u64)>>,
    /// How many files in this place were given up.
    given_up: AtomicU64,
    /// Whether it is not to be opened again.
    is_closed: AtomicBool,
}

impl Database {
    /// Opens the file of a directory, or makes it.
    pub(in crate::publish) fn open(directory: &Path) -> Result<Self, DatabaseError> {
        Self::opened(directory, false)
    }

    /// Opens the file of a directory without writing to it; `None` if there is none.
    pub(in crate::publish) fn open_read_only(directory: &Path) -> Result<Option<Self>, DatabaseError> {
        if !directory.join(FILE).try_exists()? {
            return Ok(None);
        }
        Self::opened(directory, true).map(Some)
    }

    /// One that is in no file.
    pub(in crate::publish) fn in_memory() -> Result<Self, DatabaseError> {
        let made = redb::Database::builder().create_with_backend(redb::backends::InMemoryBackend::new());
        let made = with_tables(made.map_err(DatabaseError::of)?)?;
        let open = Mutex::new(Some(Arc::new(made)));
        Ok(Self(Arc::new(OpenFile {
            path: PathBuf::new(),
            is_read_only: true,
            open,
            identity: Mutex::default(),
            given_up: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        })))
    }

    fn opened(directory: &Path, is_read_only: bool) -> Result<Self, DatabaseError> {
        let shared = OpenFile {
            path: directory.join(FILE),
            is_read_only,
            open: Mutex::default(),
            identity: Mutex::default(),
            given_up: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        };
        let database = Self(Arc::new(shared));
        database.get()?;
        Ok(database)
    }

    /// Closes it: it is opened again with the next call.
    pub(in crate::publish) fn close(&self) {
        let open = self.lock().take();
        // A panic while it is closed means nothing: what was committed is on the disk.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
    }

    /// Closes it: the next call takes whatever file is there then, or makes one.
    pub(in crate::publish) fn close_and_forget(&self) {
        self.close();
        *locked(&self.0.identity) = None;
        self.0.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves the file away and puts a new one in its place ([`replace_damaged`]), if so many were given up before it; false if it is another
    /// one by now. Nobody opens it meanwhile.
    pub(in crate::publish) fn move_away(
        &self,
        given_up: u64,
        to: &Path,
        begin: impl FnOnce(&WriteTransaction) -> Result<(), DatabaseError>,
    ) -> Result<bool, DatabaseError> {
        let mut open = self.lock();
        if self.given_up() != given_up {
            return Ok(false);
        }
        let closed = open.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(closed)));
        replace_damaged(&self.0.path, to, begin)?;
        *locked(&self.0.identity) = None;
        self.0.given_up.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// How many files in this place were given up ([`close_and_forget`](Self::close_and_forget)). What was found before a reading
    /// and is the same after it says that the reading was of the file that is there.
    pub(in crate::publish) fn given_up(&self) -> u64 {
        self.0.given_up.load(Ordering::Relaxed)
    }

    /// Whether the file that was opened is still in its place.
    pub(in crate::publish) fn is_in_place(&self) -> bool {
        let Some(opened) = *locked(&self.0.identity) else { return true };
        fs::metadata(&self.0.path).is_ok_and(|status| (status.dev(), status.ino()) == opened)
    }

    /// Closes it: every later call fails.
    pub(in crate::publish) fn close_for_good(&self) {
        self.0.is_closed.store(true, Ordering::Relaxed);
        self.close();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<redb::Database>>> {
        locked(&self.0.open)
    }

    fn get(&self) -> Result<Arc<redb::Database>, DatabaseError> {
        let mut open = self.lock();
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        if self.0.is_closed.load(Ordering::Relaxed) {
            return Err(DatabaseError::Io(io::Error::other("the state directory was given back")));
        }
        let found = match self.0.is_read_only {
            true => caught(|| open_read_only(&self.0.path))?,
            false => {
                let (found, identity) = caught(|| open_file(&self.0.path))?;
                *locked(&self.0.identity) = Some(identity);
                found
            }
        };
        let found = Arc::new(found);
        *open = Some(found.clone());
        Ok(found)
    }

    /// Reads what was committed last.
    pub(in crate::publish) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let database = self.get()?;
        let outcome = caught(|| read(&database.begin_read().map_err(DatabaseError::of)?));
        self.after(outcome)
    }

    /// Writes in one transaction: all of it is on the disk when this returns, or nothing is changed. Blocks while another
    /// transaction writes: only the state writer's thread comes here, and a start.
    pub(in crate::publish) fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let database = self.get()?;
        let outcome = caught(|| {
            let transaction = database.begin_write().map_err(DatabaseError::of)?;
            let outcome = write(&transaction)?;
            transaction.commit().map_err(DatabaseError::of)?;
            Ok(outcome)
        });
        drop(database);
        self.after(outcome)
    }

    fn after<T>(&self, outcome: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if outcome.is_err() {
            self.close();
        }
        outcome
    }
}

fn open_read_only(path: &Path) -> Result<redb::Database, DatabaseError> {
    let database = redb::Database::builder().set_cache_size(CACHE).create_with_backend(Overlay::open(path)?);
    with_tables(database.map_err(DatabaseError::of)?)
}

/// Opens the file, or makes it; with its device and inode.
fn open_file(path: &Path) -> Result<(redb::Database, (u64, u64)), DatabaseError> {
    if !path.try_exists()? {
        let fresh = fresh_name(path);
        // One that says that a database was lost may wait for the name: the host stopped while it was put in its place.
        let made = open_existing(&fresh).or_else(|_| make_file(&fresh))?;
        fs::rename(&fresh, path)?;
        sync_directory_of(path)?;
        return Ok(made);
    }
    open_existing(path)
}

/// Opens a file that is there; with its device and inode.
fn open_existing(path: &Path) -> Result<(redb::Database, (u64, u64)), DatabaseError> {
    let file = File::options().read(true).write(true).open(path)?;
    let status = file.metadata()?;
    if status.len() == 0 {
        return Err(DatabaseError::Damaged("it has no octets".into()));
    }
    Ok((with_file(file)?, (status.dev(), status.ino())))
}

/// Makes a file. It has its tables before it has the name of the database: a file without octets was whole once.
fn make_file(fresh: &Path) -> Result<(redb::Database, (u64, u64)), DatabaseError> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(fresh)?;
    let status = file.metadata()?;
    Ok((with_file(file)?, (status.dev(), status.ino())))
}

fn with_file(file: File) -> Result<redb::Database, DatabaseError> {
    let backend = redb::backends::FileBackend::new(file).map_err(DatabaseError::of)?;
    let database = redb::Database::builder().set_cache_size(CACHE).create_with_backend(backend);
    with_tables(database.map_err(DatabaseError::of)?)
}

fn fresh_name(path: &Path) -> PathBuf {
    path.with_extension("redb.new")
}

/// Without this a power failure may take the name, and all that was durable under it.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Sets a damaged file aside, and puts a new one in its place that says so: `begin` writes that. Where there is no room for the new one
/// the damaged one stays in its place, and no start takes the directory for one that holds nothing.
pub(in crate::publish) fn replace_damaged(
    path: &Path,
    aside: &Path,
    begin: impl FnOnce(&WriteTransaction) -> Result<(), DatabaseError>,
) -> Result<(), DatabaseError> {
    let fresh = fresh_name(path);
    let made = caught(|| {
        let (database, _) = make_file(&fresh)?;
        let transaction = database.begin_write().map_err(DatabaseError::of)?;
        begin(&transaction)?;
        transaction.commit().map_err(DatabaseError::of)
    });
    if let Err(error) = made {
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    // The damaged one has both names for a moment, so that there is one at each. Some file systems have no second names.
    if fs::hard_link(path, aside).is_err() {
        fs::rename(path, aside)?;
    }
    fs::rename(&fresh, path)?;
    Ok(sync_directory_of(path)?)
}

/// Whether the file has a mark of this name.
pub(in crate::publish) fn has_mark(from: &ReadTransaction, name: &str) -> Result<bool, DatabaseError> {
    let about = from.open_table(ABOUT).map_err(DatabaseError::of)?;
    Ok(about.get(name).map_err(DatabaseError::of)?.is_some())
}

/// Marks the file, or takes the mark away.
pub(in crate::publish) fn mark(
    transaction: &WriteTransaction,
    name: &str,
    is_set: bool,
) -> Result<(), DatabaseError> {
    let mut about = transaction.open_table(ABOUT).map_err(DatabaseError::of)?;
    match is_set {
        true => about.insert(name, 1).map(drop).map_err(DatabaseError::of),
        false => about.remove(name).map(drop).map_err(DatabaseError::of),
    }
}

/// Checks the format, or makes the tables.
fn with_tables(database: redb::Database) -> Result<redb::Database, DatabaseError> {
    if let Some(format) = format_of(&database)? {
        return if format > THIS_FORMAT { Err(DatabaseError::Newer(format)) } else { Ok(database) };
    }
    let transaction = database.begin_write().map_err(DatabaseError::of)?;
    {
        let mut about = transaction.open_table(ABOUT).map_err(DatabaseError::of)?;
        about.insert(FORMAT, THIS_FORMAT).map_err(DatabaseError::of)?;
    }
    transaction.open_table(ZONES).map_err(DatabaseError::of)?;
    transaction.open_table(BODIES).map_err(DatabaseError::of)?;
    transaction.open_table(STEPS).map_err(DatabaseError::of)?;
    transaction.open_table(TAILS).map_err(DatabaseError::of)?;
    transaction.commit().map_err(DatabaseError::of)?;
    Ok(database)
}

/// The number of its format; `None` if it is new.
fn format_of(database: &redb::Database) -> Result<Option<u64>, DatabaseError> {
    let transaction = database.begin_read().map_err(DatabaseError::of)?;
    match transaction.open_table(ABOUT) {
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(DatabaseError::of(error)),
        Ok(about) => {
            let found = about.get(FORMAT).map_err(DatabaseError::of)?;
            found.map(|found| Some(found.value())).ok_or_else(|| DatabaseError::Damaged("no format".into()))
        }
    }
}

/// A panic is an error: the file is not what the database wrote.
pub(in crate::publish) fn caught<T>(
    work: impl FnOnce() -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(DatabaseError::Damaged(panic_message(panic.as_ref()).to_owned())))
}
