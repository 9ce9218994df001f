//! One SOA query: over UDP, again a few times, over TCP if the answer does not fit; over TLS where the primary has it.
//!
//! A primary that answers REFUSED over UDP may answer over TCP: Knot DNS does so for its catalogs. That is another query, which waits for
//! its turn like any other ([`AskError::RefusedOverUdp`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::unix_now;
use crate::transfer::message::{Asked, Soa, SoaAnswer, TransferFault, read_soa_answer};
use crate::transfer::tls::TlsClient;
use crate::transfer::tsig::{Exchange, Key, TsigFault};
use crate::wire::{Name, RecordType, rcode};

use crate::transfer::secondary::net::idle::IdleConnections;
use crate::transfer::secondary::net::{Frames, NetError, Pace, datagrams};
use crate::transfer::secondary::settings::SecondarySettings;

/// How long each try over UDP waits: two seconds are several round trips around the world, the last is for a primary that loads.
const TRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Octets of an answer over UDP: without EDNS none is larger, but for a signature.
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
    /// Whether the primary answers REFUSED, signed or not.
    fn is_refused(&self) -> bool {
        matches!(
            self,
            Self::Answer(TransferFault::Refused(rcode::REFUSED))
                | Self::Tsig(TsigFault::Missing { rcode: rcode::REFUSED, .. })
        )
    }
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
    ask_soa(settings, &IdleConnections::default(), zone, peer, over).await
}

/// Asks one primary which version it has.
pub(in crate::transfer::secondary) async fn ask_soa(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    zone: &Name,
    (address, key, tls): (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    over: AskOver,
) -> Result<Soa, AskError> {
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
    for wait in TRIES {
        let asked = Asked { zone: zone.clone(), id: fastrand::u16(..), record_type: RecordType::SOA };
        let mut query = asked.query(None);
        let mut exchange = key.as_ref().map(|key| Exchange::sign(&mut query, key, unix_now()));
        let socket = datagrams(&settings.management, address).await?;
        let failed = |source| NetError::Udp { address, source };
        if let Err(source) = socket.send(&query).await {
            last = Some(failed(source));
            continue;
        }
        let mut buffer = vec![0; DATAGRAM];
        let answer = timeout(wait, async {
            loop {
                let octets = socket.recv(&mut buffer).await.map_err(failed)?;
                let message = buffer.get(..octets).unwrap_or_default();
                // A late answer to an earlier try, or a guess of somebody else.
                if message.get(..2) == Some(&asked.id.to_be_bytes()[..]) {
                    return Ok::<Vec<u8>, NetError>(message.to_vec());
                }
            }
        });
        match answer.await {
            Err(_) => last = Some(NetError::Silent { address, after: wait }),
            Ok(Err(error)) => last = Some(error),
            Ok(Ok(message)) => match judge(&message, &asked, exchange.as_mut()) {
                Err(error) if error.is_refused() => return Err(AskError::RefusedOverUdp(Box::new(error))),
                Err(error) => return Err(error),
                Ok(SoaAnswer::Serves(soa)) => return Ok(soa),
                Ok(SoaAnswer::NotAuthoritative) => return Err(AskError::NotAuthoritative),
                Ok(SoaAnswer::Truncated) => {
                    return over_tcp(settings, idle, zone, (address, key, tls)).await;
                }
            },
        }
    }
    Err(last.unwrap_or(NetError::Silent { address, after: Duration::ZERO }).into())
}

/// Asks over one stream, and no longer than over UDP: the other primaries of the zone are waited for as long, and so are other zones.
async fn over_tcp(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    zone: &Name,
    peer: (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
) -> Result<Soa, AskError> {
    let most = TRIES.iter().sum();
    let address = peer.0;
    // An idle connection that says nothing, another one, and the answer: all of it together.
    let asked = timeout(most, over_stream(settings, idle, zone, peer, most)).await;
    asked.unwrap_or_else(|_| Err(NetError::Silent { address, after: most }.into()))
}

async fn over_stream(
    settings: &SecondarySettings,
    idle: &IdleConnections,
    zone: &Name,
    (address, key, tls): (SocketAddr, Option<Arc<Key>>, Option<&TlsClient>),
    most: Duration,
) -> Result<Soa, AskError> {
    let usual = pace(settings);
    let pace =
        Pace { connect: usual.connect.min(most), silence: usual.silence.min(most), longest: most, ..usual };
    let asked = Asked { zone: zone.clone(), id: fastrand::u16(..), record_type: RecordType::SOA };
    let mut query = asked.query(None);
    let mut exchange = key.as_ref().map(|key| Exchange::sign(&mut query, key, unix_now()));
    let peer = (address, tls);
    let mut frames = Frames::open(idle, &settings.management, peer, pace, &query).await?;
    let Some(message) = frames.next().await? else {
        return Err(TransferFault::Ended { records: 0 }.into());
    };
    let answer = judge(message, &asked, exchange.as_mut())?;
    frames.keep_idle(idle, peer);
    match answer {
        SoaAnswer::Serves(soa) => Ok(soa),
        SoaAnswer::NotAuthoritative => Err(AskError::NotAuthoritative),
        SoaAnswer::Truncated => Err(AskError::Truncated),
    }
}

fn judge(message: &[u8], asked: &Asked, exchange: Option<&mut Exchange>) -> Result<SoaAnswer, AskError> {
    if let Some(exchange) = exchange {
        exchange.verify(message, unix_now())?;
    }
    Ok(read_soa_answer(message, asked)?)
}

/// What the settings allow a stream to cost.
pub(in crate::transfer::secondary) fn pace(settings: &SecondarySettings) -> Pace {
    let SecondarySettings { connect, silence, rate_window, least_rate, longest, .. } = *settings;
    Pace { connect, silence, rate_window, least_rate, longest }
}
