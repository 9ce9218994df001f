//! A small name server for the tests of the probes: written by hand from RFC 1035, so that it shares no code with what it tests.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    Right,
    Instance(&'static str),
    OtherOwner,
    NotAuthoritative,
    Servfail,
    /// SERVFAIL for names that begin with `bad`.
    BadZone,
    Garbage,
    Silent,
    SilentOverUdp,
    SilentOverTcp,
    /// Right, but only after this time.
    Late(Duration),
}

impl Manner {
    async fn wait(self) {
        if let Self::Late(time) = self {
            tokio::time::sleep(time).await;
        }
    }
}

pub(super) struct Responder {
    address: SocketAddr,
    manner: watch::Sender<Manner>,
    /// Answers sent over UDP and over TCP.
    sent: [Arc<AtomicU64>; 2],
    tasks: JoinSet<()>,
}

impl Responder {
    pub(super) async fn start(address: IpAddr) -> Self {
        let (udp, tcp) = bind(address).await;
        let address = udp.local_addr().unwrap();
        let (manner, seen) = watch::channel(Manner::Right);
        let sent = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, seen.clone(), sent[0].clone()));
        tasks.spawn(serve_tcp(tcp, seen, sent[1].clone()));
        Self { address, manner, sent, tasks }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn sent(&self) -> [Arc<AtomicU64>; 2] {
        self.sent.clone()
    }

    pub(super) fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Closes the sockets.
    pub(super) async fn close(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// A port that is free over both transports.
async fn bind(address: IpAddr) -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((address, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: UdpSocket, manner: watch::Receiver<Manner>, sent: Arc<AtomicU64>) {
    let (socket, mut answers) = (Arc::new(socket), JoinSet::new());
    let mut buffer = [0; 1500];
    loop {
        let Ok((length, source)) = socket.recv_from(&mut buffer).await else { continue };
        let manner = *manner.borrow();
        let answer = answer(&buffer[..length], manner).filter(|_| !matches!(manner, Manner::SilentOverUdp));
        let Some(answer) = answer else { continue };
        let (socket, sent) = (socket.clone(), sent.clone());
        answers.spawn(async move {
            manner.wait().await;
            sent.fetch_add(1, Ordering::Relaxed);
            let _ = socket.send_to(&answer, source).await;
        });
        while answers.try_join_next().is_some() {}
    }
}

async fn serve_tcp(listener: TcpListener, manner: watch::Receiver<Manner>, sent: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve_connection(stream, manner.clone(), sent.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(mut stream: TcpStream, manner: watch::Receiver<Manner>, sent: Arc<AtomicU64>) {
    while let Ok(length) = stream.read_u16().await {
        let mut query = vec![0; usize::from(length)];
        if stream.read_exact(&mut query).await.is_err() {
            return;
        }
        let manner = *manner.borrow();
        let answer = answer(&query, manner).filter(|_| !matches!(manner, Manner::SilentOverTcp));
        let Some(answer) = answer else { continue };
        manner.wait().await;
        sent.fetch_add(1, Ordering::Relaxed);
        let framed = [&(answer.len() as u16).to_be_bytes(), &answer[..]].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

/// The answer to one well-formed query.
pub(super) fn answer(query: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let mut end = 12;
    while query[end] != 0 {
        end += 1 + usize::from(query[end]);
    }
    let question = &query[12..end + 5];
    let servfail = match manner {
        Manner::Silent => return None,
        Manner::Garbage => return Some([&query[..2], &[0x84, 0, 0, 9, 0, 9]].concat()),
        Manner::Servfail => true,
        Manner::BadZone => question[1..].starts_with(b"bad"),
        _ => false,
    };
    let authoritative = if matches!(manner, Manner::NotAuthoritative) { 0 } else { 0x04 };
    let instance = if let Manner::Instance(other) = manner { other } else { "pop1" };
    let mut answer = query[..2].to_vec();
    answer.extend([0x80 | authoritative, if servfail { 2 } else { 0 }]);
    answer.extend([0, 1, 0, u8::from(!servfail), 0, 0, 0, 1]);
    answer.extend(question);
    if !servfail {
        let owner: &[u8] = if matches!(manner, Manner::OtherOwner) { b"\x05other\0" } else { &[0xc0, 12] };
        answer.extend(owner);
        // SOA, IN, TTL 60, two root names and five numbers.
        answer.extend([0, 6, 0, 1, 0, 0, 0, 60, 0, 22]);
        answer.extend([0; 22]);
    }
    // OPT with NSID (option 3).
    let length = instance.len() as u8;
    answer.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length + 4, 0, 3, 0, length]);
    answer.extend(instance.as_bytes());
    Some(answer)
}
