//! The serials that zones had before: the table `serials` of the database, and `former-serials` of zones that are forgotten.
//!
//! A value is written only when a run of serials ends: most zones have none. That of a zone which is forgotten waits for the next zone of
//! its name, whose serials secondaries may take for those of the former one.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};

use crate::clock::unix_now;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::Fields;
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::publish::state::tables::serial_runs::SerialRuns;
use crate::wire::Name;

/// An older build of this format knows nothing of it and leaves it as it is.
pub(in crate::publish) const SERIALS: ZoneTable = ZoneTable::new("serials");
/// The same.
const FORMER: ZoneTable = ZoneTable::new("former-serials");
/// So many zones that are forgotten are kept, in some 20 MB: what a hub with a million zones removes in a year. Of more the older half goes.
/// By number, not by age: a clock that jumps takes nothing away.
const MOST_FORMER: u64 = 200_000;

/// A table of a transaction.
type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// Those of all zones of which something is kept.
pub(in crate::publish) fn read_all(from: &ReadTransaction) -> Result<Vec<(Name, SerialRuns)>, DatabaseError> {
    zone_table::read_all(from, SERIALS, |octets| SerialRuns::read(&mut Fields(octets)))
}

/// Those of one zone.
pub(in crate::publish) fn read(table: &Rows<'_>, key: &[u8]) -> Result<Option<SerialRuns>, DatabaseError> {
    let value = table.get(key).map_err(DatabaseError::of)?;
    Ok(value.and_then(|value| SerialRuns::read(&mut Fields(value.value()))))
}

/// Keeps those of one zone.
pub(in crate::publish) fn write(
    table: &mut Rows<'_>,
    key: &[u8],
    runs: &SerialRuns,
) -> Result<(), DatabaseError> {
    let mut value = Vec::new();
    runs.write(&mut value);
    table.insert(key, value.as_slice()).map(drop).map_err(DatabaseError::of)
}

/// Keeps those of a zone that is forgotten.
pub(in crate::publish) fn write_former(
    transaction: &WriteTransaction,
    key: &[u8],
    runs: &SerialRuns,
) -> Result<(), DatabaseError> {
    let mut table = transaction.open_table(FORMER).map_err(DatabaseError::of)?;
    if table.len().map_err(DatabaseError::of)? >= MOST_FORMER {
        zone_table::drop_older_half(&mut table)?;
    }
    let mut value = unix_now().to_be_bytes().to_vec();
    runs.write(&mut value);
    table.insert(key, value.as_slice()).map(drop).map_err(DatabaseError::of)
}

/// Takes out those that zones of this name had before they were forgotten.
pub(in crate::publish) fn take_former(
    transaction: &WriteTransaction,
    key: &[u8],
) -> Result<Option<SerialRuns>, DatabaseError> {
    let mut table = transaction.open_table(FORMER).map_err(DatabaseError::of)?;
    let value = table.remove(key).map_err(DatabaseError::of)?;
    Ok(value.and_then(|value| {
        let mut fields = Fields(value.value());
        fields.u64()?;
        SerialRuns::read(&mut fields)
    }))
}
