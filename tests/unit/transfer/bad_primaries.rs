//! Primaries that send what they must not, to a secondary that serves a version: it stays, the reason is named, and nothing waits for
//! ever. What helps is done: the whole zone where differences are wrong.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::slice::from_ref;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::*;
use crate::clock::unix_now;
use crate::test_support::counted_records::counted_records;
use crate::transfer::hub::{By, Hub, a, name, record, soa, zone};
use crate::transfer::notify::Allowed;
use crate::transfer::refresh::{Bounds, Saved};
use crate::transfer::tsig::{Algorithm, Key, Keys, verify_request};
use crate::wire::{RecordType, Serial};
use crate::zone::Record;

/// How long anything may take on a busy machine.
const BOUND: Duration = Duration::from_secs(20);
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// What a primary says to a transfer query, message by message.
type Answer = Box<dyn Fn(&[u8], RecordType) -> Vec<Vec<u8>> + Send>;

/// A response with the question and these records, without compression.
fn message(query: &[u8], kind: RecordType, records: &[Record]) -> Vec<u8> {
    let mut octets = vec![query[0], query[1], 0x84, 0, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
    octets.extend([name("example.").as_wire(), &kind.0.to_be_bytes(), &[0, 1]].concat());
    for it in records {
        octets.extend(it.owner.as_wire());
        octets.extend([it.record_type.0.to_be_bytes(), [0, 1]].concat());
        octets.extend(it.ttl.to_be_bytes());
        octets.extend((it.rdata.len() as u16).to_be_bytes());
        octets.extend(&it.rdata);
    }
    octets
}

fn ns() -> Record {
    record("example.", RecordType::NS, name("ns.example.").as_wire())
}

/// The whole zone with serial 6.
fn good(query: &[u8]) -> Vec<u8> {
    message(query, RecordType::AXFR, &[soa(6), ns(), a("a.example.", 1), a("b.example.", 2), soa(6)])
}

/// Whether messages are signed, and with which key.
#[derive(Clone)]
enum Signs {
    Nothing,
    With(Arc<Keys>),
}

impl Signs {
    fn sign(&self, query: &[u8], messages: &mut [Vec<u8>]) {
        let Self::With(keys) = self else { return };
        // A query whose signature is wrong is answered without one.
        if let Ok(Some(mut replies)) = verify_request(query, keys, unix_now()) {
            messages.iter_mut().for_each(|message| replies.sign(message, unix_now()));
        }
    }
}

/// A primary that has serial 6 by its SOA record, and sends what `answer` says.
fn primary(signs: Signs, answer: Answer) -> SocketAddr {
    primary_that(signs, answer, false)
}

/// The same; it may leave connections open when it has answered.
fn primary_that(signs: Signs, answer: Answer, holds: bool) -> SocketAddr {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind((LOOPBACK, 0)).unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            break (tcp, udp);
        }
    };
    let address = tcp.local_addr().unwrap();
    let for_soa = signs.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let query = &buffer[..length];
            let mut response = [message(query, RecordType::SOA, &[soa(6)])];
            for_soa.sign(query, &mut response);
            let _ = udp.send_to(&response[0], from);
        }
    });
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = tcp.accept() {
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut query).unwrap();
            let at = 12 + name("example.").as_wire().len();
            let kind = RecordType(u16::from_be_bytes([query[at], query[at + 1]]));
            let mut messages = answer(&query, kind);
            signs.sign(&query, &mut messages);
            for message in messages {
                let _ = stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat());
            }
            held.extend(holds.then_some(stream));
        }
    });
    address
}

