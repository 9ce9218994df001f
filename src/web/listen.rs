//! The sockets and their connections.
//!
//! ```text
//!   per address: bind (again until it works, an alarm meanwhile) -> accept -> caps -> TLS -> HTTP/1.1: request, response, request ...
//!                                                                     |        5 s    head 10 s, 16 KiB, 64 fields; a response must be
//!                                                                     reset           taken; all together 1 h
//! ```
//!
//! A connection that has not shown credentials that are needed ends after one request, or for a newer one; one whose credentials are
//! taken away ends at the next look at their files.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::caps::{Caps, Refusals};
use super::credentials::Credentials;
use super::error::WebError;
use super::fleet_watch::{FleetList, FleetWatch};
use super::guest::Guest;
use super::settings::Settings;
use super::slow::Hurried;
use super::state::{HistoryLookup, State};
use super::{api, router};
use crate::control::{Feed, Inquiry};
use crate::handoff::{Latest, Queue, Reader};
use crate::telemetry::{Beat, CertificateValidity, locked, with_causes};

/// How long a client may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a client may take for the head of a request; between two requests a connection may rest as long.
const HEAD: Duration = Duration::from_secs(10);
/// Octets of the head of a request at most: a token, a zone's name and what browsers send.
const MOST_HEAD: usize = 16 * 1024;
/// Fields of the head of a request at most; browsers send some twenty.
const MOST_FIELDS: usize = 64;
/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(3600);
/// The pause before a port that is taken or an address that is missing is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// The pause when the system refuses a connection, out of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the files of tokens and certificates are read again.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// How often it is looked whether connections were refused, and for how many looks that is told.
const LOOK: (Duration, u32) = (Duration::from_secs(5), 12);

/// Where everything comes from.
pub struct Sources {
    /// What the operator chose.
    pub settings: Settings,
    /// The other POPs.
    pub fleet: FleetList,
    /// The newest document.
    pub feed: Reader<Feed>,
    /// For questions about zones.
    pub inquiries: Queue<Inquiry>,
    /// Looks up the steps of a zone that are kept; blocks as a disk does.
    pub history: HistoryLookup,
}

/// The listener. It is run by [`WebServer::run`] on one thread.
pub struct WebServer {
    settings: Settings,
    credentials: watch::Sender<Arc<Credentials>>,
    state: Arc<State>,
    caps: Caps,
    trouble: Trouble,
    /// When the certificate is valid. Other threads read it.
    validity: Latest<Option<CertificateValidity>>,
    /// The same of the most urgent one that is shown to another POP.
    fleet_validity: Latest<Option<CertificateValidity>>,
}

/// What is wrong, by what it is wrong with; other threads read it.
struct Trouble {
    current: Mutex<BTreeMap<String, String>>,
    told: Latest<Vec<String>>,
}

impl Trouble {
    fn set(&self, what: &str, trouble: Option<String>) {
        let mut current = locked(&self.current);
        let changed = match &trouble {
            Some(trouble) => current.insert(what.to_owned(), trouble.clone()).as_ref() != Some(trouble),
            None => current.remove(what).is_some(),
        };
        if !changed {
            return;
        }
        match trouble {
            Some(trouble) => tracing::error!("{what}: {trouble}"),
            None => tracing::info!("{what}: works again"),
        }
        self.told.publish(current.iter().map(|(what, trouble)| format!("{what}: {trouble}")).collect());
    }
}

