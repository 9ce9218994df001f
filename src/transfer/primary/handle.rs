//! The sockets and the threads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::sys::priority;
use crate::telemetry::{Beat, LogLimit};
use crate::transfer::notify::TargetStatus;
use crate::transfer::tls::TlsServer;
use crate::transfer::tsig::TsigCounts;
use crate::wire::Name;

use super::connection::{Client, Shared, datagrams, serve};
use super::counts::SendCounts;
use super::limits::ClientLimits;
use super::listed::ListedSources;
use super::notifying::{NotifyEvent, Notifying};
use super::receivers::Receivers;
use super::seen::SeenTable;
use super::settings::PrimarySettings;
use super::source::Source;
use super::targets::TargetTable;
use super::turns::Turns;

/// The pause when the system refuses a connection, out of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted: a NOTIFY makes all secondaries come at once.
const BACKLOG: u32 = 512;

/// One of so many connections is kept for sources that a list names.
const KEPT_SHARE: usize = 4;
/// Updates over UDP that are being done: some hundred a second become durable, so these wait some seconds, and a client does not
/// wait longer. Those beyond are dropped, and come again.
const MOST_UPDATES: usize = 256;
/// Zones that wait to be told of: all zones of a large hub after a reload. Beyond it the secondaries' own timers have to do.
const MOST_EVENTS: usize = 1 << 16;

/// Why zones cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for transfers")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The threads do not start.
    #[error("cannot start the threads for transfers")]
    Threads(#[source] io::Error),
}

/// Sends zones until it is dropped.
pub struct Primary {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    events: mpsc::Sender<NotifyEvent>,
    beat: Beat,
}

/// A change of the settings that has its place in the queue.
pub struct SettingsChange<'a> {
    shared: &'a Shared,
    place: mpsc::Permit<'a, NotifyEvent>,
}

impl std::fmt::Debug for SettingsChange<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SettingsChange(..)")
    }
}

impl std::fmt::Debug for Primary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Primary({:?})", self.addresses)
    }
}