pub(super) fn settings(address: SocketAddr, keys: Option<Keys>) -> SecondarySettings {
    let key = keys.as_ref().map(|_| name("key."));
    let zone = SecondaryZone {
        name: name("example."),
        primaries: vec![PrimaryServer { address, key, tls: None }],
        notify: Allowed::default(),
        expired: OnExpiry::default(),
    };
    // The zone is asked for once: the next try is far away.
    let bounds = Bounds { first_retry: Duration::from_secs(3600), ..Bounds::default() };
    SecondarySettings {
        zones: vec![zone],
        keys: Arc::new(keys.unwrap_or_default()),
        management: vec![LOOPBACK],
        bounds,
        silence: Duration::from_secs(2),
        ..SecondarySettings::default()
    }
}

/// A secondary that serves serial 5, once it is as `wanted`.
/// Timers of a build that kept nothing of who gave the version: the primary is believed to have it. It expired long ago, so that the primary is
/// asked at once.
fn believed() -> SecondaryContext {
    let saved = Saved { checked: Some(1), due: 2, saved: 2, ..Saved::default() };
    SecondaryContext { saved: [(name("example."), saved)].into(), ..SecondaryContext::default() }
}

fn run(
    settings: SecondarySettings,
    wanted: impl Fn(&ZoneReport) -> bool,
) -> (ZoneReport, Arc<Hub>, Receiver<(Serial, By)>) {
    let (pop, served) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    let secondary = Secondary::start(settings, pop.clone(), believed()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        loop {
            let report = secondary.handle().report().await.unwrap().pop();
            if let Some(report) = report.filter(&wanted) {
                break report;
            }
            tokio::task::yield_now().await;
        }
    });
    (report, pop, served)
}

fn stays_and_says(signs: Signs, keys: Option<Keys>, answer: Answer, part: &str) {
    let (report, pop, served) =
        run(settings(primary(signs, answer), keys), |report| report.status.failures > 0);
    let error = report.last_error.unwrap().1;
    assert!(error.contains(part), "{part:?}: {error}");
    assert!(served.try_recv().is_err(), "{part}: something was served");
    assert_eq!(pop.records(), zone(5, [a("a.example.", 1)]).records().collect::<Vec<_>>(), "{part}");
    assert!(report.diverged.is_none());
}

#[test]
fn one_soa_record_in_place_of_differences_is_not_waited_behind_for_long() {
    for holds in [true, false] {
        let answer: Answer = Box::new(|query, kind| match kind {
            RecordType::AXFR => vec![good(query)],
            kind => vec![message(query, kind, &[soa(6)])],
        });
        let settings = settings(primary_that(Signs::Nothing, answer, holds), None);
        let (silence, follows) = (2 * BOUND, Duration::from_millis(200));
        let settings = SecondarySettings { silence, rate_window: silence, follows, ..settings };
        let begun = std::time::Instant::now();
        let (_, _, served) = run(settings, |report| report.status.serial == Some(Serial(6)));
        assert_eq!(served.recv_timeout(BOUND), Ok((Serial(6), By::Whole)), "{holds}");
        assert!(begun.elapsed() < BOUND, "{holds}");
    }
}

#[test]
fn whole_zones_that_are_none_leave_the_old_version_in_service() {
    let outside = || a("www.example.net.", 1);
    let cases: Vec<(Answer, &str)> = vec![
        (
            Box::new(|query, kind| vec![message(query, kind, &[soa(6), ns(), a("a.example.", 1)])]),
            "without the SOA record at the end",
        ),
        (
            Box::new(move |query, kind| vec![message(query, kind, &[soa(6), ns(), outside(), soa(6)])]),
            "is not in the zone",
        ),
        (
            Box::new(|query, kind| vec![message(query, kind, &[soa(6), ns(), soa(7)])]),
            "SOA record at the end has serial 7",
        ),
        (Box::new(|query, kind| vec![message(query, kind, &[soa(6), soa(6)])]), "NS"),
        // The second message first.
        (
            Box::new(|query, kind| {
                vec![
                    message(query, kind, &[a("a.example.", 1), soa(6)]),
                    message(query, kind, &[soa(6), ns()]),
                ]
            }),
            "not the SOA record",
        ),
        (
            Box::new(|query, kind| vec![message(query, kind, &[soa(6), ns(), soa(6), a("a.example.", 1)])]),
            "records follow",
        ),
        // A name that points to itself.
        (
            Box::new(|query, kind| {
                let mut octets = message(query, kind, &[soa(6), ns()]);
                octets[7] = 3;
                let here = octets.len() as u16;
                octets.extend((0xc000 | here).to_be_bytes());
                octets.extend([0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]);
                vec![octets]
            }),
            "record 3 of message 1",
        ),
        (
            Box::new(|query, kind| {
                let mut octets = message(query, kind, &[soa(6), ns(), soa(6)]);
                octets[13] = b'X';
                vec![octets]
            }),
            "was not asked",
        ),
    ];
    for (answer, part) in cases {
        stays_and_says(Signs::Nothing, None, answer, part);
    }
}

