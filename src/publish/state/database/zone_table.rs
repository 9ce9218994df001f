//! A table of the database with one short value for each zone: all of them out, some of them in, the older half of them away. Never knows
//! what a value means.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::{Fields, key_of, zone_of};
use crate::wire::Name;

/// Made by the first value that is kept.
pub(in crate::publish) type ZoneTable = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Every value that can be read, by zone; none if there is no table.
pub(in crate::publish) fn read_all<T, C: Default + Extend<(Name, T)>>(
    from: &ReadTransaction,
    table: ZoneTable,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<C, DatabaseError> {
    let mut all = C::default();
    let table = match from.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(all),
        table => table.map_err(DatabaseError::of)?,
    };
    for entry in table.iter().map_err(DatabaseError::of)? {
        let (key, value) = entry.map_err(DatabaseError::of)?;
        all.extend(zone_of(key.value()).zip(read(value.value())));
    }
    Ok(all)
}

/// Keeps these values; none: forgets that of the zone.
pub(in crate::publish) fn write<'z>(
    transaction: &WriteTransaction,
    table: ZoneTable,
    values: impl IntoIterator<Item = (&'z Name, Option<Vec<u8>>)>,
) -> Result<(), DatabaseError> {
    let mut table = transaction.open_table(table).map_err(DatabaseError::of)?;
    for (zone, value) in values {
        let key = key_of(zone);
        match value {
            Some(value) => table.insert(&*key, &*value).map_err(DatabaseError::of)?.is_some(),
            None => table.remove(&*key).map_err(DatabaseError::of)?.is_some(),
        };
    }
    Ok(())
}

/// Takes the older half of the values out; each begins with its time, in eight octets.
pub(in crate::publish) fn drop_older_half(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
) -> Result<(), DatabaseError> {
    let mut all = Vec::new();
    for entry in table.iter().map_err(DatabaseError::of)? {
        let (key, value) = entry.map_err(DatabaseError::of)?;
        all.push((Fields(value.value()).u64(), key.value().to_vec()));
    }
    all.sort_unstable();
    for (_, key) in all.iter().take(all.len() / 2) {
        table.remove(key.as_slice()).map_err(DatabaseError::of)?;
    }
    Ok(())
}
