//! The contents of zone files that a rollback rejected, of zones whose serials are made here: the table `rejected` of the database.
//!
//! Such a file says nothing by its serial, so that the content alone tells that it is the rejected one again, also after good versions.
//! Digests flow in and out, the newest first. Never decides what is rejected.

use redb::{ReadTransaction, TableError, WriteTransaction};

use crate::publish::accept::Digest;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::Fields;
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::wire::Name;

/// Made by the first that is kept: an older build of this format knows nothing of it and leaves it as it is.
pub(in crate::publish) const REJECTED: ZoneTable = ZoneTable::new("rejected");
/// The most contents of a zone; the oldest is forgotten.
pub(in crate::publish) const MOST: usize = 8;

/// Those of a zone.
pub(in crate::publish) fn read(from: &ReadTransaction, key: &[u8]) -> Result<Vec<Digest>, DatabaseError> {
    let table = match from.open_table(REJECTED) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table.map_err(DatabaseError::of)?,
    };
    let Some(value) = table.get(key).map_err(DatabaseError::of)? else { return Ok(Vec::new()) };
    let mut fields = Fields(value.value());
    Ok(std::iter::from_fn(|| fields.digest()).take(MOST).collect())
}

/// Keeps these of a zone in place of those that were kept.
pub(in crate::publish) fn write(
    transaction: &WriteTransaction,
    zone: &Name,
    contents: &[Digest],
) -> Result<(), DatabaseError> {
    let value = (!contents.is_empty()).then(|| contents.concat());
    zone_table::write(transaction, REJECTED, [(zone, value)])
}

/// What is rejected after a rollback that left these contents, the newest first, and went back to `served`.
pub(in crate::publish) fn after_rollback(left: &[Digest], known: &[Digest], served: &Digest) -> Vec<Digest> {
    let mut all: Vec<Digest> = Vec::with_capacity(MOST);
    for content in left.iter().chain(known) {
        if content != served && !all.contains(content) && all.len() < MOST {
            all.push(*content);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::database::fields::key_of;

    #[test]
    fn the_newest_contents_are_kept_but_for_what_is_served() {
        let content = |number: u8| [number; 32];
        let of = |numbers: &[u8]| numbers.iter().map(|number| content(*number)).collect::<Vec<_>>();
        assert_eq!(after_rollback(&of(&[3, 2, 3, 1]), &of(&[2, 9]), &content(1)), of(&[3, 2, 9]));
        let known: Vec<u8> = (10..18).collect();
        assert_eq!(after_rollback(&of(&[3]), &of(&known), &content(1)), of(&[3, 10, 11, 12, 13, 14, 15, 16]));
        let (database, zone) = (Database::in_memory().unwrap(), "A.example.".parse::<Name>().unwrap());
        let kept = || database.read(|from| read(from, &key_of(&zone))).unwrap();
        assert_eq!(kept(), of(&[]), "no table yet");
        database.write(|to| write(to, &zone, &of(&[3, 2]))).unwrap();
        assert_eq!(kept(), of(&[3, 2]));
        database.write(|to| write(to, &zone, &[])).unwrap();
        assert_eq!(kept(), of(&[]));
    }
}
