//! What fields of RDATA say about each other, in the text form and in the generic form of RFC 3597.

use std::sync::OnceLock;

use proptest::prelude::*;

use crate::wire::RecordType;

use crate::zonefile::Limits;
use crate::zonefile::fault::FileFault;
use crate::zonefile::fields::Fields;
use crate::zonefile::lexer::{Entry, Lexer};
use crate::zonefile::rdata;
use crate::zonefile::read_kept_zone;
use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::origin;
use crate::zonefile::tests::read;
use crate::zonefile::tests::types::CASES;

/// One record each: its fixed fields, its last field as a number of octets that is right, and whether it is written in
/// hexadecimal (or else in base64).
const LENGTHS: &[(&str, usize, Digits)] = &[
    ("DS 1 8 1", 20, Digits::Hex),
    ("DS 12345 13 2", 32, Digits::Hex),
    ("DS 1 8 3", 32, Digits::Hex),
    ("DS 1 8 4", 48, Digits::Hex),
    ("DS 1 8 5", 32, Digits::Hex),
    ("DS 1 8 6", 32, Digits::Hex),
    ("CDS 1 8 1", 20, Digits::Hex),
    ("CDS 1 8 2", 32, Digits::Hex),
    ("CDS 1 8 4", 48, Digits::Hex),
    ("DLV 1 8 1", 20, Digits::Hex),
    ("DLV 1 8 2", 32, Digits::Hex),
    ("TA 1 8 4", 48, Digits::Hex),
    ("SSHFP 1 1", 20, Digits::Hex),
    ("SSHFP 4 2", 32, Digits::Hex),
    ("TLSA 3 1 1", 32, Digits::Hex),
    ("TLSA 2 0 2", 64, Digits::Hex),
    ("SMIMEA 3 1 1", 32, Digits::Hex),
    ("SMIMEA 255 255 2", 64, Digits::Hex),
    ("ZONEMD 1 1 1", 48, Digits::Hex),
    ("ZONEMD 1 1 2", 64, Digits::Hex),
    ("ZONEMD 1 240 1", 48, Digits::Hex),
    ("DNSKEY 257 3 12", 64, Digits::Base64),
    ("DNSKEY 257 3 13", 64, Digits::Base64),
    ("DNSKEY 256 3 14", 96, Digits::Base64),
    ("DNSKEY 256 3 15", 32, Digits::Base64),
    ("DNSKEY 256 3 16", 57, Digits::Base64),
    ("DNSKEY 256 3 17", 64, Digits::Base64),
    ("DNSKEY 256 3 23", 64, Digits::Base64),
    ("CDNSKEY 257 3 13", 64, Digits::Base64),
    ("CDNSKEY 257 3 15", 32, Digits::Base64),
    ("KEY 512 3 13", 64, Digits::Base64),
    ("KEY 512 255 16", 57, Digits::Base64),
    ("RRSIG A 13 2 60 20300101000000 20290101000000 1 @", 64, Digits::Base64),
    ("RRSIG A 14 2 60 20300101000000 20290101000000 1 @", 96, Digits::Base64),
    ("RRSIG A 15 2 60 20300101000000 20290101000000 1 @", 64, Digits::Base64),
    ("RRSIG A 16 2 60 20300101000000 20290101000000 1 a.b.", 114, Digits::Base64),
    ("RRSIG A 3 2 60 20300101000000 20290101000000 1 @", 41, Digits::Base64),
    ("RRSIG A 12 2 60 20300101000000 20290101000000 1 @", 64, Digits::Base64),
    ("SIG A 13 2 60 20300101000000 20290101000000 1 .", 64, Digits::Base64),
];

#[derive(Clone, Copy, Debug)]
enum Digits {
    Hex,
    Base64,
}

