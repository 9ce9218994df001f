//! Signed messages through the service, with a stand-in for the publisher.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::messages::{message, message_of};
use super::*;
use crate::publish::{Applied, ApplyError, Difference};
use crate::telemetry::locked;
use crate::test_support::counted_records::counted_records;
use crate::transfer::primary::Updates;
use crate::transfer::tsig::{Algorithm, Exchange, Key, Keys};
use crate::wire::Serial;

const NOW: u64 = 1_800_000_000;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// One zone, `example.`, and what became of it.
struct Hub {
    zone: Mutex<Arc<Zone>>,
    applied: AtomicUsize,
    /// Attempts that find that something else has changed the zone.
    rivals: AtomicUsize,
    fails: AtomicUsize,
}

#[async_trait::async_trait]
impl UpdateSink for Hub {
    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        (*zone == name("example.") || *zone == name("file.")).then(|| locked(&self.zone).clone())
    }

    fn primaries(&self, zone: &Name) -> Option<Vec<SocketAddr>> {
        (*zone == name("pop.")).then(|| vec!["192.0.2.9:53".parse().unwrap()])
    }

    async fn apply(&self, zone: &Name, _: &Name, difference: Difference) -> Result<Applied, ApplyError> {
        let takes = |count: &AtomicUsize| {
            count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        let (zone, from, to) = (zone.clone(), difference.from, difference.to);
        if takes(&self.fails) {
            let source = std::io::Error::other("the disk is full");
            return Err(ApplyError::NotDurable { zone, from, to, source });
        }
        if takes(&self.rivals) {
            let mut place = locked(&self.zone);
            let served = place.serial().next();
            *place = Arc::new(place.with_serial(served).unwrap());
            return Err(ApplyError::OtherVersion { zone, served, from });
        }
        tokio::task::yield_now().await;
        let mut place = locked(&self.zone);
        let next = place.with_changes(difference.deleted, difference.added);
        *place = Arc::new(next.map_err(|faults| ApplyError::Unfit { zone, from, to, faults })?);
        self.applied.fetch_add(1, Ordering::SeqCst);
        Ok(Applied { serial: to, records: place.record_count(), durable: true })
    }
}

fn key(text: &str) -> Key {
    Key::new(name(text), Algorithm::Sha256, text.as_bytes()).unwrap()
}

fn start() -> (Arc<Hub>, UpdateService) {
    let hub = Arc::new(Hub {
        zone: Mutex::new(Arc::new(zone(5, &["in www.example. 300 A 1"]))),
        applied: AtomicUsize::default(),
        rivals: AtomicUsize::default(),
        fails: AtomicUsize::default(),
    });
    let keys = Keys::new([key("a."), key("b.")]).unwrap();
    let grants = vec![Grant { key: name("a."), names: vec![], types: Types::Ordinary }];
    let settings =
        UpdateSettings { keys: Arc::new(keys), zones: HashMap::from([(name("example."), Policy(grants))]) };
    (hub.clone(), UpdateService::new(settings, hub, || NOW))
}

/// The RCODE of the response, whose signature must be right if there is one to be.
async fn ask(service: &UpdateService, mut octets: Vec<u8>, signer: Option<&str>, now: u64) -> u8 {
    let exchange = signer.map(|text| Exchange::sign(&mut octets, &Arc::new(key(text)), now));
    let response = service.answer(octets, CLIENT).await.expect("a response");
    if let Some(mut exchange) = exchange.filter(|_| response[3] & 0xf != 9) {
        exchange.verify(&response, NOW).unwrap();
    }
    assert_eq!(response[2], 0x80 | 5 << 3);
    response[3] & 0xf
}

