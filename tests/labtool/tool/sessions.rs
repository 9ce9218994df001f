//! Sessions of TCP, DoT, DoH and DoQ that a change of catchment finds open: what the client sees when it asks on them, and when its
//! retry is answered.
//!
//! ```text
//!   open   each transport over IPv4 and IPv6, one query on each       answered by the POP of the region
//!   (the fault, until another POP answers the region)
//!   go on  a query on each old session       the server of the other POP does not know the session
//!            TCP, DoT, DoH   its kernel resets it
//!            DoQ             nothing that the client believes comes back: reset keys are per POP; it waits for the idle timeout, its
//!                            own or that of the first POP, if that still runs and tells
//!          then a new session and the query again; DoT, DoH and DoQ resume with the ticket of the first POP
//! ```

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::catchment::{SERVICES, ZONE};
use super::error::LabError;
use super::faults::{self, Breakage, Moment};
use super::nodes::RunningLab;
use super::observe::{BOUND, Observation};
use super::topology::{Role, Stack};
use crate::support::dns;
use crate::support::encrypted::{Http2, Remembering, over_doq, over_stream, post, quic_with, shake_with};
use crate::support::lab::Space;

/// What a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Transport {
    /// TCP, port 53.
    #[serde(rename = "TCP")]
    Tcp,
    /// TLS, port 853.
    #[serde(rename = "DoT")]
    Dot,
    /// HTTP/2 over TLS, port 443.
    #[serde(rename = "DoH")]
    Doh,
    /// QUIC, port 853.
    #[serde(rename = "DoQ")]
    Doq,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Dot, Self::Doh, Self::Doq];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Dot => "DoT",
            Self::Doh => "DoH",
            Self::Doq => "DoQ",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Tcp => 53,
            Self::Dot | Self::Doq => 853,
            Self::Doh => 443,
        }
    }

    /// The protocol that a client offers in the handshake of TLS (ALPN).
    fn protocol(self) -> &'static str {
        match self {
            Self::Tcp | Self::Dot => "dot",
            Self::Doh => "h2",
            Self::Doq => "doq",
        }
    }
}

/// How a client learned that its session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// A segment with RST came.
    Reset,
    /// The first POP, which still runs, closed the connection: it has heard nothing for its idle timeout.
    Closed,
    /// Nothing came for the idle timeout of the connection.
    Silence,
}

/// What became of one session.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SessionResult {
    /// What it speaks.
    pub transport: Transport,
    /// 0 for IPv4, 1 for IPv6.
    pub family: usize,
    /// The instance that answered on it before the fault.
    pub before: String,
    /// When the query was sent on it after the fault.
    #[serde(skip)]
    pub asked: Instant,
    /// How it ended.
    pub end: End,
    /// Milliseconds from that query until the client knew.
    pub ended_ms: f64,
    /// Milliseconds from that query until its repetition on a new session was answered.
    pub answered_ms: f64,
    /// How long the handshake of the new session took, in milliseconds: of TCP, for all but DoQ a round trip to the other POP.
    pub handshake_ms: f64,
    /// The instance that answered the repetition.
    pub after: String,
    /// Whether the new session resumes the old one by its ticket; `None` for TCP.
    pub resumed: Option<bool>,
}

/// The transports that the servers speak. NSD 4.6 has neither DoH nor DoQ.
fn spoken(stack: Stack) -> Vec<Transport> {
    match stack {
        Stack::Anyns => Transport::ALL.to_vec(),
        Stack::Stitched => vec![Transport::Tcp, Transport::Dot],
    }
}

