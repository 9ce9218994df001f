//! Bad primaries: the old version stays, the reason is named, nothing waits for ever.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::transfer::hub::{Hub, a, name, soa, zone};
use crate::transfer::notify::Allowed;
use crate::transfer::refresh::Bounds;
use crate::transfer::writer::{Messages, Reply};
use crate::wire::RecordType;
use crate::zone::Zone;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// What a primary sends after a query with this ID, message by message; `None` keeps the connection open and sends nothing more.
type Script = Box<dyn Fn(u16, RecordType) -> (Vec<Vec<u8>>, bool) + Send>;

/// A primary over TCP that answers every connection by the script.
fn primary(script: Script) -> SocketAddr {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                return;
            }
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut query).unwrap();
            let id = u16::from_be_bytes([query[0], query[1]]);
            let at = 12 + name("example.").as_wire().len();
            let record_type = RecordType(u16::from_be_bytes([query[at], query[at + 1]]));
            let (messages, stay) = script(id, record_type);
            for message in messages {
                let _ = stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat());
            }
            if stay {
                open.push(stream);
            }
        }
    });
    address
}

fn whole(zone: &Zone, id: u16, record_type: RecordType) -> Vec<Vec<u8>> {
    let reply = Reply { id, name: name("example.").as_wire().to_vec(), record_type, room: 0 };
    Messages::whole(zone, reply).map(Result::unwrap).collect()
}

fn settings(address: SocketAddr) -> SecondarySettings {
    let zone = SecondaryZone {
        name: name("example."),
        primaries: vec![PrimaryServer { address, key: None, tls: None }],
        notify: Allowed::default(),
    };
    // The zone is asked for once: the next try is far away.
    let bounds = Bounds { first_retry: Duration::from_secs(3600), ..Bounds::default() };
    SecondarySettings {
        zones: vec![zone],
        management: vec![LOOPBACK],
        bounds,
        silence: Duration::from_millis(300),
        rate_window: Duration::from_secs(1),
        least_rate: 1_000_000,
        ..SecondarySettings::default()
    }
}

