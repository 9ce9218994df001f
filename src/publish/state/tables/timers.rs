//! When secondary zones were checked, and who has what is served, over restarts: the tables `timers`, `lineages` and `unconfirmed` of the
//! database.
//!
//! A build that does not know the others leaves them as they are and writes the first one. So each value of the others has the time of
//! the value of the first one that was written with it, and counts whole beside that alone; beside another one a lineage tells only who had
//! other content. They are no part of that value, because older builds take any four octets behind what they know for a serial.
//!
//! Timers of zones flow in behind the serving, as many as have changed in one transaction; all of them flow out at a start. A value
//! that cannot be read is passed over: such a zone asks its primaries at once, and nobody is known to have what is served of it.

use std::collections::HashMap;
use std::net::SocketAddr;

use redb::{ReadTransaction, WriteTransaction};

use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::{Fields, push_maybe, push_short};
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::wire::{Name, Serial};

/// Made by the first that is kept: an older build of this format knows nothing of it and leaves it as it is.
const TIMERS: ZoneTable = ZoneTable::new("timers");
/// The same.
const LINEAGES: ZoneTable = ZoneTable::new("lineages");
/// The same, of zones whose EXPIRE counts from another time than when a primary confirmed them.
const UNCONFIRMED: ZoneTable = ZoneTable::new("unconfirmed");

/// A secondary zone's timers on the wall clock (RFC 1035 section 3.3.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneTimers {
    /// When a primary last said that what is served is the newest, in seconds since 1970; `None` if none ever did.
    pub checked: Option<u64>,
    /// Since when EXPIRE counts of what is served, in seconds since 1970, where that is not `checked`: no primary ever confirmed it, or the
    /// one that did had heard of it from another server so long ago (RFC 7314). `None` if a build has kept this that did not know it.
    pub unconfirmed_since: Option<u64>,
    /// When the zone was to ask next, in seconds since 1970.
    pub due: u64,
    /// How many attempts in a row had failed.
    pub failures: u32,
    /// When this was written, in seconds since 1970: a clock that went backwards since then makes no version younger.
    pub saved: u64,
    /// A primary that had other content under the serial that was served, until that is resolved.
    pub diverged: Option<KeptDivergence>,
    /// A primary's serial that is older than what is served, once it is proven that what is served is not in the history of the primaries.
    pub forked: Option<u32>,
    /// Who has what is served; `None`: a build that knew nothing of it has kept this.
    pub lineage: Option<KeptLineage>,
}

/// Which primaries have what is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptLineage {
    /// The one that gave it.
    pub giver: Option<KeptGiver>,
    /// What a comparison has found of another one.
    pub other: Option<KeptStanding>,
}

/// The primary that gave what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptGiver {
    /// Its address.
    pub primary: SocketAddr,
    /// It has had every version that was served from this one on.
    pub since: Serial,
    /// The version that was served when this was kept.
    pub until: Serial,
}

/// What was found of the content of a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptStanding {
    /// Its address.
    pub primary: SocketAddr,
    /// Whether it had the same content as was served; otherwise it had other content.
    pub is_same: bool,
    /// Under which serial.
    pub serial: Serial,
}

impl KeptLineage {
    /// With the time of the timers that are written with it.
    fn octets(self, saved: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend(saved.to_be_bytes());
        push_maybe(&mut out, self.giver, |out, giver| {
            push_short(out, giver.primary.to_string().as_bytes());
            out.extend(giver.since.0.to_be_bytes());
            out.extend(giver.until.0.to_be_bytes());
        });
        push_maybe(&mut out, self.other, |out, other| {
            push_short(out, other.primary.to_string().as_bytes());
            out.push(other.is_same.into());
            out.extend(other.serial.0.to_be_bytes());
        });
        out
    }

    fn read(octets: &[u8]) -> Option<(u64, Self)> {
        let mut fields = Fields(octets);
        let saved = fields.u64()?;
        let giver = fields.maybe(|fields| {
            let (primary, since) = (address(fields)?, Serial(fields.u32()?));
            Some(KeptGiver { primary, since, until: Serial(fields.u32()?) })
        })?;
        let other = fields.maybe(|fields| {
            let (primary, is_same) = (address(fields)?, fields.flag()?);
            Some(KeptStanding { primary, is_same, serial: Serial(fields.u32()?) })
        })?;
        Some((saved, Self { giver, other }))
    }
}

fn address(fields: &mut Fields<'_>) -> Option<SocketAddr> {
    std::str::from_utf8(fields.short()?).ok()?.parse().ok()
}