#[tokio::test]
async fn each_refusal_has_its_rcode_and_changes_nothing() {
    let (hub, service) = start();
    let add = records(&["in new.example. 300 A 2"]);
    let no = records(&["any no.example. 0 ANY"]);
    let good = message(&[], &add);
    let table: Vec<(Vec<u8>, Option<&str>, u8)> = vec![
        (good.clone(), None, 5),
        (good.clone(), Some("b."), 5),
        (good.clone(), Some("unknown."), 9),
        (message_of("pop.", &[], &add), None, 5),
        (message_of("pop.", &[], &add), Some("a."), 5),
        (message_of("file.", &[], &add), Some("a."), 5),
        (message_of("elsewhere.", &[], &add), Some("a."), 9),
        (message_of("www.example.", &[], &add), Some("a."), 9),
        (message(&no, &add), Some("a."), 3),
        (message(&[], &records(&["in new.elsewhere. 300 A 2"])), Some("a."), 10),
        (message(&[], &records(&["in new.example. 300 ANY"])), Some("a."), 1),
        (message(&[], &records(&["in sub.example. 300 NS ns.example."])), Some("a."), 5),
        (good[..good.len() - 1].to_vec(), None, 1),
    ];
    for (octets, signer, expected) in table {
        assert_eq!(ask(&service, octets.clone(), signer, NOW).await, expected, "{signer:?} {octets:?}");
    }
    // The clock of the client is wrong.
    assert_eq!(ask(&service, good.clone(), Some("a."), NOW - 301).await, 9);
    assert_eq!((hub.applied.load(Ordering::SeqCst), locked(&hub.zone).serial()), (0, Serial(5)));
    assert_eq!(ask(&service, good, Some("a."), NOW).await, 0);
    assert_eq!((hub.applied.load(Ordering::SeqCst), locked(&hub.zone).serial()), (1, Serial(6)));
    // Neither a response nor another opcode is answered.
    assert_eq!(service.answer(vec![0; 12], CLIENT).await, None);
    let counts: Vec<_> = service.counts().by_result().collect();
    let expected = [("done", 1), ("unchanged", 0), ("prerequisite", 1), ("refused", 13), ("failed", 0)];
    assert_eq!(counts, expected, "all of the table but the prerequisite, the wrong clock, and no UPDATE");
    let errors: Vec<_> = service.bad_signatures().by_error().filter(|(_, count)| *count > 0).collect();
    assert_eq!(errors, [("BADKEY", 1), ("BADTIME", 1), ("other", 1)], "one ends within a record");
}

/// RFC 6891 sections 6.1.1 and 6.1.3, of each kind of response: done, refused, wrong key, unreadable, another version.
#[tokio::test]
async fn a_response_has_an_opt_record_where_the_request_has_one() {
    let (_, service) = start();
    let add = message(&[], &records(&["in new.example. 300 A 2"]));
    let with_opt = |octets: &[u8], version: u8| {
        let mut octets = octets.to_vec();
        octets[11] += 1;
        octets.extend([0, 0, 41, 4, 208, 0, version, 0, 0, 0, 0]);
        octets
    };
    let elsewhere = message_of("elsewhere.", &[], &records(&["in new.elsewhere. 300 A 2"]));
    // The type in the zone section is not SOA.
    let mut no_zone = add.clone();
    no_zone[22] = 1;
    for (octets, signer, rcode) in [
        (&add, Some("a."), 0),
        (&add, Some("unknown."), 9),
        (&add, None, 5),
        (&elsewhere, Some("a."), 9),
        (&no_zone, None, 1),
    ] {
        for version in [None, Some(0), Some(1)] {
            let mut octets = version.map_or(octets.clone(), |version| with_opt(octets, version));
            if let Some(signer) = signer {
                drop(Exchange::sign(&mut octets, &Arc::new(key(signer)), NOW));
            }
            let response = service.answer(octets, CLIENT).await.expect("a response");
            let read = hickory_proto::op::Message::from_vec(&response).expect("a message");
            let is_known = rcode == 1 || signer == Some("unknown.");
            let expected = if version == Some(1) && !is_known { 16 } else { rcode };
            assert_eq!(u16::from(read.metadata.response_code), expected, "{signer:?} {version:?}");
            assert_eq!(read.edns.is_some(), version.is_some(), "{signer:?} {version:?}");
            let is_signed = signer.is_some();
            let additionals = u16::from(is_signed) + u16::from(version.is_some());
            assert_eq!(u16::from_be_bytes([response[10], response[11]]), additionals);
        }
    }
}

