//! The reader of zone transfers, and of the signatures on them.
//!
//! An input is: an octet that chooses AXFR or IXFR and whether one octet of it is signed, then messages, each after its length in
//! two octets, as they stand on a TCP stream.

use anyns::transfer::message::{Asked, Limits, Outcome, Progress, TimeLeft, TransferReader, read_soa_answer};
use anyns::transfer::tsig::{Algorithm, Exchange, Key, Keys, verify_request};
use anyns::wire::{Name, RecordType, Serial};

const ID: u16 = 0x1234;
const NOW: u64 = 1_800_000_000;

fn key() -> Key {
    let name: Name = "key.".parse().expect("a name");
    Key::new(name, Algorithm::Sha256, b"secret").expect("a key")
}

/// Any stream is a transfer or a named fault; an outcome is what the reader promises of it.
pub fn check(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let zone: Name = "example.".parse().expect("a name");
    let record_type = if kind & 1 == 0 { RecordType::AXFR } else { RecordType::IXFR };
    let asked = Asked { zone: zone.clone(), id: ID, record_type };
    let limits = Limits {
        octets: 1 << 20,
        records: Some(10_000),
        messages: 100,
        difference_octets: 1 << 14,
        steps: 1_000,
    };
    let (from, begun) = (Serial(5), std::time::Instant::now());
    let mut request = asked.query(Some(from));
    let key = std::sync::Arc::new(key());
    let mut exchange = Exchange::sign(&mut request, &key, NOW);
    let keys = Keys::new([(*key).clone()]).expect("one key");
    let mut reader = TransferReader::new(asked.clone(), Some(from), limits);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (message, next) = after.split_at(length);
        rest = next;
        let _ = exchange.verify(message, NOW);
        let _ = verify_request(message, &keys, NOW);
        let _ = read_soa_answer(message, &asked);
        let left = TimeLeft::read(message, begun);
        assert!(left.is_none_or(|it| it.left.as_secs() <= u32::MAX.into()), "{left:?}");
        match reader.feed(message) {
            Ok(Progress::More) => {}
            Ok(Progress::Done(outcome)) => return check_outcome(outcome, from, &zone),
            Err(fault) => {
                assert!(!fault.to_string().is_empty());
                assert!(reader.feed(message).is_err(), "nothing is read after a fault");
                return;
            }
        }
    }
    let _ = reader.end();
}

fn check_outcome(outcome: Outcome, from: Serial, zone: &Name) {
    match outcome {
        Outcome::Whole { batches, .. } => {
            assert!(!batches.is_empty());
            for batch in &batches {
                batch.for_each_record(|owner, _, _, _| {
                    let owner = Name::from_wire(owner).expect("owners are names");
                    assert!(owner.is_at_or_below(zone));
                });
            }
        }
        Outcome::Differences { soa, differences } => {
            let mut at = from;
            for difference in &differences {
                assert_eq!(difference.from, at);
                assert!(difference.to.is_after(difference.from));
                at = difference.to;
            }
            assert_eq!(at, soa.serial);
        }
        Outcome::UpToDate { soa } => assert!(!soa.serial.is_after(from)),
        Outcome::AskWhole(_) => {}
    }
}
