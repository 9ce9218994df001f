//! Zones of which what was kept is lost: it was damaged, and is set aside. The table `lost` of the database, and the key `lost` of `about`
//! where a whole database was.
//!
//! Without this a restart would find nothing of such a zone, as of one that is new, and go back to its seed or to the serial of its
//! file. A version that is kept of the zone, and an order to forget it, end it. Never decides what is done with such a zone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{ReadTransaction, WriteTransaction};

use crate::publish::state::database::fields::key_of;
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::publish::state::database::{Database, DatabaseError, has_mark, mark};
use crate::wire::Name;

/// An older build of this format knows nothing of it and leaves it as it is.
pub(in crate::publish) const LOST: ZoneTable = ZoneTable::new("lost");
/// What is said of a zone: that it is there.
pub(in crate::publish) const VALUE: &[u8] = &[1];
/// The key in `about`.
const ALL: &str = "lost";

/// Whether a whole database was lost.
#[derive(Debug, Default)]
pub(in crate::publish) struct Losses(AtomicBool);

impl Losses {
    /// Whether it was: what this database does not have of a zone may have been in the one before.
    pub(in crate::publish) fn all(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Learns from a database what an earlier process found.
    pub(in crate::publish) fn learn(&self, database: &Database) -> Result<(), DatabaseError> {
        if database.read(|from| has_mark(from, ALL))? {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The database before this one is lost: [`mark_all`] has said so in this one.
    pub(in crate::publish) fn set_all(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Notes that the database before this one is lost.
pub(in crate::publish) fn mark_all(transaction: &WriteTransaction) -> Result<(), DatabaseError> {
    mark(transaction, ALL, true)
}

/// Whether what was kept of a zone is lost.
pub(in crate::publish) fn is_lost(from: &ReadTransaction, zone: &[u8]) -> Result<bool, DatabaseError> {
    match from.open_table(LOST) {
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(false),
        table => Ok(table.map_err(DatabaseError::of)?.get(zone).map_err(DatabaseError::of)?.is_some()),
    }
}

/// The zones of which that is known.
pub(in crate::publish) fn read_all(from: &ReadTransaction) -> Result<BTreeSet<Name>, DatabaseError> {
    let all: Vec<(Name, ())> = zone_table::read_all(from, LOST, |_| Some(()))?;
    Ok(all.into_iter().map(|(zone, ())| zone).collect())
}

/// Notes of which zones something was lost with a whole database: of no others.
pub(in crate::publish) fn write(transaction: &WriteTransaction, zones: &[Name]) -> Result<(), DatabaseError> {
    let zones: Vec<&Name> = {
        let kept =
            transaction.open_table(crate::publish::state::database::ZONES).map_err(DatabaseError::of)?;
        let is_kept =
            |zone: &Name| redb::ReadableTable::get(&kept, &*key_of(zone)).map(|found| found.is_some());
        let mut unkept = Vec::new();
        for zone in zones {
            if !is_kept(zone).map_err(DatabaseError::of)? {
                unkept.push(zone);
            }
        }
        unkept
    };
    zone_table::write(transaction, LOST, zones.into_iter().map(|zone| (zone, Some(VALUE.to_vec()))))?;
    mark(transaction, ALL, false)
}
