//! What is written is read back, record by record, and by another decoder.

use super::*;
use crate::transfer::message::{Asked, Limits, Outcome, Progress, TransferReader};
use crate::wire::{Name, Serial};
use crate::zone::{Place, Record, RecordBatch, ZoneBuilder};
use hickory_proto::op::Message;
use hickory_proto::serialize::binary::BinDecodable;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn soa(serial: u32) -> Vec<u8> {
    let numbers = [serial, 3600, 600, 86_400, 300].map(u32::to_be_bytes).concat();
    [&b"\x02ns\x07example\0\x04host\x07example\0"[..], &numbers].concat()
}

fn record(owner: &str, record_type: RecordType, rdata: &[u8]) -> Record {
    Record { owner: name(owner), record_type, ttl: 300, rdata: rdata.into() }
}

fn zone(serial: u32, more: impl IntoIterator<Item = Record>) -> Zone {
    let mut builder = ZoneBuilder::new(name("example."));
    builder.push(record("example.", RecordType::SOA, &soa(serial)), Place::default());
    builder.push(record("example.", RecordType::NS, name("ns.example.").as_wire()), Place::default());
    more.into_iter().for_each(|it| builder.push(it, Place::default()));
    builder.finish().unwrap()
}

fn addresses(count: u32) -> impl Iterator<Item = Record> {
    (0..count).map(|it| record(&format!("h{it:06}.sub.example."), RecordType::A, &it.to_be_bytes()))
}

fn reply(record_type: RecordType) -> Reply {
    Reply {
        id: 7,
        name: name("example.").as_wire().to_vec(),
        record_type,
        is_rd: false,
        has_opt: false,
        expire: None,
        room: 100,
    }
}

fn feed(messages: &[Vec<u8>], record_type: RecordType, from: Option<u32>) -> Outcome {
    let asked = Asked { zone: name("example."), id: 7, record_type };
    let mut reader = TransferReader::new(asked, from.map(Serial), Limits::default());
    for (index, message) in messages.iter().enumerate() {
        Message::from_bytes(message).unwrap();
        match reader.feed(message).unwrap() {
            Progress::Done(outcome) => {
                assert_eq!(index + 1, messages.len());
                return outcome;
            }
            Progress::More => {}
        }
    }
    panic!("the transfer is not complete");
}

fn rebuilt(outcome: Outcome) -> Vec<Record> {
    let Outcome::Whole { batches, .. } = outcome else { panic!("a whole zone") };
    let mut builder = ZoneBuilder::new(name("example."));
    batches.into_iter().for_each(|batch| builder.add(batch));
    builder.finish().unwrap().records().collect()
}

fn collect(messages: Messages<'_>) -> Vec<Vec<u8>> {
    messages.map(Result::unwrap).collect()
}

#[test]
fn a_large_zone_goes_in_full_messages_and_comes_back() {
    let zone = zone(7, addresses(20_000));
    let messages = collect(Messages::whole(&zone, reply(RecordType::AXFR)));
    let octets: usize = messages.iter().map(Vec::len).sum();
    assert!(messages.iter().all(|it| it.len() <= FULL - 100));
    // Each record: the first label, a pointer, ten octets, four of RDATA; an address zone cannot be smaller.
    assert!(octets < 20_000 * (8 + 2 + 10 + 4) + messages.len() * 100, "{octets}");
    assert_eq!(rebuilt(feed(&messages, RecordType::AXFR, None)), zone.records().collect::<Vec<_>>());
}

