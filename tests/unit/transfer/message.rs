//! Responses made by hand: what is read from them, and the name of each fault.

use super::*;
use crate::publish::Difference;
use crate::wire::octets::BadName;
use crate::wire::{Name, RecordType, Serial};
use crate::zone::RecordBatch;

const ID: u16 = 0x1234;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// One record, uncompressed.
fn record(owner: &str, record_type: RecordType, rdata: &[u8]) -> Vec<u8> {
    let mut octets = name(owner).as_wire().to_vec();
    octets.extend_from_slice(&record_type.0.to_be_bytes());
    octets.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    octets.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
    octets.extend_from_slice(rdata);
    octets
}

fn soa(serial: u32) -> Vec<u8> {
    let numbers = [serial, 3600, 600, 86_400, 300].map(u32::to_be_bytes).concat();
    record("example.", RecordType::SOA, &[&b"\x02ns\x07example\0\0"[..], &numbers].concat())
}

fn a(owner: &str, last: u8) -> Vec<u8> {
    record(owner, RecordType::A, &[192, 0, 2, last])
}

/// A response with a question and these records.
fn message(record_type: RecordType, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = ID.to_be_bytes().to_vec();
    message.extend_from_slice(&[0x84, 0, 0, 1]);
    message.extend_from_slice(&(records.len() as u16).to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(name("example.").as_wire());
    message.extend_from_slice(&record_type.0.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message.extend_from_slice(&records.concat());
    message
}

fn reader(from: Option<u32>, limits: Limits) -> TransferReader {
    let record_type = if from.is_some() { RecordType::IXFR } else { RecordType::AXFR };
    TransferReader::new(Asked { zone: name("example."), id: ID, record_type }, from.map(Serial), limits)
}

/// What one record is in the text of an outcome: owner, type, last octet of the RDATA.
fn text(batch: &RecordBatch) -> String {
    let mut texts = Vec::new();
    batch.for_each_record(|owner, record_type, _, rdata| {
        let last = match Soa::from_rdata(rdata) {
            Some(soa) if record_type == RecordType::SOA => soa.serial.0,
            _ => rdata.last().copied().unwrap_or_default().into(),
        };
        texts.push(format!("{} {record_type} {last}", Name::from_wire(owner).unwrap()));
    });
    texts.join(", ")
}

fn shown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Whole { soa, batches } => {
            format!("{}: {}", soa.serial, batches.iter().map(text).collect::<Vec<_>>().join("; "))
        }
        Outcome::Differences { soa, differences } => {
            let each = differences.iter().map(|Difference { from, to, deleted, added }| {
                format!("{from} to {to}: -[{}] +[{}]", text(deleted), text(added))
            });
            format!("to {}: {}", soa.serial, each.collect::<Vec<_>>().join(" "))
        }
        Outcome::UpToDate { soa } => format!("serves {}", soa.serial),
        Outcome::AskWhole(why) => format!("{why:?}"),
    }
}

/// Feeds all records in one message, then each in its own, and wants the same of both.
fn read(from: Option<u32>, records: &[Vec<u8>]) -> Result<String, TransferFault> {
    let record_type = if from.is_some() { RecordType::IXFR } else { RecordType::AXFR };
    let each: Vec<Vec<u8>> =
        records.iter().map(|record| message(record_type, std::slice::from_ref(record))).collect();
    let one = feed(reader(from, Limits::default()), &[message(record_type, records)]);
    let many = feed(reader(from, Limits::default()), &each);
    // A message behind the last one is never read.
    if one != Err(TransferFault::AfterEnd) {
        assert_eq!(one, many);
    }
    one
}

fn feed(mut reader: TransferReader, messages: &[Vec<u8>]) -> Result<String, TransferFault> {
    for message in messages {
        if let Progress::Done(outcome) = reader.feed(message)? {
            return Ok(shown(outcome));
        }
    }
    reader.end().map(shown)
}

