//! What is read of the database, in one transaction: which zones there are, and the last version of each.
//!
//! A transaction and a zone flow in, versions flow out. What is not sound is an error that names it. Changes nothing.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use redb::{ReadTransaction, ReadableTable};

use crate::publish::accept::Digest;
use crate::publish::state::database::fields::zone_of;
use crate::publish::state::database::{BODIES, DatabaseError, STEPS, TAILS, ZONES, caught};
use crate::publish::state::tables::lost;
use crate::publish::state::version::header::Header;
use crate::publish::state::version::record::{self, Seen};
use crate::publish::state::version::replay::{ReplayError, replay};
use crate::publish::state::version::step;
use crate::publish::state::version::tail::Tail;
use crate::telemetry::panic_message;
use crate::wire::Name;
use crate::zone::Zone;

/// What is known of a version without its records.
#[derive(Debug)]
pub(in crate::publish) struct Looked {
    pub(in crate::publish) header: Header,
    /// The files that gave it.
    pub(in crate::publish) seen: Option<Seen>,
    /// Its value with its records, if they are in there and no step leads on from it: who serves it next does not read it again.
    pub(in crate::publish) value: Option<Box<[u8]>>,
    /// What is wrong with the steps that were to lead on from it.
    pub(in crate::publish) damage: Option<DamagedSteps>,
}

/// A version from the state directory.
#[derive(Debug)]
pub(in crate::publish) struct Loaded {
    /// What a version like it would be refused for today.
    pub(in crate::publish) tolerated: Option<String>,
    pub(in crate::publish) zone: Zone,
    pub(in crate::publish) header: Header,
    /// What is wrong with the steps that were to lead on from it.
    pub(in crate::publish) damage: Option<DamagedSteps>,
}