impl WebServer {
    /// Reads the credentials; opens nothing yet. What comes out tells what is wrong later.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn new(sources: Sources) -> Result<(Self, Reader<Vec<String>>), WebError> {
        let Sources { settings, fleet, feed, inquiries, history } = sources;
        let credentials = watch::Sender::new(Arc::new(Credentials::load(&settings)?));
        let state = Arc::new(State::new(feed, inquiries, FleetWatch::new(fleet), history));
        let trouble = Trouble { current: Mutex::default(), told: Latest::new(Vec::new()) };
        let told = trouble.told.reader();
        let (validity, fleet_validity) = (Latest::new(None), Latest::new(None));
        let caps = Caps::default();
        let server = Self { settings, credentials, state, caps, trouble, validity, fleet_validity };
        server.look_at_certificates();
        Ok((server, told))
    }

    /// How many connections found no place.
    #[must_use]
    pub fn refusals(&self) -> Arc<Refusals> {
        self.caps.refusals()
    }

    /// When its certificate is valid.
    pub fn certificate_validity(&self) -> Reader<Option<CertificateValidity>> {
        self.validity.reader()
    }

    /// The same of the most urgent certificate that it shows to other POPs.
    pub fn fleet_certificate_validity(&self) -> Reader<Option<CertificateValidity>> {
        self.fleet_validity.reader()
    }

    /// Tells whether a certificate has expired or soon will: it is shown all the same.
    fn look_at_certificates(&self) {
        let credentials = self.credentials.borrow().clone();
        let now = SystemTime::now();
        self.validity.publish(credentials.certificate_validity());
        self.trouble.set("certificate of [web]", credentials.certificate_warning(now));
        let shown = self.state.fleet.certificates();
        let warning = shown.iter().find_map(|shown| shown.warning(now));
        self.fleet_validity.publish(CertificateValidity::most_urgent(shown));
        self.trouble.set("certificate that is shown to other POPs", warning);
    }

    /// Serves for ever. Can be called again after a panic.
    pub async fn run(&self, beat: &Beat) {
        let listeners = join_all(self.settings.listen.iter().map(|address| self.listen(*address)));
        let own = || api::own_document(&self.state);
        tokio::select! {
            () = beat.keep_beating() => {}
            () = self.state.observe() => {}
            () = self.state.fleet.run(own) => {}
            () = self.read_again() => {}
            () = self.watch_refusals() => {}
            _ = listeners => {}
        }
    }

    /// Reads tokens and certificates again and again; what cannot be used changes nothing.
    async fn read_again(&self) {
        loop {
            sleep(READ_AGAIN).await;
            let settings = self.settings.clone();
            let read = tokio::task::spawn_blocking(move || Credentials::load(&settings)).await;
            let trouble = match read {
                Ok(Ok(credentials)) => {
                    self.credentials.send_replace(Arc::new(credentials));
                    None
                }
                Ok(Err(error)) => Some(format!("the old ones stay: {}", with_causes(&error))),
                Err(error) => Some(format!("the old ones stay: {error}")),
            };
            self.trouble.set("credentials of [web]", trouble);
            self.state.fleet.read_again().await;
            self.look_at_certificates();
        }
    }

    /// Tells that clients are turned away. Those that show no credentials are counted and not told: anybody could make an alarm of them.
    async fn watch_refusals(&self) {
        let (pause, looks) = LOOK;
        let (refusals, mut left) = (self.caps.refusals(), 0);
        let mut before = refusals.known();
        loop {
            sleep(pause).await;
            let now = refusals.known();
            left = if now == before { u32::saturating_sub(left, 1) } else { looks };
            before = now;
            let trouble = "too many are open, of all clients or of one, and more are refused: see \
                           anyns_web_connections_refused_total";
            self.trouble.set("connections to [web]", (left > 0).then(|| trouble.to_owned()));
        }
    }

    /// Listens at an address, and tries again for as long as that fails.
    async fn listen(&self, address: SocketAddr) {
        let what = format!("web.listen {address}");
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    self.trouble.set(&what, None);
                    tracing::info!(%address, "the page is served");
                    self.accept(&listener).await;
                }
                Err(error) => self.trouble.set(&what, Some(format!("cannot listen: {error}"))),
            }
            sleep(AGAIN).await;
        }
    }

    async fn accept(&self, listener: &TcpListener) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let credentials = self.credentials.subscribe();
            let must_show = credentials.borrow().authenticates();
            let place = match must_show {
                true => Some(self.caps.unknown_place(peer.ip())),
                false => self.caps.place(peer.ip()),
            };
            let Some(place) = place else {
                reset(stream);
                continue;
            };
            let guest = Guest::new(place, credentials);
            tokio::spawn(timeout(LIFETIME, connection(stream, Arc::new(guest), self.state.clone())));
        }
    }
}

/// Closes at once: what waits in the queues of the socket would outlast it otherwise.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn connection(stream: TcpStream, guest: Arc<Guest>, state: Arc<State>) {
    tokio::select! {
        () = served(stream, guest.clone(), state) => {}
        () = guest.until_ended() => {}
    }
}

async fn served(stream: TcpStream, guest: Arc<Guest>, state: Arc<State>) {
    // Events are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let stream = Hurried::new(stream);
    match guest.credentials().acceptor() {
        None => serve(stream, guest, state).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await
                && guest.has_shown_certificate()
            {
                serve(stream, guest, state).await;
            }
        }
    }
}

/// Serves a connection; its place is free again when it ends.
async fn serve<S>(stream: S, guest: Arc<Guest>, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let (state, guest) = (state.clone(), guest.clone());
        async move { Ok::<_, Infallible>(router::answer(&request, &state, &guest).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MOST_HEAD)
        .max_headers(MOST_FIELDS);
    // What goes wrong here is the client's; it has been told, or is gone.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
