//! Requests over TCP, TLS and UDP, read and answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::clock::unix_now;
use crate::telemetry::{LogLimit, network_of};
use crate::transfer::notify::Notify;
use crate::transfer::tls::{TlsServer, certificate_name};
use crate::transfer::tsig::TsigCounts;
use crate::transfer::writer::TooLarge;
use crate::wire::Name;
use crate::wire::octets::MAX_MESSAGE;

use super::counts::SendCounts;
use super::limits::{ClientLimits, Slot};
use super::listed::ListedSources;
use super::pace::{PaceFault, SendPace};
use super::receivers::{Receivers, Updates};
use super::request::{Answer, RequestFault, Stream, Transport, judge};
use super::seen::{AskedFor, KnownBy, SecondaryId, SeenTable};
use super::settings::PrimarySettings;
use super::source::Source;
use super::targets::TargetTable;
use super::turns::Turns;

/// How long a client may be silent that no list names: it asks at once, or holds what others need.
const UNLISTED_IDLE: Duration = Duration::from_secs(5);

/// What all connections share.
pub(super) struct Shared {
    /// As the configuration says now; listeners and limits stay as they were at the start.
    pub(super) settings: ArcSwap<PrimarySettings>,
    /// What the listeners of TLS show and ask for, where there are any.
    pub(super) tls: Option<Arc<ArcSwap<TlsServer>>>,
    pub(super) source: Arc<dyn Source>,
    pub(super) receivers: Receivers,
    pub(super) limits: Arc<ClientLimits>,
    pub(super) update_limits: ClientLimits,
    /// Updates over UDP that are being done.
    pub(super) updates: Arc<Semaphore>,
    pub(super) turns: Turns,
    /// Connections of sources that no list names.
    pub(super) unlisted: Arc<Semaphore>,
    pub(super) listed: ArcSwap<ListedSources>,
    /// Of refusals.
    pub(super) log: LogLimit,
    pub(super) seen: SeenTable,
    pub(super) counts: SendCounts,
    /// Of requests for zones.
    pub(super) bad_signatures: TsigCounts,
    /// How NOTIFYs are taken.
    pub(super) targets: TargetTable,
}

/// Who is at the other end of a connection; it counts until this is dropped.
pub(super) struct Client {
    address: IpAddr,
    /// What it counts as.
    counted: IpAddr,
    is_listed: bool,
    /// The name in the certificate that it has shown.
    certificate: Option<Arc<str>>,
    _slot: Slot,
    _unlisted: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// A client that may have one more connection.
    pub(super) fn connected(address: IpAddr, shared: &Shared) -> Option<Self> {
        let address = address.to_canonical();
        let (counted, is_listed) = shared.counted(address);
        let unlisted = (!is_listed).then(|| shared.unlisted.clone().try_acquire_owned());
        let unlisted = unlisted.transpose().ok()?;
        let slot = shared.limits.connect(counted)?;
        Some(Self { address, counted, is_listed, certificate: None, _slot: slot, _unlisted: unlisted })
    }

    /// Which secondary it is, by the answer to its request.
    fn id(&self, answer: &Stream) -> SecondaryId {
        let certificate = || self.certificate.clone().map_or(KnownBy::Address, KnownBy::Certificate);
        (self.address, answer.key().map_or_else(certificate, KnownBy::Key))
    }

    /// How long it may be silent.
    fn idle(&self, shared: &Shared) -> Duration {
        let idle = shared.settings().idle;
        if self.is_listed { idle } else { idle.min(UNLISTED_IDLE) }
    }
}

/// Why a connection ended before its client closed it.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("the client takes longer than {} s for one message", .0.as_secs())]
    Stalled(Duration),
    #[error(transparent)]
    Pace(#[from] PaceFault),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{zone} cannot be transferred: {fault}")]
    TooLarge { zone: Name, fault: TooLarge },
}

impl Shared {
    /// Whether a client that this server of TLS has let in would be let in now.
    fn still_admits(&self, admitted: Option<&TlsServer>) -> bool {
        let (Some(now), Some(then)) = (&self.tls, admitted) else { return true };
        now.load().still_admits_clients_of(then)
    }

    /// What the configuration says now.
    pub(super) fn settings(&self) -> Arc<PrimarySettings> {
        self.settings.load_full()
    }

    /// What a client counts as, and whether a list names it.
    fn counted(&self, client: IpAddr) -> (IpAddr, bool) {
        let secondary = self.receivers.secondary.as_ref();
        let is_listed = self.listed.load().names(client) || secondary.is_some_and(|it| it.lists(client));
        (if is_listed { client } else { network_of(client) }, is_listed)
    }