#[test]
fn a_whole_zone_ends_with_the_soa_record_it_began_with() {
    let www = a("WWW.example.", 1);
    let whole = "7: example. SOA 7, WWW.example. A 1";
    assert_eq!(read(None, &[soa(7), www.clone(), soa(7)]).as_deref(), Ok(whole));
    assert_eq!(read(Some(5), &[soa(7), www.clone(), soa(7)]).as_deref(), Ok(whole));
    assert_eq!(read(None, &[soa(7), soa(7)]).as_deref(), Ok("7: example. SOA 7"));
    assert_eq!(read(Some(5), &[soa(7), soa(7)]).as_deref(), Ok("7: example. SOA 7"));
    let differs = TransferFault::SoaDiffers { first: Serial(7), last: Serial(8) };
    assert_eq!(read(None, &[soa(7), www.clone(), soa(8)]), Err(differs));
    assert_eq!(read(None, &[soa(7), www.clone(), soa(7), www.clone()]), Err(TransferFault::AfterEnd));
    assert_eq!(read(None, &[soa(7), www.clone()]), Err(TransferFault::Ended { records: 2 }));
    assert_eq!(feed(reader(None, Limits::default()), &[]), Err(TransferFault::Ended { records: 0 }));
    let first = TransferFault::NoSoaFirst { owner: name("www.example."), record_type: RecordType::A };
    assert_eq!(read(None, &[www.clone(), soa(7)]), Err(first));
}

#[test]
fn differences_lead_from_what_is_served_to_the_first_soa_record() {
    let (one, two, three) = (a("a.example.", 1), a("a.example.", 2), a("a.example.", 3));
    let steps =
        [soa(7), soa(5), one.clone(), soa(6), two.clone(), soa(6), two.clone(), soa(7), three, soa(7)];
    let expected = "to 7: 5 to 6: -[example. SOA 5, a.example. A 1] +[example. SOA 6, a.example. A 2] \
                    6 to 7: -[example. SOA 6, a.example. A 2] +[example. SOA 7, a.example. A 3]";
    assert_eq!(read(Some(5), &steps).as_deref(), Ok(expected));
    // Nothing but the serial changed.
    let serial = [soa(6), soa(5), soa(6), soa(6)];
    assert_eq!(read(Some(5), &serial).as_deref(), Ok("to 6: 5 to 6: -[example. SOA 5] +[example. SOA 6]"));
    let gap = |expected, from| Err(TransferFault::Gap { expected: Serial(expected), from: Serial(from) });
    assert_eq!(read(Some(4), &steps), gap(4, 5));
    assert_eq!(read(Some(5), &[soa(7), soa(5), soa(6), soa(4), soa(7), soa(7)]), gap(6, 4));
    let back = TransferFault::Backwards { from: Serial(5), to: Serial(4) };
    assert_eq!(read(Some(5), &[soa(7), soa(5), soa(4), soa(4)]), Err(back));
    let past = TransferFault::PastEnd { to: Serial(8), last: Serial(7) };
    assert_eq!(read(Some(5), &[soa(7), soa(5), soa(8), soa(8)]), Err(past));
    for cut in 2..steps.len() {
        let ended = Err(TransferFault::Ended { records: cut as u64 });
        assert_eq!(read(Some(5), &steps[..cut]), ended);
    }
    let more = [&steps[..], std::slice::from_ref(&one)].concat();
    assert_eq!(read(Some(5), &more), Err(TransferFault::AfterEnd));
}

#[test]
fn one_soa_record_says_that_there_is_nothing_new_or_no_differences() {
    assert_eq!(read(Some(7), &[soa(7)]).as_deref(), Ok("serves 7"));
    assert_eq!(read(Some(7), &[soa(6)]).as_deref(), Ok("serves 6"));
    assert_eq!(read(Some(7), &[soa(8)]).as_deref(), Ok("NothingFollowed"));
    let mut message = message(RecordType::IXFR, &[soa(8)]);
    for rcode in [1, 2, 4, 5, 9] {
        message[3] = rcode;
        let read = feed(reader(Some(7), Limits::default()), &[message.clone()]);
        assert_eq!(read, Ok(format!("Rcode({rcode})")));
        let mut whole = reader(None, Limits::default());
        assert_eq!(whole.feed(&message).unwrap_err(), TransferFault::Refused(rcode));
    }
}

