//! A look at a state directory of which nothing is locked or changed, also while a process uses it: for `anyns check`.

use std::path::{Path, PathBuf};

use crate::publish::accept::{Digest, Standing};
use crate::publish::state::database::fields::key_of;
use crate::publish::state::database::{Database, DatabaseError};
use crate::publish::state::store::read_only;
use crate::publish::state::store::reading::{KeptError, load, look};
use crate::publish::state::tables::rejected;
use crate::wire::Name;
use crate::zonefile::digest;

/// How often what a process changed meanwhile is read again.
const ATTEMPTS: usize = 3;

/// A state directory, as it is when it is looked at.
#[derive(Debug)]
pub(in crate::publish) struct Peek {
    directory: PathBuf,
    database: Option<Database>,
}

impl Peek {
    /// Looks at a directory, which may not be there.
    pub(in crate::publish) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf(), database: read_only(directory).ok().flatten() }
    }

    /// What is kept of a zone, if it is sound.
    pub(in crate::publish) fn standing(&mut self, zone: &Name) -> Option<Standing> {
        let key = key_of(zone);
        let (found, _) = self.read(|database| database.read(|from| look(from, &key)))??;
        Some(found.header.standing)
    }

    /// The digest of what is kept of a zone.
    pub(in crate::publish) fn digest(&mut self, zone: &Name) -> Option<Digest> {
        let key = key_of(zone);
        let (found, _) = self.read(|database| database.read(|from| load(from, &key, zone)))?;
        Some(digest(&found.zone))
    }

    /// Whether a rollback rejected this content of the file of a zone.
    pub(in crate::publish) fn rejects(&mut self, zone: &Name, content: &Digest) -> bool {
        let key = key_of(zone);
        let found = self.read(|database| Ok(Ok(database.read(|from| rejected::read(from, &key))?)));
        found.is_some_and(|all| all.contains(content))
    }

    fn read<T>(
        &mut self,
        read: impl Fn(&Database) -> Result<Result<T, KeptError>, DatabaseError>,
    ) -> Option<T> {
        for _ in 0..ATTEMPTS {
            if let Ok(Ok(found)) = read(self.database.as_ref()?) {
                return Some(found);
            }
            // A process may have written pages that were read after others.
            self.database = read_only(&self.directory).ok().flatten();
        }
        None
    }
}
