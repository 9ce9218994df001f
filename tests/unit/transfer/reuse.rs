//! Many zones of one primary over few connections, whatever the primary does with them after the first transfer.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::transfer::hub::{Hub, name};
use crate::transfer::notify::Allowed;
use crate::transfer::writer::{Messages, Reply};
use crate::wire::RecordType;
use crate::zone::{Place, Record, Zone, ZoneBuilder};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ZONES: usize = 40;
const AT_ONE_TIME: usize = 3;

/// What the primary does after the first transfer of a connection.
#[derive(Clone, Copy, Debug)]
enum After {
    /// It answers the next query, as RFC 7766 asks.
    Answer,
    /// It closes.
    Close,
    /// It takes the next query and closes without an answer.
    CloseLate,
    /// It takes the next query and says nothing.
    Silence,
    /// It has sent an octet that belongs to nothing.
    Garbage,
}

fn zone(number: usize) -> Zone {
    let apex = name(&format!("z{number}.example."));
    let record = |record_type, rdata: Vec<u8>| Record {
        owner: apex.clone(),
        record_type,
        ttl: 60,
        rdata: rdata.into(),
    };
    let host = name("ns.example.net.");
    let numbers = [1, 1000, 100, 10_000, 300].map(u32::to_be_bytes).concat();
    let mut builder = ZoneBuilder::new(apex.clone());
    let soa = [host.as_wire(), host.as_wire(), &numbers].concat();
    builder.push(record(RecordType::SOA, soa), Place::default());
    builder.push(record(RecordType::NS, host.as_wire().to_vec()), Place::default());
    builder.finish().unwrap()
}

/// Reads a query for one of the zones and sends that zone, and some octets more. False at the end of the connection.
fn answer(stream: &mut TcpStream, more: &[u8]) -> bool {
    let Some((number, id)) = query(stream) else { return false };
    let zone = zone(number);
    let reply = Reply {
        id,
        name: zone.origin().as_wire().to_vec(),
        record_type: RecordType::AXFR,
        is_rd: false,
        has_opt: false,
        expire: None,
        room: 0,
    };
    let mut octets = Vec::new();
    for message in Messages::whole(&zone, reply).map(Result::unwrap) {
        octets.extend((message.len() as u16).to_be_bytes());
        octets.extend(message);
    }
    octets.extend(more);
    stream.write_all(&octets).is_ok()
}

/// The number of the zone that is asked for, and the query's ID.
fn query(stream: &mut TcpStream) -> Option<(usize, u16)> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut query = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut query).ok()?;
    let label = &query[13..13 + usize::from(query[12])];
    let number = std::str::from_utf8(&label[1..]).unwrap().parse().unwrap();
    Some((number, u16::from_be_bytes([query[0], query[1]])))
}

fn serve(mut stream: TcpStream, after: After) {
    let more: &[u8] = if matches!(after, After::Garbage) { b"x" } else { b"" };
    if !answer(&mut stream, more) {
        return;
    }
    match after {
        After::Answer => while answer(&mut stream, b"") {},
        After::Close => {}
        After::CloseLate => drop(query(&mut stream)),
        // Holds the connection until the other side closes it.
        After::Silence => {
            query(&mut stream);
            let _ = stream.read(&mut [0]);
        }
        After::Garbage => drop(stream.read(&mut [0])),
    }
}

fn primary(after: After) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
            let stream = stream.unwrap();
            std::thread::spawn(move || serve(stream, after));
        }
    });
    (address, connections)
}

/// Transfers all zones; how many connections that took.
fn connections(after: After) -> usize {
    let (address, connections) = primary(after);
    let zone = |number| SecondaryZone {
        name: name(&format!("z{number}.example.")),
        primaries: vec![PrimaryServer { address, key: None, tls: None }],
        notify: Allowed::default(),
        expired: OnExpiry::default(),
    };
    let settings = SecondarySettings {
        zones: (0..ZONES).map(zone).collect(),
        management: vec![LOOPBACK],
        transfers_per_primary: AT_ONE_TIME,
        connect: Duration::from_millis(200),
        ..SecondarySettings::default()
    };
    let (pop, served) = Hub::new();
    let secondary = Secondary::start(settings, pop.clone(), Default::default()).unwrap();
    for _ in 0..ZONES {
        served.recv_timeout(Duration::from_secs(60)).expect("every zone comes");
    }
    drop(secondary);
    connections.load(Ordering::Relaxed)
}

#[test]
fn a_primary_that_answers_again_is_asked_over_the_same_connections() {
    assert!(connections(After::Answer) <= AT_ONE_TIME);
}

#[test]
fn a_primary_that_does_not_costs_a_connection_a_zone_and_loses_none() {
    for after in [After::Close, After::CloseLate, After::Silence, After::Garbage] {
        assert_eq!(connections(after), ZONES, "{after:?}");
    }
}
