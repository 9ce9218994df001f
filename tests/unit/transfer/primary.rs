//! A primary and a secondary of this crate over loopback; requests that are refused.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::*;
use crate::test_support::wait::wait_until;
use crate::transfer::hub::{By, Hub, a, difference, name, record, zone};
use crate::transfer::message::{Asked, Limits, Outcome, Progress, TransferReader};
use crate::transfer::notify::{Allowed, AllowedSource, Target};
use crate::transfer::secondary::{self, Secondary, SecondaryZone};
use crate::transfer::tsig::{Algorithm, Exchange, Key, Keys};
use crate::wire::{RecordType, Serial};

#[path = "expire.rs"]
mod expire;
#[path = "large_record.rs"]
mod large_record;
#[path = "notify_out.rs"]
mod notify_out;
#[path = "updates_in.rs"]
mod updates_in;

/// How long anything may take on a busy machine.
const BOUND: Duration = Duration::from_secs(20);
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn keys() -> Arc<Keys> {
    let key = |text, algorithm| Key::new(name(text), algorithm, b"a secret").unwrap();
    Arc::new(Keys::new([key("old.", Algorithm::Sha256), key("new.", Algorithm::Sha512)]).unwrap())
}

fn allowed(keys: &[&str]) -> Allowed {
    let keys = keys.iter().map(|key| name(key)).collect();
    Allowed(vec![AllowedSource { prefix: "127.0.0.0/8".parse().unwrap(), keys, encrypted: false }])
}

fn settings(keys_asked: &[&str]) -> PrimarySettings {
    PrimarySettings {
        listen: vec![SocketAddr::new(LOOPBACK, 0)],
        keys: keys(),
        allowed: allowed(keys_asked),
        management: vec![LOOPBACK],
        ..PrimarySettings::default()
    }
}

/// A secondary of `example.` at this primary, and a primary that listens for its NOTIFYs.
fn secondary(primary: SocketAddr, key: Option<&str>, sink: &Arc<Hub>) -> (Secondary, Primary) {
    let key = key.map(name);
    let zone = SecondaryZone {
        name: name("example."),
        primaries: vec![secondary::PrimaryServer { address: primary, key, tls: None }],
        notify: Allowed::default(),
        expired: secondary::OnExpiry::default(),
    };
    let settings_in = secondary::SecondarySettings {
        zones: vec![zone],
        keys: keys(),
        management: vec![LOOPBACK],
        ..secondary::SecondarySettings::default()
    };
    let secondary = Secondary::start(settings_in, sink.clone(), Default::default()).unwrap();
    let listener = Primary::start(settings(&[]), sink.clone(), Some(secondary.handle())).unwrap();
    (secondary, listener)
}

fn next(served: &Receiver<(Serial, By)>) -> (u32, By) {
    let (serial, by) = served.recv_timeout(BOUND).expect("a version within the bound");
    (serial.0, by)
}

#[test]
fn a_zone_comes_whole_and_then_by_differences_after_a_notify() {
    for (asked, key) in
        [(&[][..], None), (&["old.", "new."], Some("old.")), (&["old.", "new."], Some("new."))]
    {
        let (hub, _) = Hub::new();
        hub.put(zone(5, (0..2000).map(|it| a(&format!("h{it}.example."), 1))));
        let (pop, served) = Hub::new();
        // The listener of the secondary is not known before it runs: the hub is started again with it as its target.
        let first = Primary::start(settings(asked), hub.clone(), None).unwrap();
        let (running, listener) = secondary(first.addresses()[0], key, &pop);
        assert_eq!(next(&served), (5, By::Whole));
        assert_eq!(pop.records(), hub.records());
        let target = Target { address: listener.addresses()[0], key: key.map(name) };
        let telling = PrimarySettings { listen: vec![], notify: vec![target], ..settings(asked) };
        let telling = Primary::start(telling, hub.clone(), None).unwrap();
        for serial in 6..9_u8 {
            let (old, new) = (serial - 1, serial);
            let at = "h7.example.";
            let gone = if serial == 6 { vec![a(at, 1)] } else { vec![a(at, old)] };
            hub.apply(difference(old.into(), new.into(), &gone, &[a(at, new)])).unwrap();
            assert!(telling.changed(name("example.")));
            assert_eq!(next(&served), (serial.into(), By::Differences));
            assert_eq!(pop.records(), hub.records());
        }
        // The secondary asks with what it serves once more, or is told that it has the newest: noted behind the answer.
        let what_is_seen =
            || first.seen().list().iter().map(|it| (it.asked, it.serial, it.sent_serial)).collect::<Vec<_>>();
        wait_until("the primary has noted the last transfer", BOUND, || {
            what_is_seen() == [(AskedFor::Ixfr, Some(Serial(7)), Some(Serial(8)))]
        });
        drop((running, listener));
    }
}

