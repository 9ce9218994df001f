//! The EXPIRE option (RFC 7314): what a primary says to whom, what a secondary makes of it, and primaries without EDNS.

use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Instant;

use super::super::request::{Answer, Transport, judge};
use super::*;
use crate::transfer::message::TimeLeft;
use crate::transfer::refresh::Order;
use crate::transfer::secondary::Remaining;
use crate::wire::{Name, append_opt, append_opt_with, option, option_of};
use crate::zone::Zone;

/// A server that has its zones from a primary: so long may they be served.
struct Aged {
    hub: Arc<Hub>,
    left: Mutex<Option<Duration>>,
}

impl Aged {
    fn new(hub: &Arc<Hub>, seconds: Option<u64>) -> Arc<Self> {
        let aged = Self { hub: hub.clone(), left: Mutex::default() };
        aged.set(seconds);
        Arc::new(aged)
    }

    fn set(&self, seconds: Option<u64>) {
        *self.left.lock().unwrap() = seconds.map(Duration::from_secs);
    }
}

impl Source for Aged {
    fn zone(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.hub.zone(zone)
    }

    fn time_left(&self, _: &Zone) -> Option<Duration> {
        *self.left.lock().unwrap()
    }

    fn differences(
        &self,
        zone: &Name,
        from: Serial,
        to: Serial,
    ) -> Option<Vec<Arc<crate::publish::Difference>>> {
        self.hub.differences(zone, from, to)
    }
}

/// The messages of a response.
fn answer(message: &[u8], source: &dyn Source, transport: Transport) -> Vec<Vec<u8>> {
    let request = (message, LOOPBACK, transport);
    let now = crate::clock::unix_now();
    match judge(request, (&keys(), source), |_, _, _| true, now).0 {
        Answer::Stream(mut stream) => {
            let mut signer = stream.signer.take();
            let signed = |message: Result<Vec<u8>, _>| {
                let mut message = message.unwrap();
                signer.iter_mut().for_each(|signer| signer.sign(&mut message, now));
                message
            };
            stream.messages().map(signed).collect()
        }
        Answer::Message(message) => vec![message],
        Answer::Nothing => vec![],
    }
}

fn hub_with_history() -> Arc<Hub> {
    let (hub, _) = Hub::new();
    let more = (0..2000).map(|it| a(&format!("h{it}.example."), 1));
    hub.put(zone(5, more.chain([a("a.example.", 1)])));
    hub.apply(difference(5, 6, &[a("a.example.", 1)], &[a("a.example.", 2)])).unwrap();
    hub
}

#[test]
fn who_asks_how_long_a_zone_may_be_served_is_told_in_the_first_message() {
    let hub = hub_with_history();
    let (aged, unknown) = (Aged::new(&hub, Some(1234)), Aged::new(&hub, None));
    let endless = Aged::new(&hub, Some(u64::MAX));
    use RecordType as T;
    // What is asked, over what; what the origin says, a secondary, and one that does not know yet.
    for (record_type, from, transport, unknown_says) in [
        (T::SOA, None, Transport::Udp, Some(0)),
        (T::SOA, None, Transport::Tcp, Some(0)),
        (T::IXFR, Some(6), Transport::Tcp, None),
        (T::IXFR, Some(5), Transport::Udp, None),
        (T::IXFR, Some(5), Transport::Tcp, None),
        (T::IXFR, Some(4), Transport::Tcp, None),
        (T::AXFR, None, Transport::Tls, None),
    ] {
        let asked = Asked { zone: name("example."), id: 9, record_type };
        let from = from.map(Serial);
        let says = |source: &dyn Source, query: &[u8]| -> Option<u64> {
            let mut messages = answer(query, source, transport).into_iter();
            let first = TimeLeft::read(&messages.next().unwrap(), Instant::now());
            assert!(messages.all(|message| TimeLeft::read(&message, Instant::now()).is_none()));
            first.map(|it| it.left.as_secs())
        };
        let query = asked.query_with_expire(from);
        // EXPIRE of the SOA record of the hub.
        assert_eq!(says(&*hub, &query), Some(10_000), "{record_type:?}");
        assert_eq!(says(&*aged, &query), Some(1234), "{record_type:?}");
        assert_eq!(says(&*endless, &query), Some(u32::MAX.into()), "{record_type:?}");
        assert_eq!(says(&*unknown, &query), unknown_says, "{record_type:?} {from:?}");
        // Not to one that does not ask, or asks wrongly.
        let mut without = asked.query(from);
        assert_eq!(says(&*aged, &without), None);
        append_opt(&mut without, 0);
        assert_eq!(says(&*aged, &without), None);
        let mut wrong = asked.query(from);
        append_opt_with(&mut wrong, option::EXPIRE, &[0; 4]);
        assert_eq!(says(&*aged, &wrong), None);
    }
    // Nor of a zone that is not there.
    let query = Asked { zone: name("other."), id: 9, record_type: T::SOA }.query_with_expire(None);
    let refused = answer(&query, &*aged, Transport::Tcp).remove(0);
    assert_eq!((refused[3] & 0xf, TimeLeft::read(&refused, Instant::now())), (9, None));
}