#[test]
fn a_zone_that_takes_more_memory_than_there_is_is_broken_off() {
    let answer: Answer = Box::new(|query, kind| {
        let part = |number: u32| {
            let own = |it: u32| a(&format!("h{number}-{it}.example."), 1);
            message(query, kind, &(0..200).map(own).collect::<Vec<_>>())
        };
        let first = message(query, kind, &[soa(6), ns()]);
        let last = message(query, kind, &[soa(6)]);
        [first].into_iter().chain((0..400).map(part)).chain([last]).collect()
    });
    let address = primary(Signs::Nothing, answer);
    let little = SecondarySettings { memory: Some(0), ..settings(address, None) };
    let (report, pop, served) = run(little, |report| report.status.failures > 0);
    let error = report.last_error.unwrap().1;
    assert!(error.contains("transfer.most-memory"), "{error}");
    assert!(served.try_recv().is_err());
    assert_eq!(pop.records().len(), 3);
    // The same zone where there is memory.
    let (_, pop, _) = run(settings(address, None), |report| report.status.serial == Some(Serial(6)));
    assert_eq!(pop.records().len(), 2 + 200 * 400);
}

#[test]
fn a_zone_with_far_more_records_than_are_served_is_broken_off() {
    let answer: Answer = Box::new(|query, _| vec![good(query)]);
    let address = primary(Signs::Nothing, answer);
    let limits = crate::transfer::message::Limits { records: Some(4), ..Default::default() };
    let few = SecondarySettings { limits, ..settings(address, None) };
    let (report, _, served) = run(few, |report| report.status.failures > 0);
    assert!(report.last_error.unwrap().1.contains("4 records"), "it is named");
    assert!(served.try_recv().is_err());
}

