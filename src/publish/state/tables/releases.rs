//! Which version of a zone all secondaries may have, over restarts, where a group of them has each version first: the table `releases`
//! of the database.
//!
//! Serials flow in, each durable before a secondary is told of it; all of them flow out at a start, and whether others may be missing: of
//! those zones it is not known what is released. Never decides what is released.

use std::collections::BTreeMap;
use std::time::SystemTime;

use redb::{ReadTransaction, WriteTransaction};

use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::{Fields, push_time};
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::wire::{Name, Serial};

/// Made by the first that is kept: an older build of this format knows nothing of it and leaves it as it is.
const RELEASES: ZoneTable = ZoneTable::new("releases");
/// The form of a value; another one is not read.
const FORM: u8 = 1;

/// What all secondaries of a zone may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptRelease {
    /// The serial.
    pub serial: Serial,
    /// When the version was accepted, which tells it from another one with its serial; `None` where that is not known.
    pub accepted_at: Option<SystemTime>,
    /// Whether the zone is halted: nothing newer goes to all secondaries until an operator says so.
    pub is_halted: bool,
    /// Whether a canary that became unhealthy has halted it, and no order.
    /// Of one that is not halted: see [`uncovered`](Self::uncovered).
    pub is_unhealthy: bool,
    /// The version with the highest serial that a canary may have, and when it was accepted: one that was given up, because the zone went
    /// back. `None` where it is the one above, or the one that is served.
    pub highest: Option<(Serial, Option<SystemTime>)>,
}

/// What the last process kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptReleases {
    /// Of each zone of which it can be read.
    pub zones: BTreeMap<Name, KeptRelease>,
    /// Why others may be missing.
    pub missing: Option<MissingReleases>,
}

/// Why it is not known of all zones what is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingReleases {
    /// It cannot be read; what is on the disk stays as it is.
    Unread,
    /// It is lost with the whole database.
    Lost,
}

/// The sixth octet of a value. An older build takes every one but the first for halted.
const RUNS: u8 = 0;
const HALTED: u8 = 1;
const HALTED_UNHEALTHY: u8 = 2;
const UNCOVERED: u8 = 3;
/// Stands for a time that is not known.
const NO_TIME: [u8; 8] = [0xff; 8];

impl KeptRelease {
    /// A zone that goes its usual way, released up to this serial.
    #[must_use]
    pub fn running(serial: Serial) -> Self {
        Self { serial, accepted_at: None, is_halted: false, is_unhealthy: false, highest: None }
    }

    /// The same of a zone that was halted and goes to all secondaries, because nothing holds it back any more and nobody has ordered that.
    #[must_use]
    pub fn uncovered(self) -> Self {
        Self { is_halted: false, is_unhealthy: true, ..self }
    }

    /// Whether it is such a zone.
    #[must_use]
    pub fn is_uncovered(&self) -> bool {
        !self.is_halted && self.is_unhealthy
    }

    fn octets(self) -> Vec<u8> {
        let halted = match (self.is_halted, self.is_unhealthy) {
            (false, false) => RUNS,
            (false, true) => UNCOVERED,
            (true, false) => HALTED,
            (true, true) => HALTED_UNHEALTHY,
        };
        let mut out = [&[FORM][..], &self.serial.0.to_be_bytes(), &[halted]].concat();
        // What follows stands where builds that do not know it do not look.
        if self.accepted_at.is_some() || self.highest.is_some() {
            push_maybe_time(&mut out, self.accepted_at);
        }
        if let Some((serial, accepted_at)) = self.highest {
            out.extend(serial.0.to_be_bytes());
            push_maybe_time(&mut out, accepted_at);
        }
        out
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets);
        if fields.u8()? != FORM {
            return None;
        }
        let (serial, halted) = (Serial(fields.u32()?), fields.u8()?);
        let accepted_at = maybe_time(&mut fields);
        let highest = fields.u32().map(|serial| (Serial(serial), maybe_time(&mut fields)));
        let is_halted = !matches!(halted, RUNS | UNCOVERED);
        let is_unhealthy = matches!(halted, HALTED_UNHEALTHY | UNCOVERED);
        Some(Self { serial, accepted_at, is_halted, is_unhealthy, highest })
    }
}