/// A message with one thing changed, and the fault.
#[test]
fn faults_of_messages_have_their_names() {
    let good = message(RecordType::AXFR, &[soa(7), a("a.example.", 1)]);
    let answer_at = 12 + 9 + 4;
    let fault = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = good.clone();
        change(&mut message);
        reader(None, Limits::default()).feed(&message).unwrap_err()
    };
    assert_eq!(fault(&|it| it.truncate(11)), TransferFault::Short(11));
    assert_eq!(fault(&|it| it[0] = 0), TransferFault::OtherId { asked: ID, found: 0x34 });
    assert_eq!(fault(&|it| it[2] = 0x04), TransferFault::NotResponse);
    assert_eq!(fault(&|it| it[2] = 0xa4), TransferFault::OtherOpcode(4));
    assert_eq!(fault(&|it| it[2] = 0x86), TransferFault::Truncated);
    assert_eq!(fault(&|it| it[5] = 0), TransferFault::QuestionCount(0));
    assert_eq!(fault(&|it| it[5] = 2), TransferFault::QuestionCount(2));
    assert_eq!(fault(&|it| it[7] = 0), TransferFault::EmptyMessage);
    let other =
        |name: &str, record_type| TransferFault::OtherQuestion { name: name.parse().unwrap(), record_type };
    assert_eq!(fault(&|it| it[13] = b'y'), other("yxample.", RecordType::AXFR));
    assert_eq!(fault(&|it| it[answer_at - 3] = 251), other("example.", RecordType::IXFR));
    assert_eq!(
        fault(&|it| it[7] = 3),
        TransferFault::BadName { message: 1, record: 3, fault: BadName::Short }
    );
    let cut = |it: &mut Vec<u8>| it.truncate(it.len() - 1);
    assert_eq!(fault(&cut), TransferFault::BadRecord { message: 1, record: 2 });
    // The owner of the first record as a pointer to itself.
    let looped =
        |it: &mut Vec<u8>| it.splice(answer_at..answer_at + 9, [0xc0, answer_at as u8]).for_each(drop);
    assert_eq!(fault(&looped), TransferFault::BadName { message: 1, record: 1, fault: BadName::Pointer });
    let class = |it: &mut Vec<u8>| it[answer_at + 9 + 3] = 3;
    let (owner, record_type) = (name("example."), RecordType::SOA);
    assert_eq!(fault(&class), TransferFault::OtherClass { owner, record_type, class: 3 });
}

#[test]
fn records_that_do_not_belong_are_named() {
    let outside = |owner: &str| TransferFault::OutOfZone { owner: name(owner), record_type: RecordType::A };
    for owner in ["other.", "notexample.", "."] {
        assert_eq!(read(None, &[soa(7), a(owner, 1), soa(7)]), Err(outside(owner)));
        assert_eq!(read(Some(5), &[soa(7), soa(5), a(owner, 1), soa(7), soa(7)]), Err(outside(owner)));
    }
    let mut below = soa(7);
    below.splice(0..0, *b"\x03sub");
    let soa_below = TransferFault::SoaNotAtApex { owner: name("sub.example.") };
    assert_eq!(read(None, &[soa(7), below.clone()]), Err(soa_below));
    let first = TransferFault::NoSoaFirst { owner: name("sub.example."), record_type: RecordType::SOA };
    assert_eq!(read(None, &[below]), Err(first));
    let short = record("example.", RecordType::SOA, b"\0\0\0");
    assert_eq!(read(None, &[short]), Err(TransferFault::BadSoa));
}