#[test]
fn what_the_history_does_not_reach_comes_whole_and_a_refused_version_is_not_asked_for_again() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, [a("a.example.", 1)]));
    let (pop, served) = Hub::new();
    pop.put(zone(3, [a("old.example.", 1)]));
    let primary = Primary::start(settings(&[]), hub.clone(), None).unwrap();
    let (running, _listener) = secondary(primary.addresses()[0], None, &pop);
    assert_eq!(next(&served), (5, By::Whole));
    assert_eq!(pop.records(), hub.records());
    pop.refuse(Serial(6));
    hub.put(zone(6, [a("a.example.", 2)]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let order = crate::transfer::refresh::Order::Refresh;
        running.handle().order(Some(name("example.")), order).await.unwrap();
        let report = loop {
            let report = running.handle().report().await.unwrap().remove(0);
            if report.status.refused.is_some() {
                break report;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((report.status.refused, report.status.serial), (Some(Serial(6)), Some(Serial(5))));
        assert!(report.last_error.unwrap().1.contains("the test refuses it"));
        let saved = running.handle().save().await.unwrap();
        assert!(saved[0].1.checked.is_some());
    });
    assert!(served.try_recv().is_err());
}

/// Sends a request over TCP and reads the first response.
fn ask(address: SocketAddr, message: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], message].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut response = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut response).ok()?;
    Some(response)
}

#[test]
fn requests_that_are_not_allowed_are_refused_with_the_reason_in_the_rcode() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, []));
    let primary = Primary::start(settings(&["old."]), hub.clone(), None).unwrap();
    let address = primary.addresses()[0];
    let asked = |zone: &str, record_type| Asked { zone: name(zone), id: 9, record_type };
    let rcode = |message: &[u8]| ask(address, message).unwrap()[3] & 0xf;
    assert_eq!(rcode(&asked("example.", RecordType::AXFR).query(None)), 5);
    assert_eq!(rcode(&asked("other.", RecordType::AXFR).query(None)), 9);
    assert_eq!(rcode(&asked("example.", RecordType::A).query(None)), 5);
    assert_eq!(rcode(&crate::transfer::notify::request(1, &name("example."), (0, &[]))), 4);
    let signed = |key: &str, mut message: Vec<u8>| {
        let exchange =
            Exchange::sign(&mut message, keys().get(&name(key)).unwrap(), crate::clock::unix_now());
        (message, exchange)
    };
    // IXFR without a serial.
    let (message, mut exchange) = signed("old.", asked("example.", RecordType::IXFR).query(None));
    let response = ask(address, &message).unwrap();
    exchange.verify(&response, crate::clock::unix_now()).unwrap();
    assert_eq!(response[3] & 0xf, 1);
    // A key that is known, but not for this.
    let (message, mut exchange) = signed("new.", asked("example.", RecordType::AXFR).query(None));
    let response = ask(address, &message).unwrap();
    exchange.verify(&response, crate::clock::unix_now()).unwrap();
    assert_eq!(response[3] & 0xf, 5);
    // A signature that is wrong.
    let (mut message, _) = signed("old.", asked("example.", RecordType::AXFR).query(None));
    message[1] ^= 1;
    let at = message.len() - 5;
    message[at] ^= 1;
    let last = message.len() - 30;
    message[last] ^= 1;
    assert_eq!(ask(address, &message).unwrap()[3] & 0xf, 9);
    assert_eq!(ask(address, &[0; 5]), None);
    // The zone, signed.
    let (message, mut exchange) = signed("old.", asked("example.", RecordType::AXFR).query(None));
    let response = ask(address, &message).unwrap();
    exchange.verify(&response, crate::clock::unix_now()).unwrap();
    exchange.finish().unwrap();
    let mut reader = TransferReader::new(asked("example.", RecordType::AXFR), None, Limits::default());
    assert!(matches!(reader.feed(&response), Ok(Progress::Done(Outcome::Whole { .. }))));
}