    fn answer(&self, message: &[u8], client: IpAddr, transport: Transport) -> Answer {
        if Notify::is_notify(message)
            && let Some(secondary) = &self.receivers.secondary
        {
            return secondary.notify(message, client).map_or(Answer::Nothing, Answer::Message);
        }
        let settings = self.settings();
        let allows = |zone: &Name, key: Option<&Name>, asked| {
            let may_change = |key| self.receivers.updates.as_ref().is_some_and(|it| it.may_change(zone, key));
            settings.allowed(zone).allows(client, key, transport == Transport::Tls)
                || asked == AskedFor::Soa && key.is_some_and(may_change)
        };
        let request = (message, client, transport);
        let (answer, fault) = judge(request, (&settings.keys, &*self.source), allows, unix_now());
        if let Some(error) = fault {
            self.counts.refused(&error);
            if let RequestFault::Tsig(fault) = &error {
                self.bad_signatures.count(fault);
            }
            match error {
                RequestFault::NoZone { .. } | RequestFault::Absent { .. } | RequestFault::Withheld { .. } => {
                    tracing::debug!(%client, %error, "transfer refused")
                }
                _ => self.log.write(client, |left_out| {
                    tracing::warn!(%client, %error, left_out, "transfer refused");
                }),
            }
        }
        answer
    }
}

/// Answers datagrams, one after the other: each answer is one small message. Only an update, which waits for the disk, is done
/// beside them.
pub(super) async fn datagrams(socket: UdpSocket, shared: Arc<Shared>) {
    let socket = Arc::new(socket);
    // All that a datagram can have: knsupdate sends updates of any length over UDP.
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let Ok((octets, client)) = socket.recv_from(&mut buffer).await else {
            // An ICMP error of an earlier answer.
            tokio::task::yield_now().await;
            continue;
        };
        let (counted, _) = shared.counted(client.ip().to_canonical());
        if !shared.limits.takes(counted, Instant::now()) {
            continue;
        }
        let message = buffer.get(..octets).unwrap_or_default();
        if let Some(updates) = shared.receivers.updates(message) {
            update(updates.clone(), message, (&socket, client, counted), &shared);
            continue;
        }
        let answer = match shared.answer(message, client.ip().to_canonical(), Transport::Udp) {
            Answer::Nothing => continue,
            Answer::Message(message) => message,
            Answer::Stream(mut stream) => {
                let known_by = stream.key().map_or(KnownBy::Address, KnownBy::Key);
                let about = (stream.zone.origin(), &(client.ip().to_canonical(), known_by));
                shared.seen.note(about, stream.asked, None, stream.from);
                let first = stream.messages().next();
                let Some(Ok(mut message)) = first else { continue };
                if let Some(signer) = &mut stream.signer {
                    signer.sign(&mut message, unix_now());
                }
                message
            }
        };
        // What cannot be sent is asked for again.
        let _ = socket.send_to(&answer, client).await;
    }
}

/// Has an update done that came in a datagram; nothing waits for it.
fn update(
    updates: Arc<dyn Updates>,
    message: &[u8],
    (socket, client, counted): (&Arc<UdpSocket>, SocketAddr, IpAddr),
    shared: &Arc<Shared>,
) {
    if !shared.update_limits.takes(counted, Instant::now()) {
        return;
    }
    let Ok(place) = shared.updates.clone().try_acquire_owned() else { return };
    let (message, socket) = (message.to_vec(), socket.clone());
    tokio::spawn(async move {
        if let Some(response) = updates.answer(message, client.ip().to_canonical()).await {
            let _ = socket.send_to(&response, client).await;
        }
        drop(place);
    });
}

/// Serves a connection, over TLS if there is a server of TLS.
pub(super) async fn serve(
    stream: TcpStream,
    mut client: Client,
    shared: Arc<Shared>,
    tls: Option<Arc<TlsServer>>,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return answer_all(stream, &client, &shared, None).await };
    match timeout(client.idle(&shared), tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            client.certificate = shown.and_then(certificate_name).map(Into::into);
            answer_all(stream, &client, &shared, Some(&tls)).await;
        }
        Ok(Err(error)) => shared.log.write(client.address, |left_out| {
            tracing::warn!(client = %client.address, %error, left_out, "no TLS with a secondary");
        }),
        Err(_) => {}
    }
}

