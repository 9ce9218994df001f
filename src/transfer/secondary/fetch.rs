//! One transfer: asked for, read, verified; then put into service.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::transfer::message::{Asked, Outcome, Progress, Soa, TransferFault, TransferReader};
use crate::transfer::refresh::Transferred;
use crate::transfer::tls::TlsClient;
use crate::transfer::tsig::{Exchange, Key, TsigFault};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{RecordBatch, Zone, ZoneBuilder, ZoneFault};

use super::ask::pace;
use super::idle::IdleConnections;
use super::net::{Frames, NetError, unix_time};
use super::settings::SecondarySettings;
use super::sink::{Origin, Sink, SinkError};

/// What to transfer.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub(super) zone: Name,
    pub(super) address: SocketAddr,
    pub(super) key: Option<Arc<Key>>,
    pub(super) tls: Option<TlsClient>,
    pub(super) from: Option<Serial>,
    pub(super) is_forced: bool,
    /// Of which primaries of the zone it is one: see [`super::entry::Entry`].
    pub(super) generation: u32,
}

/// Why a transfer brought nothing into service.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or it broke, or it was too slow.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The primary sent what it must not.
    #[error(transparent)]
    Fault(#[from] TransferFault),
    /// The signature is wrong, or ours is not accepted.
    #[error(transparent)]
    Tsig(#[from] TsigFault),
    /// The records are no zone.
    #[error("the records are no zone: {}", first_fault(.0))]
    NoZone(Vec<ZoneFault>),
    /// The publisher says no.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The primary has no differences.
    #[error("the primary sends no differences, so the whole zone is asked for")]
    NoDifferences,
    /// The thread that puts versions into service has panicked.
    #[error("the thread that puts the version into service has failed")]
    Thread,
}

fn first_fault(faults: &[ZoneFault]) -> String {
    let more = faults.len().saturating_sub(1);
    match (faults.first(), more) {
        (None, _) => "no fault is told".to_owned(),
        (Some(first), 0) => first.to_string(),
        (Some(first), more) => format!("{first}, and {more} more"),
    }
}

/// What came of a transfer.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) end: Transferred,
    pub(super) error: Option<FetchError>,
    /// Octets and records that came.
    pub(super) received: (u64, u64),
    /// Whether the whole zone that came had the serial that was served, and other content.
    pub(super) is_diverged: bool,
}

/// Transfers and puts into service.
pub(super) async fn fetch(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    sink: &Arc<dyn Sink>,
    fetch: &Fetch,
) -> Fetched {
    let mut received = (0, 0);
    let outcome = match receive(settings, idle, fetch, &mut received).await {
        Ok(outcome) => outcome,
        Err(error) => {
            return Fetched { end: end_of(&error), error: Some(error), received, is_diverged: false };
        }
    };
    let (end, error, is_diverged) = install(sink, fetch, outcome).await;
    Fetched { end, error, received, is_diverged }
}

async fn receive(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    fetch: &Fetch,
    received: &mut (u64, u64),
) -> Result<Outcome, FetchError> {
    let record_type = if fetch.from.is_some() { RecordType::IXFR } else { RecordType::AXFR };
    let asked = Asked { zone: fetch.zone.clone(), id: fastrand::u16(..), record_type };
    let mut query = asked.query(fetch.from);
    let mut exchange = fetch.key.as_ref().map(|key| Exchange::sign(&mut query, key, unix_time()));
    let peer = (fetch.address, fetch.tls.as_ref());
    let mut frames = Frames::open(idle, &settings.management, peer, pace(settings), &query).await?;
    let mut reader = TransferReader::new(asked, fetch.from, settings.limits);
    loop {
        let Some(message) = frames.next().await? else { return Ok(reader.end()?) };
        if let Some(exchange) = &mut exchange {
            exchange.verify(message, unix_time())?;
        }
        let progress = reader.feed(message);
        *received = reader.received();
        if let Progress::Done(outcome) = progress? {
            if let Some(exchange) = &exchange {
                exchange.finish()?;
            }
            frames.rest(idle, peer);
            return Ok(outcome);
        }
    }
}