#[test]
fn over_udp_there_is_the_soa_record_and_no_axfr() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, []));
    let primary = Primary::start(settings(&[]), hub.clone(), None).unwrap();
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.connect(primary.addresses()[0]).unwrap();
    let ask = |record_type, from| {
        let asked = Asked { zone: name("example."), id: 9, record_type };
        socket.send(&asked.query(from)).unwrap();
        let mut buffer = [0; 4096];
        let octets = socket.recv(&mut buffer).unwrap();
        buffer[..octets].to_vec()
    };
    let soa = ask(RecordType::SOA, None);
    assert_eq!((soa[3] & 0xf, soa[7]), (0, 1));
    let ixfr = ask(RecordType::IXFR, Some(Serial(3)));
    assert_eq!((ixfr[3] & 0xf, ixfr[7]), (0, 1));
    assert_eq!(ask(RecordType::AXFR, None)[3] & 0xf, 1);
}

#[test]
fn a_client_has_so_many_connections_and_no_more() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, []));
    let few = PrimarySettings { connections_per_client: 2, ..settings(&[]) };
    let primary = Primary::start(few, hub.clone(), None).unwrap();
    let query = Asked { zone: name("example."), id: 9, record_type: RecordType::SOA }.query(None);
    let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
    let open = || {
        let mut stream = TcpStream::connect(primary.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let sent = stream.write_all(&framed);
        let mut length = [0; 2];
        let is_answered = sent.is_ok() && stream.read_exact(&mut length).is_ok();
        (stream, is_answered)
    };
    let kept = [open(), open()];
    assert!(kept.iter().all(|(_, is_answered)| *is_answered));
    assert!(!open().1);
}

/// A client at one of the addresses of the host.
struct ClientAt([u8; 4]);

impl ClientAt {
    /// A connection on which an answer has begun; `None` if it was closed.
    fn open(&self, address: SocketAddr, message: &[u8]) -> Option<TcpStream> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            // What this side does not read stays with the other side.
            socket.set_recv_buffer_size(4096).unwrap();
            socket.bind((IpAddr::from(self.0), 0).into()).unwrap();
            socket.connect(address).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let framed = [&(message.len() as u16).to_be_bytes()[..], message].concat();
        (&stream).write_all(&framed).ok()?;
        (&stream).read_exact(&mut [0; 2]).ok()?;
        Some(stream)
    }
}

#[test]
fn strangers_leave_connections_to_those_whom_a_list_names() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, []));
    let prefix = "127.0.0.2/32".parse().unwrap();
    let allowed = Allowed(vec![AllowedSource { prefix, keys: vec![], encrypted: false }]);
    let few = PrimarySettings { connections: 4, allowed, ..settings(&[]) };
    let primary = Primary::start(few, hub.clone(), None).unwrap();
    let address = primary.addresses()[0];
    let query = Asked { zone: name("example."), id: 9, record_type: RecordType::SOA }.query(None);
    let strangers: Vec<_> = (0..4).filter_map(|_| ClientAt([127, 0, 0, 1]).open(address, &query)).collect();
    assert!(!strangers.is_empty(), "a stranger hears REFUSED");
    assert!(ClientAt([127, 0, 0, 2]).open(address, &query).is_some());
}

/// A zone that fills the buffers of any connection.
fn large_zone(hub: &Hub) {
    let text: Vec<u8> = [&[255][..], &[b'x'; 255]].concat().repeat(230);
    let texts = (0..400).map(|it| record(&format!("t{it}.example."), RecordType::TXT, &text));
    hub.put(zone(5, texts));
}

#[test]
fn a_client_that_does_not_read_holds_its_own_share_of_the_transfers() {
    let (hub, _) = Hub::new();
    large_zone(&hub);
    let few = PrimarySettings { transfers: 2, transfers_per_client: 1, ..settings(&[]) };
    let primary = Primary::start(few, hub.clone(), None).unwrap();
    let address = primary.addresses()[0];
    let query = Asked { zone: name("example."), id: 9, record_type: RecordType::AXFR }.query(None);
    let slow = ClientAt([127, 0, 0, 1]).open(address, &query).unwrap();
    let mut second = TcpStream::connect(address).unwrap();
    second.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
    assert!(ClientAt([127, 0, 0, 2]).open(address, &query).is_some());
    // The turn of the first is over: the second of the same client begins.
    drop(slow);
    second.set_read_timeout(Some(BOUND)).unwrap();
    second.read_exact(&mut [0; 2]).unwrap();
}