/// Numbers that no RFC assigns, or whose length no other field determines.
const ANY_LENGTH: &[(&str, usize, Digits)] = &[
    ("DS 1 8 0", 1, Digits::Hex),
    ("DS 1 8 7", 1, Digits::Hex),
    ("DS 1 8 255", 255, Digits::Hex),
    ("DS 1 200 200", 3, Digits::Hex),
    ("CDS 1 8 200", 3, Digits::Hex),
    ("SSHFP 1 0", 1, Digits::Hex),
    ("SSHFP 1 3", 1, Digits::Hex),
    ("TLSA 3 1 0", 1, Digits::Hex),
    ("TLSA 3 1 3", 1, Digits::Hex),
    ("SMIMEA 3 1 255", 1, Digits::Hex),
    ("ZONEMD 1 1 3", 12, Digits::Hex),
    ("ZONEMD 1 1 255", 13, Digits::Hex),
    ("DNSKEY 256 3 200", 1, Digits::Base64),
    ("DNSKEY 256 3 8", 5, Digits::Base64),
    ("KEY 512 3 200", 1, Digits::Base64),
    ("RRSIG A 8 2 60 20300101000000 20290101000000 1 @", 1, Digits::Base64),
    ("RRSIG A 200 2 60 20300101000000 20290101000000 1 @", 1, Digits::Base64),
    ("IPSECKEY 10 1 3 192.0.2.1", 1, Digits::Base64),
    ("CERT 1 0 0", 1, Digits::Base64),
    ("CERT 65280 0 0", 1, Digits::Base64),
];

/// Whole records that can never be right, and what the fault says.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("DS 12345 13 2 00", "the DS record has a digest of 1 octets, expected 32 for digest type 2"),
    (
        "CDS 0 0 0 01",
        "the CDS record has algorithm 0 beside other values, expected `0 0 0 00` (RFC 8078 section 4)",
    ),
    ("CDS 1 0 0 00", "algorithm 0 beside other values"),
    ("CDS 0 0 1 2BB183AF5F22588179A53B0A98631FAD1A292118", "algorithm 0 beside other values"),
    ("CDNSKEY 0 3 0 AQ==", "expected `0 3 0 AA==` (RFC 8078 section 4)"),
    ("CDNSKEY 257 3 0 AA==", "expected `0 3 0 AA==` (RFC 8078 section 4)"),
    (
        "ZONEMD 1 1 3 0001020304050607080910",
        "the ZONEMD record has a digest of 11 octets, expected at least 12",
    ),
    ("DNSKEY 256 2 8 AQIDBA==", "a protocol other than 3, expected 3 (RFC 4034 section 2.1.2)"),
    ("CDNSKEY 256 255 8 AQIDBA==", "a protocol other than 3"),
    // RFC 3110 section 2: exponent of 0 octets, exponent only, exponent longer than the rest, in one octet and in two.
    ("DNSKEY 256 3 8 AA==", "an RSA key without exponent or modulus"),
    ("DNSKEY 256 3 8 AQ==", "an RSA key without exponent or modulus"),
    ("DNSKEY 256 3 5 AQM=", "an RSA key without exponent or modulus"),
    ("DNSKEY 256 3 10 BAMDAw==", "an RSA key without exponent or modulus"),
    ("DNSKEY 256 3 7 AAAAAwM=", "an RSA key without exponent or modulus"),
    ("DNSKEY 256 3 1 AAADAwM=", "an RSA key without exponent or modulus"),
    ("DNSKEY 256 3 3 AQID", "a malformed DSA key"),
    ("DNSKEY 256 3 6 CQID", "a malformed DSA key"),
    ("DNSKEY 256 3 253 BQID", "no name in front of the data"),
    ("DNSKEY 256 3 254 BQID", "no OID in front of the data"),
    ("DNSKEY 256 3 254 AAA=", "no OID in front of the data"),
    ("RRSIG A 253 2 60 20300101000000 20290101000000 1 @ BQID", "no name in front of the data"),
    ("RRSIG A 254 2 60 20300101000000 20290101000000 1 @ BQID", "no OID in front of the data"),
    ("KEY 0 3 0", "the KEY record has no key, expected a key, or flags 0xc000"),
    ("KEY 512 3 8", "the KEY record has no key"),
    ("KEY 49152 3 8 AQID", "a key, though flags 0xc000 say that there is none"),
    ("KEY 512 3 13 AQID", "a key of 3 octets, expected 64 for algorithm 13"),
    ("NSEC3 1 0 0 - 00 A", "a next hashed owner name of 1 octets, expected 20 for hash algorithm 1"),
    ("IPSECKEY 10 1 2 192.0.2.1", "no key, expected a key, or algorithm 0"),
    ("IPSECKEY 10 3 1 a.", "no key, expected a key, or algorithm 0"),
    ("IPSECKEY 10 0 0 . AQID", "a key beside algorithm 0"),
    ("IPSECKEY 10 2 2 2001:db8::1 AQ==", "an RSA key without exponent or modulus"),
    ("DHCID AAIBAA==", "a digest of 1 octets, expected 32 for digest type 1"),
    ("DHCID AAIC", "RDATA of 3 octets, expected at least 4 (RFC 4701 section 3.1)"),
    ("CERT 6 0 0 BAECAw==", "a fingerprint that ends early"),
    ("CERT URI 0 0 AQID", "no URI, expected a URI that ends with a zero octet"),
    ("CERT URI 0 0 AAEC", "no URI"),
    ("CERT OID 0 0 AwEC", "no OID"),
    ("CERT OID 0 0 AAEC", "no OID"),
    ("URI 10 1 \"\"", "an empty target, expected at least one octet (RFC 7553 section 4.4)"),
    ("X25 123", "no PSDN address, expected four or more digits (RFC 1183 section 3.1)"),
    ("X25 12a4", "no PSDN address"),
    ("NAPTR 1 1 \"?\" \"x\" \"\" a.", "flags with other characters"),
    ("NAPTR 1 1 \"U\" \"x\" \"!a!b\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!a!b!c!\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"1a1b1\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!a!b!x\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!!b!\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!(a!b!\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!a)!b!\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"![a!b!\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!a!\\\\1!\" .", "a malformed substitution expression"),
    ("NAPTR 1 1 \"U\" \"x\" \"!(a)!\\\\2!\" .", "a malformed substitution expression"),
    (
        "NAPTR 1 1 \"U\" \"x\" \"!a!b!\" a.",
        "a substitution expression and a replacement, expected one of them",
    ),
    ("GPOS a b c", "no position, expected longitude, latitude and altitude as numbers"),
    ("GPOS \"\" \"\" \"\"", "no position"),
    ("GPOS 1e1 0 0", "no position"),
    ("GPOS inf 0 0", "no position"),
    ("GPOS 180.01 0 0", "a coordinate out of range"),
    ("GPOS 0 -181 0", "a coordinate out of range"),
    ("SVCB 1 . key9=\\000\\029\\000\\029", "the wire form of `tls-supported-groups`"),
    ("SVCB 1 . tls-supported-groups=29,29", "tls-supported-groups=NUMBER"),
    ("SVCB 1 . tls-supported-groups=", "tls-supported-groups=NUMBER"),
    ("SVCB 1 . tls-supported-groups=65536", "tls-supported-groups=NUMBER"),
    ("SVCB 1 . docpath=a,,b", "docpath=SEGMENT"),
    ("SVCB 1 . key10=a", "the wire form of `docpath`"),
    ("SVCB 1 . docpath=\\255", "docpath=SEGMENT"),
    ("SVCB 1 . pvd=x", "the key without a value"),
    ("SVCB 1 . key11=x", "the key without a value"),
    // What a reader could cut off without a trace in the octets.
    ("A6 64 1:2::1 a.", "whose bits in front of the prefix length are 0"),
    ("A6 1 8000:: a.", "whose bits in front of the prefix length are 0"),
    ("AMTRELAY 10 2 0 .", "the discovery-optional flag, 0 or 1"),
    ("NID 10 1:2:3:4:5", "four groups"),
    ("EUI48 00-00-5e-00-53-2a-00", "six octets"),
];

