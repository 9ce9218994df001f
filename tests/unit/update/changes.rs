//! RFC 2136 section 3.4: the prescan, and each rule of the update section.

use super::*;
use crate::wire::Serial;

/// What every key may do.
fn all() -> Policy {
    Policy(vec![Grant { key: name("k."), names: vec![], types: Types::Every }])
}

#[test]
fn the_prescan_has_an_rcode_for_what_cannot_be_meant() {
    let zone = zone(5, &["in www.example. 300 A 1"]);
    const FORMERR: u8 = 1;
    const REFUSED: u8 = 5;
    const NOTZONE: u8 = 10;
    let table: &[(&str, Option<u8>)] = &[
        ("in www.example. 300 A 1", None),
        ("in www.example. 300 ANY", Some(FORMERR)),
        ("in www.example. 300 AXFR", Some(FORMERR)),
        ("in www.example. 300 MAILA", Some(FORMERR)),
        ("in www.example. 300 MAILB", Some(FORMERR)),
        ("in www.example. 300 TSIG", Some(FORMERR)),
        ("in www.elsewhere. 300 A 1", Some(NOTZONE)),
        ("any www.example. 0 A", None),
        ("any www.example. 0 ANY", None),
        ("any www.example. 1 A", Some(FORMERR)),
        ("any www.example. 0 A 1", Some(FORMERR)),
        ("any www.example. 0 AXFR", Some(FORMERR)),
        ("any www.example. 0 MAILA", Some(FORMERR)),
        ("any elsewhere. 0 ANY", Some(NOTZONE)),
        ("none www.example. 0 A 1", None),
        ("none www.example. 1 A 1", Some(FORMERR)),
        ("none www.example. 0 ANY", Some(FORMERR)),
        ("none www.example. 0 AXFR", Some(FORMERR)),
        ("none elsewhere. 0 A 1", Some(NOTZONE)),
        ("3 www.example. 0 A 1", Some(FORMERR)),
        ("254 www.example. 0 A 1", None),
        // What only a signer may change.
        ("in www.example. 0 RRSIG x", Some(REFUSED)),
        ("any www.example. 0 NSEC", Some(REFUSED)),
        ("any example. 0 NSEC3PARAM", Some(REFUSED)),
        ("in example. 0 DNSKEY x", Some(REFUSED)),
    ];
    for (line, expected) in table {
        // The last record of three is looked at, too, and before any is done.
        let changes = [record("in a.example. 1 A 1"), record("any b.example. 0 ANY"), record(line)];
        let found = prescan(&zone, &changes, (&all(), &name("k.")));
        assert_eq!(found.as_ref().err().and_then(UpdateFault::rcode), *expected, "{line}: {found:?}");
    }
    assert!(prescan(&zone, &[record("in www.example. 300 A 1")], (&all(), &name("other."))).is_err());
}

