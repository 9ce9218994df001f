//! The load of one query per TCP connection: a loop over non-blocking connections on the load's core, because dnsperf keeps its
//! connections.
//!
//! Each connection connects, asks one query, reads the whole answer and closes first, as a stub resolver does that met TC.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyns::sys::cpu;
use anyns::sys::epoll::{Epoll, Interest};
use socket2::{Domain, Socket, Type};

use crate::dnsperf::{Counts, Load};
use crate::queries::Query;

/// Connections at one time: with as many that were just closed and not noticed yet still below the 64 that anyns takes from
/// loopback.
const CONNECTIONS: usize = 24;

/// Source addresses that take turns: a port rests for a minute after its connection, and one address has 28,000 of them.
const SOURCES: u8 = 200;

/// A connection without any event for so long is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection.
struct Attempt {
    stream: TcpStream,
    asked: bool,
    answer: Vec<u8>,
}

/// Asks, and waits until that is over. The calling thread is held to the core.
pub(crate) fn run(core: Option<usize>, server: SocketAddr, load: &Load<'_>) -> Counts {
    core.map(cpu::pin).transpose().expect("the load may use its core");
    ask(server, load)
}

fn ask(server: SocketAddr, load: &Load<'_>) -> Counts {
    let text = std::fs::read_to_string(load.file).expect("the queries can be read");
    let framed = |line: &str| {
        let query = Query::read(line).encode(1);
        [&u16::try_from(query.len()).expect("a short query").to_be_bytes(), query.as_slice()].concat()
    };
    let queries: Vec<Vec<u8>> = text.lines().map(framed).collect();
    let mut queries = queries.iter().cycle();
    let mut epoll = Epoll::new(CONNECTIONS).expect("an epoll instance can be made");
    let mut attempts: Vec<Option<Attempt>> = (0..CONNECTIONS).map(|_| None).collect();
    let (mut counts, mut source) = (Counts::default(), 0);
    let begin = Instant::now();
    let end = begin + Duration::from_secs(load.seconds.into());
    while Instant::now() < end {
        for (token, attempt) in attempts.iter_mut().enumerate().filter(|(_, attempt)| attempt.is_none()) {
            source = (source + 1) % SOURCES;
            let stream = connect(server, source).expect("loopback can be connected to");
            epoll.add(&stream, token as u64, Interest::Write).expect("a connection can be waited for");
            *attempt = Some(Attempt { stream, asked: false, answer: Vec::new() });
        }
        epoll.wait(PATIENCE).expect("the connections can be waited for");
        assert!(epoll.token(0).is_some(), "{server} is silent");
        for token in (0..).map_while(|index| epoll.token(index)) {
            let Some(slot) = attempts.get_mut(token as usize) else { continue };
            let Some(attempt) = slot else { continue };
            match attempt.go_on(&epoll, token, &mut queries) {
                Ok(false) => continue,
                Ok(true) => counts.answers += 1.0,
                Err(_) => counts.lost += 1.0,
            }
            *slot = None;
        }
    }
    counts.rate = counts.answers / begin.elapsed().as_secs_f64();
    assert!(counts.answers > 0.0, "no answer came back from {server}");
    counts
}

fn connect(server: SocketAddr, source: u8) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 1, 1 + source), 0)).into())?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

impl Attempt {
    /// Asks or reads. Whether the answer is whole.
    fn go_on<'a>(
        &mut self,
        epoll: &Epoll,
        token: u64,
        queries: &mut impl Iterator<Item = &'a Vec<u8>>,
    ) -> io::Result<bool> {
        if !self.asked {
            self.stream.write_all(queries.next().expect("a cycle has no end"))?;
            self.asked = true;
            epoll.change(&self.stream, token, Interest::Read)?;
            return Ok(false);
        }
        let mut octets = [0; 4096];
        match self.stream.read(&mut octets)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.answer.extend_from_slice(octets.get(..read).unwrap_or_default());
                let length = self.answer.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)));
                Ok(length.is_some_and(|length| self.answer.len() >= 2 + length))
            }
        }
    }
}
