//! One transfer: asked for, read, verified, and put into service.

pub(in crate::transfer::secondary) mod fetch_error;
pub(in crate::transfer::secondary) mod install;
pub(in crate::transfer::secondary) mod install_gate;
pub(in crate::transfer::secondary) mod memory;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::clock::unix_now;
use crate::publish::Force;
use crate::transfer::message::{
    Asked, Limits, Outcome, Progress, TimeLeft, TransferFault, TransferReader, WhyWhole,
};
use crate::transfer::refresh::{Comparison, Transferred};
use crate::transfer::tls::TlsClient;
use crate::transfer::tsig::{Exchange, Key, TsigFault};
use crate::wire::{Name, RecordType, Serial};

use crate::transfer::secondary::fetch::fetch_error::FetchError;
use crate::transfer::secondary::fetch::install::Installing;
use crate::transfer::secondary::fetch::install_gate::InstallGate;
use crate::transfer::secondary::fetch::memory::{TakenMemory, TransferMemory};
use crate::transfer::secondary::net::ask::pace;
use crate::transfer::secondary::net::edns::{AskedWhat, EdnsDoubt, EdnsPeers, WithExpire};
use crate::transfer::secondary::net::idle::IdleConnections;
use crate::transfer::secondary::net::{Frames, NetError, Pace};
use crate::transfer::secondary::settings::SecondarySettings;
use crate::transfer::secondary::sink::{Origin, Sink};

/// How long a comparison waits for a connection.
const COMPARE_CONNECT: Duration = Duration::from_secs(5);
/// How long it waits for each message: a primary may have to compute before the first one.
const COMPARE_SILENCE: Duration = Duration::from_secs(30);
/// Octets a second that must come.
const COMPARE_LEAST_RATE: u64 = 64 << 10;
/// How long it takes at most: 500 MB at 14 Mbit/s.
const COMPARE_LONGEST: Duration = Duration::from_secs(300);

/// What to transfer.
#[derive(Clone, Debug)]
pub(in crate::transfer::secondary) struct Fetch {
    pub(in crate::transfer::secondary) zone: Name,
    /// Which of the zone's primaries, and its address.
    pub(in crate::transfer::secondary) primary: usize,
    pub(in crate::transfer::secondary) address: SocketAddr,
    pub(in crate::transfer::secondary) from: Option<Serial>,
    pub(in crate::transfer::secondary) force: Force,
    /// Of which primaries of the zone it is one: see [`crate::transfer::secondary::coordinator::entry::ZoneEntry`].
    pub(in crate::transfer::secondary) generation: u64,
    /// Through which it goes into service.
    pub(in crate::transfer::secondary) gate: Arc<InstallGate>,
}

/// By what a primary and this server know each other.
#[derive(Clone, Debug, Default)]
pub(in crate::transfer::secondary) struct Credentials {
    pub(in crate::transfer::secondary) key: Option<Arc<Key>>,
    pub(in crate::transfer::secondary) tls: Option<TlsClient>,
}

/// What is known of what has come, also where the transfer breaks off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::transfer::secondary) struct Received {
    pub(in crate::transfer::secondary) octets: u64,
    pub(in crate::transfer::secondary) records: u64,
    /// How long the version may be served, where the primary says it.
    pub(in crate::transfer::secondary) left: Option<TimeLeft>,
}

/// What came of a transfer.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct Fetched {
    pub(in crate::transfer::secondary) end: Transferred,
    pub(in crate::transfer::secondary) error: Option<FetchError>,
    pub(in crate::transfer::secondary) received: Received,
    /// Whether the whole zone that came had the serial that was served, and other content.
    pub(in crate::transfer::secondary) is_diverged: bool,
}

/// Transfers and puts into service.
pub(in crate::transfer::secondary) async fn fetch(
    settings: &SecondarySettings,
    (idle, edns, memory): (&IdleConnections, &EdnsPeers, &Arc<TransferMemory>),
    sink: &Arc<dyn Sink>,
    (fetch, credentials): (&Fetch, &Credentials),
) -> Fetched {
    let origin = Origin { primary: fetch.address, force: fetch.force };
    let installing = Installing::new(sink, &fetch.zone, origin, &fetch.gate);
    let (mut received, mut installing) = (Received::default(), installing);
    // An order says that somebody has looked: then a zone may grow as it likes. What is served says nothing of another zone.
    let served =
        sink.served(&fetch.zone).filter(|_| fetch.force < Force::Anew).map(|zone| zone.record_count());
    let limits = settings.limits.of_zone(served);
    // Until the version is in service, or nothing is left of it.
    let mut memory = memory.begin(settings.memory);
    let bounds = (limits, &mut memory);
    let over = (settings, idle, pace(settings));
    let to = (&mut received, &mut installing);
    let receiving = receive_by_edns(edns, over, (fetch, credentials), bounds, to);
    let outcome = tokio::select! {
        () = fetch.gate.closed() => Err(FetchError::ZoneGone),
        outcome = receiving => outcome,
    };
    match outcome {
        Ok(outcome) => {
            let (end, error, is_diverged) = installing.finish(outcome).await;
            Fetched { end, error, received, is_diverged }
        }
        Err(error) => {
            let end = end_of(&error, fetch.from.is_none());
            Fetched { end, error: Some(error), received, is_diverged: false }
        }
    }
}