impl Primary {
    /// Opens the sockets and starts the threads. NOTIFYs and UPDATEs that arrive go to `receivers`.
    ///
    /// # Errors
    /// A socket or a thread is refused.
    pub fn start(
        settings: PrimarySettings,
        source: Arc<dyn Source>,
        receivers: impl Into<Receivers>,
    ) -> Result<Self, PrimaryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads.max(1))
            .thread_name("transfer-out")
            .on_thread_start(priority::yield_to_others)
            .enable_all()
            .build()
            .map_err(PrimaryError::Threads)?;
        let limits =
            ClientLimits::new(settings.requests_per_second, settings.connections_per_client, Instant::now());
        let updates =
            ClientLimits::new(settings.updates_per_second, settings.connections_per_client, Instant::now());
        let (listen, tls) = (settings.listen.clone(), settings.tls.clone());
        let tls = tls.map(|(listen, tls)| (listen, Arc::new(ArcSwap::from_pointee(tls))));
        let most = settings.connections.max(1);
        let shared = Arc::new(Shared {
            turns: Turns::new(settings.transfers.max(1), settings.transfers_per_client),
            unlisted: Arc::new(Semaphore::new(most - most / KEPT_SHARE)),
            listed: ArcSwap::from_pointee(ListedSources::new(&settings)),
            log: LogLimit::default(),
            limits: Arc::new(limits),
            update_limits: updates,
            updates: Arc::new(Semaphore::new(MOST_UPDATES)),
            settings: ArcSwap::from_pointee(settings),
            tls: tls.as_ref().map(|(_, tls)| tls.clone()),
            source,
            receivers: receivers.into(),
            seen: SeenTable::default(),
            counts: SendCounts::default(),
            bad_signatures: TsigCounts::default(),
            targets: TargetTable::default(),
        });
        let connections = Arc::new(Semaphore::new(most));
        let mut addresses = Vec::new();
        for address in listen {
            let failed = |source| PrimaryError::Listen { address, source };
            let (listener, socket) = runtime.block_on(bind(address)).map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            runtime.spawn(datagrams(socket, shared.clone()));
            runtime.spawn(accept(listener, shared.clone(), connections.clone(), None));
        }
        if let Some((listen, tls)) = tls {
            for address in listen {
                let failed = |source| PrimaryError::Listen { address, source };
                let listener = runtime.block_on(async { listen_on(address) }).map_err(failed)?;
                addresses.push(listener.local_addr().map_err(failed)?);
                let tls = Some(tls.clone());
                runtime.spawn(accept(listener, shared.clone(), connections.clone(), tls));
            }
        }
        let (events, received) = mpsc::channel(MOST_EVENTS);
        runtime.spawn(Notifying::new(shared.clone()).run(received));
        let beat = Beat::new("transfer-out");
        let beating = beat.clone();
        runtime.spawn(async move { beating.keep_beating().await });
        Ok(Self { runtime: Some(runtime), shared, addresses, events, beat })
    }

    /// Beats as long as its threads run tasks.
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Another version of a zone is served, or goes to other secondaries: each secondary is told that may have another version than it was told
    /// of. Never blocks; false if too many zones wait already.
    pub fn changed(&self, zone: Name) -> bool {
        self.events.try_send(NotifyEvent::Changed(zone)).is_ok()
    }

    /// A zone is served no more: nothing is remembered of it. Never blocks; false if too many zones wait already.
    pub fn gone(&self, zone: Name) -> bool {
        self.shared.seen.forget(&zone);
        self.events.try_send(NotifyEvent::Gone(zone)).is_ok()
    }

    /// A place for other settings, which are then taken whatever happens. Never blocks; `None` if too many zones wait already.
    pub fn reserve_change(&self) -> Option<SettingsChange<'_>> {
        let place = self.events.try_reserve().ok()?;
        Some(SettingsChange { shared: &self.shared, place })
    }

    /// What each target of a NOTIFY has answered.
    pub async fn notified(&self) -> Vec<(Name, TargetStatus)> {
        let (answer, answered) = oneshot::channel();
        // The task ends with the runtime alone.
        let _ = self.events.send(NotifyEvent::Report(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Where it listens, with the ports that the system chose where 0 was asked for; those of TLS last.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What was sent to secondaries.
    pub fn counts(&self) -> SendCounts {
        self.shared.counts.clone()
    }

    /// Requests for zones whose signature was not accepted.
    pub fn bad_signatures(&self) -> TsigCounts {
        self.shared.bad_signatures.clone()
    }

    /// How the targets of NOTIFYs take them.
    pub fn targets(&self) -> TargetTable {
        self.shared.targets.clone()
    }

    /// What each secondary asked for last, by zone and address.
    pub fn seen(&self) -> SeenTable {
        self.shared.seen.clone()
    }
}

impl SettingsChange<'_> {
    /// Takes what the configuration says now: keys, certificates, who may have zones, whom to tell of changes. Where it listens and how
    /// much it does at one time stay as they were. Connections that exist keep the certificate that they were shown; where clients must show
    /// one that others vouch for, they end at their next request.
    pub fn make(self, settings: PrimarySettings) {
        let Self { shared, place } = self;
        // Without the section the listeners go on with what they have, until a restart closes them.
        if let (Some(shown), Some((_, tls))) = (&shared.tls, &settings.tls) {
            shown.store(Arc::new(tls.clone()));
        }
        shared.listed.store(Arc::new(ListedSources::new(&settings)));
        shared.settings.store(Arc::new(settings));
        place.send(NotifyEvent::Settings);
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Transfers under way break off: a secondary asks again.
            runtime.shutdown_background();
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let listener = listen_on(address)?;
    let socket = UdpSocket::bind(listener.local_addr()?).await?;
    Ok((listener, socket))
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    tls: Option<Arc<ArcSwap<TlsServer>>>,
) {
    loop {
        // A connection over the limit waits in the kernel's queue.
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, client)) => {
                // One that may not have a connection is closed: it must not wait in the place of others.
                let Some(client) = Client::connected(client.ip(), &shared) else { continue };
                let (shared, tls) = (shared.clone(), tls.as_ref().map(|tls| tls.load_full()));
                tokio::spawn(async move {
                    serve(stream, client, shared, tls).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for transfers");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
