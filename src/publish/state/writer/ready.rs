//! Versions made ready for the database: in what each differs from the one before.
//!
//! Versions flow in, a [`Ready`] flows out; done on the state writer's thread, never on the way to service. Reads the store, writes nothing.

use std::sync::Arc;

use crate::publish::accept::Digest;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::key_of;
use crate::publish::state::store::Store;
use crate::publish::state::store::writing::{Ready, StepChange};
use crate::publish::state::tables::serial_runs::SerialRuns;
use crate::publish::state::version::header::Header;
use crate::publish::state::version::record::{RecordWriter, Seen};
use crate::publish::state::version::step::{self, Step, StepOrigin, Written};
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::version::tail::{BeganReason, Tail};
use crate::wire::Serial;
use crate::zone::Zone;

/// A version and what is known about it.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Version {
    pub(in crate::publish) header: Arc<Header>,
    pub(in crate::publish) zone: Arc<Zone>,
    /// What led to it.
    pub(in crate::publish) origin: StepOrigin,
    /// Who gave it, if it is in no file and that is known.
    pub(in crate::publish) source: Option<StepSource>,
    /// The version that was served before it, with its link; spares reading it from the database.
    pub(in crate::publish) before: Option<(Digest, Arc<Zone>)>,
    /// The files that gave it, if they are known.
    pub(in crate::publish) seen: Option<Arc<Seen>>,
    /// The serials that the zone had before, if a run of them has ended.
    pub(in crate::publish) serials: Option<Arc<SerialRuns>>,
}

/// The version before the next one.
struct Last {
    chain: Digest,
    serial: Serial,
    /// `None` if only the database has it.
    zone: Option<Arc<Zone>>,
}

/// Makes versions of one zone ready, the oldest first: a step for each, and the record of the last.
pub(in crate::publish) fn ready(store: &Store, versions: &[Version]) -> Result<Option<Ready>, DatabaseError> {
    let Some(newest) = versions.last() else { return Ok(None) };
    let origin = newest.zone.origin();
    let tail = store.tail(origin)?;
    let mut last = tail.map(|tail| Last { chain: tail.chain, serial: tail.serial, zone: None });
    let mut changes = Vec::new();
    for version in versions {
        let (chain, serial) = (version.header.chain, version.header.standing.serial);
        let change = match &last {
            None => Some(StepChange::Begin { chain, serial, reason: BeganReason::First }),
            Some(last) if last.chain == chain => None,
            Some(_) if tail.as_ref().is_some_and(|tail| store.is_on_the_way(origin, tail, &chain)) => {
                continue;
            }
            Some(last) => Some(change(store, tail.as_ref(), last, version)),
        };
        changes.extend(change);
        last = Some(Last { chain, serial, zone: Some(version.zone.clone()) });
    }
    let (header, seen, zone) = (newest.header.clone(), newest.seen.clone(), newest.zone.clone());
    let record = RecordWriter { header, seen, zone };
    let serials = newest.serials.clone();
    Ok(Some(Ready { key: key_of(origin), changes, record, chain: newest.header.chain, serials }))
}

/// What leads from the last version to this one.
fn change(store: &Store, tail: Option<&Tail>, last: &Last, version: &Version) -> StepChange {
    let Header { standing, accepted_at, chain, .. } = &*version.header;
    let begin = |reason| StepChange::Begin { chain: *chain, serial: standing.serial, reason };
    let known = last.zone.clone();
    let known = known.or_else(|| version.before.clone().filter(|it| it.0 == last.chain).map(|it| it.1));
    let stored = || {
        let found = store.last_version(version.zone.origin());
        found.filter(|it| tail.is_some_and(|tail| tail.chain == it.0)).map(|it| it.1)
    };
    let Some(before) = known.or_else(stored) else { return begin(BeganReason::Lost) };
    let most = usize::try_from(store.bounds().octets).unwrap_or(usize::MAX);
    let Some(difference) = version.zone.exact_difference(&before, most) else {
        return begin(BeganReason::Large);
    };
    if difference.is_empty() {
        return StepChange::Link(*chain);
    }
    if !standing.serial.is_after(last.serial) {
        return begin(BeganReason::Back);
    }
    let step = Step {
        from: last.serial,
        to: standing.serial,
        accepted_at: *accepted_at,
        records: standing.records,
        signed: standing.signed,
        origin: version.origin,
    };
    match step::of_versions((last.chain, *chain), step, &difference) {
        Some(written) if written.octets.len() <= most => {
            StepChange::Step(Written { source: version.source.clone(), ..written })
        }
        _ => begin(BeganReason::Large),
    }
}
