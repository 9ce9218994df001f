//! Primaries that answer REFUSED over UDP, as Knot DNS does for its catalogs: they are asked over TCP, in their turn.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::*;
use crate::transfer::hub::{Hub, name, zone};
use crate::transfer::notify::Allowed;
use crate::transfer::refresh::Bounds;
use crate::transfer::writer::{Messages, Reply};
use crate::wire::{RecordType, Serial};
use crate::zone::Zone;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The queries that came over UDP, and over TCP.
type QueryCounts = Arc<[AtomicUsize; 2]>;

/// A primary that refuses everything over UDP, and answers over TCP with these messages.
pub(super) fn primary(
    answer: impl Fn(&[u8], RecordType) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, QueryCounts) {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).unwrap();
    let counts: QueryCounts = Arc::default();
    let (over_udp, over_tcp) = (counts.clone(), counts.clone());
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((octets, client)) = socket.recv_from(&mut query) {
            over_udp[0].fetch_add(1, SeqCst);
            socket.send_to(&refusal(&query[..octets]), client).unwrap();
        }
    });
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut length) = (stream.unwrap(), [0; 2]);
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut query).unwrap();
            let kind = kind(&query);
            over_tcp[1].fetch_add(usize::from(kind == RecordType::SOA), SeqCst);
            for message in answer(&query, kind) {
                // A secondary may have enough of it.
                let _ = stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat());
            }
        }
    });
    (address, counts)
}

fn kind(query: &[u8]) -> RecordType {
    let at = 12 + name("example.").as_wire().len();
    RecordType(u16::from_be_bytes([query[at], query[at + 1]]))
}

/// REFUSED, with the question.
fn refusal(query: &[u8]) -> Vec<u8> {
    let end = 12 + name("example.").as_wire().len() + 4;
    [&query[..2], &[0x80, 5, 0, 1, 0, 0, 0, 0, 0, 0], &query[12..end]].concat()
}

/// The SOA record of a zone, or the whole zone.
pub(super) fn answer(zone: &Zone, query: &[u8], record_type: RecordType) -> Vec<Vec<u8>> {
    let (id, name) = (u16::from_be_bytes([query[0], query[1]]), name("example.").as_wire().to_vec());
    let reply = Reply { id, name, record_type, is_rd: false, has_opt: false, expire: None, room: 0 };
    let messages = match record_type {
        RecordType::SOA => Messages::soa(zone, reply),
        _ => Messages::whole(zone, reply),
    };
    messages.map(Result::unwrap).collect()
}

pub(super) fn settings(address: SocketAddr) -> SecondarySettings {
    let zone = SecondaryZone {
        name: name("example."),
        primaries: vec![PrimaryServer { address, key: None, tls: None }],
        notify: Allowed::default(),
        expired: OnExpiry::default(),
    };
    // The zone is asked for once: the next try is far away.
    let bounds = Bounds { first_retry: Duration::from_secs(3600), ..Bounds::default() };
    SecondarySettings {
        zones: vec![zone],
        management: vec![LOOPBACK],
        bounds,
        ..SecondarySettings::default()
    }
}

/// The last error once a look or a transfer has failed.
pub(super) fn error_of(secondary: &Secondary) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        loop {
            let report = secondary.handle().report().await.unwrap().remove(0);
            if report.status.failures > 0 {
                break report.last_error.unwrap().1;
            }
            tokio::task::yield_now().await;
        }
    })
}

fn count(counts: &QueryCounts) -> [usize; 2] {
    [counts[0].load(SeqCst), counts[1].load(SeqCst)]
}

#[test]
fn what_is_refused_over_udp_is_asked_over_tcp_in_its_turn() {
    let (address, counts) = primary(|query, kind| answer(&zone(2, []), query, kind));
    let (pop, served) = Hub::new();
    pop.put(zone(1, []));
    let begun = Instant::now();
    let settings =
        SecondarySettings { soa_queries_per_primary: std::num::NonZeroU32::MIN, ..settings(address) };
    let _running = Secondary::start(settings, pop, Default::default()).unwrap();
    let (serial, _) = served.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((serial, count(&counts)), (Serial(2), [1, 1]));
    // The second query counts against the limit of one a second (the burst may be a tenth more).
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?}", begun.elapsed());
}

#[test]
fn what_is_refused_over_tcp_too_is_not_asked_again() {
    let (address, counts) = primary(|query, _| vec![refusal(query)]);
    let (pop, served) = Hub::new();
    pop.put(zone(1, []));
    let secondary = Secondary::start(settings(address), pop, Default::default()).unwrap();
    let error = error_of(&secondary);
    assert!(error.contains("the primary answers REFUSED"), "{error}");
    assert_eq!(count(&counts), [1, 1]);
    assert!(served.try_recv().is_err());
}