#[test]
fn refused_updates_of_one_client_are_few_records_of_the_log() {
    let (_, service) = start();
    let octets = message(&[], &records(&["in new.example. 300 A 2"]));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let records = counted_records(|| {
        runtime.block_on(async {
            for _ in 0..500 {
                assert_eq!(ask(&service, octets.clone(), None, NOW).await, 5);
            }
        });
    });
    assert!((1..20).contains(&records), "{records} records");
}

#[tokio::test]
async fn a_signed_zone_is_left_alone() {
    let (hub, service) = start();
    *locked(&hub.zone) = Arc::new(zone(5, &["in example. 300 DNSKEY \u{1}\u{1}\u{3}\u{8}key"]));
    let octets = message(&[], &records(&["in new.example. 300 A 2"]));
    assert_eq!(ask(&service, octets, Some("a."), NOW).await, 5);
}

#[tokio::test]
async fn a_message_that_comes_again_is_done_once_and_hears_the_same() {
    let (hub, service) = start();
    let mut octets = message(&records(&["none new.example. 0 ANY"]), &records(&["in new.example. 300 A 2"]));
    Exchange::sign(&mut octets, &Arc::new(key("a.")), NOW);
    let first = service.answer(octets.clone(), CLIENT).await.unwrap();
    let second = service.answer(octets.clone(), CLIENT).await.unwrap();
    assert_eq!((first[3] & 0xf, &first), (0, &second));
    assert_eq!(hub.applied.load(Ordering::SeqCst), 1);
    // Both at once: one is answered.
    let mut octets = message(&[], &records(&["in more.example. 300 A 2"]));
    Exchange::sign(&mut octets, &Arc::new(key("a.")), NOW);
    let both = tokio::join!(service.answer(octets.clone(), CLIENT), service.answer(octets, CLIENT));
    assert_eq!([both.0, both.1].iter().flatten().count(), 1);
    assert_eq!(hub.applied.load(Ordering::SeqCst), 2);
}

/// What can be changed of a signed message without its key; `unsigned` is its length before it was signed, with `hmac-sha256.`, a name of
/// 13 octets.
fn changed_copies(octets: &[u8], unsigned: usize) -> Vec<(&'static str, Vec<u8>)> {
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut copy = octets.to_vec();
        change(&mut copy);
        copy
    };
    let (fixed, algorithm) = (unsigned + 3, unsigned + 13);
    let mac = algorithm + 13 + 10;
    vec![
        ("the ID", changed(&|copy| copy[1] ^= 1)),
        ("the case of the key", changed(&|copy| copy[unsigned + 1] = b'A')),
        ("the case of the algorithm", changed(&|copy| copy[algorithm + 1] = b'H')),
        (
            "the length of the MAC",
            changed(&|copy| {
                drop(copy.drain(mac + 16..mac + 32));
                (copy[mac - 1], copy[fixed + 9]) = (16, copy[fixed + 9] - 16);
            }),
        ),
    ]
}