#[test]
fn refused_notifies_of_one_source_are_few_records_of_the_log() {
    let (pop, _) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    let secondary = Secondary::start(settings((LOOPBACK, 1).into(), None), pop, Default::default()).unwrap();
    let mut notify = vec![7, 8, 4 << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    notify.extend([name("example.").as_wire(), &[0, 6, 0, 1]].concat());
    let records = counted_records(|| {
        for _ in 0..500 {
            let stranger = IpAddr::from([192, 0, 2, 77]);
            assert_eq!(secondary.handle().notify(&notify, stranger).expect("a response")[3] & 0xf, 5);
        }
    });
    assert!((1..20).contains(&records), "{records} records");
}

fn keys(secret: &[u8], octets: usize) -> Keys {
    let key = Key::new(name("key."), Algorithm::Sha256, secret).unwrap().truncated(octets).unwrap();
    Keys::new([key]).unwrap()
}

#[test]
fn signatures_that_are_wrong_or_missing_leave_the_old_version_in_service() {
    let answer = || -> Answer { Box::new(|query, _| vec![good(query)]) };
    let ours = || Some(keys(b"secret", 32));
    // Nothing is signed.
    let (report, _, served) =
        run(settings(primary(Signs::Nothing, answer()), ours()), |report| report.status.failures > 0);
    assert!(served.try_recv().is_err());
    assert!(report.last_error.unwrap().1.contains("is not signed with the key"), "named");
    // Another secret, and a MAC that is cut shorter than the key allows.
    for other in [keys(b"other", 32), keys(b"secret", 16)] {
        let signs = Signs::With(Arc::new(other));
        let (report, pop, served) =
            run(settings(primary(signs, answer()), ours()), |report| report.status.failures > 0);
        assert!(served.try_recv().is_err());
        assert_eq!(pop.records().len(), 3);
        assert!(!report.last_error.unwrap().1.is_empty());
    }
    // The right one.
    let signs = Signs::With(Arc::new(keys(b"secret", 32)));
    let (_, pop, _) =
        run(settings(primary(signs, answer()), ours()), |report| report.status.serial == Some(Serial(6)));
    assert_eq!(pop.records().len(), 4);
}

/// What comes by IXFR, from 5 to 6; AXFR has no fault.
fn wrong_differences(records: Vec<Record>, part: &str) -> ZoneReport {
    let answer: Answer = Box::new(move |query, kind| match kind {
        RecordType::IXFR => vec![message(query, kind, &records)],
        _ => vec![good(query)],
    });
    let address = primary(Signs::Nothing, answer);
    let (report, pop, served) =
        run(settings(address, None), |report| report.status.serial == Some(Serial(6)));
    assert_eq!(served.recv_timeout(Duration::from_secs(20)).unwrap(), (Serial(6), By::Whole), "{part}");
    let error = report.last_error.clone().unwrap().1;
    assert!(error.contains(part), "{part:?}: {error}");
    assert_eq!(pop.records().len(), 4);
    report
}

#[test]
fn differences_that_are_wrong_are_followed_by_the_whole_zone() {
    let (five, six) = (soa(5), soa(6));
    let b = a("b.example.", 2);
    let steps = |middle: &[Record]| [from_ref(&six), middle, from_ref(&six)].concat();
    let outside = steps(&[five.clone(), six.clone(), a("www.example.net.", 1)]);
    assert!(wrong_differences(outside, "is not in the zone").diverged.is_none());
    // From a version that is not served here.
    let gap = steps(&[soa(4), six.clone(), b.clone()]);
    assert!(wrong_differences(gap, "").diverged.is_none());
    let back = steps(&[five.clone(), soa(4), b.clone(), soa(4), six.clone()]);
    assert!(wrong_differences(back, "back to 4").diverged.is_none());
    let past = steps(&[five.clone(), soa(7), b.clone()]);
    assert!(wrong_differences(past, "past 6").diverged.is_none());
    // A record that is deleted is not there: both were the same by their serial alone.
    let absent = steps(&[five, a("gone.example.", 9), six.clone(), b]);
    let report = wrong_differences(absent, "the differences are to other content than there is here");
    let diverged = report.diverged.expect("it is told");
    assert_eq!((diverged.serial, report.primaries), (Serial(5), vec![diverged.primary]));
}

/// A primary whose differences delete a record that is not served, from 5 to 6.
fn diverging() -> SocketAddr {
    let steps = [soa(6), soa(5), a("gone.example.", 9), soa(6), a("b.example.", 2), soa(6)];
    let answer = move |query: &[u8], kind| match kind {
        RecordType::IXFR => vec![message(query, kind, &steps)],
        _ => vec![good(query)],
    };
    primary(Signs::Nothing, Box::new(answer))
}

/// What a secondary tells once it is so.
pub(super) fn told(secondary: &Secondary, wanted: impl Fn(&ZoneReport) -> bool) -> ZoneReport {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        loop {
            let report = secondary.handle().report().await.unwrap().into_iter().next();
            match report.filter(&wanted) {
                Some(report) => return report,
                None => tokio::task::yield_now().await,
            }
        }
    })
}

