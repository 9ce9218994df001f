//! Start and stop: settings in, threads that serve out, or the reason why not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::admission::Limits;
use crate::answer;
use crate::telemetry::{Beat, Counters, Sends};
use crate::zone::Published;

use super::bind::{Bound, bind_all};
use super::clients::Clients;
use super::encrypted::{
    self, Certificates, Encrypted, EncryptedSockets, ResetKey, TicketKeys, TlsFiles, TlsSettings,
};
use super::error::ServeError;
use super::intake::{Intake, IntakeSlot};
use super::listeners::{self, ListenerHandles, OwnSocket};
use super::load::{self, LoadReader, ThreadNumber};
use super::respond::Responder;
use super::settings::{Engine, Settings};
use super::shared::{Phase, Shared};
use super::tcp_settings::TcpSettings;
use super::traffic::Traffic;
use super::transport::Transport;
use super::watch::{ServeWatch, Watched};
use super::{hickory, task_tcp};

/// What serves. Dropped, it stops at once, without waiting; [`Serving::shutdown`] stops in order.
#[derive(Debug)]
pub struct Serving {
    addresses: Vec<SocketAddr>,
    encrypted_addresses: Vec<(Transport, SocketAddr)>,
    tls_files: Option<TlsFiles>,
    /// Second handles of the sockets, to look at their queues; gone as soon as a stop begins, so that they keep no port.
    listeners: Arc<Vec<ListenerHandles>>,
    clients: Arc<Clients>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    watched: Vec<Watched>,
    numbers: Vec<ThreadNumber>,
    intake: IntakeSlot,
}

impl Serving {
    /// Looks at heartbeats and lost sockets, for one observer.
    pub fn watch(&self) -> ServeWatch {
        ServeWatch::new(self.shared.clone(), self.watched.clone())
    }

    /// Looks at the load, for one observer.
    pub fn load(&self) -> LoadReader {
        LoadReader::new(Arc::downgrade(&self.listeners), self.numbers.clone())
    }

    /// The heartbeat of each serving thread.
    pub fn beats(&self) -> Vec<Beat> {
        self.watched.iter().map(|thread| thread.beat.clone()).collect()
    }

    /// Returns a function that reads the number of answers sent since the start; `None` once serving has ended.
    pub fn sends(&self) -> impl Fn() -> Option<Sends> + Send + Sync + use<> {
        let listeners = Arc::downgrade(&self.listeners);
        move || listeners.upgrade().map(|listeners| load::sends(&listeners))
    }

    /// Returns a function that reads the clients that completed a TCP handshake within the last hour, up to eight of each family.
    pub fn recent_clients(&self) -> impl Fn() -> Vec<std::net::IpAddr> + Send + Sync + use<> {
        let clients = self.clients.clone();
        move || clients.recent(Instant::now())
    }

    /// The listening sockets of UDP and TCP. Linux only, none elsewhere.
    pub fn own_sockets(&self) -> Vec<OwnSocket> {
        self.listeners.iter().flat_map(ListenerHandles::own_sockets).collect()
    }

    /// Where it listens, in the order of the settings, port 0 resolved; UDP and TCP both.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the encrypted transports listen, port 0 resolved.
    pub fn encrypted_addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.encrypted_addresses
    }

    /// Hands messages that are no queries to this from now on.
    pub fn hand_other_messages(&self, intake: Box<dyn Intake>) {
        self.intake.fill(intake);
    }

    /// The certificate and the ticket keys of the encrypted transports, if there are any.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        self.tls_files.clone()
    }

    /// Octets of memory that datagrams waiting in the UDP sockets take; 0 when no query
    /// waits. Linux only, 0 elsewhere. A socket that is lost counts as empty.
    pub fn receive_queue(&self) -> u64 {
        load::waiting(&self.listeners)
    }

    /// Stops in order: takes no new connections, answers the datagrams that wait and the queries that were sent on
    /// connections, closes. What is not done after `grace` is cut off. Returns when every thread has ended.
    pub async fn shutdown(mut self, grace: Duration) {
        self.listeners = Arc::default();
        self.shared.set_phase(Phase::Drain);
        let threads = std::mem::take(&mut self.threads);
        let mut ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A panic of the thread was logged; there is nothing left to stop.
                let _ = thread.join();
            }
        });
        if tokio::time::timeout(grace, &mut ended).await.is_err() {
            self.shared.set_phase(Phase::Quit);
            let _ = ended.await;
        }
    }
}

