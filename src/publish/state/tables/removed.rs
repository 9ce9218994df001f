//! Zones that left the configuration and whose data is kept for a time: the table `removed` of the database.
//!
//! A mistaken reload must not destroy the only copy of a zone, nor what is known of the serials that were served. Never decides which
//! zones these are.

use std::collections::BTreeMap;

use redb::{ReadTransaction, WriteTransaction};

use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::Fields;
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::wire::Name;

/// An older build of this format knows nothing of it and leaves it as it is.
const REMOVED: ZoneTable = ZoneTable::new("removed");

/// The zones, and until when the data of each is kept, in seconds since 1970. A value that cannot be read is passed over: the time of the
/// zone begins anew.
pub(in crate::publish) fn read_all(from: &ReadTransaction) -> Result<BTreeMap<Name, u64>, DatabaseError> {
    zone_table::read_all(from, REMOVED, |octets| Fields(octets).u64())
}

/// Keeps these; none: the zone is configured again, or its data is forgotten.
pub(in crate::publish) fn write(
    transaction: &WriteTransaction,
    zones: &[(Name, Option<u64>)],
) -> Result<(), DatabaseError> {
    let values = zones.iter().map(|(zone, until)| (zone, until.map(|until| until.to_be_bytes().to_vec())));
    zone_table::write(transaction, REMOVED, values)
}