/// The last error of a secondary of this primary once a transfer has failed.
fn error_of(settings: SecondarySettings) -> String {
    let (pop, served) = Hub::new();
    let secondary = Secondary::start(settings, pop.clone(), Default::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        loop {
            let report = secondary.handle().report().await.unwrap().remove(0);
            if report.status.failures > 0 {
                break report.last_error.unwrap().1;
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(served.try_recv().is_err());
    error
}

#[test]
fn every_bad_primary_has_its_reason() {
    let good = Arc::new(zone(5, [a("a.example.", 1)]));
    let with = |change: fn(Vec<u8>) -> Vec<Vec<u8>>, stay: bool| {
        let good = good.clone();
        let script = move |id, record_type| (change(whole(&good, id, record_type).remove(0)), stay);
        error_of(settings(primary(Box::new(script))))
    };
    let expect = |error: String, part: &str| assert!(error.contains(part), "{error:?} has no {part:?}");
    expect(with(|_| vec![], false), "without the SOA record at the end");
    expect(with(|_| vec![], true), "has sent nothing for 0.3 s");
    let cut = |mut message: Vec<u8>| {
        message.truncate(message.len() - 20);
        vec![message]
    };
    expect(with(cut, false), "runs past the end");
    let other_id = |mut message: Vec<u8>| {
        message[0] ^= 1;
        vec![message]
    };
    expect(with(other_id, false), "the request had");
    let refused = |mut message: Vec<u8>| {
        message[3] |= 5;
        vec![message]
    };
    expect(with(refused, false), "REFUSED");
    let no_zone = zone(5, []);
    let without_ns = move |id, record_type| {
        let mut message = whole(&no_zone, id, record_type).remove(0);
        // The question and the two SOA records are left.
        message[7] = 2;
        let ns_at = message.windows(4).position(|window| window == [0xc0, 12, 0, 2]).unwrap();
        message.splice(ns_at..ns_at + 12 + 5, []);
        (vec![message], false)
    };
    expect(error_of(settings(primary(Box::new(without_ns)))), "NS");
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    expect(error_of(settings(closed)), "no connection");
    let elsewhere = SecondarySettings { management: vec!["::1".parse().unwrap()], ..settings(closed) };
    expect(error_of(elsewhere), "no management address is of the family");
}

#[test]
fn a_slow_primary_and_an_endless_one_are_left() {
    let good = Arc::new(zone(5, [a("a.example.", 1)]));
    let first = good.clone();
    // Says something all the time, but too little: the messages lie in the socket's buffer, 40 octets each.
    let endless = move |id, record_type: RecordType| {
        let mut message = whole(&first, id, record_type).remove(0);
        // The first record alone: there is always more to come.
        message[7] = 1;
        let question = 12 + name("example.").as_wire().len() + 4;
        let rdata_at = question + 2 + 8;
        let length = usize::from(u16::from_be_bytes([message[rdata_at], message[rdata_at + 1]]));
        message.truncate(rdata_at + 2 + length);
        (vec![message], true)
    };
    let slow = SecondarySettings { silence: Duration::from_secs(30), ..settings(primary(Box::new(endless))) };
    let error = error_of(slow);
    assert!(error.contains("less than 1000000 octets a second"), "{error}");
    let large = zone(5, (0..5000).map(|it| a(&format!("h{it}.example."), 1)));
    let script = move |id, record_type| (whole(&large, id, record_type), true);
    let limits = crate::transfer::message::Limits { records: 100, ..Default::default() };
    let error = error_of(SecondarySettings { limits, ..settings(primary(Box::new(script))) });
    assert!(error.contains("more than 100 records"), "{error}");
    let longest = SecondarySettings {
        longest: Duration::from_millis(100),
        ..settings(primary(Box::new(|_, _| (vec![], true))))
    };
    let error = error_of(longest);
    assert!(error.contains("takes longer than"), "{error}");
}

#[test]
fn notifies_are_taken_from_the_primaries_and_from_who_is_listed() {
    let (pop, _) = Hub::new();
    pop.put(zone(5, []));
    let mut settings = settings("192.0.2.1:53".parse().unwrap());
    settings.zones[0].notify = Allowed(vec![crate::transfer::notify::AllowedSource {
        prefix: "198.51.100.0/24".parse().unwrap(),
        keys: vec![],
        encrypted: false,
    }]);
    let secondary = Secondary::start(settings, pop, Default::default()).unwrap();
    let handle = secondary.handle();
    let notify = |zone: &str, source: &str| {
        let message = crate::transfer::notify::request(7, &name(zone), (60, &soa(6).rdata));
        handle.notify(&message, source.parse().unwrap()).map(|response| response[3] & 0xf)
    };
    assert_eq!(notify("example.", "192.0.2.1"), Some(0));
    assert_eq!(notify("example.", "198.51.100.9"), Some(0));
    assert_eq!(notify("example.", "203.0.113.1"), Some(5));
    assert_eq!(notify("other.", "192.0.2.1"), Some(9));
    assert_eq!(handle.notify(b"no message", "192.0.2.1".parse().unwrap()), None);
}

#[test]
fn settings_that_name_what_is_not_there_are_refused() {
    let (pop, _) = Hub::new();
    let mut none = settings("192.0.2.1:53".parse().unwrap());
    none.zones[0].primaries.clear();
    let error = Secondary::start(none, pop.clone(), Default::default()).unwrap_err();
    assert_eq!(error.to_string(), "the zone example. has no primary");
    let mut no_key = settings("192.0.2.1:53".parse().unwrap());
    no_key.zones[0].primaries[0].key = Some(name("k."));
    let error = Secondary::start(no_key, pop, Default::default()).unwrap_err();
    assert!(error.to_string().contains("no [[key]] defines"), "{error}");
}