#[test]
fn a_record_larger_than_a_message_by_choice_has_its_own_and_too_large_is_said() {
    let text = |octets: usize| {
        let rdata = [&[255_u8][..], &[b'x'; 255]].concat().repeat(octets / 256);
        record("t.example.", RecordType::TXT, &rdata)
    };
    let large = zone(7, [text(60_000)].into_iter().chain(addresses(3)));
    let messages = collect(Messages::whole(&large, reply(RecordType::AXFR)));
    assert!(messages.iter().any(|it| it.len() > 59_000));
    assert_eq!(rebuilt(feed(&messages, RecordType::AXFR, None)), large.records().collect::<Vec<_>>());
    // What fits a message alone goes without room for a signature: never in the first or the last message.
    let sizes = [65_280, 65_440];
    let alone = zone(7, (0..2).map(|it| sized(&format!("t{it}.example."), sizes[it])).chain(addresses(3)));
    let mut messages = Messages::whole(&alone, Reply { room: 300, ..reply(RecordType::AXFR) });
    let mut seen = Vec::new();
    let mut octets = Vec::new();
    while let Some(message) = messages.next() {
        octets.push(message.unwrap());
        seen.push(messages.leaves_room());
    }
    assert_eq!(seen, [true, false, false, true]);
    assert!(octets[0].len() < FULL && octets[3].len() < FULL);
    assert_eq!(rebuilt(feed(&octets, RecordType::AXFR, None)), alone.records().collect::<Vec<_>>());
    // After so many in a row one must be signed (RFC 8945 section 5.3.1).
    let many = zone(7, (0..=MOST_UNSIGNED).map(|it| sized(&format!("t{it:03}.example."), 65_440)));
    let messages = Messages::whole(&many, Reply { room: 300, ..reply(RecordType::AXFR) });
    assert_eq!(messages.filter(Result::is_err).count(), 1);
    // One that fits nowhere.
    let owner = name("t.example.");
    assert!(can_transfer(&name("example."), &owner, &[0; 65_489]));
    assert!(!can_transfer(&name("example."), &owner, &[0; 65_490]));
    for (octets, fits) in [(65_489, true), (65_490, false)] {
        let zone = zone(7, [sized("t.example.", octets)]);
        let mut messages = Messages::whole(&zone, Reply { room: 300, ..reply(RecordType::AXFR) });
        assert!(messages.next().unwrap().is_ok());
        let too_large = TooLarge { owner: owner.clone(), record_type: RecordType::TXT, octets };
        assert_eq!(messages.next().unwrap().err(), (!fits).then_some(too_large));
        assert_eq!(messages.next().is_some(), fits);
    }
}

/// A TXT record with so many octets of RDATA.
fn sized(owner: &str, octets: usize) -> Record {
    let mut rdata = Vec::new();
    while rdata.len() < octets {
        let length = (octets - rdata.len() - 1).min(255);
        rdata.push(length as u8);
        rdata.extend(std::iter::repeat_n(b'x', length));
    }
    record(owner, RecordType::TXT, &rdata)
}

fn batch(records: &[Record]) -> RecordBatch {
    let mut batch = RecordBatch::new(&name("example."));
    for it in records {
        batch.push(it.owner.as_wire(), it.record_type, it.ttl, &it.rdata, Place::default());
    }
    batch
}

#[test]
fn differences_come_back_as_they_were() {
    let a = |last| record("a.example.", RecordType::A, &[192, 0, 2, last]);
    let steps = [
        // The SOA record stands wherever the publisher put it.
        Difference {
            from: Serial(5),
            to: Serial(6),
            deleted: batch(&[a(1), record("example.", RecordType::SOA, &soa(5))]),
            added: batch(&[record("example.", RecordType::SOA, &soa(6)), a(2)]),
        },
        Difference {
            from: Serial(6),
            to: Serial(7),
            deleted: batch(&[record("example.", RecordType::SOA, &soa(6))]),
            added: batch(&[record("example.", RecordType::SOA, &soa(7))]),
        },
    ];
    let zone = zone(7, [a(2)]);
    let messages = collect(Messages::differences(&zone, steps.iter().collect(), reply(RecordType::IXFR)));
    let Outcome::Differences { soa, differences } = feed(&messages, RecordType::IXFR, Some(5)) else {
        panic!("differences");
    };
    assert_eq!((soa.serial, differences.len()), (Serial(7), 2));
    let records = |batch: &RecordBatch| {
        let mut records: Vec<_> =
            batch.records().map(|it| (it.0.to_vec(), it.1, it.2, it.3.to_vec())).collect();
        records.sort();
        records
    };
    for (one, other) in steps.iter().zip(&differences) {
        assert_eq!((one.from, one.to), (other.from, other.to));
        assert_eq!(records(&one.deleted), records(&other.deleted));
        assert_eq!(records(&one.added), records(&other.added));
    }
    let alone = collect(Messages::soa(&zone, reply(RecordType::IXFR)));
    assert!(matches!(feed(&alone, RecordType::IXFR, Some(7)), Outcome::UpToDate { .. }));
}

proptest! {
    /// Any names, in any case, with any sharing of labels: every record comes back octet by octet.
    #[test]
    fn names_come_back_octet_by_octet(owners in prop::collection::vec("[aB]{1,3}(\\.[abA]{1,2}){0,4}", 1..80), case in any::<bool>()) {
        let made = owners.iter().map(|owner| {
            let target = name(&format!("{}.eXample.", owners[owner.len() % owners.len()]));
            record(&format!("{owner}.example."), RecordType::MX, &[&[0, 1][..], target.as_wire()].concat())
        });
        let zone = zone(7, made);
        let question = if case { "EXAMPLE." } else { "example." };
        let reply = Reply { name: name(question).as_wire().to_vec(), ..reply(RecordType::AXFR) };
        let messages = collect(Messages::whole(&zone, reply));
        prop_assert_eq!(rebuilt(feed(&messages, RecordType::AXFR, None)), zone.records().collect::<Vec<_>>());
    }
}