/// What is there beside SOA (serial 5) and NS; what comes; what goes of what was there, and what is there afterwards that was
/// not; the serial.
type Case<'c> = (&'c [&'c str], &'c [&'c str], &'c [&'c str], &'c [&'c str], u32);

fn judge(cases: &[Case<'_>]) {
    for (before, changes, gone, new, serial) in cases {
        let served = zone(5, before);
        let mut expected: Vec<&str> = before.to_vec();
        for line in *gone {
            let at = expected.iter().position(|it| it == line);
            expected.remove(at.unwrap_or_else(|| panic!("{line} is not there")));
        }
        expected.extend(*new);
        let found = change(&served, &records(changes)).unwrap();
        assert_eq!(found.is_some(), *serial != 5, "{changes:?}: {found:?}");
        let Some(difference) = found else { continue };
        assert_eq!((difference.from, difference.to), (Serial(5), Serial(*serial)), "{changes:?}");
        let next = served.with_changes(difference.deleted, difference.added).unwrap();
        assert_eq!(lines(&next), lines(&zone(*serial, &expected)), "{before:?} {changes:?}");
    }
}

#[test]
fn additions_add_replace_or_are_ignored() {
    let www = "in www.example. 300 A 1";
    let alias = "in alias.example. 300 CNAME www.example.";
    judge(&[
        // 3.4.2.2: a new record, a new name, one that is there already.
        (&[www], &["in www.example. 300 A 2"], &[], &["in www.example. 300 A 2"], 6),
        (&[www], &["in new.a.example. 300 TXT x"], &[], &["in new.a.example. 300 TXT x"], 6),
        (&[www], &[www], &[], &[], 5),
        (&[www], &["in WWW.EXAMPLE. 300 A 1"], &[], &[], 5),
        (&["in m.example. 1 MX A.example."], &["in m.example. 1 MX a.example."], &[], &[], 5),
        // Its TTL becomes that of the RRset (RFC 2181 section 5.2).
        (&[www], &["in www.example. 60 A 1"], &[www], &["in www.example. 60 A 1"], 6),
        (
            &[www],
            &["in www.example. 60 A 2"],
            &[www],
            &["in www.example. 60 A 1", "in www.example. 60 A 2"],
            6,
        ),
        // CNAME: alone, and one; what comes second is ignored.
        (&[www], &["in www.example. 300 CNAME x.example."], &[], &[], 5),
        (&[alias], &["in alias.example. 300 A 1"], &[], &[], 5),
        (&[alias], &["in alias.example. 300 KEY key4"], &[], &["in alias.example. 300 KEY key4"], 6),
        (
            &[alias],
            &["in alias.example. 300 CNAME x.example."],
            &[alias],
            &["in alias.example. 300 CNAME x.example."],
            6,
        ),
        (&[alias], &["in alias.example. 300 DNAME x.example."], &[], &[], 5),
        // DNAME: one (RFC 6672 section 5.2).
        (
            &["in d.example. 300 DNAME a.test."],
            &["in d.example. 300 DNAME b.test."],
            &["in d.example. 300 DNAME a.test."],
            &["in d.example. 300 DNAME b.test."],
            6,
        ),
        (&["in d.example. 300 DNAME a.test."], &["in d.example. 300 CNAME b.test."], &[], &[], 5),
        // WKS: one for each address and protocol.
        (
            &["in w.example. 300 WKS a"],
            &["in w.example. 300 WKS b"],
            &["in w.example. 300 WKS a"],
            &["in w.example. 300 WKS b"],
            6,
        ),
        // SOA: only at the apex, only a later one (RFC 1982); then the serial is the client's.
        (&[], &["in example. 300 SOA 5"], &[], &[], 5),
        (&[], &["in example. 300 SOA 4"], &[], &[], 5),
        (&[], &["in example. 300 SOA 2147483653"], &[], &[], 5),
        (&[], &["in www.example. 300 SOA 9"], &[], &[], 5),
        (&[], &["in example. 300 SOA 9"], &[], &[], 9),
        (&[], &["in example. 300 SOA 9", "in example. 300 SOA 7"], &[], &[], 9),
        (&[], &["in example. 300 SOA 9", www], &[], &[www], 9),
        (&[], &["in example. 300 SOA 4", www], &[], &[www], 6),
    ]);
}

#[test]
fn deletions_leave_the_apex_its_soa_and_ns_records() {
    let (one, two) = ("in www.example. 300 A 1", "in www.example. 300 A 2");
    let text = "in www.example. 300 TXT x";
    let second = "in example. 300 NS ns2.example.";
    judge(&[
        // 3.4.2.3: an RRset, a name.
        (&[one, two, text], &["any www.example. 0 A"], &[one, two], &[], 6),
        (&[one, two, text], &["any www.example. 0 ANY"], &[one, two, text], &[], 6),
        (&[one], &["any www.example. 0 TXT"], &[], &[], 5),
        (&[one], &["any no.example. 0 ANY"], &[], &[], 5),
        (&[one, "in a.www.example. 300 A 3"], &["any www.example. 0 ANY"], &[one], &[], 6),
        (&[second, "in example. 300 TXT x"], &["any example. 0 ANY"], &["in example. 300 TXT x"], &[], 6),
        (&[second], &["any example. 0 NS"], &[], &[], 5),
        (&[], &["any example. 0 SOA"], &[], &[], 5),
        (
            &["in s.example. 300 NS ns.example."],
            &["any s.example. 0 NS"],
            &["in s.example. 300 NS ns.example."],
            &[],
            6,
        ),
        // 3.4.2.4: a record.
        (&[one, two], &["none www.example. 0 A 1"], &[one], &[], 6),
        (&[one, two], &["none www.example. 0 A 1", "none www.example. 0 A 2"], &[one, two], &[], 6),
        (&[one], &["none www.example. 0 A 3"], &[], &[], 5),
        (
            &["in m.example. 1 MX A.example."],
            &["none M.example. 0 MX a.EXAMPLE."],
            &["in m.example. 1 MX A.example."],
            &[],
            6,
        ),
        (&[], &["none example. 0 NS ns.example."], &[], &[], 5),
        (&[], &["none example. 0 SOA 5"], &[], &[], 5),
        (&[second], &["none example. 0 NS ns2.example."], &[second], &[], 6),
        (
            &[second],
            &["none example. 0 NS ns2.example.", "none example. 0 NS ns.example."],
            &[second],
            &[],
            6,
        ),
        (
            &["in s.example. 300 NS ns.example."],
            &["none s.example. 0 NS ns.example."],
            &["in s.example. 300 NS ns.example."],
            &[],
            6,
        ),
    ]);
}

#[test]
fn records_are_done_in_their_order() {
    let one = "in www.example. 300 A 1";
    let alias = "in www.example. 300 CNAME x.example.";
    judge(&[
        (&[one], &["any www.example. 0 ANY", alias], &[one], &[alias], 6),
        (&[one], &[alias, "any www.example. 0 ANY"], &[one], &[], 6),
        (&[alias], &["none www.example. 0 CNAME x.example.", one], &[alias], &[one], 6),
        (&[], &[one, "none www.example. 0 A 1"], &[], &[], 5),
        (&[one], &["none www.example. 0 A 1", one], &[], &[], 5),
        (&[one], &["any www.example. 0 A", "in WWW.example. 300 A 1"], &[], &[], 5),
        (
            &[],
            &[
                "none example. 0 NS ns.example.",
                "in example. 300 NS ns2.example.",
                "none example. 0 NS ns.example.",
                "in example. 300 NS ns.example.",
            ],
            &[],
            &["in example. 300 NS ns2.example."],
            6,
        ),
    ]);
}

#[test]
fn the_serial_never_becomes_zero() {
    let served = zone(u32::MAX, &[]);
    let difference = change(&served, &records(&["in www.example. 300 A 1"])).unwrap().unwrap();
    assert_eq!((difference.from, difference.to), (Serial(u32::MAX), Serial(1)));
}

#[test]
fn an_rrset_that_no_response_can_hold_is_refused_and_may_only_become_smaller() {
    // Header and question of 34 octets, then 12 + 256 octets for each record.
    let text = |number: usize| {
        let strings = [&[255_u8][..], format!("{number:0255}").as_bytes()].concat();
        let mut record = records(&["in www.example. 300 TXT x"]).remove(0);
        record.rdata = strings.into();
        record
    };
    let most = (65_535 - 12 - (b"\x03www\x07example\0".len() + 4)) / (12 + 256);
    let texts: Vec<UpdateRecord> = (0..=most).map(text).collect();
    let empty = zone(5, &[]);
    assert!(change(&empty, &texts[..most]).unwrap().is_some());
    let fault = change(&empty, &texts).unwrap_err();
    assert!(matches!(fault, UpdateFault::NoResponse { record_type: RecordType::TXT, .. }), "{fault}");
    assert_eq!(fault.rcode(), Some(5));
    // Such an RRset of a seed, or of an older build.
    let difference = |more| {
        let served = change(&empty, &texts[..most]).unwrap().unwrap();
        let large = empty.with_changes(served.deleted, served.added).unwrap();
        change(&large, more)
    };
    assert!(difference(&texts[most..]).is_err(), "beside those that are there");
    assert!(difference(&records(&["any www.example. 0 TXT"])).unwrap().is_some());
}

#[test]
fn names_with_too_many_records_are_refused() {
    let many: Vec<String> = (0..70_000).map(|it| format!("in big.example. 300 TXT t{it}")).collect();
    let zone = zone(5, &many.iter().map(String::as_str).collect::<Vec<_>>());
    let fault = change(&zone, &records(&["in big.example. 300 TXT new"])).unwrap_err();
    assert!(matches!(fault, UpdateFault::TooLarge { .. }), "{fault}");
    assert!(change(&zone, &records(&["in small.example. 300 TXT new"])).unwrap().is_some());
}