impl Serving {
    /// Starts a thread that counts in this set of counters, and watches it. Threads start in the order of their counters.
    fn spawn(
        &mut self,
        name: &str,
        set: usize,
        run: impl FnOnce(&Beat) + Send + 'static,
    ) -> Result<(), ServeError> {
        let (alive, beat, number) = (Arc::new(()), Beat::new(name), ThreadNumber::default());
        self.watched.push(Watched { set, beat: beat.clone(), alive: Arc::downgrade(&alive) });
        self.numbers.push(number.clone());
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let _alive = alive;
            number.note();
            run(&beat);
            beat.end();
        });
        self.threads.push(thread.map_err(|source| ServeError::Thread { name: name.into(), source })?);
        Ok(())
    }

    fn spawn_tcp(
        &mut self,
        listeners: Vec<(SocketAddr, std::net::TcpListener, Arc<Traffic>)>,
        settings: TcpSettings,
        responder: Responder,
    ) -> Result<(), ServeError> {
        let (shared, clients, runtime) = (self.shared.clone(), self.clients.clone(), runtime("serve-tcp")?);
        self.spawn("serve-tcp", 1, move |beat| {
            task_tcp::run(&runtime, listeners, settings, responder, (&shared, &clients), beat);
        })
    }

    fn spawn_encrypted(
        &mut self,
        set: usize,
        encrypted: impl FnOnce(Beat) -> Encrypted + Send + 'static,
    ) -> Result<(), ServeError> {
        let (shared, runtime) = (self.shared.clone(), runtime("serve-encrypted")?);
        self.spawn("serve-encrypted", set, move |beat| {
            encrypted::run(&runtime, encrypted(beat.clone()), &shared);
            // A disk that does not answer must not delay the stop.
            runtime.shutdown_background();
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shared.set_phase(Phase::Quit);
    }
}

/// Binds every address, then starts the engine. The counters have at least [`Settings::counter_sets`] sets. Needs no
/// runtime; has its own.
pub fn start(
    settings: &Settings,
    published: &Arc<Published>,
    answers: &Arc<answer::Settings>,
    limits: Option<&Limits>,
    counters: &Counters,
) -> Result<Serving, ServeError> {
    let engine = check(settings, counters)?;
    let workers = if engine == Engine::Native { settings.worker_count() } else { 1 };
    let bound = bind_all(&settings.listen, workers, answers.udp_payload_ceiling)?;
    let tls = settings.tls.as_ref().map(bind_encrypted).transpose()?;
    let reset_key = settings.tls.as_ref().and_then(|tls| tls.quic_reset_key.as_deref());
    let reset_key = reset_key.map(ResetKey::load).transpose()?;
    let intake = IntakeSlot::default();
    let mut serving = Serving {
        addresses: bound.iter().map(|bound| bound.address).collect(),
        encrypted_addresses: tls.as_ref().map(|(sockets, _)| sockets.addresses()).unwrap_or_default(),
        tls_files: tls.as_ref().map(|(_, files)| files.clone()),
        listeners: Arc::new(listeners::of(&bound, engine)?),
        clients: Arc::new(Clients::new(Instant::now())),
        shared: Arc::new(Shared::default()),
        threads: Vec::new(),
        watched: Vec::new(),
        numbers: Vec::new(),
        intake: intake.clone(),
    };
    let limited = limits.map(|limits| (limits, workers));
    let responder =
        |set| Responder::new(published, answers.clone(), limited, counters.clone(), set).with_intake(&intake);
    // Should a thread not start, `serving` is dropped and stops those before it.
    match engine {
        Engine::Native => native(&mut serving, settings, bound, &responder)?,
        Engine::Auto | Engine::Hickory => {
            if settings.socket_affinity {
                tracing::warn!(
                    "serve.socket-affinity is not in force: the engine \"hickory\" has one thread"
                );
            }
            let traffic = listeners::traffic(&serving.listeners);
            let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
            for (Bound { address, udp, tcp }, (of_udp, of_tcp)) in bound.into_iter().zip(traffic) {
                let tcp = tcp.into_iter().zip(of_tcp);
                listeners.extend(tcp.map(|(listener, traffic)| (address, listener, traffic)));
                let handler = hickory::Handler::new(published, answers.clone(), limits, counters.clone(), 0);
                addresses.push((
                    address,
                    udp,
                    handler.with_traffic(of_udp.into_iter().next().unwrap_or_default()).with_intake(&intake),
                ));
            }
            let shared = serving.shared.clone();
            let runtime = runtime("serve-hickory")?;
            serving
                .spawn("serve-hickory", 0, move |beat| hickory::run(&runtime, addresses, &shared, beat))?;
            serving.spawn_tcp(listeners, settings.tcp.clone(), responder(1))?;
        }
    }
    if let (Some((sockets, files)), Some(tls_settings)) = (tls, settings.tls.clone()) {
        let set = settings.engine_sets();
        let (responder, clients) = (responder(set), serving.clients.clone());
        serving.spawn_encrypted(set, move |beat| Encrypted {
            sockets,
            settings: tls_settings,
            files,
            reset_key,
            responder,
            clients,
            beat,
        })?;
    }
    Ok(serving)
}

/// Reads the certificate and the ticket keys, and binds the sockets.
fn bind_encrypted(settings: &TlsSettings) -> Result<(EncryptedSockets, TlsFiles), ServeError> {
    let certificates = Certificates::load(&settings.certificate, &settings.key)?;
    let ticket_keys = TicketKeys::load(&settings.ticket_keys)?;
    Ok((EncryptedSockets::bind(settings)?, TlsFiles { certificates, ticket_keys }))
}

/// Checks what needs no system call. Returns the engine to run.
fn check(settings: &Settings, counters: &Counters) -> Result<Engine, ServeError> {
    let listen = &settings.listen;
    if listen.is_empty() || listen.len() > Settings::MAX_LISTEN {
        return Err(ServeError::ListenCount(listen.len()));
    }
    let twice = |(index, address): &(usize, &SocketAddr)| {
        address.port() != 0 && listen.iter().take(*index).any(|other| other == *address)
    };
    if let Some((_, address)) = listen.iter().enumerate().find(twice) {
        return Err(ServeError::ListenTwice(*address));
    }
    let (given, needed) = (counters.workers().len(), settings.counter_sets());
    if given < needed {
        return Err(ServeError::CounterSets { given, needed });
    }
    let engine = if settings.engine.is_native() { Engine::Native } else { Engine::Hickory };
    if engine == Engine::Native && !cfg!(native) {
        return Err(ServeError::NativeElsewhere);
    }
    match listen.iter().find(|address| address.ip().is_unspecified()) {
        Some(wildcard) if engine == Engine::Hickory => Err(ServeError::Wildcard(*wildcard)),
        _ => Ok(engine),
    }
}

/// Starts the native engine's workers: as many as each address has sockets.
#[cfg(native)]
fn native(
    serving: &mut Serving,
    settings: &Settings,
    bound: Vec<Bound>,
    responder: &dyn Fn(usize) -> Responder,
) -> Result<(), ServeError> {
    use super::affinity;
    use super::caps::Caps;
    use super::worker::{Worker, WorkerSockets};
    use crate::sys::cpu;
    let caps = Caps::new(settings.tcp.clone());
    let workers = bound.first().map_or(0, |bound| bound.udp.len());
    // With a worker for each core, moving them between cores would only cost caches; with fewer, the scheduler places them better.
    let cpus = cpu::allowed().ok().filter(|cpus| cpus.len() == workers).unwrap_or_default();
    if settings.socket_affinity {
        match affinity::steer(&bound, &cpus) {
            Ok(()) => tracing::info!(?cpus, "each worker takes what its own core received"),
            Err(reason) => tracing::warn!(%reason, "serve.socket-affinity is not in force"),
        }
    }
    let mut of_workers: Vec<WorkerSockets> = (0..workers).map(|_| WorkerSockets::default()).collect();
    let traffic = listeners::traffic(&serving.listeners);
    for (Bound { address, udp, tcp }, (of_udp, of_tcp)) in bound.into_iter().zip(traffic) {
        let (udp, tcp) = (udp.into_iter().zip(of_udp), tcp.into_iter().zip(of_tcp));
        for ((sockets, (udp, of_udp)), (tcp, of_tcp)) in of_workers.iter_mut().zip(udp).zip(tcp) {
            sockets.udp.push((address, udp, of_udp));
            sockets.tcp.push((address, tcp, of_tcp));
        }
    }
    for (set, sockets) in of_workers.into_iter().enumerate() {
        let name = format!("serve-{set}");
        let tcp = (settings.tcp.clone(), caps.clone(), serving.clients.clone());
        let shared = serving.shared.clone();
        let worker = Worker::new(sockets, tcp, responder(set), shared)
            .map_err(|source| ServeError::Thread { name: name.clone(), source })?;
        let cpu = cpus.get(set).copied();
        serving.spawn(&name, set, move |beat| {
            if let Some(Err(error)) = cpu.map(cpu::pin) {
                tracing::warn!(?cpu, %error, "the worker is not pinned to its CPU");
            }
            worker.run(beat);
        })?;
    }
    Ok(())
}

#[cfg(not(native))]
fn native(
    _: &mut Serving,
    _: &Settings,
    _: Vec<Bound>,
    _: &dyn Fn(usize) -> Responder,
) -> Result<(), ServeError> {
    Err(ServeError::NativeElsewhere)
}

/// A runtime for one thread.
fn runtime(name: &str) -> Result<tokio::runtime::Runtime, ServeError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServeError::Thread { name: name.into(), source })
}