#[test]
fn a_transfer_ends_that_takes_too_long() {
    let (hub, _) = Hub::new();
    large_zone(&hub);
    let short = PrimarySettings { longest: Duration::ZERO, ..settings(&[]) };
    let primary = Primary::start(short, hub.clone(), None).unwrap();
    let query = Asked { zone: name("example."), id: 9, record_type: RecordType::AXFR }.query(None);
    let mut stream = ClientAt([127, 0, 0, 1]).open(primary.addresses()[0], &query).unwrap();
    let mut octets = Vec::new();
    // It may be reset, because not all was read.
    let _ = stream.read_to_end(&mut octets);
    assert!(octets.len() < 400 * 60_000, "{} octets", octets.len());
}

/// Says how many octets each update has, but for those of so many, which are copies of others.
struct Counting;
const UNANSWERED: usize = 13;

#[async_trait::async_trait]
impl Updates for Counting {
    async fn answer(&self, message: Vec<u8>, client: IpAddr) -> Option<Vec<u8>> {
        assert_eq!(client, LOOPBACK);
        (message.len() != UNANSWERED)
            .then(|| [&message[..12], &(message.len() as u16).to_be_bytes()].concat())
    }
}

/// A message with the opcode UPDATE.
fn update(octets: usize) -> Vec<u8> {
    let mut message = vec![0; octets];
    message[2] = 5 << 3;
    message
}

#[test]
fn updates_go_to_who_takes_them_and_are_limited_by_client() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, []));
    // Nobody takes them: NOTIMP.
    let without = Primary::start(settings(&[]), hub.clone(), None).unwrap();
    assert_eq!(ask(without.addresses()[0], &update(12)).unwrap()[3] & 0xf, 4);
    let few = PrimarySettings { updates_per_second: std::num::NonZeroU32::new(3).unwrap(), ..settings(&[]) };
    let receivers = || Receivers { secondary: None, updates: Some(Arc::new(Counting)) };
    let start = || Primary::start(few.clone(), hub.clone(), receivers()).unwrap();
    // Over UDP, of any length; SOA queries are answered all the same.
    let over_udp = start();
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.connect(over_udp.addresses()[0]).unwrap();
    let received = || {
        let mut buffer = [0; 4096];
        let octets = socket.recv(&mut buffer).unwrap();
        buffer[..octets].to_vec()
    };
    for octets in [12, 5000, 60_000_u16] {
        socket.send(&update(octets.into())).unwrap();
        assert_eq!(received()[12..], octets.to_be_bytes());
    }
    // One more than a second may have is dropped: the query behind it is answered first. (The burst may have been refilled by one.)
    (0..5).for_each(|_| assert_eq!(socket.send(&update(20)).unwrap(), 20));
    let query = Asked { zone: name("example."), id: 9, record_type: RecordType::SOA }.query(None);
    socket.send(&query).unwrap();
    let answered = std::iter::from_fn(|| Some(received())).take_while(|message| message[2] == 5 << 3).count();
    assert!(answered < 5, "{answered} of 5 updates beyond the limit were done");
    // Over TCP those beyond the limit wait: three at once, then three a second.
    let (over_tcp, begun) = (start(), std::time::Instant::now());
    let answers: Vec<bool> = (0..8).map(|_| ask(over_tcp.addresses()[0], &update(30)).is_some()).collect();
    assert!(answers.iter().all(|is_answered| *is_answered), "{answers:?}");
    assert!(begun.elapsed() >= Duration::from_millis(1600), "{:?}", begun.elapsed());
}

/// Prints how long a large zone takes over loopback, whole and ten records of it: from the order or the change until it is served.
#[test]
#[ignore = "measures: cargo test --release --lib measured_transfer -- --ignored --nocapture, on a quiet machine"]
fn measured_transfer_of_a_large_zone() {
    let records: u32 =
        std::env::var("ANYNS_TRANSFER_RECORDS").map_or(2_600_000, |text| text.parse().unwrap());
    let (hub, _) = Hub::new();
    let host = |it: u32| a(&format!("h{it}.example."), it.to_be_bytes()[3]);
    hub.put(zone(1, (0..records).map(host)));
    let primary = Primary::start(settings(&[]), hub.clone(), None).unwrap();
    let (pop, served) = Hub::new();
    let begun = std::time::Instant::now();
    let (running, listener) = secondary(primary.addresses()[0], None, &pop);
    let (serial, _) = served.recv_timeout(100 * BOUND).unwrap();
    println!("whole, {records} records: {:?} until serial {serial} is served", begun.elapsed());
    let target = Target { address: listener.addresses()[0], key: None };
    let telling = PrimarySettings { listen: vec![], notify: vec![target], ..settings(&[]) };
    let telling = Primary::start(telling, hub.clone(), None).unwrap();
    let mut times = Vec::new();
    for serial in 2..42_u32 {
        let added: Vec<_> = (0..10).map(|it| a(&format!("new{it}-{serial}.example."), 1)).collect();
        hub.apply(difference(serial - 1, serial, &[], &added)).unwrap();
        let begun = std::time::Instant::now();
        telling.changed(name("example."));
        assert_eq!(next(&served), (serial, By::Differences));
        times.push(begun.elapsed());
    }
    times.sort();
    println!(
        "10 records by NOTIFY and IXFR: median {:?}, longest {:?}",
        times[times.len() / 2],
        times[times.len() - 1]
    );
    drop(running);
}