/// Answers the requests of one connection until its client closes it, is silent, or does not read, or until the certificate that it has
/// shown to `tls` would not be enough any more.
async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    client: &Client,
    shared: &Shared,
    tls: Option<&TlsServer>,
) {
    let (address, counted) = (client.address, client.counted);
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    let mut message = Vec::new();
    loop {
        let read = timeout(client.idle(shared), read(&mut stream, &mut message)).await;
        if !matches!(read, Ok(Ok(()))) {
            return;
        }
        wait_turn(&shared.limits, counted).await;
        if !shared.still_admits(tls) {
            return;
        }
        let answer = match shared.receivers.updates(&message) {
            Some(updates) => {
                wait_turn(&shared.update_limits, counted).await;
                match updates.answer(std::mem::take(&mut message), address).await {
                    Some(response) => Answer::Message(response),
                    // A copy of one that is being done: the first is answered, and so is what follows.
                    None => continue,
                }
            }
            None => shared.answer(&message, address, transport),
        };
        let sent = match answer {
            Answer::Nothing => return,
            Answer::Message(message) => write(&mut stream, shared, &message).await,
            Answer::Stream(answer) => send(&mut stream, shared, client, *answer).await,
        };
        if let Err(error) = sent {
            shared.log.write(address, |left_out| {
                tracing::warn!(client = %address, %error, left_out, "transfer to a secondary broke");
            });
            return;
        }
    }
}

/// Waits until one more request of a client is taken: a client that asks over a connection is slowed down and loses nothing.
async fn wait_turn(limits: &ClientLimits, client: IpAddr) {
    while let Some(wait) = limits.wait(client, Instant::now()) {
        tokio::time::sleep(wait).await;
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), message: &mut Vec<u8>) -> std::io::Result<()> {
    let length = stream.read_u16().await?;
    message.resize(usize::from(length), 0);
    stream.read_exact(message).await.map(drop)
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    message: &[u8],
) -> Result<(), ConnectionError> {
    // A message has at most 65,535 octets: its writer sees to it.
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let framed = [&length.to_be_bytes()[..], message].concat();
    let limit = shared.settings().stalled;
    let written = timeout(limit, async {
        stream.write_all(&framed).await?;
        // What TLS holds back leaves with it.
        stream.flush().await
    });
    Ok(written.await.map_err(|_| ConnectionError::Stalled(limit))??)
}

/// Sends a zone, differences, or an SOA record.
async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    client: &Client,
    mut answer: Stream,
) -> Result<(), ConnectionError> {
    let id = client.id(&answer);
    let (client, counted) = (client.address, client.counted);
    let (zone, serial) = (answer.zone.origin().clone(), answer.zone.serial());
    shared.seen.note((&zone, &id), answer.asked, None, answer.from);
    let _turn = match answer.asked {
        AskedFor::Soa => None,
        AskedFor::Ixfr | AskedFor::Axfr => Some(shared.turns.take(counted).await),
    };
    let (begun, mut octets) = (Instant::now(), 0);
    let records = send_messages(stream, shared, &mut answer, &mut octets).await;
    shared.counts.sent(answer.kind.sent(), records.is_ok(), octets);
    let records = records?;
    if answer.asked != AskedFor::Soa {
        let ms = begun.elapsed().as_millis() as u64;
        tracing::info!(%zone, %client, %serial, asked = ?answer.asked, records, octets, ms, "zone sent");
        shared.seen.note((&zone, &id), answer.asked, Some((answer.kind.sent(), serial)), None);
    }
    Ok(())
}

/// Sends the messages of an answer, counts their octets, and gives the number of their records.
async fn send_messages(
    stream: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    answer: &mut Stream,
    octets: &mut usize,
) -> Result<u64, ConnectionError> {
    let mut pace = SendPace::new(&shared.settings(), Instant::now());
    let mut signer = answer.signer.take();
    let mut messages = answer.messages();
    while let Some(message) = messages.next() {
        let zone = answer.zone.origin();
        let too_large = |fault| ConnectionError::TooLarge { zone: zone.clone(), fault };
        let mut message = message.map_err(too_large)?;
        match &mut signer {
            Some(signer) if messages.leaves_room() => signer.sign(&mut message, unix_now()),
            Some(signer) => signer.pass(&message),
            None => {}
        }
        let at = Instant::now();
        write(stream, shared, &message).await?;
        *octets += message.len();
        let now = Instant::now();
        pace.sent(message.len(), now.saturating_duration_since(at), now)?;
    }
    Ok(messages.records())
}