/// Seconds that the zone may be served at this secondary.
fn seconds_left(secondary: &Secondary) -> Option<u64> {
    match secondary.handle().remaining(&name("Example.")) {
        Remaining::Left(left) => Some(left.as_secs()),
        Remaining::Origin | Remaining::Unknown => None,
    }
}

/// Has the zone asked for, and waits until so many seconds are left.
fn refreshed(secondary: &Secondary, seconds: std::ops::RangeInclusive<u64>) {
    wait_until(&format!("{seconds:?} are left"), BOUND, || {
        order(secondary);
        seconds_left(secondary).is_some_and(|left| seconds.contains(&left))
    });
}

#[test]
fn a_secondary_serves_no_longer_than_its_primary_says() {
    for (asked, key) in [(&[][..], None), (&["old."][..], Some("old."))] {
        let hub = hub_with_history();
        let aged = Aged::new(&hub, Some(700));
        let (pop, served) = Hub::new();
        let primary = Primary::start(settings(asked), aged.clone(), None).unwrap();
        let (running, listener) = secondary(primary.addresses()[0], key, &pop);
        assert_eq!(running.handle().remaining(&name("other.")), Remaining::Origin);
        assert_eq!(next(&served), (6, By::Whole));
        wait_until("the transfer is told", BOUND, || seconds_left(&running).is_some());
        assert!(seconds_left(&running).unwrap() <= 700, "{:?}", seconds_left(&running));
        // An SOA query, and more is left at the primary.
        aged.set(Some(5_000));
        refreshed(&running, 4_900..=5_000);
        // Differences.
        aged.set(Some(3_000));
        hub.apply(difference(6, 7, &[a("a.example.", 2)], &[a("a.example.", 3)])).unwrap();
        refreshed(&running, 2_900..=3_000);
        assert_eq!(next(&served), (7, By::Differences));
        // A primary that does not know how old its version is says "0" of it to SOA queries, and nothing with the transfer that follows.
        aged.set(None);
        hub.apply(difference(7, 8, &[a("a.example.", 3)], &[a("a.example.", 4)])).unwrap();
        refreshed(&running, 9_900..=10_000);
        assert_eq!(next(&served), (8, By::Differences));
        aged.set(Some(3_000));
        hub.apply(difference(8, 9, &[a("a.example.", 4)], &[a("a.example.", 5)])).unwrap();
        refreshed(&running, 2_900..=3_000);
        assert_eq!(next(&served), (9, By::Differences));
        // The origin answers: EXPIRE.
        aged.set(Some(10_000));
        refreshed(&running, 9_900..=10_000);
        drop((running, listener));
    }
}

/// What a primary does with a message that has an OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnOpt {
    /// This RCODE, unsigned.
    Rcode(u8),
    /// Nothing over UDP; the end of the connection over TCP.
    Drops,
    /// FORMERR over TCP, behind the first message of the answer.
    Midway,
}

/// A primary that breaks on OPT records. What it was asked: the type, and whether there was one; and how many connections it has taken.
struct BreaksOnOpt {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(RecordType, bool)>>>,
    connections: Arc<Mutex<usize>>,
}