/// What is wrong with what is kept.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum KeptError {
    #[error("{0}")]
    Database(#[from] DatabaseError),
    #[error("what is kept of it does not match its hash")]
    Unsound,
    #[error("what was kept of it was damaged, and is set aside")]
    Lost,
    #[error("{0}")]
    Zone(String),
    #[error("{0}")]
    Format4(String),
    #[error("step {number} does not match its hash, or does not continue the one before")]
    Step { number: u64 },
    #[error("{0}")]
    Replay(#[from] ReplayError),
}

/// A file that holds what was set aside, and why.
pub(in crate::publish) type Damaged = (PathBuf, KeptError);
/// The same of steps.
pub(in crate::publish) type DamagedSteps = (PathBuf, KeptError);

/// Every zone of which something is kept, or was.
pub(in crate::publish) fn list(from: &ReadTransaction) -> Result<BTreeSet<Name>, DatabaseError> {
    let tails = from.open_table(TAILS).map_err(DatabaseError::of)?;
    let mut zones = Vec::new();
    for entry in tails.iter().map_err(DatabaseError::of)? {
        let (key, _) = entry.map_err(DatabaseError::of)?;
        zones.extend(zone_of(key.value()));
    }
    zones.extend(lost::read_all(from)?);
    Ok(zones.into_iter().collect())
}

pub(in crate::publish) fn tail(from: &ReadTransaction, key: &[u8]) -> Result<Option<Tail>, DatabaseError> {
    let tails = from.open_table(TAILS).map_err(DatabaseError::of)?;
    Ok(tails.get(key).map_err(DatabaseError::of)?.and_then(|value| Tail::read(value.value())))
}

pub(in crate::publish) fn value(
    from: &ReadTransaction,
    key: &[u8],
) -> Result<Option<Vec<u8>>, DatabaseError> {
    let zones = from.open_table(ZONES).map_err(DatabaseError::of)?;
    Ok(zones.get(key).map_err(DatabaseError::of)?.map(|value| value.value().to_vec()))
}

/// The octets of all pieces of a large zone.
pub(in crate::publish) fn pieces(from: &ReadTransaction, key: &[u8]) -> Result<Vec<u8>, DatabaseError> {
    let bodies = from.open_table(BODIES).map_err(DatabaseError::of)?;
    let mut octets = Vec::new();
    for piece in bodies.range((key, 0)..=(key, u32::MAX)).map_err(DatabaseError::of)? {
        octets.extend(piece.map_err(DatabaseError::of)?.1.value());
    }
    Ok(octets)
}

/// The octets of all steps from a number on.
pub(in crate::publish) fn steps_from(
    from: &ReadTransaction,
    key: &[u8],
    number: u64,
) -> Result<Vec<u8>, DatabaseError> {
    let steps = from.open_table(STEPS).map_err(DatabaseError::of)?;
    let mut octets = Vec::new();
    for step in steps.range((key, number)..=(key, u64::MAX)).map_err(DatabaseError::of)? {
        octets.extend(step.map_err(DatabaseError::of)?.1.value());
    }
    Ok(octets)
}

/// Whether a version with this link is in the record, or on the way from it to the last one.
pub(in crate::publish) fn is_on_the_way(
    from: &ReadTransaction,
    key: &[u8],
    tail: &Tail,
    chain: &Digest,
) -> Result<bool, DatabaseError> {
    let steps = from.open_table(STEPS).map_err(DatabaseError::of)?;
    for number in tail.included..tail.next {
        let value = steps.get((key, number)).map_err(DatabaseError::of)?;
        let has_it =
            |it: step::StepEntry<'_>| it.chain == *chain || (number == tail.included && it.before == *chain);
        if value.is_some_and(|value| step::read(value.value()).is_some_and(has_it)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Steps with their numbers.
type NumberedSteps = Vec<(u64, Vec<u8>)>;

/// The number of the first step that is damaged, and what is wrong.
pub(in crate::publish) type StepDamage = Option<(u64, KeptError)>;

/// The steps that are not in the record with this header, as far as they are sound.
pub(in crate::publish) fn pending(
    from: &ReadTransaction,
    key: &[u8],
    header: &Header,
) -> Result<(NumberedSteps, StepDamage), DatabaseError> {
    let mut found = Vec::new();
    let Some(tail) = tail(from, key)?.filter(|tail| tail.included < tail.next) else {
        return Ok((found, None));
    };
    let steps = from.open_table(STEPS).map_err(DatabaseError::of)?;
    let mut chain = header.chain;
    for number in tail.included..tail.next {
        let octets = steps.get((key, number)).map_err(DatabaseError::of)?.map(|it| it.value().to_vec());
        let entry = octets.as_deref().and_then(step::read).filter(|entry| entry.before == chain);
        let (Some(entry), Some(octets)) = (entry.map(|entry| entry.chain), octets) else {
            return Ok((found, Some((number, KeptError::Step { number }))));
        };
        chain = entry;
        found.push((number, octets));
    }
    Ok((found, None))
}

pub(in crate::publish) type Read<T> = Result<Result<T, KeptError>, DatabaseError>;

pub(in crate::publish) fn look(from: &ReadTransaction, key: &[u8]) -> Read<Option<(Looked, StepDamage)>> {
    let zones = from.open_table(ZONES).map_err(DatabaseError::of)?;
    let Some(value) = zones.get(key).map_err(DatabaseError::of)? else {
        return Ok(if lost::is_lost(from, key)? { Err(KeptError::Lost) } else { Ok(None) });
    };
    let Some(kept) = record::read(value.value()) else { return Ok(Err(KeptError::Unsound)) };
    let (steps, damage) = pending(from, key, &kept.header)?;
    let last = steps.last().and_then(|(_, octets)| step::read(octets));
    let header =
        last.map_or(kept.header.clone(), |last| kept.header.after_difference(&last.step, last.chain));
    let is_alone = kept.pieces == 0 && steps.is_empty() && damage.is_none();
    let value = is_alone.then(|| value.value().into());
    Ok(Ok(Some((Looked { header, seen: kept.seen, value, damage: None }, damage))))
}

/// The zone of a value that [`look`] found; `None` if it is none, which [`load`] tells.
pub(in crate::publish) fn of_looked(value: &[u8], zone: &Name) -> Option<Loaded> {
    let kept = record::read_again(value)?;
    let (zone, tolerated) = of_zone(|| kept.zone(zone, |_| None)).ok()?;
    Some(Loaded { tolerated, zone, header: kept.header, damage: None })
}

pub(in crate::publish) fn load(
    from: &ReadTransaction,
    key: &[u8],
    zone: &Name,
) -> Read<(Loaded, StepDamage)> {
    let zones = from.open_table(ZONES).map_err(DatabaseError::of)?;
    let Some(value) = zones.get(key).map_err(DatabaseError::of)? else { return Ok(Err(KeptError::Unsound)) };
    let Some(kept) = record::read(value.value()) else { return Ok(Err(KeptError::Unsound)) };
    let bodies = from.open_table(BODIES).map_err(DatabaseError::of)?;
    let mut failed = None;
    let piece = |number| {
        let found = || bodies.get((key, number)).map_err(DatabaseError::of);
        let octets = caught(|| Ok(found()?.map(|piece| piece.value().to_vec())));
        octets.unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    };
    let made = of_zone(|| kept.zone(zone, piece));
    if let Some(error) = failed {
        return Err(error);
    }
    let (base, tolerated) = match made {
        Ok(made) => made,
        Err(why) => return Ok(Err(KeptError::Zone(why))),
    };
    let (steps, damage) = pending(from, key, &kept.header)?;
    let entries: Vec<step::StepEntry<'_>> =
        steps.iter().filter_map(|(_, octets)| step::read(octets)).collect();
    let loaded = |zone, header| Loaded { zone, header, tolerated, damage: None };
    let Some(last) = entries.last() else { return Ok(Ok((loaded(base, kept.header), damage))) };
    let replayed = of_zone(|| Ok(replay(&base, &entries)));
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(why) => return Ok(Err(KeptError::Zone(why))),
    };
    Ok(Ok(match replayed {
        Ok(zone) => (loaded(zone, kept.header.after_difference(&last.step, last.chain)), damage),
        Err(error) => {
            let first = steps.first().map_or(0, |(number, _)| *number);
            (loaded(base, kept.header), Some((first, error.into())))
        }
    }))
}

/// A panic while the records of a zone are made one is a fault of that zone; it says nothing of the file, which has all others.
fn of_zone<T>(make: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(make))
        .unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_message(panic.as_ref()))))
}

/// The directory in which so many readings of zones fail, as if the disk did.
#[cfg(test)]
pub(in crate::publish) static FAILS: std::sync::Mutex<Option<(PathBuf, u32)>> = std::sync::Mutex::new(None);

/// The error that a test ordered.
#[cfg(test)]
pub(in crate::publish) fn fail_if_ordered(directory: &std::path::Path) -> std::io::Result<()> {
    match &mut *crate::telemetry::locked(&FAILS) {
        Some((of, left)) if of == directory && *left > 0 => {
            *left -= 1;
            Err(std::io::Error::from_raw_os_error(5))
        }
        _ => Ok(()),
    }
}
