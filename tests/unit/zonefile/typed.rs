//! Whatever words a person types: what the text form accepts, the generic form of RFC 3597 accepts, too.
//!
//! `values` begins with octets, so it never meets a text whose octets have no text form. This begins with words: those of all
//! cases, mixed and changed.

use std::sync::OnceLock;

use proptest::prelude::*;

use crate::zonefile::tests::types::CASES;
use crate::zonefile::tests::values::{ACCEPTED, REFUSED, no_text_form, rdata_of, text_form, through_generic};

/// Words beside those of the cases: limits, types of which no record may be, values that some field refuses.
const WORDS: &[&str] = &[
    "0",
    "1",
    "3",
    "4",
    "31",
    "32",
    "33",
    "64",
    "127",
    "128",
    "129",
    "200",
    "254",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "-",
    "-1",
    ".",
    "@",
    "a.",
    "\"\"",
    "ANY",
    "OPT",
    "AXFR",
    "TYPE0",
    "TYPE128",
    "NXNAME",
    "A",
    "TYPE65535",
    "1:0.0.0.0/33",
    "2:::/129",
    "1:10.0.0.0/8",
    "3:0/0",
    "NOTIFY",
    "00",
    "0011223344",
    "AA==",
    "AQ==",
    "zz",
    "0x",
    "0x00",
    "+",
    "mandatory=alpn",
    "mandatory=mandatory",
    "mandatory=key65535",
    "alpn=",
    "alpn=a,,b",
    "no-default-alpn",
    "no-default-alpn=x",
    "port=65536",
    "port=",
    "ipv4hint=",
    "ipv6hint=1.2.3.4",
    "ech=AQID",
    "ech=",
    "dohpath=/",
    "dohpath=/{?dns}",
    "ohttp=x",
    "tls-supported-groups=1,1",
    "docpath=a,,b",
    "docpath=\\255",
    "pvd=x",
    "key0=\\000\\000",
    "key1=x",
    "key3=x",
    "key65535=x",
    "key65536=x",
    "90",
    "91",
    "180",
    "181",
    "N",
    "S",
    "E",
    "W",
    "59.999",
    "60",
    "42849672.96m",
    "90000000.01m",
    "-100000.01m",
    "!a!b!",
    "!a!\\\\1!",
    "u",
    "?",
    "20300101000000",
    "21060207062816",
    "\\#",
];

/// The types and the words of all cases.
fn lines() -> &'static [Vec<&'static str>] {
    static LINES: OnceLock<Vec<Vec<&'static str>>> = OnceLock::new();
    LINES.get_or_init(|| {
        let texts = CASES.iter().map(|(text, ..)| *text).chain(ACCEPTED.iter().copied());
        let texts = texts.chain(REFUSED.iter().map(|(text, _)| *text));
        texts.map(|text| text.split(' ').collect()).collect()
    })
}

fn any_word() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        2 => prop::sample::select(WORDS),
        1 => any::<prop::sample::Index>().prop_map(|index| {
            let words: Vec<&str> = lines().iter().flatten().copied().collect();
            words[index.index(words.len())]
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40_000) })]

    #[test]
    fn what_is_typed_and_accepted_is_accepted_as_octets(
        line in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_word(), 0..6_u8), 1..4),
    ) {
        let lines = lines();
        let mut words = lines[line.index(lines.len())].clone();
        for (at, word, how) in changes {
            let at = 1 + at.index(words.len());
            match how {
                0 => words.insert(at, word),
                1 if at < words.len() => drop(words.remove(at)),
                2 => words.truncate(at),
                _ if at < words.len() => words[at] = word,
                _ => words.push(word),
            }
        }
        let text = words.join(" ");
        if let Ok((record_type, rdata)) = rdata_of(&text) {
            prop_assert_eq!(through_generic(record_type, &rdata), Ok(rdata.clone()), "{}", text);
            let written = text_form(record_type, &rdata);
            prop_assert_eq!(written.is_none(), no_text_form(record_type, &rdata), "{}", text);
            if let Some(written) = written {
                let back = rdata_of(&format!("{record_type} {written}"));
                prop_assert_eq!(back, Ok((record_type, rdata)), "{} as {}", text, written);
            }
        }
    }
}