fn breaks_on_opt(hub: &Arc<Hub>, on_opt: OnOpt) -> BreaksOnOpt {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).unwrap();
    let asked = Arc::<Mutex<Vec<(RecordType, bool)>>>::default();
    let connections = Arc::<Mutex<usize>>::default();
    let answers = {
        let (asked, hub) = (asked.clone(), hub.clone());
        move |query: &[u8], transport| {
            let at = 12 + name("example.").as_wire().len();
            let record_type = RecordType(u16::from_be_bytes([query[at], query[at + 1]]));
            let has_opt = option_of(query, option::EXPIRE).is_some();
            asked.lock().unwrap().push((record_type, has_opt));
            let error =
                |rcode| [&query[..2], &[0x80, rcode, 0, 1, 0, 0, 0, 0, 0, 0], &query[12..at + 4]].concat();
            match on_opt {
                _ if !has_opt => answer(query, &*hub, transport),
                OnOpt::Rcode(rcode) => vec![error(rcode)],
                OnOpt::Drops => vec![],
                OnOpt::Midway if transport == Transport::Udp => answer(query, &*hub, transport),
                OnOpt::Midway => {
                    let mut messages = answer(query, &*hub, transport);
                    assert!(messages.len() > 1);
                    messages.truncate(1);
                    messages.push(error(1));
                    messages
                }
            }
        }
    };
    let over_udp = answers.clone();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((octets, client)) = socket.recv_from(&mut query) {
            let messages = over_udp(&query[..octets], Transport::Udp);
            messages.first().map(|message| socket.send_to(message, client).unwrap());
        }
    });
    let taken = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            *taken.lock().unwrap() += 1;
            let answers = answers.clone();
            std::thread::spawn(move || {
                let (mut stream, mut length) = (stream.unwrap(), [0; 2]);
                while stream.read_exact(&mut length).is_ok() {
                    let mut query = vec![0; u16::from_be_bytes(length).into()];
                    stream.read_exact(&mut query).unwrap();
                    let messages = answers(&query, Transport::Tcp);
                    if messages.is_empty() {
                        return;
                    }
                    for message in messages {
                        let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
                        // The other side may have seen enough.
                        if stream.write_all(&framed).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    BreaksOnOpt { address, asked, connections }
}

/// An order, which has what is known of primaries forgotten.
fn order(secondary: &Secondary) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = secondary.handle();
    assert_eq!(runtime.block_on(handle.order(Some(name("example.")), Order::Refresh)).unwrap(), 1);
}

#[test]
fn a_primary_that_breaks_on_edns_is_asked_without_it_and_that_is_remembered() {
    use RecordType as T;
    let both = |it: T| vec![(it, true), (it, false)];
    for (on_opt, key, after_order) in [
        (OnOpt::Rcode(1), None, [both(T::SOA), vec![(T::IXFR, false)]].concat()),
        (OnOpt::Rcode(4), None, [both(T::SOA), vec![(T::IXFR, false)]].concat()),
        // It has not looked at the signature.
        (OnOpt::Rcode(1), Some("old."), [both(T::SOA), vec![(T::IXFR, false)]].concat()),
        (OnOpt::Rcode(4), Some("old."), [both(T::SOA), vec![(T::IXFR, false)]].concat()),
        (OnOpt::Drops, None, [both(T::SOA), both(T::IXFR)].concat()),
        (OnOpt::Drops, Some("old."), [both(T::SOA), both(T::IXFR)].concat()),
    ] {
        let what = format!("{on_opt:?} {key:?}");
        let hub = hub_with_history();
        let primary = breaks_on_opt(&hub, on_opt);
        // The same query goes out again where an idle connection ends, or nothing comes over UDP.
        let asked = || {
            let mut asked = std::mem::take(&mut *primary.asked.lock().unwrap());
            asked.dedup();
            asked
        };
        let (pop, served) = Hub::new();
        let (running, listener) = secondary(primary.address, key, &pop);
        assert_eq!(next(&served), (6, By::Whole), "{what}");
        wait_until("the first transfer is told", BOUND, || seconds_left(&running).is_some());
        assert_eq!(asked(), both(T::AXFR), "{what}");
        // An RCODE is an answer: the same connection serves for the next query. A signature that is missing ends it.
        let connections = if key.is_none() && on_opt != OnOpt::Drops { 1 } else { 2 };
        assert_eq!(*primary.connections.lock().unwrap(), connections, "{what}");
        hub.apply(difference(6, 7, &[a("a.example.", 2)], &[a("a.example.", 3)])).unwrap();
        order(&running);
        assert_eq!(next(&served), (7, By::Differences), "{what}");
        assert_eq!(asked(), after_order, "{what}");
        if key.is_none() {
            hub.apply(difference(7, 8, &[a("a.example.", 3)], &[a("a.example.", 4)])).unwrap();
            let notify =
                [&[0, 1, 0x24, 0, 0, 1, 0, 0, 0, 0, 0, 0], name("example.").as_wire(), &[0, 6, 0, 1]]
                    .concat();
            assert!(running.handle().notify(&notify, LOOPBACK).is_some());
            assert_eq!(next(&served), (8, By::Differences), "{what}");
            assert_eq!(asked(), [(T::SOA, false), (T::IXFR, false)], "{what}");
        }
        drop((running, listener));
    }
}

#[test]
fn an_error_in_the_middle_of_a_transfer_says_nothing_of_edns() {
    let hub = hub_with_history();
    let primary = breaks_on_opt(&hub, OnOpt::Midway);
    let (pop, served) = Hub::new();
    let (running, listener) = secondary(primary.address, None, &pop);
    wait_until("a second transfer", BOUND, || primary.asked.lock().unwrap().len() > 1);
    assert_eq!(primary.asked.lock().unwrap()[..2], [(RecordType::AXFR, true); 2]);
    assert!(served.try_recv().is_err());
    drop((running, listener));
}
