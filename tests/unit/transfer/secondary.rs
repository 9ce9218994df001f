//! Bad primaries: the old version stays, the reason is named, nothing waits for ever.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::unix_now;
use crate::transfer::hub::{Hub, a, name, soa, zone};
use crate::transfer::notify::Allowed;
use crate::transfer::refresh::{Bounds, Saved};
use crate::transfer::writer::{Messages, Reply};
use crate::wire::{RecordType, Serial};
use crate::zone::{Expiry, Zone};

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
    let reply = Reply {
        id,
        name: name("example.").as_wire().to_vec(),
        record_type,
        is_rd: false,
        has_opt: false,
        expire: None,
        room: 0,
    };
    Messages::whole(zone, reply).map(Result::unwrap).collect()
}

fn settings(address: SocketAddr) -> SecondarySettings {
    SecondarySettings {
        silence: Duration::from_millis(300),
        rate_window: Duration::from_secs(1),
        least_rate: 1_000_000,
        ..refused::settings(address)
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
    let limits = crate::transfer::message::Limits { records: Some(100), ..Default::default() };
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

/// A message with this opcode about `zone`, without a signature.
fn message(opcode: u8, zone: &str, record_type: RecordType) -> Vec<u8> {
    let mut message = vec![7, 8, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(name(zone).as_wire());
    message.extend([record_type.0.to_be_bytes(), [0, 1]].concat());
    message
}

#[test]
fn what_comes_to_a_service_address_is_judged_by_its_source() {
    let primary: SocketAddr = "192.0.2.1:53".parse().unwrap();
    let mut settings = settings(primary);
    let signed = SecondaryZone {
        name: name("Signed.example."),
        primaries: vec![PrimaryServer {
            address: "192.0.2.2:53".parse().unwrap(),
            key: Some(name("key.")),
            tls: None,
        }],
        notify: Allowed(vec![crate::transfer::notify::AllowedSource {
            prefix: "198.51.100.0/24".parse().unwrap(),
            keys: vec![],
            encrypted: false,
        }]),
        expired: OnExpiry::Stale,
    };
    settings.zones.push(signed);
    let key =
        crate::transfer::tsig::Key::new(name("key."), crate::transfer::tsig::Algorithm::Sha256, b"secret");
    let key = Arc::new(key.unwrap());
    settings.keys = Arc::new(crate::transfer::tsig::Keys::new([(*key).clone()]).unwrap());
    let (pop, _served) = Hub::new();
    let secondary = Secondary::start(settings, pop, Default::default()).unwrap();
    let handle = secondary.handle();
    let mut output = vec![0; 65_535];
    let mut ask = |octets: &[u8], source: &str| {
        let length = handle.at_service(octets, source.parse().unwrap(), &mut output)?;
        let response = output[..length].to_vec();
        assert_eq!((&response[..2], response[2] & 0x80), (&[7, 8][..], 0x80));
        Some((response[3] & 0xf, response))
    };
    let rcode = |answer: Option<(u8, Vec<u8>)>| answer.map(|(rcode, _)| rcode);
    let notify = |zone: &str| message(4, zone, RecordType::SOA);
    const REFUSED: Option<u8> = Some(5);
    for (zone, source, expected) in [
        ("example.", "192.0.2.1", Some(0)),
        ("EXAMPLE.", "::ffff:192.0.2.1", Some(0)),
        ("example.", "192.0.2.9", REFUSED),
        ("other.", "192.0.2.9", REFUSED),
        ("other.", "192.0.2.1", Some(9)),
        ("example.", "192.0.2.2", REFUSED),
        // Its primary has a key, and this is not signed; who is in the list needs none.
        ("signed.example.", "192.0.2.2", REFUSED),
        ("signed.example.", "198.51.100.7", Some(0)),
    ] {
        assert_eq!(rcode(ask(&notify(zone), source)), expected, "{zone} {source}");
    }
    let mut with_key = notify("signed.example.");
    crate::transfer::tsig::Exchange::sign(&mut with_key, &key, unix_now());
    let (good, response) = ask(&with_key, "192.0.2.2").unwrap();
    assert_eq!((good, response[11]), (0, 1), "signed, too");
    *with_key.last_mut().unwrap() ^= 1;
    assert_ne!(rcode(ask(&with_key, "192.0.2.2")), Some(0));
    assert_eq!(rcode(ask(&with_key, "192.0.2.9")), REFUSED);
    assert_eq!(rcode(ask(&message(4, "example.", RecordType::A), "192.0.2.1")), Some(4));
    // An UPDATE of a secondary zone, and of another; a query, a response, and what is cut short are nothing for it.
    assert_eq!(rcode(ask(&message(5, "example.", RecordType::SOA), "192.0.2.9")), REFUSED);
    assert_eq!(rcode(ask(&message(5, "other.", RecordType::SOA), "192.0.2.9")), None);
    assert_eq!(rcode(ask(&message(0, "example.", RecordType::SOA), "192.0.2.1")), None);
    let mut response = notify("example.");
    response[2] |= 0x80;
    assert_eq!(rcode(ask(&response, "192.0.2.1")), None);
    for cut in 0..notify("example.").len() {
        assert_eq!(rcode(ask(&notify("example.")[..cut], "192.0.2.1")), None, "{cut}");
    }
}

#[test]
fn a_primary_with_a_key_signs_its_notifies_at_every_address_with_any_key_that_is_known() {
    use crate::transfer::tsig::{Algorithm, Exchange, Key, Keys};
    let key = |text: &str| Key::new(name(text), Algorithm::Sha256, text.as_bytes()).unwrap();
    let mut settings = settings("192.0.2.1:53".parse().unwrap());
    settings.zones[0].primaries[0].key = Some(name("old."));
    settings.zones[0].notify = Allowed(vec![crate::transfer::notify::AllowedSource {
        prefix: "192.0.2.64/26".parse().unwrap(),
        keys: vec![],
        encrypted: false,
    }]);
    // One whose entry of the list asks for no key although it is a primary with one.
    let mut unsigned = settings.zones[0].primaries[0].clone();
    unsigned.address = "192.0.2.65:53".parse().unwrap();
    settings.zones[0].primaries.push(unsigned);
    settings.keys = Arc::new(Keys::new([key("old."), key("new.")]).unwrap());
    let (pop, _served) = Hub::new();
    pop.put(zone(5, []));
    let secondary = Secondary::start(settings, pop, Default::default()).unwrap();
    let handle = secondary.handle();
    for (signer, source, expected) in [
        (None, "192.0.2.1", 5),
        (Some("old."), "192.0.2.1", 0),
        // A hub that has begun with the new key already.
        (Some("new."), "192.0.2.1", 0),
        (Some("unknown."), "192.0.2.1", 9),
        (Some("old."), "192.0.2.9", 5),
        (None, "192.0.2.65", 0),
    ] {
        let mut request = crate::transfer::notify::request(7, &name("example."), (60, &soa(6).rdata));
        if let Some(signer) = signer {
            Exchange::sign(&mut request, &Arc::new(key(signer)), unix_now());
        }
        let source: IpAddr = source.parse().unwrap();
        let at_management = handle.notify(&request, source).unwrap();
        let mut output = vec![0; 65_535];
        assert!(handle.at_service(&request, source, &mut output).is_some());
        assert_eq!([at_management[3] & 0xf, output[3] & 0xf], [expected; 2], "{signer:?} of {source}");
    }
}

/// The facts of `example.` once they are so.
fn wait_report(handle: &SecondaryHandle, wanted: impl Fn(&ZoneReport) -> bool) -> ZoneReport {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        loop {
            let reports = handle.report().await.unwrap();
            if let Some(report) =
                reports.into_iter().find(|report| report.zone == name("example.") && wanted(report))
            {
                return report;
            }
            tokio::task::yield_now().await;
        }
    })
}

#[test]
fn an_expired_zone_is_told_at_once_and_its_timers_are_kept_at_the_end() {
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    let (pop, _served) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    // Checked three hours ago, and EXPIRE is less.
    let now = unix_now();
    let saved =
        Saved { checked: Some(now - 11_000), due: now, failures: 3, saved: now - 1, ..Saved::default() };
    let context =
        SecondaryContext { saved: [(name("example."), saved)].into(), ..SecondaryContext::default() };
    let secondary = Secondary::start(settings(closed), pop.clone(), context).unwrap();
    let report = wait_report(&secondary.handle(), |report| report.is_expired);
    assert_eq!((report.expiry, report.status.serial), (Expiry::Expired, Some(Serial(5))));
    while pop.expiry.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(*pop.expiry.lock().unwrap(), [(name("example."), Expiry::Expired)]);
    drop(secondary);
    let kept = pop.kept.lock().unwrap().last().cloned().unwrap();
    let age = kept.1.map(|kept| kept.saved - kept.checked.unwrap()).unwrap();
    assert!((11_000..11_100).contains(&age), "{age}");
}

#[test]
fn a_kept_version_that_comes_into_service_late_is_as_old_as_its_timers_say() {
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    let (now, soa) = (coordinator::now(), coordinator::entry::soa_of(&zone(5, [a("a.example.", 1)])));
    let at = unix_now();
    let saved = Saved { checked: Some(at - 11_000), due: at, failures: 3, saved: at - 1, ..Saved::default() };
    let is_expired = |saved: Option<Saved>| {
        let zone = settings(closed).zones.remove(0);
        let mut entry = coordinator::entry::ZoneEntry::new(zone, 1);
        entry.begin(Bounds::default(), None, None, now);
        entry.serves(now, soa, saved);
        entry.report(now).unwrap().is_expired
    };
    assert_eq!((is_expired(Some(saved)), is_expired(None)), (true, false));
}

/// Waits for so many failures in a row.
fn wait_failures(handle: &SecondaryHandle, failures: u32) -> ZoneReport {
    wait_report(handle, |report| report.status.failures >= failures)
}

#[test]
fn a_zone_that_comes_back_is_as_old_as_it_was() {
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    let (pop, _served) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    let now = unix_now();
    let (checked, due) = (Some(now - 11_000), now);
    let saved = Saved { checked, due, failures: 3, saved: now - 1, ..Saved::default() };
    let context =
        SecondaryContext { saved: [(name("example."), saved)].into(), ..SecondaryContext::default() };
    let secondary = Secondary::start(settings(closed), pop.clone(), context).unwrap();
    let handle = secondary.handle();
    wait_report(&handle, |report| report.is_expired);
    let nothing = SecondarySettings { zones: vec![], ..settings(closed) };
    handle.change(nothing).unwrap();
    handle.change(settings(closed)).unwrap();
    let report = wait_report(&handle, |_| true);
    assert!(report.is_expired, "{report:?}");
    drop(secondary);
    let kept = pop.kept.lock().unwrap().last().cloned().unwrap();
    let age = kept.1.map(|kept| kept.saved - kept.checked.unwrap()).unwrap();
    assert!((11_000..11_100).contains(&age), "{age}");
}

#[test]
fn a_catalog_that_has_not_come_is_awaited_after_its_first_failures() {
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    let catalog = |first_retry, most_retry| SecondarySettings {
        catalogs: [name("example.")].into(),
        bounds: Bounds { first_retry, most_retry, ..Bounds::default() },
        ..settings(closed)
    };
    let (hour, millisecond) = (Duration::from_secs(3600), Duration::from_millis(1));
    let (pop, _served) = Hub::new();
    let secondary = Secondary::start(catalog(hour, hour), pop.clone(), Default::default()).unwrap();
    let handle = secondary.handle();
    wait_failures(&handle, 1);
    assert_eq!(handle.awaited().load().catalogs, 1);
    let secondary = Secondary::start(catalog(millisecond, millisecond), pop, Default::default()).unwrap();
    let handle = secondary.handle();
    wait_failures(&handle, 7);
    assert_eq!(handle.awaited().load().catalogs, 0);
}

#[test]
fn other_settings_change_primaries_and_zones_without_a_restart() {
    let good = Arc::new(zone(5, [a("a.example.", 1)]));
    let script = good.clone();
    let address = primary(Box::new(move |id, record_type| (whole(&script, id, record_type), false)));
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    let (pop, served) = Hub::new();
    let (status, mut news) = crate::handoff::queue(64).unwrap();
    let context = SecondaryContext { status: Some(status), ..SecondaryContext::default() };
    let secondary = Secondary::start(settings(closed), pop.clone(), context).unwrap();
    let handle = secondary.handle();
    wait_report(&handle, |report| report.status.failures > 0);
    handle.change(settings(address)).unwrap();
    assert_eq!(served.recv_timeout(Duration::from_secs(20)).unwrap().0, Serial(5));
    let report = wait_report(&handle, |report| report.status.serial.is_some());
    assert_eq!(report.primaries, [address]);
    let mut wrong = settings(address);
    wrong.zones[0].primaries[0].key = Some(name("none."));
    assert!(matches!(handle.change(wrong), Err(SecondaryError::NoKey { .. })));
    let nothing = SecondarySettings { zones: vec![], ..settings(address) };
    handle.change(nothing).unwrap();
    let gone = |news: &mut crate::handoff::Receiver<ZoneNews>| {
        news.try_next().is_some_and(|(_, report)| report.is_none())
    };
    while !gone(&mut news) {
        std::thread::yield_now();
    }
    let (message, mut output) = (message(4, "example.", RecordType::SOA), vec![0; 512]);
    assert!(handle.at_service(&message, LOOPBACK, &mut output).is_some_and(|_| output[3] & 0xf == 5));
}

#[test]
fn a_member_that_its_silent_primary_was_not_asked_for_is_awaited() {
    let second = Duration::from_secs(1);
    let address = primary(Box::new(|_, _| (vec![], true)));
    let mut settings = SecondarySettings { silence: second, transfers_per_primary: 1, ..settings(address) };
    let first = settings.zones.remove(0);
    let other = SecondaryZone { name: name("sample."), ..first.clone() };
    let (pop, _served) = Hub::new();
    let secondary = Secondary::start(settings, pop, Default::default()).unwrap();
    let handle = secondary.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let set = vec![first, other];
        handle.change_members(MemberZones { set, ..MemberZones::default() }).await.unwrap();
        while handle.report().await.unwrap().iter().any(|report| report.status.failures == 0) {
            tokio::task::yield_now().await;
        }
    });
    // One has failed; the other waited for that, and its primary was not asked for it.
    assert_eq!(handle.awaited().load().members, 1);
}