/// Only an order, or what resolves it, ends it: no restart does.
#[test]
fn other_content_under_the_same_serial_is_told_after_a_restart() {
    let address = diverging();
    let (pop, _served) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    let secondary = Secondary::start(settings(address, None), pop.clone(), believed()).unwrap();
    let first = told(&secondary, |report| report.status.serial == Some(Serial(6)));
    let diverged = first.diverged.expect("it is told");
    // It is kept without waiting for the end of the process.
    let kept = || pop.kept.lock().unwrap().iter().rev().find_map(|(_, timers)| timers.as_ref()?.diverged);
    crate::test_support::wait::wait_until("it is kept", Duration::from_secs(20), || kept().is_some());
    drop(secondary);
    let saved = pop.kept.lock().unwrap().last().cloned().unwrap().1.unwrap();
    let context = SecondaryContext { saved: [(name("example."), saved)].into(), ..Default::default() };
    let secondary = Secondary::start(settings(address, None), pop.clone(), context).unwrap();
    let again =
        told(&secondary, |report| report.status.serial == Some(Serial(6))).diverged.expect("it is told");
    assert_eq!((again.primary, again.serial), (diverged.primary, Serial(5)));
    // An operator has looked, and has the zone transferred whole.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let order = crate::transfer::refresh::Order::Retransfer;
    runtime.block_on(secondary.handle().order(None, order)).unwrap();
    told(&secondary, |report| report.diverged.is_none());
    let is_resolved = || {
        pop.kept
            .lock()
            .unwrap()
            .last()
            .is_some_and(|(_, timers)| timers.is_some_and(|it| it.diverged.is_none()))
    };
    crate::test_support::wait::wait_until("that is kept", Duration::from_secs(20), is_resolved);
}

#[test]
fn a_primary_that_refuses_differences_is_asked_for_the_whole_zone() {
    // REFUSED, NOTAUTH: of a primary that gives AXFR, or of what stands before it.
    for rcode in [5, 9] {
        let answer = move |query: &[u8], kind| match kind {
            RecordType::IXFR => {
                let mut refusal = message(query, kind, &[]);
                refusal[3] |= rcode;
                vec![refusal]
            }
            _ => vec![good(query)],
        };
        let address = primary(Signs::Nothing, Box::new(answer));
        let (report, ..) = run(settings(address, None), |report| report.status.serial == Some(Serial(6)));
        assert!(report.last_transfer.unwrap().whole);
    }
}

#[test]
fn a_flood_of_notifies_costs_few_queries_and_no_memory() {
    const FLOOD: u32 = 100_000;
    let udp = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let address = udp.local_addr().unwrap();
    let queries = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = queries.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let _ = udp.send_to(&message(&buffer[..length], RecordType::SOA, &[soa(5)]), from);
        }
    });
    let (pop, served) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    let secondary = Secondary::start(settings(address, None), pop, Default::default()).unwrap();
    let handle = secondary.handle();
    let mut notify = vec![7, 8, 4 << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    notify.extend([name("example.").as_wire(), &[0, 6, 0, 1]].concat());
    let begun = std::time::Instant::now();
    let mut rcodes = [0_u32; 16];
    for _ in 0..FLOOD {
        let response = handle.notify(&notify, LOOPBACK).expect("a NOTIFY is answered");
        rcodes[usize::from(response[3] & 0xf)] += 1;
    }
    // Each is taken, or the sender hears to try again when the queue is full.
    assert_eq!(rcodes[0] + rcodes[2], FLOOD, "{rcodes:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(handle.report()).unwrap().remove(0);
    assert_eq!(report.status.serial, Some(Serial(5)));
    let asked = queries.load(std::sync::atomic::Ordering::SeqCst);
    let most = 51 * (begun.elapsed().as_secs() as u32 + 2);
    println!("{FLOOD} NOTIFYs: {asked} queries, {} to be sent again, {:?}", rcodes[2], begun.elapsed());
    assert!(asked <= most, "{asked} queries, {most} at most");
    assert!(served.try_recv().is_err());
}