/// Serves an older version to one secondary, the newest to another, and none to a third.
struct Staged {
    hub: Arc<Hub>,
    older: Arc<crate::zone::Zone>,
}

impl Source for Staged {
    fn zone(&self, zone: &crate::wire::Name) -> Option<Arc<crate::zone::Zone>> {
        self.hub.zone(zone)
    }

    fn version_for(
        &self,
        zone: &crate::wire::Name,
        client: IpAddr,
    ) -> Result<Arc<crate::zone::Zone>, NoVersion> {
        let newest = self.zone(zone).ok_or(NoVersion::NotServed)?;
        match client.to_string().as_str() {
            "127.0.0.1" => Ok(newest),
            "127.0.0.2" => Ok(self.older.clone()),
            _ => Err(NoVersion::Withheld),
        }
    }

    fn differences(
        &self,
        zone: &crate::wire::Name,
        from: Serial,
        to: Serial,
    ) -> Option<Vec<Arc<crate::publish::Difference>>> {
        self.hub.differences(zone, from, to)
    }
}

#[test]
fn each_secondary_gets_the_version_that_it_may_have() {
    use super::request::{Answer, Content, Transport, judge};
    let (hub, _) = Hub::new();
    // Enough records that a difference is smaller than the zone (RFC 1995 section 5).
    let more = (0..9).map(|it| a(&format!("h{it}.example."), 1));
    hub.put(zone(5, more.chain([a("a.example.", 1)])));
    let older = hub.zone(&name("example.")).unwrap();
    hub.apply(difference(5, 6, &[a("a.example.", 1)], &[a("a.example.", 2)])).unwrap();
    let source = Staged { hub, older };
    let judged = |client: &str, zone: &str, record_type, from: Option<u32>| {
        let message = Asked { zone: name(zone), id: 9, record_type }.query(from.map(Serial));
        let client: IpAddr = client.parse().unwrap();
        let all = |_: &_, _: Option<&_>, _| allowed(&[]).allows(client, None, false);
        match judge((&message, client, Transport::Tcp), (&Keys::default(), &source), all, 0).0 {
            Answer::Stream(stream) => {
                let kind = match stream.kind {
                    Content::Soa => "SOA",
                    Content::Differences(_) => "differences",
                    Content::Whole => "whole",
                };
                format!("{kind} {}", stream.zone.serial())
            }
            Answer::Message(message) => format!("RCODE {}", message[3] & 0xf),
            Answer::Nothing => "nothing".to_owned(),
        }
    };
    use RecordType as T;
    for (client, record_type, from, wanted) in [
        ("127.0.0.1", T::SOA, None, "SOA 6"),
        ("127.0.0.1", T::AXFR, None, "whole 6"),
        ("127.0.0.1", T::IXFR, Some(5), "differences 6"),
        ("127.0.0.2", T::SOA, None, "SOA 5"),
        ("127.0.0.2", T::AXFR, None, "whole 5"),
        ("127.0.0.2", T::IXFR, Some(5), "SOA 5"),
        ("127.0.0.2", T::IXFR, Some(4), "whole 5"),
        // One that has the newer version already keeps it.
        ("127.0.0.2", T::IXFR, Some(6), "SOA 5"),
        ("127.0.0.3", T::SOA, None, "RCODE 2"),
        ("127.0.0.3", T::AXFR, None, "RCODE 2"),
        ("192.0.2.1", T::SOA, None, "RCODE 5"),
    ] {
        assert_eq!(
            judged(client, "example.", record_type, from),
            wanted,
            "{client} {record_type:?} {from:?}"
        );
    }
    assert_eq!(judged("127.0.0.3", "other.", T::SOA, None), "RCODE 9");
}
