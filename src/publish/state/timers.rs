//! When secondary zones were checked, over restarts: the table `timers` of the database.
//!
//! Timers of zones flow in behind the serving, as many as have changed in one transaction; all of them flow out at a start. A value
//! that cannot be read is passed over: such a zone asks its primaries at once.

use std::collections::HashMap;

use redb::{ReadTransaction, WriteTransaction};

use crate::publish::state::database::DatabaseError;
use crate::publish::state::fields::{Fields, push_maybe};
use crate::publish::state::zone_table::{self, ZoneTable};
use crate::wire::Name;

/// Made by the first that is kept: an older build of this format knows nothing of it and leaves it as it is.
const TIMERS: ZoneTable = ZoneTable::new("timers");

/// A secondary zone's timers on the wall clock (RFC 1035 section 3.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneTimers {
    /// When a primary last said that what is served is the newest, in seconds since 1970; `None` if none ever did.
    pub checked: Option<u64>,
    /// When the zone was to ask next, in seconds since 1970.
    pub due: u64,
    /// How many attempts in a row had failed.
    pub failures: u32,
    /// When this was written, in seconds since 1970: a clock that went backwards since then makes no version younger.
    pub saved: u64,
    /// A primary's serial that is older than what is served, once it is proven that what is served is not in the history of the primaries.
    pub forked: Option<u32>,
}

impl ZoneTimers {
    fn octets(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        push_maybe(&mut out, self.checked, |out, at| out.extend(at.to_be_bytes()));
        out.extend(self.due.to_be_bytes());
        out.extend(self.failures.to_be_bytes());
        out.extend(self.saved.to_be_bytes());
        // At the end, and only where it is said: builds that do not know it read the rest.
        if let Some(forked) = self.forked {
            out.extend(forked.to_be_bytes());
        }
        out
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets);
        let (checked, due) = (fields.maybe(Fields::u64)?, fields.u64()?);
        let (failures, saved) = (fields.u32()?, fields.u64()?);
        Some(Self { checked, due, failures, saved, forked: fields.u32() })
    }
}

/// All that are kept.
pub(in crate::publish) fn read_all(
    from: &ReadTransaction,
) -> Result<HashMap<Name, ZoneTimers>, DatabaseError> {
    zone_table::read_all(from, TIMERS, ZoneTimers::read)
}

/// Keeps these; none: forgets those of the zone.
pub(in crate::publish) fn write<'z>(
    transaction: &WriteTransaction,
    timers: impl IntoIterator<Item = (&'z Name, &'z Option<ZoneTimers>)>,
) -> Result<(), DatabaseError> {
    let values = timers.into_iter().map(|(zone, timers)| (zone, timers.map(ZoneTimers::octets)));
    zone_table::write(transaction, TIMERS, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::fields::key_of;

    #[test]
    fn timers_come_back_and_a_damaged_value_is_none() {
        let database = Database::in_memory().unwrap();
        assert_eq!(database.read(read_all).unwrap(), HashMap::new(), "no table yet");
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (one, other) = (name("One.example."), name("."));
        let timers = |checked: Option<u64>| ZoneTimers {
            checked,
            due: 5,
            failures: 7,
            saved: u64::MAX,
            forked: checked.map(|_| 9),
        };
        let kept = [(one.clone(), Some(timers(Some(3)))), (other.clone(), Some(timers(None)))];
        database.write(|to| write(to, kept.iter().map(|(zone, timers)| (zone, timers)))).unwrap();
        let expected = HashMap::from([(one.clone(), timers(Some(3))), (other.clone(), timers(None))]);
        assert_eq!(database.read(read_all).unwrap(), expected);
        database.write(|to| write(to, [(&other, &None)])).unwrap();
        assert_eq!(database.read(read_all).unwrap().len(), 1);
        let damage = |to: &WriteTransaction| {
            let mut table = to.open_table(TIMERS).map_err(DatabaseError::of)?;
            table.insert(&*key_of(&one), &b"\x01short"[..]).map_err(DatabaseError::of)?;
            Ok(())
        };
        database.write(damage).unwrap();
        assert_eq!(database.read(read_all).unwrap(), HashMap::new());
    }
}