#[tokio::test]
async fn a_copy_with_other_octets_that_the_signature_does_not_cover_is_not_done_again() {
    let (hub, service) = start();
    let mut octets = message(&[], &records(&["in new.example. 300 A 2"]));
    let unsigned = octets.len();
    let mut exchange = Exchange::sign(&mut octets, &Arc::new(key("a.")), NOW);
    assert_eq!(service.answer(octets.clone(), CLIENT).await.unwrap()[3] & 0xf, 0);
    let delete = message(&[], &records(&["any new.example. 0 ANY"]));
    assert_eq!(ask(&service, delete, Some("a."), NOW).await, 0);
    assert_eq!(hub.applied.load(Ordering::SeqCst), 2);
    for (what, copy) in changed_copies(&octets, unsigned) {
        let response = service.answer(copy.clone(), CLIENT).await.expect(what);
        assert_eq!((response[3] & 0xf, &response[..2]), (0, &copy[..2]), "{what}");
        assert_eq!(hub.applied.load(Ordering::SeqCst), 2, "{what}");
        if what == "the ID" {
            exchange.verify(&response, NOW).unwrap();
        }
    }
    // Those of the TSIG record must be what the MAC is made with: TTL 0, class ANY.
    for (at, octet) in [(unsigned + 10, 1), (unsigned + 6, 1)] {
        let mut copy = octets.clone();
        copy[at] = octet;
        assert_eq!(service.answer(copy, CLIENT).await.expect("a response")[3] & 0xf, 1);
    }
    assert_eq!(hub.applied.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_this_server_fails_at_may_be_tried_again() {
    let (hub, service) = start();
    hub.fails.store(1, Ordering::SeqCst);
    let octets = message(&[], &records(&["in new.example. 300 A 2"]));
    assert_eq!(ask(&service, octets.clone(), Some("a."), NOW).await, 2);
    assert_eq!(ask(&service, octets, Some("a."), NOW).await, 0);
    // The zone changed meanwhile: judged anew, against what is served now.
    hub.rivals.store(3, Ordering::SeqCst);
    let octets = message(&[], &records(&["in other.example. 300 A 2"]));
    assert_eq!(ask(&service, octets, Some("a."), NOW).await, 0);
    assert_eq!(locked(&hub.zone).serial(), Serial(10));
    hub.rivals.store(100, Ordering::SeqCst);
    let octets = message(&[], &records(&["in third.example. 300 A 2"]));
    assert_eq!(ask(&service, octets, Some("a."), NOW).await, 2);
}

#[tokio::test]
async fn other_policies_and_keys_count_from_then_on() {
    let (hub, service) = start();
    let add = |number: u8| message(&[], &records(&[&format!("in h{number}.example. 300 A 2")]));
    assert_eq!(ask(&service, add(1), Some("b."), NOW).await, 5);
    let grants = vec![Grant { key: name("b."), names: vec![], types: Types::Ordinary }];
    let zones = HashMap::from([(name("example."), Policy(grants))]);
    let keys = Arc::new(Keys::new([key("a."), key("b.")]).unwrap());
    service.change(UpdateSettings { zones: zones.clone(), keys });
    assert_eq!(ask(&service, add(2), Some("b."), NOW).await, 0);
    assert_eq!(ask(&service, add(3), Some("a."), NOW).await, 5);
    // A key that is there no more is not known (RFC 8945 section 5.2.1), whatever the policy says.
    service.change(UpdateSettings { zones, ..UpdateSettings::default() });
    assert_eq!(ask(&service, add(4), Some("b."), NOW).await, 9);
    assert_eq!(hub.applied.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn many_at_once_are_all_done_one_after_the_other() {
    let (hub, service) = start();
    let service = Arc::new(service);
    let tasks: Vec<_> = (0..100)
        .map(|it| {
            let service = service.clone();
            let octets = message(&[], &records(&[&format!("in h{it}.example. 300 A 2")]));
            tokio::spawn(async move { ask(&service, octets, Some("a."), NOW).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 0);
    }
    assert_eq!(locked(&hub.zone).serial(), Serial(105));
    assert_eq!(locked(&hub.zone).record_count(), 103);
}

#[tokio::test]
async fn a_record_that_no_transfer_can_hold_is_refused_for_good() {
    let (hub, service) = start();
    let text = |octets: usize| {
        let strings = [&[255_u8][..], &[b'x'; 255]].concat().repeat(octets / 256);
        let rest = octets - strings.len();
        let rdata = [strings, vec![(rest - 1) as u8], vec![b'x'; rest - 1]].concat();
        let added = UpdateRecord { rdata: rdata.into(), ..records(&["in t.example. 300 TXT x"]).remove(0) };
        message(&[], &[added])
    };
    // The owner is compressed in no message of a transfer, and the signature takes no part.
    assert_eq!(ask(&service, text(65_490), Some("a."), NOW).await, 5);
    assert_eq!(ask(&service, text(65_489), Some("a."), NOW).await, 0);
    assert_eq!(hub.applied.load(Ordering::SeqCst), 1);
}
