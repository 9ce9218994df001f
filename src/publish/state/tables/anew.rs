//! Zones of which everything that was kept was forgotten, so that what has the name next is another zone: the table `anew` of the
//! database.
//!
//! A catalog that is made here gives such a zone another label; it may be held, or its removals may wait, for longer than the process
//! lives. Written in the transaction that forgets the zone, taken out when the catalogs have said it. Never decides what begins anew.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTableMetadata, Table, WriteTransaction};

use crate::clock::unix_now;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::wire::Name;

/// An older build of this format knows nothing of it and leaves it as it is.
pub(in crate::publish) const ANEW: ZoneTable = ZoneTable::new("anew");
/// So many are kept: more than an operator removes while a catalog is held. Of more the older half goes.
const MOST: u64 = 10_000;

/// What the next zone of a forgotten one's name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::publish) enum Successor {
    /// The same zone, which comes from its primaries again: nobody has said that it is another one.
    Same,
    /// Another zone.
    Another,
}

/// All that are kept.
pub(in crate::publish) fn read_all(from: &ReadTransaction) -> Result<BTreeSet<Name>, DatabaseError> {
    let all: Vec<(Name, ())> = zone_table::read_all(from, ANEW, |_| Some(()))?;
    Ok(all.into_iter().map(|(zone, ())| zone).collect())
}

/// Takes these out.
pub(in crate::publish) fn take_out(
    transaction: &WriteTransaction,
    zones: &BTreeSet<Name>,
) -> Result<(), DatabaseError> {
    zone_table::write(transaction, ANEW, zones.iter().map(|zone| (zone, None)))
}

/// Everything that was kept of this zone is forgotten in this transaction.
pub(in crate::publish) fn note(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<(), DatabaseError> {
    if table.len().map_err(DatabaseError::of)? >= MOST {
        zone_table::drop_older_half(table)?;
    }
    // Since when: the eight octets tell which are older.
    let now = unix_now().to_be_bytes();
    table.insert(key, now.as_slice()).map(drop).map_err(DatabaseError::of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::database::fields::key_of;

    #[test]
    fn what_is_noted_comes_back_until_it_is_taken_out_and_is_bounded() {
        let database = Database::in_memory().unwrap();
        assert_eq!(database.read(read_all).unwrap(), BTreeSet::new(), "no table yet");
        let name = |number: u64| format!("z{number}.example.").parse::<Name>().unwrap();
        let note_all = |numbers: std::ops::Range<u64>| {
            let write = |to: &WriteTransaction| {
                let mut table = to.open_table(ANEW).map_err(DatabaseError::of)?;
                numbers.clone().try_for_each(|number| note(&mut table, &key_of(&name(number))))
            };
            database.write(write).unwrap();
        };
        note_all(0..3);
        note_all(1..2);
        assert_eq!(database.read(read_all).unwrap(), (0..3).map(name).collect());
        database.write(|to| take_out(to, &[name(0), name(7)].into())).unwrap();
        assert_eq!(database.read(read_all).unwrap(), (1..3).map(name).collect());
        note_all(3..MOST + 1);
        assert_eq!(database.read(read_all).unwrap().len() as u64, MOST);
        note_all(MOST + 1..MOST + 2);
        let kept = database.read(read_all).unwrap();
        assert_eq!((kept.len() as u64, kept.contains(&name(MOST + 1))), (MOST / 2 + 1, true));
    }
}