/// Sessions are open when the POP breaks or, without a breakage, is drained; the client goes on as soon as another POP answers.
pub fn go_over(
    lab: &RunningLab,
    seen: &Observation,
    pop: &str,
    breakage: Option<Breakage>,
    moment: &mut Moment,
) -> Result<Vec<SessionResult>, LabError> {
    let open = Sessions::open(lab, pop)?;
    *moment = match breakage {
        Some(breakage) => breakage.make(lab, pop)?,
        None => Moment::now(),
    };
    let results = std::thread::scope(|scope| {
        // The order returns when the drain is done; the routes move before.
        let drain = breakage.is_none().then(|| scope.spawn(|| faults::drain(lab, pop)));
        let results = seen.wait_elsewhere(lab, pop).and_then(|()| open.go_on());
        let drained =
            drain.map(|drain| drain.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        drained.transpose().and(results)
    })?;
    seen.settle("answers from elsewhere go on").map(|()| results)
}

/// Open sessions of the client of a region.
pub struct Sessions {
    go_on: mpsc::Sender<()>,
    thread: JoinHandle<Result<Vec<SessionResult>, Error>>,
}

impl Sessions {
    /// Opens all of them and asks once on each.
    pub fn open(lab: &RunningLab, pop: &str) -> Result<Self, LabError> {
        let space = lab.space(lab.topology.the(Role::Client, pop)?);
        let trust = lab.topology.folder.join("config/tls/cert.pem");
        let transports = spoken(lab.topology.stack);
        let (go_on, told) = mpsc::channel();
        let (opened, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || run(&space, &trust, &transports, &opened, &told));
        let sessions = Self { go_on, thread };
        match wait.recv() {
            Ok(()) => Ok(sessions),
            // It ended before.
            Err(_) => sessions.go_on().and_then(|_| Err(failed(Error::other("no session was opened")))),
        }
    }

    /// Asks again on each, and once more where it is over.
    pub fn go_on(self) -> Result<Vec<SessionResult>, LabError> {
        // A thread that has ended says why below.
        let _ = self.go_on.send(());
        let results = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        results.map_err(failed)
    }
}

fn failed(error: Error) -> LabError {
    LabError::Failed { command: "sessions of TCP, DoT, DoH and DoQ".into(), output: error.to_string() }
}

/// The thread of the client.
fn run(
    space: &Space,
    trust: &Path,
    transports: &[Transport],
    opened: &mpsc::Sender<()>,
    told: &mpsc::Receiver<()>,
) -> Result<Vec<SessionResult>, Error> {
    space.enter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let open = async {
        let mut clients = Vec::new();
        for transport in transports {
            for family in [0, 1] {
                clients.push(timeout(BOUND, Client::open(*transport, family, trust.to_owned())).await??);
            }
        }
        Ok::<_, Error>(clients)
    };
    let clients = runtime.block_on(open)?;
    // The receiver waits for it.
    let _ = opened.send(());
    if told.recv().is_err() {
        return Ok(Vec::new());
    }
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let each = clients.into_iter().map(|client| tokio::task::spawn_local(timeout(BOUND, client.go_on())));
        let mut results = Vec::new();
        for task in each.collect::<Vec<_>>() {
            results.push(task.await???);
        }
        Ok(results)
    })
}

/// One client with its session.
struct Client {
    transport: Transport,
    family: usize,
    server: SocketAddr,
    /// Keeps the tickets.
    tls: Remembering,
    session: Session,
    before: String,
}

enum Session {
    Tcp(TcpStream),
    Dot(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    Doh(Http2),
    /// The connection lives as long as its endpoint.
    Doq(quinn::Connection, quinn::Endpoint),
}

impl Client {
    async fn open(transport: Transport, family: usize, trust: PathBuf) -> Result<Self, Error> {
        let address = SERVICES.get(family).and_then(|address| address.parse::<IpAddr>().ok());
        let server = SocketAddr::new(address.ok_or(ErrorKind::InvalidInput)?, transport.port());
        let tls = Remembering::new(&[&trust], transport.protocol(), &[&rustls::version::TLS13]);
        let (mut session, _) = connect(transport, server, &tls).await?;
        let before = ask(&mut session).await?;
        Ok(Self { transport, family, server, tls, session, before })
    }

