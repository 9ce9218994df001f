//! Both engines over one world's zones, asked through real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyns::serve::{self, Engine, Serving, TcpSettings};
use anyns::telemetry::Counters;
use anyns::zone::{Published, Snapshot};

/// How long a client waits for what comes at once when the machine is idle.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What a client sends behind a query that gets no response. No zone holds the name, so that it is REFUSED or, before
/// the zones are loaded, SERVFAIL; the two octets in front are its ID.
const FENCE: &[u8] = b"\xfe\xce\0\0\0\x01\0\0\0\0\0\0\x05fence\x07invalid\0\0\x01\0\x01";

/// An engine that serves on a free port of 127.0.0.1 and one of ::1; it stops when it is dropped.
pub(crate) struct Server {
    serving: Serving,
    /// A connection that an earlier query has left.
    kept: Mutex<Option<TcpStream>>,
}

impl Server {
    pub(crate) fn start(engine: Engine, snapshot: &Snapshot, answers: &anyns::answer::Settings) -> Self {
        Self::start_on(&["127.0.0.1:0", "[::1]:0"], engine, snapshot, answers)
    }

    /// An engine that serves on these addresses.
    pub(crate) fn start_on(
        listen: &[&str],
        engine: Engine,
        snapshot: &Snapshot,
        answers: &anyns::answer::Settings,
    ) -> Self {
        let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
        let settings = serve::Settings {
            engine,
            listen,
            workers: 1,
            socket_affinity: false,
            tcp: TcpSettings::default(),
            tls: None,
        };
        let published = Arc::new(Published::default());
        published.store(snapshot.clone());
        let counters = Counters::new(settings.counter_sets());
        let answers = Arc::new(answers.clone());
        let serving = serve::start(&settings, &published, &answers, None, &counters).unwrap();
        Self { serving, kept: Mutex::new(None) }
    }

    /// Where it serves over IPv4 and over IPv6, UDP and TCP alike.
    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        // Of what `start` listens on.
        self.serving.local_addresses().try_into().unwrap()
    }

    /// Asks over UDP and IPv6, which leaves IPv4 to TCP.
    pub(crate) fn ask_udp(&self, query: &[u8]) -> Vec<u8> {
        ask_udp(self.addresses()[1], query)
    }

    /// Asks over TCP on the connection that the last query left, or a new one.
    pub(crate) fn ask_tcp(&self, query: &[u8]) -> Vec<u8> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The server may have closed the one that was kept: it was idle, or what was asked was no query.
        let again = kept.take().and_then(|stream| ask_tcp(stream, query).ok());
        let (stream, response) =
            again.unwrap_or_else(|| ask_tcp(connect(self.addresses()[0]), query).unwrap());
        *kept = Some(stream);
        response
    }

    /// Checks that a query gets no response: that of a query sent behind it comes first, and that of one sent then,
    /// too. Over TCP the server may close the connection instead.
    pub(crate) fn ignores(&self, query: &[u8]) {
        let udp = connected(self.addresses()[1]);
        udp.send(query).unwrap();
        for _ in 0..2 {
            udp.send(FENCE).unwrap();
            let response = receive(&udp).unwrap();
            assert_eq!(response[..2], FENCE[..2], "a response to {query:?}: {response:?}");
        }
        self.ignores_over_tcp(query);
    }

    /// The same over TCP alone.
    pub(crate) fn ignores_over_tcp(&self, query: &[u8]) {
        let mut tcp = connect(self.addresses()[0]);
        tcp.write_all(&[framed(query), framed(FENCE)].concat()).unwrap();
        match read_message(&mut tcp) {
            Ok(response) => assert_eq!(response[..2], FENCE[..2], "a response to {query:?}: {response:?}"),
            Err(error) => assert!(
                [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()),
                "{error}"
            ),
        }
    }
}

/// Asks over UDP from a socket of its own; asks once more if no response comes.
pub(crate) fn ask_udp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let socket = connected(server);
    let ask = || {
        socket.send(query)?;
        receive(&socket)
    };
    ask().or_else(|_| ask()).unwrap_or_else(|error| panic!("no response to {query:?}: {error}"))
}

/// A connection that gives up reading after a while.
pub(crate) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Asks over a connection and gives it back with the response.
pub(crate) fn ask_tcp(mut stream: TcpStream, query: &[u8]) -> std::io::Result<(TcpStream, Vec<u8>)> {
    stream.write_all(&framed(query))?;
    let response = read_message(&mut stream)?;
    Ok((stream, response))
}

/// A message behind its length (RFC 1035 section 4.2.2).
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

/// A socket that hears the server's address and port only.
fn connected(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> std::io::Result<Vec<u8>> {
    let mut response = vec![0; 65_535];
    let length = socket.recv(&mut response)?;
    response.truncate(length);
    Ok(response)
}
