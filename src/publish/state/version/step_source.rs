//! Who gave the versions that steps led to: the table `sources` of the database, beside the table of the steps.
//!
//! Each value names its step by the link of the version that it led to: an older build of this format leaves the table as it is, and may
//! give the number of a step to another one. Never decides anything: what is not known is not told.

use std::fmt;
use std::net::SocketAddr;

use redb::{ReadTransaction, Table, TableDefinition, TableError};

use crate::publish::accept::{Digest, MADE_HERE, Provenance};
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::{Fields, push_short};
use crate::wire::{Name, Serial};

/// A row for each step of which it is known; the key is that of the step.
pub(in crate::publish) const SOURCES: TableDefinition<'_, (&[u8], u64), &[u8]> =
    TableDefinition::new("sources");
/// The same, opened to write.
pub(in crate::publish) type SourcesTable<'t> = Table<'t, (&'static [u8], u64), &'static [u8]>;

/// Who gave a version that is in no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepSource {
    /// A client by dynamic update (RFC 2136), signed with this key.
    Update {
        /// The name of the key.
        key: Name,
    },
    /// A primary, by a transfer of the whole zone or of differences.
    Primary(SocketAddr),
    /// An operator, who went back to the content of this version.
    Rollback {
        /// Its serial.
        to: Serial,
    },
    /// This server: it makes the catalog.
    Catalog,
}

impl fmt::Display for StepSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Update { key } => write!(formatter, "key {key}"),
            Self::Primary(primary) => write!(formatter, "primary {primary}"),
            Self::Rollback { to } => write!(formatter, "back to {to}"),
            Self::Catalog => formatter.write_str("made here"),
        }
    }
}

const UPDATE: u8 = 0;
const PRIMARY: u8 = 1;
const ROLLBACK: u8 = 2;
const CATALOG: u8 = 3;

impl StepSource {
    /// Of a whole version.
    pub(in crate::publish) fn of_whole(provenance: &Provenance) -> Option<Self> {
        match *provenance {
            Provenance::File { .. } => None,
            Provenance::Transfer { primary: MADE_HERE } => Some(Self::Catalog),
            Provenance::Transfer { primary } => Some(Self::Primary(primary)),
        }
    }

    fn octets(&self, link: &Digest) -> Vec<u8> {
        let mut octets = link.to_vec();
        match self {
            Self::Update { key } => {
                octets.push(UPDATE);
                octets.extend(key.as_wire());
            }
            Self::Primary(primary) => {
                octets.push(PRIMARY);
                push_short(&mut octets, primary.to_string().as_bytes());
            }
            Self::Rollback { to } => {
                octets.push(ROLLBACK);
                octets.extend(to.0.to_be_bytes());
            }
            Self::Catalog => octets.push(CATALOG),
        }
        octets
    }

    /// What a row says of the step with this link.
    fn read(octets: &[u8], link: &Digest) -> Option<Self> {
        let mut fields = Fields(octets);
        if fields.digest()? != *link {
            return None;
        }
        match fields.u8()? {
            UPDATE => Some(Self::Update { key: Name::from_wire(fields.0).ok()? }),
            PRIMARY => Some(Self::Primary(std::str::from_utf8(fields.short()?).ok()?.parse().ok()?)),
            ROLLBACK => Some(Self::Rollback { to: Serial(fields.u32()?) }),
            CATALOG => Some(Self::Catalog),
            _ => None,
        }
    }
}

/// Keeps who gave the version that the step with this number led to, or that it is not known.
pub(in crate::publish) fn put(
    table: &mut SourcesTable<'_>,
    key: (&[u8], u64),
    link: &Digest,
    source: Option<&StepSource>,
) -> Result<(), DatabaseError> {
    match source {
        Some(source) => table.insert(key, &*source.octets(link)).map(drop).map_err(DatabaseError::of),
        None => table.remove(key).map(drop).map_err(DatabaseError::of),
    }
}

/// Gives who gave the version that a step led to; asked for many steps of one transaction.
pub(in crate::publish) fn reader<'k>(
    from: &ReadTransaction,
    zone: &'k [u8],
) -> Result<impl Fn(u64, &Digest) -> Option<StepSource> + use<'k>, DatabaseError> {
    let table = match from.open_table(SOURCES) {
        Err(TableError::TableDoesNotExist(_)) => None,
        table => Some(table.map_err(DatabaseError::of)?),
    };
    Ok(move |number, link: &Digest| {
        let row = table.as_ref()?.get((zone, number)).ok().flatten()?;
        StepSource::read(row.value(), link)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_comes_back_for_its_own_step_alone() {
        let (link, other) = ([7; 32], [8; 32]);
        for (source, text) in [
            (StepSource::Update { key: "Upd.example.".parse().unwrap() }, "key Upd.example."),
            (StepSource::Primary("[2001:db8::1]:53".parse().unwrap()), "primary [2001:db8::1]:53"),
            (StepSource::Rollback { to: Serial(u32::MAX) }, "back to 4294967295"),
            (StepSource::Catalog, "made here"),
        ] {
            let octets = source.octets(&link);
            assert_eq!(StepSource::read(&octets, &link), Some(source.clone()));
            assert_eq!(StepSource::read(&octets, &other), None);
            assert_eq!(StepSource::read(&octets[..32], &link), None);
            assert_eq!(source.to_string(), text);
        }
    }
}
