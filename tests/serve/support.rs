//! What the tests share: a server, queries, clients that give up after a while.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyns::admission::Limits;
use anyns::answer::{self, Identity};
use anyns::serve::{self, Engine, Serving, Settings, TcpSettings};
use anyns::telemetry::{Counters, WorkerCounters};
use anyns::zone::Published;

/// How long a client waits for what should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A server and what it counts.
pub(crate) struct Server {
    pub(crate) serving: Serving,
    pub(crate) counters: Counters,
}

impl Server {
    pub(crate) fn address(&self, index: usize) -> SocketAddr {
        self.serving.local_addresses()[index]
    }

    pub(crate) fn sum(&self, counter: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
        self.counters.sum(counter)
    }
}

pub(crate) fn settings(engine: Engine, listen: &[&str]) -> Settings {
    let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
    Settings { engine, listen, workers: 2, socket_affinity: false, tcp: TcpSettings::default(), tls: None }
}

pub(crate) fn start(settings: &Settings) -> Server {
    start_limited(settings, None)
}

pub(crate) fn start_limited(settings: &Settings, limits: Option<Limits>) -> Server {
    let counters = Counters::new(settings.counter_sets());
    let serving = try_start(settings, limits, &counters).unwrap();
    Server { serving, counters }
}

pub(crate) fn try_start(
    settings: &Settings,
    limits: Option<Limits>,
    counters: &Counters,
) -> Result<Serving, serve::ServeError> {
    let identity = Identity { instance: "test".into(), version: None };
    let answers = Arc::new(answer::Settings::new(identity));
    let published = Arc::new(Published::default());
    serve::start(settings, &published, &answers, limits.as_ref(), counters)
}

/// `example.org. IN A` with this ID.
pub(crate) fn query(id: u16) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    query.extend(b"\x07Example\x03org\x00\x00\x01\x00\x01");
    query
}

/// The ID of a message, which must be a response.
pub(crate) fn response_id(message: &[u8]) -> u16 {
    assert!(message.len() >= 12 && message[2] & 0x80 != 0, "no response: {message:?}");
    u16::from_be_bytes([message[0], message[1]])
}

pub(crate) fn udp_client(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Asks over UDP from an unconnected socket; returns the response and where it came from.
pub(crate) fn ask(server: SocketAddr, query: &[u8]) -> (Vec<u8>, SocketAddr) {
    let socket = udp_client(server);
    socket.send_to(query, server).unwrap();
    let mut response = [0; 4096];
    let (length, from) = socket.recv_from(&mut response).unwrap();
    (response[..length].to_vec(), from)
}

pub(crate) fn tcp_client(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A message behind its length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

pub(crate) fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Asks over a connection.
pub(crate) fn ask_over(stream: &mut TcpStream, query: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(&framed(query))?;
    read_message(stream)
}

/// Waits for something that a thread of the server does soon; yields meanwhile.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::yield_now();
    }
}
