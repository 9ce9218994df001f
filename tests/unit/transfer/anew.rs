//! Zones that begin anew under the same name, and primaries that are known by something else: what was begun before counts no more.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::time::timeout;

use super::refused::{answer, settings};
use super::*;
use crate::publish::Difference;
use crate::transfer::hub::{By, Hub, a, name, zone};
use crate::transfer::notify::AllowedSource;
use crate::transfer::primary::{Primary, PrimarySettings, Source as _};
use crate::transfer::refresh::Saved;
use crate::transfer::tls::{Authentication, TlsClient};
use crate::transfer::tsig::{Algorithm, Key, Keys};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Expiry, Zone};

const BOUND: Duration = Duration::from_secs(20);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Settings without a zone, and the zone.
fn member(address: SocketAddr) -> (SecondarySettings, SecondaryZone) {
    let mut settings = settings(address);
    let zone = settings.zones.remove(0);
    (settings, zone)
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}

fn removed() -> MemberZones {
    MemberZones { removed: vec![name("example.")], ..MemberZones::default() }
}

fn set(zone: &SecondaryZone) -> MemberZones {
    MemberZones { set: vec![zone.clone()], ..MemberZones::default() }
}

/// What the zone is asked for, as octets of the stream.
fn whole(stream: &mut TcpStream, zone: &Zone) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut query = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut query).unwrap();
    let messages = answer(zone, &query, RecordType::AXFR);
    messages
        .iter()
        .flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat())
        .collect()
}

#[test]
fn a_transfer_of_a_zone_that_begins_anew_is_dropped() {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let (pop, served) = Hub::new();
    let (settings, zone_now) = member(listener.local_addr().unwrap());
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || {
        // The old zone comes slowly, the new one, with a lower serial, at once.
        let (mut old, _) = listener.accept().unwrap();
        let octets = whole(&mut old, &zone(10, [a("old.example.", 1)]));
        old.write_all(&octets[..20]).unwrap();
        begun.send(()).unwrap();
        let (mut new, _) = listener.accept().unwrap();
        let now = whole(&mut new, &zone(3, [a("new.example.", 1)]));
        new.write_all(&now).unwrap();
        may_go.recv().unwrap();
        let _ = old.write_all(&octets[20..]);
        let _ = old.read(&mut [0]);
        ended.send(()).unwrap();
    });
    let running = Secondary::start(settings, pop.clone(), Default::default()).unwrap();
    let handle = running.handle();
    block_on(handle.change_members(set(&zone_now))).unwrap();
    has_begun.recv_timeout(BOUND).unwrap();
    block_on(handle.change_members(removed())).unwrap();
    block_on(handle.change_members(set(&zone_now))).unwrap();
    assert_eq!(served.recv_timeout(BOUND).unwrap(), (Serial(3), By::Whole));
    go.send(()).unwrap();
    has_ended.recv_timeout(BOUND).unwrap();
    assert!(served.try_recv().is_err());
    assert_eq!(pop.zone(&name("example.")).unwrap().serial(), Serial(3));
}

/// A sink that takes long to put a version into service.
struct SlowSink {
    hub: Arc<Hub>,
    entered: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
    is_done: AtomicBool,
    forgotten: Mutex<Vec<(Name, bool)>>,
}

impl Sink for SlowSink {
    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        Sink::served(&*self.hub, zone)
    }

    fn forget(&self, zone: &Name) {
        self.forgotten.lock().unwrap().push((zone.clone(), self.is_done.load(SeqCst)));
    }

    fn whole(&self, zone: Zone, origin: Origin) -> Result<(), SinkError> {
        self.entered.send(()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        let outcome = self.hub.whole(zone, origin);
        self.is_done.store(true, SeqCst);
        outcome
    }

    fn differences(&self, zone: &Name, it: Vec<Difference>, origin: Origin) -> Result<(), SinkError> {
        Sink::differences(&*self.hub, zone, it, origin)
    }

    fn expiry(&self, zones: Vec<(Name, Expiry)>) -> Result<(), SinkError> {
        self.hub.expiry(zones)
    }

    fn keep(&self, timers: Vec<(Name, Option<Saved>)>) -> Result<(), SinkError> {
        self.hub.keep(timers)
    }
}

