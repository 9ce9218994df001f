//! One query over UDP, and its answer read by hickory-proto: not by the code that is measured.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;

use crate::queries::Query;

/// How long one try waits: longer than any answer takes, short beside a start.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two queries of a client that measures how long answers take.
const PAUSE: Duration = Duration::from_micros(500);

/// Asks up to `tries` times. Fails with the last error: `ConnectionRefused` where nobody listens yet, `WouldBlock` where no
/// answer came in time, `InvalidData` where it was none.
pub(crate) fn ask(socket: &UdpSocket, server: SocketAddr, query: &Query, tries: u32) -> io::Result<Message> {
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let octets = query.encode(fastrand::u16(..));
    let mut outcome = Err(io::ErrorKind::WouldBlock.into());
    for _ in 0..tries {
        outcome = socket.send(&octets).and_then(|_| receive(socket, &octets));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The serial in the answer to a query for SOA records, asked once.
pub(crate) fn serial(socket: &UdpSocket, server: SocketAddr, query: &Query) -> Option<u32> {
    let answer = ask(socket, server, query, 1).ok()?;
    answer.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

/// How many microseconds answers take, sorted: asked one by one, with a pause, while `goes_on`.
pub(crate) fn times(server: SocketAddr, query: &Query, mut goes_on: impl FnMut() -> bool) -> Vec<f64> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    // Nobody sends: the timeout is the clock.
    let (_sender, never) = std::sync::mpsc::channel::<()>();
    let mut times = Vec::new();
    while goes_on() {
        let asked = Instant::now();
        ask(&socket, server, query, 1).expect("an answer comes");
        times.push(asked.elapsed().as_secs_f64() * 1e6);
        let _ = never.recv_timeout(PAUSE);
    }
    times.sort_by(f64::total_cmp);
    times
}

/// Of sorted times the one that this share of them does not exceed.
pub(crate) fn percentile(times: &[f64], share: f64) -> f64 {
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
}

/// Whether this is an authoritative answer without an error.
pub(crate) fn is_served(answer: &Message) -> bool {
    answer.metadata.authoritative && answer.metadata.response_code == ResponseCode::NoError
}

/// The answer to this query; one to an earlier query is passed over.
fn receive(socket: &UdpSocket, query: &[u8]) -> io::Result<Message> {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer)?;
        let answer = &buffer[..length];
        if answer.get(..2) != query.get(..2) || answer.get(12..query.len()) != query.get(12..) {
            continue;
        }
        let read = Message::from_vec(answer);
        return read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
    }
}