#[test]
fn limits_end_an_endless_transfer() {
    let endless = |limits| {
        let mut reader = reader(None, limits);
        let first = message(RecordType::AXFR, &[soa(7)]);
        let next = message(RecordType::AXFR, &[a("a.example.", 1), a("b.example.", 1)]);
        let mut fed = reader.feed(&first);
        for _ in 0..100 {
            if fed.is_err() {
                break;
            }
            fed = reader.feed(&next);
        }
        fed.unwrap_err()
    };
    let none = Limits::default();
    assert_eq!(endless(Limits { octets: 1000, ..none }), TransferFault::TooManyOctets(1000));
    assert_eq!(endless(Limits { records: Some(10), ..none }), TransferFault::TooManyRecords(10));
    assert_eq!(endless(Limits { messages: 10, ..none }), TransferFault::TooManyMessages(10));
    let limits = Limits { difference_octets: 100, ..none };
    let records = message(RecordType::IXFR, &[soa(7), soa(5), a("a.example.", 1), a("b.example.", 1)]);
    assert_eq!(feed(reader(Some(5), limits), &[records]).as_deref(), Ok("TooLarge"));
    // Two versions are whole, and a third one begins.
    let records = message(RecordType::IXFR, &[soa(8), soa(5), soa(6), soa(6), soa(7), soa(7)]);
    let all = |steps| feed(reader(Some(5), Limits { steps, ..none }), std::slice::from_ref(&records));
    assert_eq!(all(1).as_deref(), Ok("TooLarge"));
    assert!(all(2).is_err(), "it is incomplete");
}

#[test]
fn names_in_rdata_are_decompressed() {
    let apex = 12_u8;
    let mut mx = b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x09\x00\x0a\x04mail\xc0\x0c".to_vec();
    mx[1] = apex;
    let srv = b"\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x3c\x00\x0b\0\x01\0\x02\0\x03\x02ns\xc0\x0c".to_vec();
    let whole = message(RecordType::AXFR, &[soa(7), mx, srv, soa(7)]);
    let Progress::Done(Outcome::Whole { batches, .. }) =
        reader(None, Limits::default()).feed(&whole).unwrap()
    else {
        panic!("a whole zone");
    };
    let mut found = Vec::new();
    batches[0].for_each_record(|_, record_type, _, rdata| found.push((record_type, rdata.to_vec())));
    assert_eq!(found[1], (RecordType::MX, b"\0\x0a\x04mail\x07example\0".to_vec()));
    assert_eq!(found[2], (RecordType::SRV, b"\0\x01\0\x02\0\x03\x02ns\x07example\0".to_vec()));
}

#[test]
fn queries_and_soa_answers_fit_each_other() {
    let asked = Asked { zone: name("example."), id: ID, record_type: RecordType::SOA };
    let plain = asked.query(None);
    let query = crate::wire::Query::parse(&plain).unwrap();
    assert_eq!((query.fault, query.question.unwrap().record_type), (None, RecordType::SOA));
    let from = Asked { record_type: RecordType::IXFR, ..asked.clone() }.query(Some(Serial(9)));
    assert_eq!(crate::wire::Query::parse(&from).unwrap().fault, None);
    let mut answer = message(RecordType::SOA, &[soa(7)]);
    assert!(
        matches!(read_soa_answer(&answer, &asked), Ok(SoaAnswer::Serves(soa)) if soa.serial == Serial(7))
    );
    answer[2] = 0x80;
    assert_eq!(read_soa_answer(&answer, &asked), Ok(SoaAnswer::NotAuthoritative));
    answer[2] = 0x86;
    assert_eq!(read_soa_answer(&answer, &asked), Ok(SoaAnswer::Truncated));
    (answer[2], answer[3]) = (0x84, 5);
    assert_eq!(read_soa_answer(&answer, &asked), Err(TransferFault::Refused(5)));
    let referral = message(RecordType::SOA, &[]);
    assert_eq!(read_soa_answer(&referral, &asked), Ok(SoaAnswer::NotAuthoritative));
    assert!(read_soa_answer(b"", &asked).is_err());
}