/// Whole records that are right, near to those above.
pub(super) const ACCEPTED: &[&str] = &[
    "CDS 0 0 0 00",
    "CDNSKEY 0 3 0 AA==",
    "DNSKEY 0 3 8 AQIDBA==",
    "DNSKEY 256 3 8 AAABAwQ=",
    "DNSKEY 256 3 253 AWEAAQ==",
    "DNSKEY 256 3 254 AQIDBA==",
    "KEY 49152 3 0",
    "KEY 49152 255 8",
    "KEY 32768 3 8 AQIDBA==",
    "NSEC3 2 0 0 - 00 A",
    "NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr",
    "IPSECKEY 10 1 0 192.0.2.1",
    "IPSECKEY 10 0 0 .",
    "CERT 6 0 0 AwECAw==",
    "CERT URI 0 0 YQAB",
    "CERT OID 0 0 AQID",
    "NAPTR 1 1 \"\" \"\" \"\" .",
    "NAPTR 1 1 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!i\" .",
    "NAPTR 1 1 \"u\" \"E2U+sip\" \"/(a\\\\/)/\\\\1/\" .",
    "RRSIG A 8 2 60 21060207062815 4294967295 1 @ AQ==",
    "NAPTR 1 1 \"u\" \"E2U+sip\" \"!^(.[0-9[:alpha:]]*)([^]]*)$!sip:\\\\1@\\\\2.example!\" .",
    "NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" a.",
    "GPOS -180 180 -5",
    "GPOS +32.6882 .5 10000.0",
    "SVCB 1 . tls-supported-groups=29,23,65535",
    "SVCB 1 . key9=\\000\\029",
    "SVCB 1 . docpath=dns,a\\,b",
    "SVCB 1 . docpath",
    "SVCB 1 . docpath=",
    "SVCB 1 . key10=\\003dns",
    "SVCB 1 . pvd",
    "AMTRELAY \\# 4 0a04 abcd",
    "AMTRELAY \\# 2 0aff",
];