fn push_maybe_time(out: &mut Vec<u8>, time: Option<SystemTime>) {
    match time {
        Some(time) => push_time(out, time),
        None => out.extend(NO_TIME),
    }
}

fn maybe_time(fields: &mut Fields<'_>) -> Option<SystemTime> {
    match fields.0.starts_with(&NO_TIME) {
        true => fields.octets(NO_TIME.len()).and(None),
        false => fields.time(),
    }
}

/// All that are kept.
pub(in crate::publish) fn read_all(from: &ReadTransaction) -> Result<KeptReleases, DatabaseError> {
    let all: Vec<(Name, Option<KeptRelease>)> =
        zone_table::read_all(from, RELEASES, |octets| Some(KeptRelease::read(octets)))?;
    let missing = all.iter().any(|(_, release)| release.is_none()).then_some(MissingReleases::Unread);
    let zones = all.into_iter().filter_map(|(zone, release)| Some((zone, release?))).collect();
    Ok(KeptReleases { zones, missing })
}

/// Keeps these; none: forgets that of the zone.
pub(in crate::publish) fn write(
    transaction: &WriteTransaction,
    releases: &[(Name, Option<KeptRelease>)],
) -> Result<(), DatabaseError> {
    let values = releases.iter().map(|(zone, release)| (zone, release.map(KeptRelease::octets)));
    zone_table::write(transaction, RELEASES, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::database::fields::key_of;

    #[test]
    fn releases_come_back_and_a_damaged_value_is_told() {
        let database = Database::in_memory().unwrap();
        assert_eq!(database.read(read_all).unwrap(), KeptReleases::default(), "no table yet");
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (one, other) = (name("One.example."), name("."));
        let release = |serial, (is_halted, is_unhealthy)| {
            let accepted_at =
                (serial != 8).then(|| std::time::UNIX_EPOCH + std::time::Duration::from_nanos(7));
            Some(KeptRelease { accepted_at, is_halted, is_unhealthy, ..KeptRelease::running(Serial(serial)) })
        };
        let with_highest = |release: Option<KeptRelease>, time: Option<SystemTime>| {
            release.map(|release| KeptRelease { highest: Some((Serial(9), time)), ..release })
        };
        let kept = [
            (name("four."), with_highest(release(7, (false, false)), None)),
            (name("five."), with_highest(release(8, (false, false)), Some(std::time::UNIX_EPOCH))),
            (one.clone(), release(7, (false, false))),
            (name("two."), release(8, (true, true))),
            (name("three."), release(9, (false, true))),
            (other.clone(), release(u32::MAX, (true, false))),
        ];
        database.write(|to| write(to, &kept)).unwrap();
        let expected: BTreeMap<_, _> =
            kept.iter().filter_map(|(zone, release)| Some((zone.clone(), (*release)?))).collect();
        assert_eq!(database.read(read_all).unwrap(), KeptReleases { zones: expected, missing: None });
        database.write(|to| write(to, &[(other, None)])).unwrap();
        assert_eq!(database.read(read_all).unwrap().zones.len(), 5);
        let damage = |to: &WriteTransaction| {
            let mut table = to.open_table(RELEASES).map_err(DatabaseError::of)?;
            table.insert(&*key_of(&one), &b"\x01short"[..3]).map_err(DatabaseError::of)?;
            Ok(())
        };
        database.write(damage).unwrap();
        let KeptReleases { zones, missing } = database.read(read_all).unwrap();
        assert_eq!(zones.into_keys().collect::<Vec<_>>(), ["five.", "four.", "three.", "two."].map(name));
        assert_eq!(missing, Some(MissingReleases::Unread));
    }

    /// Values of builds that knew less: each ends where they ended.
    #[test]
    fn older_values_are_read() {
        let release = KeptRelease {
            accepted_at: Some(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(7)),
            is_halted: true,
            highest: Some((Serial(9), None)),
            ..KeptRelease::running(Serial(8))
        };
        let octets = release.octets();
        let read = |length: usize| KeptRelease::read(&octets[..length]).unwrap();
        assert_eq!(octets[..14], [1, 0, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(read(octets.len()), release);
        assert_eq!(read(14), KeptRelease { highest: None, ..release });
        assert_eq!(read(6), KeptRelease { highest: None, accepted_at: None, ..release });
    }
}