/// Transfers a whole zone, and compares it with what is served. Nothing of it goes into service.
pub(in crate::transfer::secondary) async fn compare(
    settings: &SecondarySettings,
    (idle, memory): (&IdleConnections, &Arc<TransferMemory>),
    sink: &Arc<dyn Sink>,
    (fetch, credentials): (&Fetch, &Credentials),
) -> Result<Comparison, FetchError> {
    let mut installing = Installing::to_compare(sink, &fetch.zone, &fetch.gate);
    let limits = settings.limits.of_zone(sink.served(&fetch.zone).map(|zone| zone.record_count()));
    let (mut received, mut memory) = (Received::default(), memory.begin_small(settings.memory));
    let bounds = (limits, &mut memory);
    let over = (settings, idle, pace_to_compare(settings));
    let what = (fetch, credentials, WithExpire::No);
    let receiving = receive(over, what, bounds, (&mut received, &mut installing));
    let outcome = tokio::select! {
        () = fetch.gate.closed() => return Err(FetchError::ZoneGone),
        outcome = receiving => outcome?,
    };
    installing.compare(outcome).await
}

/// Transfers with an EXPIRE option (RFC 7314), unless the primary is known to break on an OPT record; once more without it where that may be
/// so, and nothing of the zone has come.
async fn receive_by_edns(
    edns: &EdnsPeers,
    over: (&SecondarySettings, &IdleConnections, Pace),
    (fetch, credentials): (&Fetch, &Credentials),
    (limits, memory): (Limits, &mut TakenMemory),
    (received, installing): (&mut Received, &mut Installing),
) -> Result<Outcome, FetchError> {
    let (peer, of) = (fetch.address, AskedWhat::Transfer);
    let with = edns.with(peer, of, Instant::now());
    let what = (fetch, credentials, with);
    let outcome = receive(over, what, (limits, &mut *memory), (&mut *received, &mut *installing)).await;
    if with == WithExpire::No {
        return outcome;
    }
    let now = Instant::now();
    let doubt = match edns_doubt(&outcome).filter(|_| received.records == 0) {
        // A server with EDNS that has no IXFR: its answer to AXFR tells whether it takes an OPT record there.
        Some(_) if outcome.is_ok() && edns.takes_any(peer, now) => return outcome,
        Some(doubt) if edns.is_worth_another(peer, (of, doubt), now) => doubt,
        Some(doubt) => {
            edns.note_failed(peer, (of, doubt), now);
            return outcome;
        }
        None => {
            if received.records > 0 {
                edns.note_taken(peer, of, now);
            }
            return outcome;
        }
    };
    *received = Received::default();
    let what = (fetch, credentials, WithExpire::No);
    let outcome = receive(over, what, (limits, memory), (&mut *received, installing)).await;
    if received.records > 0 {
        edns.note_not_taken(peer, (of, doubt), Instant::now());
    }
    outcome
}

/// What the failure of a transfer whose query had an OPT record says of EDNS. A server that fails at the OPT record has not looked at the
/// signature, and does not sign.
fn edns_doubt(outcome: &Result<Outcome, FetchError>) -> Option<EdnsDoubt> {
    match outcome {
        Ok(Outcome::AskWhole(WhyWhole::Rcode(code)))
        | Err(
            FetchError::Fault(TransferFault::Refused(code))
            | FetchError::Tsig(TsigFault::Missing { rcode: code, .. }),
        ) => EdnsDoubt::of_rcode(*code),
        Err(FetchError::Fault(TransferFault::Ended { .. }) | FetchError::Net(NetError::Broke { .. })) => {
            Some(EdnsDoubt::Broken)
        }
        Err(FetchError::Net(NetError::Silent { .. })) => Some(EdnsDoubt::Silent),
        _ => None,
    }
}