/// Other content under the same serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptDivergence {
    /// The primary that had it.
    pub primary: SocketAddr,
    /// The serial.
    pub serial: Serial,
    /// When it was noticed, in seconds since 1970.
    pub at: u64,
}

impl KeptDivergence {
    fn push(self, out: &mut Vec<u8>) {
        let Serial(serial) = self.serial;
        out.extend(serial.to_be_bytes());
        out.extend(self.at.to_be_bytes());
        push_short(out, self.primary.to_string().as_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let (serial, at) = (Serial(fields.u32()?), fields.u64()?);
        let primary = address(fields)?;
        Some(Self { primary, serial, at })
    }
}

impl ZoneTimers {
    fn octets(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        push_maybe(&mut out, self.checked, |out, at| out.extend(at.to_be_bytes()));
        out.extend(self.due.to_be_bytes());
        out.extend(self.failures.to_be_bytes());
        out.extend(self.saved.to_be_bytes());
        // An older build does not look at what stands here.
        push_maybe(&mut out, self.diverged, |out, diverged| diverged.push(out));
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
        // An older build has written nothing here.
        let diverged = if fields.0.is_empty() { None } else { fields.maybe(KeptDivergence::read)? };
        let (unconfirmed_since, forked, lineage) = (None, fields.u32(), None);
        Some(Self { checked, unconfirmed_since, due, failures, saved, diverged, forked, lineage })
    }
}

/// All that are kept.
pub(in crate::publish) fn read_all(
    from: &ReadTransaction,
) -> Result<HashMap<Name, ZoneTimers>, DatabaseError> {
    let mut all: HashMap<Name, ZoneTimers> = zone_table::read_all(from, TIMERS, ZoneTimers::read)?;
    let read_lineage = |octets: &[u8]| Some(KeptLineage::read(octets));
    let lineages: HashMap<Name, Option<(u64, KeptLineage)>> =
        zone_table::read_all(from, LINEAGES, read_lineage)?;
    for (zone, kept) in lineages {
        if let Some(timers) = all.get_mut(&zone) {
            // Something was known of it: what cannot be read, or what an older build served meanwhile, is no reason to believe all.
            timers.lineage = Some(match kept {
                Some((saved, lineage)) if timers.saved == saved => lineage,
                Some((_, lineage)) => {
                    KeptLineage { giver: None, other: lineage.other.filter(|other| !other.is_same) }
                }
                None => KeptLineage::default(),
            });
        }
    }
    let read_since = |octets: &[u8]| {
        let mut fields = Fields(octets);
        Some((fields.u64()?, fields.u64()?))
    };
    let unconfirmed: HashMap<Name, (u64, u64)> = zone_table::read_all(from, UNCONFIRMED, read_since)?;
    for (zone, (saved, since)) in unconfirmed {
        if let Some(timers) = all.get_mut(&zone).filter(|timers| timers.saved == saved) {
            timers.unconfirmed_since = Some(since);
        }
    }
    Ok(all)
}

/// Keeps these; none: forgets those of the zone.
pub(in crate::publish) fn write<'z>(
    transaction: &WriteTransaction,
    timers: impl IntoIterator<Item = (&'z Name, &'z Option<ZoneTimers>)> + Clone,
) -> Result<(), DatabaseError> {
    let lineage = |timers: ZoneTimers| timers.lineage.map(|lineage| lineage.octets(timers.saved));
    let lineages = timers.clone().into_iter().map(|(zone, timers)| (zone, timers.and_then(lineage)));
    let since =
        |timers: ZoneTimers| Some([timers.saved, timers.unconfirmed_since?].map(u64::to_be_bytes).concat());
    let unconfirmed = timers.clone().into_iter().map(|(zone, timers)| (zone, timers.and_then(since)));
    let values = timers.into_iter().map(|(zone, timers)| (zone, timers.map(ZoneTimers::octets)));
    zone_table::write(transaction, TIMERS, values)?;
    zone_table::write(transaction, LINEAGES, lineages)?;
    zone_table::write(transaction, UNCONFIRMED, unconfirmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::database::fields::key_of;

    #[test]
    fn timers_come_back_and_a_damaged_value_is_none() {
        let database = Database::in_memory().unwrap();
        assert_eq!(database.read(read_all).unwrap(), HashMap::new(), "no table yet");
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (one, other) = (name("One.example."), name("."));
        let primary = "[2001:db8::1]:53".parse().unwrap();
        let diverged = Some(KeptDivergence { primary, serial: Serial(9), at: 4 });
        let timers = |checked: Option<u64>| {
            let diverged = diverged.filter(|_| checked.is_some());
            let forked = checked.map(|_| 9);
            let lineage = checked.map(|_| KeptLineage {
                giver: Some(KeptGiver { primary, since: Serial(7), until: Serial(9) }),
                other: Some(KeptStanding { primary, is_same: false, serial: Serial(8) }),
            });
            let unconfirmed_since = if checked.is_none() { Some(2) } else { None };
            let (due, failures, saved) = (5, 7, u64::MAX);
            ZoneTimers { checked, unconfirmed_since, due, failures, saved, diverged, forked, lineage }
        };
        let kept = [(one.clone(), Some(timers(Some(3)))), (other.clone(), Some(timers(None)))];
        database.write(|to| write(to, kept.iter().map(|(zone, timers)| (zone, timers)))).unwrap();
        let expected = HashMap::from([(one.clone(), timers(Some(3))), (other.clone(), timers(None))]);
        assert_eq!(database.read(read_all).unwrap(), expected);
        // Since when nobody has confirmed it counts beside the timers that were written with it.
        let older = ZoneTimers { saved: 4, ..timers(None) };
        let write_older =
            |to: &WriteTransaction| zone_table::write(to, TIMERS, [(&other, Some(older.octets()))]);
        database.write(write_older).unwrap();
        let expected = ZoneTimers { unconfirmed_since: None, ..older };
        assert_eq!(database.read(read_all).unwrap()[&other], expected);
        database.write(|to| write(to, [(&other, &Some(timers(Some(3))))])).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&other], timers(Some(3)));
        // Also beside when it was confirmed.
        let heard = ZoneTimers { unconfirmed_since: Some(2), ..timers(Some(3)) };
        database.write(|to| write(to, [(&other, &Some(heard))])).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&other], heard);
        database.write(|to| write(to, [(&other, &None)])).unwrap();
        assert_eq!(database.read(read_all).unwrap().len(), 1);
        // What a build wrote that knew nothing of divergences, and what such a build reads of ours.
        let ours = timers(Some(3)).octets();
        let older = 1 + 8 + 8 + 4 + 8;
        let expected = ZoneTimers { diverged: None, forked: None, lineage: None, ..timers(Some(3)) };
        assert_eq!(ZoneTimers::read(&ours[..older]), Some(expected));
        assert_eq!(ours[..older], expected.octets()[..older]);
        // Such a build writes the first table alone: then nobody is known to have that version, but who had other content stays known, and
        // what it wrote counts.
        let nobody_gave = |it: KeptLineage| KeptLineage { giver: None, ..it };
        let older =
            ZoneTimers { saved: 4, lineage: timers(Some(3)).lineage.map(nobody_gave), ..timers(Some(3)) };
        let write_older =
            |to: &WriteTransaction| zone_table::write(to, TIMERS, [(&one, Some(older.octets()))]);
        database.write(write_older).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&one], older);
        let same = |it: KeptLineage| KeptLineage {
            other: it.other.map(|it| KeptStanding { is_same: true, ..it }),
            ..it
        };
        let with_same = ZoneTimers { lineage: timers(Some(3)).lineage.map(same), ..timers(Some(3)) };
        database.write(|to| write(to, [(&one, &Some(with_same))])).unwrap();
        database.write(write_older).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&one].lineage, Some(KeptLineage::default()));
        let again = ZoneTimers { saved: 4, ..timers(Some(3)) };
        assert_eq!(again.octets(), older.octets(), "an older build reads of it what it wrote itself");
        database.write(|to| write(to, [(&one, &Some(again))])).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&one], again);
        let nobody = ZoneTimers { lineage: Some(KeptLineage::default()), ..again };
        database.write(|to| write(to, [(&one, &Some(nobody))])).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&one], nobody);
        // A damaged value says that something was known, and not what.
        let damage = |to: &WriteTransaction| {
            let mut table = to.open_table(LINEAGES).map_err(DatabaseError::of)?;
            table.insert(&*key_of(&one), &b"\x01short"[..]).map_err(DatabaseError::of)?;
            Ok(())
        };
        database.write(|to| write(to, [(&one, &Some(again))])).unwrap();
        database.write(damage).unwrap();
        assert_eq!(database.read(read_all).unwrap()[&one], nobody);
        let damage = |to: &WriteTransaction| {
            let mut table = to.open_table(TIMERS).map_err(DatabaseError::of)?;
            table.insert(&*key_of(&one), &b"\x01short"[..]).map_err(DatabaseError::of)?;
            Ok(())
        };
        database.write(damage).unwrap();
        assert_eq!(database.read(read_all).unwrap(), HashMap::new());
    }
}
