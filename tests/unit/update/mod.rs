//! Dynamic update: tables for the rules of RFC 2136 section 3, messages as octets, and the service with a stand-in for the publisher.

mod changes;
mod messages;
mod policies;
mod prerequisites;
mod service;

use super::*;
use crate::wire::{CLASS_ANY, CLASS_IN, Name, RecordType};
use crate::zone::{Place, Zone, ZoneBuilder};

const CLASS_NONE: u16 = message::CLASS_NONE;

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// RDATA from a short form: the last octet of 192.0.2.0/24, a name, a text, the serial of an SOA record.
pub(super) fn rdata(record_type: RecordType, text: &str) -> Vec<u8> {
    match record_type {
        _ if text.is_empty() => Vec::new(),
        RecordType::A => vec![192, 0, 2, text.parse().unwrap()],
        RecordType::TXT => [&[text.len() as u8], text.as_bytes()].concat(),
        RecordType::MX => [&[0, 10], name(text).as_wire()].concat(),
        RecordType::WKS => [&[192, 0, 2, 1, 6], text.as_bytes()].concat(),
        RecordType::SOA => {
            let numbers = [text.parse().unwrap(), 1000_u32, 100, 10_000, 300].map(u32::to_be_bytes).concat();
            [&b"\x02ns\x07example\0\x04host\x07example\0"[..], &numbers].concat()
        }
        RecordType::NS | RecordType::CNAME | RecordType::DNAME => name(text).as_wire().to_vec(),
        _ => text.as_bytes().to_vec(),
    }
}

/// A record in the form `class owner ttl type data`; the class is `in`, `any` or `none`, or a number.
pub(super) fn record(line: &str) -> UpdateRecord {
    let words: Vec<&str> = line.split_whitespace().collect();
    let class = match words[0] {
        "in" => CLASS_IN,
        "any" => CLASS_ANY,
        "none" => CLASS_NONE,
        other => other.parse().unwrap(),
    };
    let record_type = RecordType::from_text(words[3]).unwrap();
    UpdateRecord {
        owner: name(words[1]),
        class,
        record_type,
        ttl: words[2].parse().unwrap(),
        rdata: rdata(record_type, words.get(4).copied().unwrap_or_default()).into(),
    }
}

pub(super) fn records(lines: &[&str]) -> Vec<UpdateRecord> {
    lines.iter().map(|line| record(line)).collect()
}

/// `example.` with the SOA record of this serial, an NS record, and these records.
pub(super) fn zone(serial: u32, lines: &[&str]) -> Zone {
    let mut builder = ZoneBuilder::new(name("example."));
    let soa = format!("in example. 300 SOA {serial}");
    for line in [soa.as_str(), "in example. 300 NS ns.example."].iter().chain(lines) {
        let UpdateRecord { owner, record_type, ttl, rdata, .. } = record(line);
        builder.push(crate::zone::Record { owner, record_type, ttl, rdata }, Place::default());
    }
    builder.finish().unwrap()
}

/// The records of a zone, sorted; of the SOA record the serial.
pub(super) fn lines(zone: &Zone) -> Vec<String> {
    let line = |record: crate::zone::Record| {
        let crate::zone::Record { owner, record_type, ttl, rdata } = record;
        format!("{owner} {ttl} {record_type} {}", data_encoding::HEXLOWER.encode(&rdata))
    };
    let mut lines: Vec<String> = zone.records().map(line).collect();
    lines.sort();
    lines
}
