//! The serials that zones had before: the table `serials` of the database, and `former-serials` of zones that are forgotten.
//!
//! A value is written only when a run of serials ends: most zones have none. That of a zone which is forgotten waits for the next zone of
//! its name, whose serials secondaries may take for those of the former one.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table};

use crate::clock::unix_now;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::Fields;
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::publish::state::tables::serial_runs::SerialRuns;
use crate::wire::Name;

/// An older build of this format knows nothing of it and leaves it as it is.
pub(in crate::publish) const SERIALS: ZoneTable = ZoneTable::new("serials");
/// The same of zones that are forgotten.
pub(in crate::publish) const FORMER: ZoneTable = ZoneTable::new("former-serials");
/// So many zones that are forgotten are kept, in some 20 MB: what a hub with a million zones removes in a year. Of more the older half goes.
/// By number, not by age: a clock that jumps takes nothing away.
const MOST_FORMER: u64 = 200_000;

/// One of them in a transaction.
pub(in crate::publish) type SerialTable<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// Those of all zones of which something is kept.
pub(in crate::publish) fn read_all(from: &ReadTransaction) -> Result<Vec<(Name, SerialRuns)>, DatabaseError> {
    zone_table::read_all(from, SERIALS, |octets| Some(parse(Fields(octets))))
}

/// What cannot be read stands for every serial.
fn parse(mut fields: Fields<'_>) -> SerialRuns {
    SerialRuns::read(&mut fields).unwrap_or_else(SerialRuns::all)
}

/// Those of one zone.
pub(in crate::publish) fn read(
    table: &SerialTable<'_>,
    key: &[u8],
) -> Result<Option<SerialRuns>, DatabaseError> {
    let value = table.get(key).map_err(DatabaseError::of)?;
    Ok(value.map(|value| parse(Fields(value.value()))))
}

/// Keeps what is known of one zone beside what is kept, if it says more.
pub(in crate::publish) fn add(
    table: &mut SerialTable<'_>,
    key: &[u8],
    runs: &SerialRuns,
) -> Result<(), DatabaseError> {
    let kept = read(table, key)?;
    let mut all = kept.clone().unwrap_or_default();
    all.merge(runs);
    if kept.as_ref() == Some(&all) || all.is_empty() { Ok(()) } else { write(table, key, &all) }
}

/// Keeps those of one zone.
pub(in crate::publish) fn write(
    table: &mut SerialTable<'_>,
    key: &[u8],
    runs: &SerialRuns,
) -> Result<(), DatabaseError> {
    let mut value = Vec::new();
    runs.write(&mut value);
    table.insert(key, value.as_slice()).map(drop).map_err(DatabaseError::of)
}

/// Keeps those of a zone that is forgotten.
pub(in crate::publish) fn write_former(
    former: &mut SerialTable<'_>,
    key: &[u8],
    runs: &SerialRuns,
) -> Result<(), DatabaseError> {
    write_bounded(former, key, runs, MOST_FORMER)
}

fn write_bounded(
    former: &mut SerialTable<'_>,
    key: &[u8],
    runs: &SerialRuns,
    most: u64,
) -> Result<(), DatabaseError> {
    if former.len().map_err(DatabaseError::of)? >= most {
        zone_table::drop_older_half(former)?;
    }
    let mut value = unix_now().to_be_bytes().to_vec();
    runs.write(&mut value);
    former.insert(key, value.as_slice()).map(drop).map_err(DatabaseError::of)
}

/// Takes out those that zones of this name had before they were forgotten.
pub(in crate::publish) fn take_former(
    former: &mut SerialTable<'_>,
    key: &[u8],
) -> Result<Option<SerialRuns>, DatabaseError> {
    let value = former.remove(key).map_err(DatabaseError::of)?;
    Ok(value.map(|value| {
        let mut fields = Fields(value.value());
        fields.u64().map_or_else(SerialRuns::all, |_| parse(fields))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::database::fields::key_of;
    use crate::wire::Serial;

    #[test]
    fn what_is_kept_comes_back_and_that_of_forgotten_zones_once_and_bounded() {
        let database = Database::in_memory().unwrap();
        let name = |number: u32| format!("z{number}.example.").parse::<Name>().unwrap();
        let runs = |number: u32| {
            let mut runs = SerialRuns::default();
            runs.begin(Serial(number));
            runs.end(Serial(number + 5));
            runs
        };
        assert_eq!(database.read(read_all).unwrap(), [], "no table yet");
        let rows = database.write(|to| {
            let mut table = to.open_table(SERIALS).map_err(DatabaseError::of)?;
            write(&mut table, &key_of(&name(1)), &runs(10))?;
            write(&mut table, &key_of(&name(1)), &runs(20))?;
            Ok([1, 2].map(|number| read(&table, &key_of(&name(number))).unwrap()))
        });
        assert_eq!(rows.unwrap(), [Some(runs(20)), None]);
        assert_eq!(database.read(read_all).unwrap(), [(name(1), runs(20))]);
        let taken = database.write(|to| {
            let mut former = to.open_table(FORMER).map_err(DatabaseError::of)?;
            write_former(&mut former, &key_of(&name(1)), &runs(30))?;
            Ok([(); 2].map(|()| take_former(&mut former, &key_of(&name(1))).unwrap()))
        });
        assert_eq!(taken.unwrap(), [Some(runs(30)), None]);
        let left = database.write(|to| {
            let mut former = to.open_table(FORMER).map_err(DatabaseError::of)?;
            for number in 0..5 {
                write_bounded(&mut former, &key_of(&name(number)), &runs(number), 4)?;
            }
            former.len().map_err(DatabaseError::of)
        });
        assert_eq!(left.unwrap(), 3, "two of four, and the fifth");
    }
}