fn digits(octets: usize, digits: Digits) -> String {
    // Octets of 1 are an RSA key of an exponent and a modulus of one octet and more.
    match digits {
        Digits::Hex => "01".repeat(octets),
        Digits::Base64 => data_encoding::BASE64.encode(&vec![1; octets]),
    }
}

/// The RDATA of `type rdata`; the fault as it is displayed.
pub(super) fn rdata_of(text: &str) -> Result<(RecordType, Vec<u8>), String> {
    let mut entry = Entry::default();
    Lexer::new(text.as_bytes(), 0).next_entry(&mut entry).map_err(|flaw| flaw.fault.to_string())?;
    let origin = origin();
    let mut fields = Fields::new(&entry, &origin);
    let record_type = rdata::record_type(fields.any("a type").unwrap().text).expect(text);
    let mut out = Vec::new();
    rdata::read(record_type, &mut fields, &mut out).map_err(|flaw| flaw.fault.to_string())?;
    Ok((record_type, out))
}

/// The same RDATA through `\# length hex`.
pub(super) fn through_generic(record_type: RecordType, rdata: &[u8]) -> Result<Vec<u8>, String> {
    let hex = data_encoding::HEXLOWER.encode(rdata);
    rdata_of(&format!("{record_type} \\# {} {hex}", rdata.len())).map(|(_, rdata)| rdata)
}

#[test]
fn a_length_that_another_field_determines_is_the_only_one() {
    for (fixed, right, kind) in LENGTHS {
        let (record_type, good) = rdata_of(&format!("{fixed} {}", digits(*right, *kind))).expect(fixed);
        assert_eq!(through_generic(record_type, &good).as_ref(), Ok(&good), "{fixed}");
        let field = good.len() - right;
        for wrong in
            [1, right / 2, right - 1, right + 1, right * 2].into_iter().filter(|wrong| wrong != right)
        {
            let expected = format!("of {wrong} octets, expected {right} for ");
            let text = rdata_of(&format!("{fixed} {}", digits(wrong, *kind))).expect_err(fixed);
            assert!(text.contains(&expected), "{fixed} with {wrong}: {text}");
            let octets = [&good[..field], &vec![1; wrong]].concat();
            assert_eq!(through_generic(record_type, &octets), Err(text), "{fixed} with {wrong}");
        }
    }
}

#[test]
fn numbers_that_no_rfc_assigns_have_any_length() {
    for (fixed, octets, kind) in ANY_LENGTH {
        for octets in [*octets, octets + 1, octets * 2 + 20] {
            let (record_type, rdata) = rdata_of(&format!("{fixed} {}", digits(octets, *kind)))
                .unwrap_or_else(|fault| panic!("{fixed}: {fault}"));
            assert_eq!(through_generic(record_type, &rdata), Ok(rdata), "{fixed} with {octets}");
        }
    }
}

#[test]
fn what_can_never_be_right_is_refused_with_its_section() {
    for (text, expected) in REFUSED {
        let fault = rdata_of(text).expect_err(text);
        assert!(fault.contains(expected), "{text}: {fault}");
        let error = read(format!("{SOA}{NS}x 60 IN {text}\n")).expect_err(text);
        assert!(error.to_string().contains(&fault), "{text}: {error}");
    }
    for text in ACCEPTED {
        let (record_type, rdata) = rdata_of(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(through_generic(record_type, &rdata), Ok(rdata), "{text}");
    }
}

#[test]
fn the_fault_stands_at_the_field() {
    let error = read(format!("{SOA}{NS}x 60 DS 1 13 2 00\ny 60 DS \\# 5 0001 0d 02 00\n")).unwrap_err();
    let places: Vec<_> = error.faults.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(3, 16), (4, 9)]);
    assert!(
        error
            .faults
            .iter()
            .all(|fault| matches!(fault.fault, FileFault::Value { record_type: RecordType::DS, .. }))
    );
}

