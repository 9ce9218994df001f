//! The sockets and their connections.
//!
//! ```text
//!   per address: bind (again until it works, an alarm meanwhile) -> accept -> caps -> TLS -> HTTP/1.1: request, response, request ...
//!                                                                     |        5 s    head 10 s, 16 KiB, 64 fields; a response must be
//!                                                                     reset           taken; all together 1 h
//! ```

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::caps::{Caps, ConnectionPlace};
use super::credentials::Credentials;
use super::error::WebError;
use super::fleet_watch::FleetWatch;
use super::settings::Settings;
use super::slow::Hurried;
use super::state::State;
use super::{api, router};
use crate::control::{Feed, Inquiry};
use crate::fleet;
use crate::handoff::{Latest, Queue, Reader};
use crate::telemetry::{Beat, locked, with_causes};

/// How long a client may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a client may take for the head of a request; between two requests a connection may rest as long.
const HEAD: Duration = Duration::from_secs(10);
/// Octets of the head of a request at most: a token, a zone's name and what browsers send.
const MOST_HEAD: usize = 16 * 1024;
/// Fields of the head of a request at most; browsers send some twenty.
const MOST_FIELDS: usize = 64;
/// How long a connection may last: it is authenticated again then.
const LIFETIME: Duration = Duration::from_secs(3600);
/// The pause before a port that is taken or an address that is missing is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// The pause when the system refuses a connection, out of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the files of tokens and certificates are read again.
const READ_AGAIN: Duration = Duration::from_secs(10);

/// Where everything comes from.
pub struct Sources {
    /// What the operator chose.
    pub settings: Settings,
    /// The other POPs.
    pub fleet: fleet::Settings,
    /// The newest document.
    pub feed: Reader<Feed>,
    /// For questions about zones.
    pub inquiries: Queue<Inquiry>,
}

/// The listener. It is run by [`WebServer::run`] on one thread.
pub struct WebServer {
    settings: Settings,
    /// Locked on the thread `web` alone.
    credentials: Mutex<Arc<Credentials>>,
    state: Arc<State>,
    caps: Caps,
    trouble: Trouble,
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
        let Sources { settings, fleet, feed, inquiries } = sources;
        let credentials = Mutex::new(Arc::new(Credentials::load(&settings)?));
        let state = Arc::new(State::new(feed, inquiries, FleetWatch::new(fleet)));
        let trouble = Trouble { current: Mutex::default(), told: Latest::new(Vec::new()) };
        let told = trouble.told.reader();
        Ok((Self { settings, credentials, state, caps: Caps::default(), trouble }, told))
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
            _ = listeners => {}
        }
    }

    /// Reads tokens and certificates again and again; what cannot be used changes nothing.
    async fn read_again(&self) {
        let has_files = !self.settings.tokens.is_empty() || self.settings.tls.is_some();
        if !has_files && self.state.fleet.is_alone() {
            return std::future::pending().await;
        }
        loop {
            sleep(READ_AGAIN).await;
            let settings = self.settings.clone();
            let read = tokio::task::spawn_blocking(move || Credentials::load(&settings)).await;
            let trouble = match read {
                Ok(Ok(credentials)) => {
                    *locked(&self.credentials) = Arc::new(credentials);
                    None
                }
                Ok(Err(error)) => Some(format!("the old ones stay: {}", with_causes(&error))),
                Err(error) => Some(format!("the old ones stay: {error}")),
            };
            self.trouble.set("credentials of [web]", trouble);
            self.state.fleet.read_again().await;
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
            let Some(place) = self.caps.place(peer.ip()) else {
                reset(stream);
                continue;
            };
            let (state, credentials) = (self.state.clone(), locked(&self.credentials).clone());
            tokio::spawn(timeout(LIFETIME, connection(stream, place, state, credentials)));
        }
    }
}

/// Closes at once: what waits in the queues of the socket would outlast it otherwise.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn connection(
    stream: TcpStream,
    place: ConnectionPlace,
    state: Arc<State>,
    credentials: Arc<Credentials>,
) {
    // Events are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let stream = Hurried::new(stream);
    match credentials.acceptor() {
        None => serve(stream, place, state, credentials).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                serve(stream, place, state, credentials).await;
            }
        }
    }
}

/// Serves a connection; its place is free again when it ends.
async fn serve<S>(stream: S, place: ConnectionPlace, state: Arc<State>, credentials: Arc<Credentials>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let place = Arc::new(place);
    let service = service_fn(move |request| {
        let (state, credentials, place) = (state.clone(), credentials.clone(), place.clone());
        async move { Ok::<_, Infallible>(router::answer(&request, &state, &credentials, &place).await) }
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