async fn receive(
    (settings, idle, pace): (&SecondarySettings, &IdleConnections, Pace),
    (fetch, credentials, with): (&Fetch, &Credentials, WithExpire),
    (limits, memory): (Limits, &mut TakenMemory),
    (received, installing): (&mut Received, &mut Installing),
) -> Result<Outcome, FetchError> {
    let record_type = if fetch.from.is_some() { RecordType::IXFR } else { RecordType::AXFR };
    let asked = Asked { zone: fetch.zone.clone(), id: fastrand::u16(..), record_type };
    let mut query = match with {
        WithExpire::Yes | WithExpire::ToTry => asked.query_with_expire(fetch.from),
        WithExpire::No => asked.query(fetch.from),
    };
    let mut exchange = credentials.key.as_ref().map(|key| Exchange::sign(&mut query, key, unix_now()));
    let peer = (fetch.address, credentials.tls.as_ref());
    let asked_at = Instant::now();
    let mut frames = Frames::open(idle, &settings.management, peer, pace, &query).await?;
    let mut reader = TransferReader::new(asked, fetch.from, limits);
    loop {
        let next = match reader.is_at_second() {
            true => timeout(settings.follows, frames.next()).await.unwrap_or(Ok(None))?,
            false => frames.next().await?,
        };
        let Some(message) = next else { return Ok(reader.end()?) };
        if let Some(exchange) = &mut exchange {
            exchange.verify(message, unix_now())?;
        }
        // The OPT record stands in the first message.
        if received.octets == 0 {
            received.left = TimeLeft::read(message, asked_at);
        }
        let progress = reader.feed(message);
        (received.octets, received.records) = reader.received();
        memory.grow(reader.held())?;
        if let Err(fault @ TransferFault::Refused(_)) = &progress
            && received.records == 0
        {
            // That is the whole answer: the next query goes over the same connection, maybe the same one without an OPT record.
            frames.keep_idle(idle, peer);
            return Err(fault.clone().into());
        }
        if let Progress::Done(outcome) = progress? {
            if let Some(exchange) = &exchange {
                exchange.finish()?;
            }
            frames.keep_idle(idle, peer);
            return Ok(outcome);
        }
        if let Some((soa, full)) = reader.take_full() {
            installing.add(soa, full).await?;
        }
    }
}

/// What a comparison may cost: less than a transfer that is needed, so that a slow primary does not take long from all others.
fn pace_to_compare(settings: &SecondarySettings) -> Pace {
    let pace = pace(settings);
    Pace {
        connect: pace.connect.min(COMPARE_CONNECT),
        silence: pace.silence.min(COMPARE_SILENCE),
        least_rate: pace.least_rate.max(COMPARE_LEAST_RATE),
        longest: pace.longest.min(COMPARE_LONGEST),
        ..pace
    }
}

/// What the state machine makes of an error; `whole`: of a transfer of the whole zone.
fn end_of(error: &FetchError, whole: bool) -> Transferred {
    match error {
        // Of what a primary says about the zone or the key, another query of the same primary changes nothing.
        FetchError::Fault(TransferFault::Refused(_))
        | FetchError::Tsig(TsigFault::Peer { .. } | TsigFault::Missing { .. }) => Transferred::Unreachable,
        FetchError::Net(NetError::Connect { .. } | NetError::NoAddress(_) | NetError::Tls { .. }) => {
            Transferred::Unreachable
        }
        FetchError::ZoneGone => Transferred::Unreachable,
        // The primary has answered, and it is here that the version has no place.
        FetchError::Thread | FetchError::Memory { .. } => Transferred::NotKept,
        FetchError::Fault(TransferFault::TooManyRecords(_)) if whole => Transferred::NotKept,
        _ => Transferred::Faulty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_has_shorter_limits_than_a_transfer_and_never_longer_ones() {
        let pace = pace_to_compare(&SecondarySettings::default());
        assert!(pace.longest <= Duration::from_secs(300) && pace.connect <= Duration::from_secs(5));
        assert!(pace.least_rate >= 64 << 10 && pace.silence <= Duration::from_secs(30));
        let second = Duration::from_secs(1);
        let (longest, connect, silence, least_rate) = (second, second, second, 1 << 20);
        let settings =
            SecondarySettings { longest, connect, silence, least_rate, ..SecondarySettings::default() };
        let pace = pace_to_compare(&settings);
        assert_eq!((pace.longest, pace.connect, pace.silence), (second, second, second));
        assert_eq!(pace.least_rate, 1 << 20);
    }
}