/// What the state machine makes of an error.
fn end_of(error: &FetchError) -> Transferred {
    match error {
        // Of what a primary says about the zone or the key, another query of the same primary changes nothing.
        FetchError::Fault(TransferFault::Refused(_))
        | FetchError::Tsig(TsigFault::Peer { .. } | TsigFault::Missing { .. }) => Transferred::Unreachable,
        FetchError::Net(NetError::Connect { .. } | NetError::NoAddress(_) | NetError::Tls { .. }) => {
            Transferred::Unreachable
        }
        _ => Transferred::Faulty,
    }
}

/// Puts what came into service, on a thread that may block.
async fn install(
    sink: &Arc<dyn Sink>,
    fetch: &Fetch,
    outcome: Outcome,
) -> (Transferred, Option<FetchError>, bool) {
    let origin = Origin { primary: fetch.address, is_forced: fetch.is_forced };
    let (sink, zone) = (sink.clone(), fetch.zone.clone());
    let soa = match &outcome {
        Outcome::Whole { soa, .. } | Outcome::Differences { soa, .. } => *soa,
        Outcome::UpToDate { soa } => return (Transferred::NotNewer(*soa), None, false),
        Outcome::AskWhole(_) => return (Transferred::AskWhole, Some(FetchError::NoDifferences), false),
    };
    let done = tokio::task::spawn_blocking(move || match outcome {
        Outcome::Whole { batches, .. } => whole(&*sink, &zone, soa, batches, origin),
        Outcome::Differences { differences, .. } => {
            sink.differences(&zone, differences, origin).map(|()| Installed::Served).map_err(FetchError::from)
        }
        Outcome::UpToDate { .. } | Outcome::AskWhole(_) => Ok(Installed::NotNewer),
    });
    match done.await {
        Ok(Ok(Installed::NotNewer)) => (Transferred::NotNewer(soa), None, false),
        Ok(Ok(found)) => (Transferred::Served(soa), None, found == Installed::ServedDiverged),
        Ok(Err(error)) => (end_of_sink(&error, soa), Some(error), false),
        Err(_) => (Transferred::Unreachable, Some(FetchError::Thread), false),
    }
}

/// What became of a whole zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installed {
    NotNewer,
    Served,
    /// In service in place of a version with the same serial and other content.
    ServedDiverged,
}

fn end_of_sink(error: &FetchError, soa: Soa) -> Transferred {
    match error {
        FetchError::Sink(SinkError::NotFitting(_) | SinkError::Diverged(_)) => Transferred::AskWhole,
        FetchError::Sink(SinkError::Refused(_)) | FetchError::NoZone(_) => Transferred::Refused(soa.serial),
        _ => Transferred::Unreachable,
    }
}

/// Compiles a whole zone and offers it, if it is newer than what is served or an operator wants it.
fn whole(
    sink: &dyn Sink,
    name: &Name,
    soa: Soa,
    batches: Vec<RecordBatch>,
    origin: Origin,
) -> Result<Installed, FetchError> {
    let served = sink.served(name);
    let is_newer = |served: &Arc<Zone>| soa.serial.is_after(served.serial());
    if !origin.is_forced && served.as_ref().is_some_and(|served| !is_newer(served)) {
        return Ok(Installed::NotNewer);
    }
    let mut builder = match &served {
        Some(served) => ZoneBuilder::after(served),
        None => ZoneBuilder::new(name.clone()),
    };
    // Names that did not change are shared with the version that is served.
    let standing = builder.standing();
    let reduced = batches.into_iter().map(|batch| match &standing {
        Some(standing) => standing.reduce(batch),
        None => batch,
    });
    reduced.for_each(|batch| builder.add(batch));
    let zone = builder.finish().map_err(FetchError::NoZone)?;
    let same_serial = served.filter(|served| served.serial() == zone.serial());
    let is_diverged =
        same_serial.is_some_and(|served| served.make_digest(|| true) != zone.make_digest(|| true));
    sink.whole(zone, origin)?;
    Ok(if is_diverged { Installed::ServedDiverged } else { Installed::Served })
}
