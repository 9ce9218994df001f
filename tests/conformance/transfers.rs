//! Scripted streams of zone transfers, one file per RFC in `transfers/`: what a primary sends, and what a secondary makes of it.
//!
//! | key of a case | meaning |
//! | --- | --- |
//! | `section`, `says` | where the expectation comes from, and the expectation in words |
//! | `ask` | `AXFR`, or `IXFR N` from the version with serial N |
//! | `messages` | the messages in order, each a list of words: records, or `!` and something of the header |
//! | `expect` | what comes of it, or `fault: ` and a part of its text |
//!
//! Records: `soa=N`, `ns`, `a=HOST.N` (192.0.2.N at that name), `out` (a record of another zone), `soa-below` (an SOA record below the
//! apex). Header: `!no-question`, `!two-questions`, `!other-question`, `!id`, `!query`, `!opcode=N`, `!rcode=N`, `!tc`. Outcomes: `whole N: R
//! records`, `differences` and each as `A>B -R +R` (records without the SOA records), `up to date`, `the whole zone`.

use std::path::Path;

use anyns::transfer::message::{Asked, Limits, Outcome, Progress, TransferFault, TransferReader};
use anyns::wire::{Name, RecordType, Serial};
use anyns::zone::RecordBatch;
use serde::Deserialize;

const ID: u16 = 0x1234;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[allow(dead_code, reason = "for the reader of the file")]
    about: String,
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    section: String,
    says: String,
    ask: String,
    messages: Vec<Vec<String>>,
    expect: String,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn record(owner: &str, record_type: RecordType, rdata: &[u8]) -> Vec<u8> {
    let length = (rdata.len() as u16).to_be_bytes();
    let fixed = [record_type.0.to_be_bytes(), [0, 1], [0, 0], [1, 44], length].concat();
    [name(owner).as_wire(), &fixed, rdata].concat()
}

pub(crate) fn soa(owner: &str, serial: u32) -> Vec<u8> {
    let numbers = [serial, 1000, 100, 10_000, 300].map(u32::to_be_bytes).concat();
    record(owner, RecordType::SOA, &[&b"\x02ns\x07example\0\x04host\x07example\0"[..], &numbers].concat())
}

fn octets(words: &[String], kind: RecordType) -> Vec<u8> {
    let (mut header, mut records, mut count) = ([0; 12], Vec::new(), 0_u16);
    header[..6].copy_from_slice(&[ID.to_be_bytes(), [0x84, 0], [0, 1]].concat());
    let question = |of: &str| [name(of).as_wire(), &kind.0.to_be_bytes(), &[0, 1]].concat();
    let mut questions = question("example.");
    for word in words {
        let number = || word.rsplit(['=', '.']).next().unwrap().parse::<u32>().unwrap();
        let record = match word.as_str() {
            "!no-question" => {
                (header[5], questions) = (0, Vec::new());
                continue;
            }
            "!two-questions" => {
                (header[5], questions) = (2, question("example.").repeat(2));
                continue;
            }
            "!other-question" => {
                questions = question("other.");
                continue;
            }
            "!id" => {
                header[0] ^= 1;
                continue;
            }
            "!query" => {
                header[2] &= 0x7f;
                continue;
            }
            "!tc" => {
                header[2] |= 2;
                continue;
            }
            word if word.starts_with("!opcode=") => {
                header[2] |= (number() as u8) << 3;
                continue;
            }
            word if word.starts_with("!rcode=") => {
                header[3] |= number() as u8;
                continue;
            }
            "ns" => record("example.", RecordType::NS, name("ns.example.").as_wire()),
            "out" => record("www.example.net.", RecordType::A, &[192, 0, 2, 1]),
            "soa-below" => soa("below.example.", 6),
            word if word.starts_with("soa=") => soa("example.", number()),
            word => {
                let host = word.strip_prefix("a=").and_then(|rest| rest.split('.').next());
                let host = host.unwrap_or_else(|| panic!("unknown word {word}"));
                record(&format!("{host}.example."), RecordType::A, &[192, 0, 2, number() as u8])
            }
        };
        records.extend(record);
        count += 1;
    }
    header[6..8].copy_from_slice(&count.to_be_bytes());
    [&header[..], &questions, &records].concat()
}

fn run(case: &Case) -> Result<Outcome, TransferFault> {
    let (kind, from) = match case.ask.split_once(' ') {
        Some(("IXFR", serial)) => (RecordType::IXFR, Some(Serial(serial.parse().unwrap()))),
        _ => (RecordType::AXFR, None),
    };
    let asked = Asked { zone: name("example."), id: ID, record_type: kind };
    let mut reader = TransferReader::new(asked, from, Limits::default());
    for words in &case.messages {
        if let Progress::Done(outcome) = reader.feed(&octets(words, kind))? {
            return Ok(outcome);
        }
    }
    reader.end()
}

fn count(batch: &RecordBatch) -> usize {
    let mut count = 0;
    batch.for_each_record(|_, record_type, _, _| count += usize::from(record_type != RecordType::SOA));
    count
}

fn shown(outcome: &Result<Outcome, TransferFault>) -> String {
    match outcome {
        Err(fault) => format!("fault: {fault}"),
        Ok(Outcome::UpToDate { .. }) => "up to date".to_owned(),
        Ok(Outcome::AskWhole(_)) => "the whole zone".to_owned(),
        Ok(Outcome::Whole { soa, batches }) => {
            let records = 1 + batches.iter().map(count).sum::<usize>();
            format!("whole {}: {records} records", soa.serial)
        }
        Ok(Outcome::Differences { differences, .. }) => {
            let step = |it: &anyns::publish::Difference| {
                format!(" {}>{} -{} +{}", it.from, it.to, count(&it.deleted), count(&it.added))
            };
            format!("differences{}", differences.iter().map(step).collect::<String>())
        }
    }
}

#[test]
fn what_a_primary_sends_is_a_transfer_or_a_named_fault() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/transfers");
    let (mut cases, mut failures) = (0, Vec::new());
    for rfc in ["rfc1995", "rfc5936"] {
        let text = std::fs::read_to_string(directory.join(format!("{rfc}.toml"))).unwrap();
        let script: Script = toml::from_str(&text).unwrap();
        for case in &script.case {
            cases += 1;
            let found = shown(&run(case));
            let is_right = match case.expect.strip_prefix("fault: ") {
                Some(part) => found.starts_with("fault: ") && found.contains(part),
                None => found == case.expect,
            };
            if !is_right {
                let Case { section, says, expect, .. } = case;
                failures
                    .push(format!("{rfc} section {section}: {says}: expected {expect:?}, found {found:?}"));
            }
        }
    }
    println!("{cases} streams of transfers");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