    async fn go_on(mut self) -> Result<SessionResult, Error> {
        let asked = Instant::now();
        let end = match ask(&mut self.session).await {
            Ok(instance) => {
                Err(Error::other(format!("{instance} answers on the session of {}", self.before)))
            }
            Err(error) => match (error.kind(), self.transport) {
                (ErrorKind::ConnectionReset, Transport::Tcp | Transport::Dot | Transport::Doh) => {
                    Ok(End::Reset)
                }
                (ErrorKind::TimedOut, Transport::Doq) => Ok(End::Silence),
                (ErrorKind::ConnectionAborted, Transport::Doq) => Ok(End::Closed),
                _ => Err(error),
            },
        }?;
        let ended = asked.elapsed();
        let full = self.tls.full_handshakes();
        let (mut session, handshake) = connect(self.transport, self.server, &self.tls).await?;
        let after = ask(&mut session).await?;
        let resumed = (self.transport != Transport::Tcp).then(|| self.tls.full_handshakes() == full);
        Ok(SessionResult {
            transport: self.transport,
            family: self.family,
            before: self.before,
            asked,
            end,
            ended_ms: milliseconds(ended),
            answered_ms: milliseconds(asked.elapsed()),
            handshake_ms: milliseconds(handshake),
            after,
            resumed,
        })
    }
}

/// A new session, and how long its handshake took; of DoT and DoH that of TCP.
async fn connect(
    transport: Transport,
    server: SocketAddr,
    tls: &Remembering,
) -> Result<(Session, Duration), Error> {
    let start = Instant::now();
    if transport == Transport::Doq {
        let (endpoint, connection) = quic_with(server, tls.config()).await?;
        return Ok((Session::Doq(connection, endpoint), start.elapsed()));
    }
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let took = start.elapsed();
    Ok((
        match transport {
            Transport::Dot => Session::Dot(Box::new(shake_with(stream, tls.config()).await?)),
            Transport::Doh => Session::Doh(Http2::over(shake_with(stream, tls.config()).await?).await),
            Transport::Tcp | Transport::Doq => Session::Tcp(stream),
        },
        took,
    ))
}

/// Asks for the serial of the zone; the instance that answers.
async fn ask(session: &mut Session) -> Result<String, Error> {
    // DoQ and DoH want ID 0 (RFC 9250 section 4.2.1, RFC 8484 section 4.1), the others take any.
    let query = dns::query(0, ZONE, dns::SOA);
    let answer = match session {
        Session::Tcp(stream) => over_stream(stream, &query).await?,
        Session::Dot(stream) => over_stream(stream.as_mut(), &query).await?,
        Session::Doh(connection) => connection.request(post(&query)).await.map_err(of_http2)?.1,
        Session::Doq(connection, _) => match over_doq(connection, &query).await {
            Ok(answer) => answer,
            // What ended the connection says more than the stream.
            Err(error) => {
                return Err(connection.close_reason().map_or_else(|| Error::other(error), Error::from));
            }
        },
    };
    let answer = dns::parse(&answer).map_err(|fault| Error::other(fault.to_string()))?;
    match answer.serials.len() {
        1 => Ok(answer.instance),
        _ => Err(Error::other(format!("not the SOA record of {ZONE}: {answer:?}"))),
    }
}

/// What the stream below HTTP/2 reports, where the error comes from there.
fn of_http2(error: h2::Error) -> Error {
    match error.get_io().map(Error::kind) {
        Some(kind) => Error::new(kind, error),
        None => Error::other(error),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The heading and a line for each session; nothing without sessions.
pub fn table(scenario: &str, pop: &str, sessions: &[SessionResult]) -> String {
    let heading = "session          POP  family  transport  over after its next query  by       retry answered  resumed\n";
    let row = |one: &SessionResult| {
        let by = match one.end {
            End::Reset => "RST",
            End::Closed => "close",
            End::Silence => "silence",
        };
        let resumed = one.resumed.map_or("-", |resumed| if resumed { "yes" } else { "no" });
        let (ended, answered) = (format!("{:.1} ms", one.ended_ms), format!("{:.1} ms", one.answered_ms));
        format!(
            "{scenario:<16} {pop:<4} {:<7} {:<9}  {ended:>25}  {by:<7}  {answered:>14}  {resumed}\n",
            ["IPv4", "IPv6"][one.family],
            one.transport.name(),
        )
    };
    if sessions.is_empty() {
        String::new()
    } else {
        heading.to_owned() + &sessions.iter().map(row).collect::<String>()
    }
}