/// A version that an earlier build accepted is not lost when a later one knows better.
#[test]
fn what_is_kept_is_read_again_though_its_values_are_refused_now() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kept");
    let text = format!("{SOA}{NS}w 60 NS ns.example.\nw 60 DS 12345 13 2 00\nv 60 DS \\# 5 0001 0d 02 00\n");
    std::fs::write(&path, &text).unwrap();
    assert_eq!(read(&text).unwrap_err().faults.len(), 2);
    let zone = read_kept_zone(&path, &origin(), &Limits::default()).unwrap();
    assert!(zone.tolerated.is_some());
    let zone = zone.zone;
    assert_eq!(zone.record_count(), 5);
    // What it is written as is read again, too.
    std::fs::write(&path, crate::zonefile::tests::written(&zone)).unwrap();
    let again = read_kept_zone(&path, &origin(), &Limits::default()).unwrap().zone;
    assert!(again.records().eq(zone.records()));
}

/// The RDATA of every type of the table of cases.
fn known_rdata() -> Vec<(RecordType, Vec<u8>)> {
    let cases = CASES.iter().map(|(text, ..)| rdata_of(text).expect(text));
    let lengths =
        LENGTHS.iter().map(|(fixed, right, kind)| rdata_of(&format!("{fixed} {}", digits(*right, *kind))));
    let right = ACCEPTED.iter().map(|text| rdata_of(text).expect(text));
    cases.chain(lengths.map(Result::unwrap)).chain(right).collect()
}

/// The words behind the type, if octets have a text form.
pub(super) fn text_form(record_type: RecordType, rdata: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    rdata::write(record_type, rdata, &mut text);
    Some(String::from_utf8(text).unwrap()).filter(|text| !text.starts_with("\\#"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    /// Whatever octets the generic form accepts have a text form that is accepted and says the same, but for what RFCs give no
    /// text form; whatever it refuses has none. So both forms accept and refuse the same RDATA.
    #[test]
    fn both_forms_accept_and_refuse_the_same(
        case in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![0..4_u8, any::<u8>()], 0..5_usize), 0..4),
    ) {
        static KNOWN: OnceLock<Vec<(RecordType, Vec<u8>)>> = OnceLock::new();
        let known = KNOWN.get_or_init(known_rdata);
        let (record_type, mut rdata) = known[case.index(known.len())].clone();
        for (at, octet, how) in changes {
            let at = at.index(rdata.len().max(1));
            match how {
                0 if !rdata.is_empty() => rdata[at] = octet,
                1 if !rdata.is_empty() => rdata[at] ^= 1 << (octet % 8),
                2 if !rdata.is_empty() => drop(rdata.remove(at)),
                3 => rdata.truncate(at),
                _ => rdata.insert(at, octet),
            }
        }
        let generic = through_generic(record_type, &rdata);
        let text = text_form(record_type, &rdata);
        if let Some(text) = &text {
            prop_assert_eq!(rdata_of(&format!("{record_type} {text}")).map(|(_, back)| back), Ok(rdata.clone()), "{}", text);
        }
        match generic {
            Ok(back) => {
                prop_assert_eq!(&back, &rdata);
                let has_none = no_text_form(record_type, &rdata);
                prop_assert_eq!(text.is_none(), has_none, "{} {:?}", record_type, rdata);
            }
            Err(fault) => prop_assert!(text.is_none(), "{record_type} {rdata:?}: {fault}, but {text:?}"),
        }
    }
}

/// Whether there is no presentation format for these octets: types without one, address families that RFC 3123 does not
/// know, versions of LOC other than 0, relay types of AMTRELAY above 3.
pub(super) fn no_text_form(record_type: RecordType, rdata: &[u8]) -> bool {
    if record_type == RecordType::LOC {
        return rdata.first() != Some(&0);
    }
    if record_type == RecordType::AMTRELAY {
        return rdata.get(1).is_some_and(|octet| octet & 0x7f > 3);
    }
    if record_type == RecordType::APL {
        let mut rest = rdata;
        while let [high, low, _, flags, items @ ..] = rest {
            if !matches!((high, low), (0, 1 | 2)) {
                return true;
            }
            rest = items.get(usize::from(flags & 0x7f)..).unwrap_or_default();
        }
        return false;
    }
    let types = ["NULL", "UINFO", "UID", "GID", "UNSPEC"];
    types.contains(&record_type.to_string().as_str()) || record_type.mnemonic().is_none()
}
