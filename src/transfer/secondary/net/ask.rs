//! One SOA query: over UDP, again a few times, over TCP if the answer does not fit; over TLS where the primary has it.
//!
//! A primary that answers REFUSED over UDP may answer over TCP: Knot DNS does so for its catalogs. That is another query, which waits for
//! its turn like any other ([`AskError::RefusedOverUdp`]).
//!
//! Each query has an EXPIRE option (RFC 7314), unless the primary is known to break on an OPT record. Where that may be so, the query is asked
//! once more without it, when its turn comes ([`AskError::WithoutEdns`]); over UDP, where nothing comes, the last try has none unless the
//! primary has answered one with it of late.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::clock::unix_now;
use crate::transfer::message::{Asked, Soa, SoaAnswer, TimeLeft, TransferFault, read_soa_answer};
use crate::transfer::tls::TlsClient;
use crate::transfer::tsig::{Exchange, Key, TsigFault};
use crate::wire::{Name, RecordType, rcode};

use crate::transfer::secondary::net::edns::{AskedWhat, EdnsDoubt, EdnsPeers, WithExpire};
use crate::transfer::secondary::net::idle::IdleConnections;
use crate::transfer::secondary::net::{Frames, NetError, Pace, datagrams};
use crate::transfer::secondary::settings::SecondarySettings;

/// How long each try over UDP waits: two seconds are several round trips around the world, the last is for a primary that loads.
const TRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Octets of an answer over UDP: none is larger than what the OPT record of the query says, but for a signature.
const DATAGRAM: usize = 4096;

