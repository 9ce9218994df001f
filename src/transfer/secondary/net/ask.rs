//! One SOA query: over UDP, again a few times, over TCP if the answer does not fit; over TLS where the primary has it.
//!
//! A primary that answers REFUSED over UDP may answer over TCP: Knot DNS does so for its catalogs. That is another query, which waits for
//! its turn like any other ([`AskError::RefusedOverUdp`]).
//!
//! Each query has an EXPIRE option (RFC 7314). A primary that answers as one without EDNS is asked once more without it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::clock::unix_now;
use crate::transfer::message::{
    Asked, Soa, SoaAnswer, TimeLeft, TransferFault, read_soa_answer, refuses_edns,
};
use crate::transfer::tls::TlsClient;
use crate::transfer::tsig::{Exchange, Key, TsigFault};
use crate::wire::{Name, RecordType, rcode};

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
}

impl AskError {
    /// Whether the primary answers as one that knows nothing of EDNS. Where it has a key, only what it signs counts.
    fn refuses_edns(&self) -> bool {
        matches!(self, Self::Answer(fault) if refuses_edns(Err(fault)))
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

/// Whether a query has an EXPIRE option, and so an OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithExpire {
    Yes,
    No,
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
/// answer does not fit, or where that is asked for; over TLS alone where that is given.
///
/// # Errors
/// No answer that counts. After [`AskError::RefusedOverUdp`] there may be one over TCP.
pub async fn ask_once(
    settings: &SecondarySettings,
    zone: &Name,
    peer: (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    over: AskOver,
) -> Result<Soa, AskError> {
    let told = ask_soa(settings, &IdleConnections::default(), zone, peer, over).await?;
    Ok(told.soa)
}

/// Asks one primary which version it has.
pub(in crate::transfer::secondary) async fn ask_soa(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    zone: &Name,
    (address, key, tls): (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    over: AskOver,
) -> Result<ToldVersion, AskError> {
    // What is asked over TLS is not said in clear.
    if tls.is_some() {
        return over_tcp(settings, idle, zone, (address, key, tls)).await;
    }
    if over == AskOver::Tcp {
        let asked = over_tcp(settings, idle, zone, (address, key, None)).await;
        return asked.map_err(|error| match error {
            AskError::Net(_) | AskError::Answer(TransferFault::Ended { .. }) => {
                AskError::OverUdp(Box::new(error))
            }
            other => other,
        });
    }
    let mut last = None;
    let mut with = WithExpire::Yes;
    for wait in TRIES {
        let socket = datagrams(&settings.management, address).await?;
        let mut answer = ask_datagram((&socket, address), (zone, key.as_ref(), with), wait).await;
        if with == WithExpire::Yes && matches!(&answer, Ok(Err(error)) if error.refuses_edns()) {
            with = WithExpire::No;
            answer = ask_datagram((&socket, address), (zone, key.as_ref(), with), wait).await;
        }
        match answer {
            Err(error) => last = Some(error),
            Ok(Err(error)) if error.is_refused() => return Err(AskError::RefusedOverUdp(Box::new(error))),
            Ok(Err(AskError::Truncated)) => {
                return over_tcp(settings, idle, zone, (address, key, tls)).await;
            }
            Ok(answer) => return answer,
        }
    }
    Err(last.unwrap_or(NetError::Silent { address, after: Duration::ZERO }).into())
}

/// Asks over UDP once, and judges the answer.
async fn ask_datagram(
    (socket, address): (&UdpSocket, SocketAddr),
    (zone, key, with): (&Name, Option<&Arc<Key>>, WithExpire),
    wait: Duration,
) -> Result<Result<ToldVersion, AskError>, NetError> {
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
        Err(_) => Err(NetError::Silent { address, after: wait }),
        Ok(message) => Ok(query.judge(&message?)),
    }
}

/// Asks over one stream, and no longer than over UDP: the other primaries of the zone are waited for as long, and so are other zones.
async fn over_tcp(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    zone: &Name,
    peer: (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
) -> Result<ToldVersion, AskError> {
    let most = TRIES.iter().sum();
    let address = peer.0;
    // An idle connection that says nothing, another one, and the answer: all of it together.
    let asked = timeout(most, async {
        match over_stream(settings, idle, (zone, WithExpire::Yes), peer.clone(), most).await {
            Err(error) if error.refuses_edns() => {
                over_stream(settings, idle, (zone, WithExpire::No), peer, most).await
            }
            told => told,
        }
    });
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
    if matches!(told, Ok(_) | Err(AskError::NotAuthoritative | AskError::Truncated)) {
        frames.keep_idle(idle, peer);
    }
    told
}

impl SentQuery {
    fn new(zone: &Name, key: Option<&Arc<Key>>, with: WithExpire) -> Self {
        let asked = Asked { zone: zone.clone(), id: fastrand::u16(..), record_type: RecordType::SOA };
        let mut octets = match with {
            WithExpire::Yes => asked.query_with_expire(None),
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
