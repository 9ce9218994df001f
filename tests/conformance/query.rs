//! From a case to the octets of its query.

use anyns::serve::Transport;
use anyns::wire::{Name, RecordType};

use crate::scenario::Case;

/// The ID of a query that says nothing else; over DoQ it is 0 (RFC 9250 section 4.2.1).
const ID: u16 = 0x1234;

/// Options by name; every other one by its number.
pub(crate) const OPTIONS: &[(&str, u16)] = &[
    ("NSID", 3),
    ("EXPIRE", 9),
    ("ECS", 8),
    ("COOKIE", 10),
    ("KEEPALIVE", 11),
    ("PADDING", 12),
    ("EDE", 15),
    ("REPORT-CHANNEL", 18),
    ("ZONEVERSION", 19),
];

/// Header flags by name.
pub(crate) const FLAGS: &[(&str, u16)] = &[
    ("qr", 0x8000),
    ("aa", 0x400),
    ("tc", 0x200),
    ("rd", 0x100),
    ("ra", 0x80),
    ("z", 0x40),
    ("ad", 0x20),
    ("cd", 0x10),
];

/// The query; `cookie` is what the last response in the same way had in its COOKIE.
pub(crate) fn octets(case: &Case, transport: Transport, cookie: &[u8]) -> Vec<u8> {
    let questions: Vec<&String> = case.ask.iter().chain(&case.also_ask).collect();
    let edns = case.edns.as_deref().map(|words| opt(words, cookie)).unwrap_or_default();
    let records = case.edns.as_deref().map_or(0, |words| if has(words, "twice") { 2 } else { 1 });
    let usual = if transport == Transport::Doq { 0 } else { ID };
    let mut octets = case.id.unwrap_or(usual).to_be_bytes().to_vec();
    octets.extend(flags(&case.header).to_be_bytes());
    octets.extend([0, questions.len() as u8, 0, 0, 0, 0, 0, records]);
    questions.iter().for_each(|text| octets.extend(question(text)));
    octets.extend(edns.repeat(records.into()));
    octets.extend(hex(&case.trailing));
    octets
}

fn flags(header: &str) -> u16 {
    let word = |word: &str| match word.strip_prefix("opcode=") {
        Some(opcode) => opcode.parse::<u16>().unwrap() << 11,
        None => named(FLAGS, word).unwrap_or_else(|| panic!("no flag is called {word}")),
    };
    header.split_whitespace().map(word).fold(0, |flags, flag| flags | flag)
}

/// `NAME TYPE` or `NAME CLASS TYPE`.
fn question(text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, class, record_type) = match words[..] {
        [name, record_type] => (name, "IN", record_type),
        [name, class, record_type] => (name, class, record_type),
        _ => panic!("no question: {text}"),
    };
    let class = named(&[("IN", 1), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)], class).unwrap();
    let name: Name = name.parse().unwrap();
    let record_type = RecordType::from_text(record_type).unwrap_or_else(|| panic!("no type: {text}"));
    [name.as_wire(), &record_type.0.to_be_bytes(), &class.to_be_bytes()].concat()
}

fn opt(words: &str, cookie: &[u8]) -> Vec<u8> {
    let (mut payload, mut version, mut flags, mut options) = (1232_u16, 0_u8, 0_u16, Vec::new());
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("payload", value)) => payload = value.parse().unwrap(),
            Some(("version", value)) => version = value.parse().unwrap(),
            Some(("flags", value)) => flags |= u16::from_str_radix(value, 16).unwrap(),
            Some((name, "@last")) => option(&mut options, name, cookie),
            Some((name, value)) => option(&mut options, name, &hex(value)),
            None if word == "do" => flags |= 0x8000,
            None if word == "twice" || word == "plain" => {}
            None => option(&mut options, word, &[]),
        }
    }
    let mut octets = vec![0, 0, 41];
    octets.extend(payload.to_be_bytes());
    octets.extend([0, version]);
    octets.extend(flags.to_be_bytes());
    octets.extend((options.len() as u16).to_be_bytes());
    octets.extend(options);
    octets
}

fn option(options: &mut Vec<u8>, name: &str, data: &[u8]) {
    let code =
        named(OPTIONS, name).or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("no option: {name}"));
    options.extend(code.to_be_bytes());
    options.extend((data.len() as u16).to_be_bytes());
    options.extend(data);
}

pub(crate) fn has(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|it| it == word)
}

pub(crate) fn named(table: &[(&str, u16)], name: &str) -> Option<u16> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(digits.as_bytes())
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}