#[test]
fn what_goes_into_service_while_its_zone_is_removed_is_waited_for() {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let (settings, zone_now) = member(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let octets = whole(&mut stream, &zone(10, []));
        stream.write_all(&octets).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let (hub, _served) = Hub::new();
    let (entered, has_entered) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let (is_done, forgotten) = (AtomicBool::new(false), Mutex::default());
    let sink = Arc::new(SlowSink { hub, entered, go: Mutex::new(may_go), is_done, forgotten });
    let running = Secondary::start(settings, sink.clone(), Default::default()).unwrap();
    let handle = running.handle();
    block_on(async {
        handle.change_members(set(&zone_now)).await.unwrap();
        has_entered.recv_timeout(BOUND).unwrap();
        let mut removal = Box::pin(handle.change_members(removed()));
        assert!(timeout(Duration::ZERO, &mut removal).await.is_err());
        // This is asked after the removal, so that the thread has taken that.
        assert!(handle.report().await.unwrap().is_empty());
        assert!(timeout(Duration::ZERO, &mut removal).await.is_err(), "it is still going into service");
        go.send(()).unwrap();
        removal.await.unwrap();
    });
    assert!(sink.is_done.load(SeqCst));
    let last = sink.forgotten.lock().unwrap().last().cloned();
    assert_eq!(last, Some((name("example."), true)), "what waits is forgotten behind it");
}

fn keys(secret: &[u8]) -> Arc<Keys> {
    Arc::new(Keys::new([Key::new(name("key."), Algorithm::Sha256, secret).unwrap()]).unwrap())
}

/// A hub with a key, and the settings of a secondary of it with another secret.
fn hub_with_a_key() -> (Primary, SecondarySettings) {
    let (hub, _) = Hub::new();
    hub.put(zone(5, [a("a.example.", 1)]));
    let prefix = "127.0.0.0/8".parse().unwrap();
    let anyone = AllowedSource { prefix, keys: vec![name("key.")], encrypted: false };
    let listen = PrimarySettings {
        listen: vec![SocketAddr::new(LOOPBACK, 0)],
        keys: keys(b"right"),
        allowed: crate::transfer::notify::Allowed(vec![anyone]),
        ..PrimarySettings::default()
    };
    let primary = Primary::start(listen, hub, None).unwrap();
    let mut settings = settings(primary.addresses()[0]);
    settings.zones[0].primaries[0].key = Some(name("key."));
    settings.keys = keys(b"wrong");
    (primary, settings)
}

async fn wait_for_a_failure(handle: &SecondaryHandle) {
    loop {
        let reports = handle.report().await.unwrap();
        if reports.first().is_some_and(|report| report.status.failures > 0) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn wait_until_confirmed(handle: &SecondaryHandle) {
    while handle.report().await.unwrap().first().is_none_or(|report| report.status.checked.is_none()) {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_key_that_is_corrected_has_the_primary_asked_at_once() {
    for is_member in [false, true] {
        let (_primary, mut settings) = hub_with_a_key();
        let (pop, served) = Hub::new();
        let zone = settings.zones[0].clone();
        if is_member {
            settings.zones.clear();
        }
        let running = Secondary::start(settings.clone(), pop, Default::default()).unwrap();
        let handle = running.handle();
        if is_member {
            block_on(handle.change_members(set(&zone))).unwrap();
        }
        block_on(wait_for_a_failure(&handle));
        // The same settings again change nothing, the right secret does; else the next try is an hour away.
        handle.change(settings.clone()).unwrap();
        handle.change(SecondarySettings { keys: keys(b"right"), ..settings }).unwrap();
        assert_eq!(served.recv_timeout(BOUND).unwrap(), (Serial(5), By::Whole), "a member: {is_member}");
    }
}

/// A zone that is removed keeps the time when its primary confirmed it, for when it comes back, but not where it goes on here by another way.
#[test]
fn what_primaries_confirmed_is_nothing_to_a_zone_that_came_from_elsewhere_since() {
    let (primary, settings) = hub_with_a_key();
    let settings = SecondarySettings { keys: keys(b"right"), ..settings };
    for (is_member, is_elsewhere) in [(false, false), (false, true), (true, false), (true, true)] {
        let (pop, served) = Hub::new();
        let zone = settings.zones[0].clone();
        let none = SecondarySettings { zones: Vec::new(), ..settings.clone() };
        let first = if is_member { none.clone() } else { settings.clone() };
        let running = Secondary::start(first, pop, Default::default()).unwrap();
        let handle = running.handle();
        if is_member {
            block_on(handle.change_members(set(&zone))).unwrap();
        }
        assert_eq!(served.recv_timeout(BOUND).unwrap().0, Serial(5));
        block_on(wait_until_confirmed(&handle));
        let elsewhere = || is_elsewhere.then(|| zone.name.clone()).into_iter();
        if is_member {
            let removed = MemberZones { elsewhere: elsewhere().collect(), ..removed() };
            block_on(handle.change_members(removed)).unwrap();
        } else {
            handle.change(SecondarySettings { elsewhere: elsewhere().collect(), ..none }).unwrap();
        }
        // Back, at a primary that does not answer.
        let mut silent = zone.clone();
        silent.primaries[0].address = "127.0.0.1:1".parse().unwrap();
        handle.change(SecondarySettings { zones: vec![silent], ..settings.clone() }).unwrap();
        block_on(wait_for_a_failure(&handle));
        let report = block_on(handle.report()).unwrap().remove(0);
        assert_eq!(report.status.checked.is_none(), is_elsewhere, "a member: {is_member}");
    }
    drop(primary);
}

#[test]
fn a_reload_that_changes_nothing_asks_nobody() {
    let (_primary, mut settings) = hub_with_a_key();
    let tls = |pin: u8| {
        let pin = data_encoding::BASE64.encode(&[pin; 32]);
        Some(TlsClient::new(&Authentication::Pins(vec![pin]), None).unwrap())
    };
    // A TLS client is made anew by each reload.
    settings.zones[0].primaries[0].tls = tls(1);
    let (pop, _served) = Hub::new();
    let running = Secondary::start(settings.clone(), pop, Default::default()).unwrap();
    let handle = running.handle();
    block_on(wait_for_a_failure(&handle));
    let failures = |settings: SecondarySettings| {
        handle.change(settings).unwrap();
        block_on(async { handle.report().await.unwrap().remove(0).status })
    };
    settings.zones[0].primaries[0].tls = tls(1);
    let same = failures(settings.clone());
    assert_eq!((same.phase, same.failures), (crate::transfer::refresh::Phase::Idle, 1));
    settings.zones[0].primaries[0].tls = tls(2);
    assert_ne!(failures(settings).phase, crate::transfer::refresh::Phase::Idle);
}

#[test]
fn a_serial_that_went_backwards_is_one_also_where_a_catalog_has_the_zone_now() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, [a("a.example.", 1)]));
    let anyone = AllowedSource { prefix: "127.0.0.0/8".parse().unwrap(), keys: vec![], encrypted: false };
    let listen = PrimarySettings {
        listen: vec![SocketAddr::new(LOOPBACK, 0)],
        allowed: crate::transfer::notify::Allowed(vec![anyone]),
        ..PrimarySettings::default()
    };
    let primary = Primary::start(listen, hub, None).unwrap();
    let settings = settings(primary.addresses()[0]);
    let (pop, _served) = Hub::new();
    pop.put(zone(10, []));
    let running = Secondary::start(settings.clone(), pop, Default::default()).unwrap();
    let handle = running.handle();
    let (nothing, zone_now) = member(primary.addresses()[0]);
    let judged = async || {
        loop {
            let status = handle.report().await.unwrap().first().map(|report| report.status.clone());
            match status {
                Some(status) if status.behind.is_some() || status.serial != Some(Serial(10)) => {
                    break (status.serial, status.behind.map(|behind| behind.serial));
                }
                _ => tokio::task::yield_now().await,
            }
        }
    };
    block_on(async {
        let expected = (Some(Serial(10)), Some(Serial(5)));
        assert_eq!(judged().await, expected);
        // A [[zone]] that leaves the file in the reload in which a catalog lists it, and the way back.
        handle.change(nothing).unwrap();
        handle.change_members(set(&zone_now)).await.unwrap();
        assert_eq!(judged().await, expected);
    });
}