/// Why a primary does not say which version it has.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing came back.
    #[error(transparent)]
    Net(#[from] NetError),
    /// What came is no answer.
    #[error(transparent)]
    Answer(#[from] TransferFault),
    /// The signature is wrong, or ours is not accepted.
    #[error(transparent)]
    Tsig(#[from] TsigFault),
    /// The primary is no server for the zone.
    #[error("the answer is not authoritative: the primary does not serve the zone")]
    NotAuthoritative,
    /// Truncated over TCP.
    #[error("the answer is truncated over TCP")]
    Truncated,
    /// REFUSED over UDP.
    #[error("the primary answers REFUSED over UDP")]
    RefusedOverUdp(#[source] Box<AskError>),
    /// REFUSED over UDP, and nothing over TCP.
    #[error("the primary answers REFUSED over UDP, and over TCP there is no answer")]
    OverUdp(#[source] Box<AskError>),
    /// The OPT record may be the reason, for what this says.
    #[error("a query with EDNS fails, and one without may not")]
    WithoutEdns(EdnsDoubt, #[source] Box<AskError>),
}

impl AskError {
    /// The error of a query that was sent over TCP because the primary had answered REFUSED over UDP.
    fn after_refusal(self, over: AskOver) -> Self {
        match self {
            Self::Net(_) | Self::Answer(TransferFault::Ended { .. }) if over == AskOver::Tcp => {
                Self::OverUdp(Box::new(self))
            }
            other => other,
        }
    }

    /// What the failure of a query with an OPT record says of EDNS. A server that fails at the OPT record has not looked at the signature,
    /// and does not sign.
    fn edns_doubt(&self) -> Option<EdnsDoubt> {
        match self {
            Self::Answer(TransferFault::Refused(code))
            | Self::Tsig(TsigFault::Missing { rcode: code, .. }) => EdnsDoubt::of_rcode(*code),
            Self::Answer(TransferFault::Ended { .. }) | Self::Net(NetError::Broke { .. }) => {
                Some(EdnsDoubt::Broken)
            }
            Self::Net(NetError::Silent { .. }) => Some(EdnsDoubt::Silent),
            _ => None,
        }
    }

    /// Whether the primary answers REFUSED, signed or not.
    fn is_refused(&self) -> bool {
        matches!(
            self,
            Self::Answer(TransferFault::Refused(rcode::REFUSED))
                | Self::Tsig(TsigFault::Missing { rcode: rcode::REFUSED, .. })
        )
    }
}

/// The version that a primary has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transfer::secondary) struct ToldVersion {
    pub(in crate::transfer::secondary) soa: Soa,
    /// How long it may be served, where the primary says it.
    pub(in crate::transfer::secondary) left: Option<TimeLeft>,
}

/// One query, as it goes out.
struct SentQuery {
    asked: Asked,
    octets: Vec<u8>,
    exchange: Option<Exchange>,
    at: Instant,
}

/// Over what a query begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskOver {
    /// UDP, or TLS where the primary has it.
    Usual,
    /// TCP, because the primary has answered REFUSED over UDP.
    Tcp,
}

/// Asks any server of a zone once which version it has: from a management address, over UDP in three tries, and over TCP where the
/// answer does not fit, or where that is asked for; over TLS alone where that is given. Without an EXPIRE option: nobody wants to know.
///
/// # Errors
/// No answer that counts. After [`AskError::RefusedOverUdp`] there may be one over TCP.
pub async fn ask_once(
    settings: &SecondarySettings,
    zone: &Name,
    peer: (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    over: AskOver,
) -> Result<Soa, AskError> {
    let how = (over, WithExpire::No);
    let asked = ask(settings, &IdleConnections::default(), zone, peer, how).await;
    Ok(asked.answer.map_err(|error| error.after_refusal(over))?.soa)
}

/// An answer, and whether the query that it is one to, or the last one, had an EXPIRE option.
struct SoaAsked {
    answer: Result<ToldVersion, AskError>,
    has_opt: bool,
}

impl SoaAsked {
    /// Whether the primary has read the query, and answered it.
    fn is_answered(&self) -> bool {
        matches!(self.answer, Ok(_) | Err(AskError::NotAuthoritative | AskError::Truncated))
    }
}

/// Asks one primary which version it has; without an OPT record, if one with it has failed just now, for the `doubt` that this has left.
pub(in crate::transfer::secondary) async fn ask_soa(
    settings: &SecondarySettings,
    (idle, edns): (&IdleConnections, &EdnsPeers),
    zone: &Name,
    peer: (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    (over, doubt): (AskOver, Option<EdnsDoubt>),
) -> Result<ToldVersion, AskError> {
    let (address, what) = (peer.0, AskedWhat::Soa);
    let with = match doubt {
        Some(_) => WithExpire::No,
        None => edns.with(address, what, Instant::now()),
    };
    let asked = ask(settings, idle, zone, peer, (over, with)).await;
    let now = Instant::now();
    match (&asked.answer, asked.has_opt) {
        (_, true) if asked.is_answered() => edns.note_taken(address, what, now),
        (Err(error), true) => match error.edns_doubt() {
            Some(doubt) if edns.is_worth_another(address, (what, doubt), now) => {
                return asked.answer.map_err(|error| AskError::WithoutEdns(doubt, Box::new(error)));
            }
            Some(doubt) => edns.note_failed(address, (what, doubt), now),
            None => {}
        },
        // After another query, or after other tries over UDP.
        (Ok(_), false) if with != WithExpire::No || doubt.is_some() => {
            edns.note_not_taken(address, (what, doubt.unwrap_or(EdnsDoubt::Silent)), now);
        }
        (_, _) => {}
    }
    asked.answer.map_err(|error| error.after_refusal(over))
}

async fn ask(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    zone: &Name,
    (address, key, tls): (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    (over, with): (AskOver, WithExpire),
) -> SoaAsked {
    // What is asked over TLS is not said in clear.
    if tls.is_some() || over == AskOver::Tcp {
        let answer = over_tcp(settings, idle, (zone, with), (address, key, tls)).await;
        return SoaAsked { answer, has_opt: with != WithExpire::No };
    }
    let mut has_opt = with != WithExpire::No;
    let mut last = NetError::Silent { address, after: Duration::ZERO }.into();
    for (number, wait) in TRIES.into_iter().enumerate() {
        let is_last = number + 1 == TRIES.len();
        let with = if is_last && with == WithExpire::ToTry { WithExpire::No } else { with };
        has_opt = with != WithExpire::No;
        let answer = ask_over_udp(settings, address, (zone, key.as_ref(), with), wait).await;
        let answer = match answer {
            Err(error @ AskError::Net(NetError::NoAddress(_) | NetError::Connect { .. })) => Err(error),
            Err(AskError::Net(error)) => {
                last = error.into();
                continue;
            }
            Err(error) if error.is_refused() => Err(AskError::RefusedOverUdp(Box::new(error))),
            Err(AskError::Truncated) => over_tcp(settings, idle, (zone, with), (address, key, None)).await,
            answer => answer,
        };
        return SoaAsked { answer, has_opt };
    }
    SoaAsked { answer: Err(last), has_opt }
}

/// Asks over UDP once, and judges the answer.
async fn ask_over_udp(
    settings: &SecondarySettings,
    address: SocketAddr,
    (zone, key, with): (&Name, Option<&Arc<Key>>, WithExpire),
    wait: Duration,
) -> Result<ToldVersion, AskError> {
    let socket = datagrams(&settings.management, address).await?;
    let mut query = SentQuery::new(zone, key, with);
    let failed = |source| NetError::Udp { address, source };
    socket.send(&query.octets).await.map_err(failed)?;
    let mut buffer = vec![0; DATAGRAM];
    let id = query.asked.id.to_be_bytes();
    let answer = timeout(wait, async {
        loop {
            let octets = socket.recv(&mut buffer).await.map_err(failed)?;
            let message = buffer.get(..octets).unwrap_or_default();
            // A late answer to an earlier try, or a guess of somebody else.
            if message.get(..2) == Some(&id[..]) {
                return Ok::<Vec<u8>, NetError>(message.to_vec());
            }
        }
    });
    match answer.await {
        Err(_) => Err(NetError::Silent { address, after: wait }.into()),
        Ok(message) => query.judge(&message?),
    }
}

/// Asks over one stream, and no longer than over UDP: the other primaries of the zone are waited for as long, and so are other zones.
async fn over_tcp(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    what: (&Name, WithExpire),
    peer: (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
) -> Result<ToldVersion, AskError> {
    let most = TRIES.iter().sum();
    let address = peer.0;
    // An idle connection that says nothing, another one, and the answer: all of it together.
    let asked = timeout(most, over_stream(settings, idle, what, peer, most));
    asked.await.unwrap_or_else(|_| Err(NetError::Silent { address, after: most }.into()))
}

async fn over_stream(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    (zone, with): (&Name, WithExpire),
    (address, key, tls): (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    most: Duration,
) -> Result<ToldVersion, AskError> {
    let usual = pace(settings);
    let pace =
        Pace { connect: usual.connect.min(most), silence: usual.silence.min(most), longest: most, ..usual };
    let mut query = SentQuery::new(zone, key.as_ref(), with);
    let peer = (address, tls);
    let mut frames = Frames::open(idle, &settings.management, peer, pace, &query.octets).await?;
    let Some(message) = frames.next().await? else {
        return Err(TransferFault::Ended { records: 0 }.into());
    };
    let told = query.judge(message);
    // Also after an error: the next query goes over it, maybe the same without an OPT record.
    let is_whole = |error: &AskError| {
        matches!(
            error,
            AskError::NotAuthoritative | AskError::Truncated | AskError::Answer(TransferFault::Refused(_))
        )
    };
    if told.as_ref().err().is_none_or(is_whole) {
        frames.keep_idle(idle, peer);
    }
    told
}

impl SentQuery {
    fn new(zone: &Name, key: Option<&Arc<Key>>, with: WithExpire) -> Self {
        let asked = Asked { zone: zone.clone(), id: fastrand::u16(..), record_type: RecordType::SOA };
        let mut octets = match with {
            WithExpire::Yes | WithExpire::ToTry => asked.query_with_expire(None),
            WithExpire::No => asked.query(None),
        };
        let exchange = key.map(|key| Exchange::sign(&mut octets, key, unix_now()));
        Self { asked, octets, exchange, at: Instant::now() }
    }

    fn judge(&mut self, message: &[u8]) -> Result<ToldVersion, AskError> {
        if let Some(exchange) = &mut self.exchange {
            exchange.verify(message, unix_now())?;
        }
        match read_soa_answer(message, &self.asked)? {
            SoaAnswer::Serves(soa) => Ok(ToldVersion { soa, left: TimeLeft::read(message, self.at) }),
            SoaAnswer::NotAuthoritative => Err(AskError::NotAuthoritative),
            SoaAnswer::Truncated => Err(AskError::Truncated),
        }
    }
}

/// What the settings allow a stream to cost.
pub(in crate::transfer::secondary) fn pace(settings: &SecondarySettings) -> Pace {
    let SecondarySettings { connect, silence, rate_window, least_rate, longest, .. } = *settings;
    Pace { connect, silence, rate_window, least_rate, longest }
}
