//! What the zone builder finds, at the place that the reader gave it: file, line and column.

use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::read;
use crate::zonefile::tests::read_in;

/// What stands behind the SOA (line 1) and the NS (line 2), and the faults as they are displayed, without the file's
/// path. The place is that of the record's first word, which is its TTL, class or type where the owner is inherited.
const CASES: &[(&str, &[&str])] = &[
    ("www.test. 60 A 192.0.2.1\n", &["3:1: www.test. is outside the zone example.org."]),
    ("$ORIGIN test.\n\nwww 60 A 192.0.2.1\n", &["5:1: www.test. is outside the zone example.org."]),
    ("xexample.org. 60 A 192.0.2.1\n", &["3:1: xexample.org. is outside the zone example.org."]),
    (
        "@ 3600 SOA ns.example. host.example. 2 7200 3600 1209600 300\n",
        &["3:1: example.org. has a second SOA record; a zone has exactly one"],
    ),
    (
        "sub 60 SOA ns host 2 3 4 5 6\n",
        &["3:1: sub.example.org. has an SOA record; only the apex example.org. may have one"],
    ),
    (
        "w 60 CNAME v\n   A 192.0.2.1\n",
        &["4:4: w.example.org. has a CNAME record and A records; a CNAME stands alone"],
    ),
    // The later of the two has the blame.
    (
        "w 60 TXT x\nv 60 TXT x\n\tIN CNAME u\nw 60 CNAME v\n",
        &[
            "5:2: v.example.org. has a CNAME record and TXT records; a CNAME stands alone",
            "6:1: w.example.org. has a CNAME record and TXT records; a CNAME stands alone",
        ],
    ),
    (
        "@ 60 CNAME v.example.\n",
        &["3:1: example.org. has a CNAME record and SOA records; a CNAME stands alone"],
    ),
    (
        "w 60 CNAME v\n 60 CNAME u\n",
        &["4:2: w.example.org. has a second CNAME record; an alias has one canonical name"],
    ),
    (
        "d 60 DNAME a\nd 60 DNAME b\n",
        &["4:1: d.example.org. has a second DNAME record; a name has one at most"],
    ),
    (
        "d 60 DNAME a\nw.d 60 A 192.0.2.1\nx.y.d 60 TXT x\n",
        &[
            "4:1: w.d.example.org. is below d.example.org., which has a DNAME record; no record may be below it",
            "5:1: x.y.d.example.org. is below d.example.org., which has a DNAME record; no record may be below it",
        ],
    ),
    (
        "d 60 NS ns.example.\n 60 DNAME a\n",
        &["4:2: d.example.org. has NS and DNAME records; only at the apex may both stand"],
    ),
    // From the parser of the record and from the builder: each fault of the parser is told first and alone.
    ("www.test. 60 A 192.0.2.1\nw 60 A x\n", &["4:8: found `x`, expected an IPv4 address such as 192.0.2.1"]),
    // All records of a $GENERATE stand where the directive does.
    (
        "w2 60 CNAME v\n$GENERATE 1-3 w$ 60 A 192.0.2.$\n",
        &["4:1: w2.example.org. has a CNAME record and A records; a CNAME stands alone"],
    ),
];

#[test]
fn zone_faults_name_line_and_column() {
    let mut wrong = Vec::new();
    for (text, expected) in CASES {
        let error = read(format!("{SOA}{NS}{text}")).expect_err(text);
        let shown: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
        let path = error.files[0].display().to_string();
        let expected: Vec<String> = expected.iter().map(|fault| format!("{path}:{fault}")).collect();
        if shown != expected {
            wrong.push(format!("{text}\n  shown    {shown:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn zone_faults_name_the_included_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("more"), "\n  ; a comment\nw 60 A 192.0.2.1\n").unwrap();
    let error =
        read_in(directory.path(), format!("{SOA}{NS}w 60 CNAME v\n$INCLUDE more\n")).unwrap_err().to_string();
    let path = directory.path().join("more").display().to_string();
    let text = "w.example.org. has a CNAME record and A records; a CNAME stands alone";
    assert_eq!(error, format!("{path}:3:1: {text}"));
}

#[test]
fn what_the_apex_lacks_has_no_line() {
    let shown = |text: &str| {
        let error = read(text).unwrap_err();
        let path = error.files[0].display().to_string();
        let shown: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
        shown.join("\n").replace(&path, "zone")
    };
    let no_soa = "zone: the zone example.org. has no SOA record at its apex";
    let no_ns = "zone: the zone example.org. has no NS record at its apex";
    assert_eq!(shown("a 1 IN A 192.0.2.1\n"), format!("{no_soa}\n{no_ns}"));
    assert_eq!(shown(""), format!("{no_soa}\n{no_ns}"));
    assert_eq!(shown(NS), no_soa);
    assert_eq!(shown(SOA), no_ns);
}

#[test]
fn an_rrset_that_fits_into_no_message_is_a_warning() {
    // Header 12, question 15 + 4, and 12 beside the RDATA of each record.
    let warnings = |text: String| {
        let zone = read(format!("{SOA}{NS}{text}")).unwrap();
        zone.warnings.iter().map(|warning| warning.fault.to_string()).collect::<Vec<_>>()
    };
    let generic = |octets: usize, first: &str| {
        format!("w 60 TYPE65280 \\# {octets} {first}{}\n", "00".repeat(octets - 1))
    };
    let two = |octets: usize| warnings(generic(32_740, "01") + &generic(octets, "02"));
    let none: [String; 0] = [];
    assert_eq!(two(32_740), none);
    let expected = |record_type: &str| {
        format!(
            "the {record_type} records of w.example.org. fit into no message: with header and question they exceed 65535 octets"
        )
    };
    assert_eq!(two(32_741), [expected("TYPE65280")]);
    assert_eq!(warnings(generic(65_492, "01")), none);
    assert_eq!(warnings(generic(65_493, "01")), [expected("TYPE65280")]);
    // Names that are compressed count as they are then.
    let servers =
        |count: usize| warnings(format!("$GENERATE 1-{count} w 60 NS n$.{}.example.\n", "x".repeat(63)));
    assert_eq!(servers(3_000), none);
    assert_eq!(servers(6_000), [expected("NS")]);
}

#[test]
fn warnings_of_the_builder_have_their_place_and_come_behind_those_of_the_reader() {
    let text = "w 60 A 192.0.2.1\n 61 A 192.0.2.2\n*.v 60 NS ns.example.\nx.example.org 60 A 192.0.2.1\n";
    let zone = read(format!("{SOA}{NS}{text}")).unwrap();
    let path = zone.files[0].display();
    let expected = [
        format!(
            "{path}:6:1: `x.example.org` becomes x.example.org.example.org.; expected a dot at its end if the origin is not to be added"
        ),
        format!(
            "{path}:5:1: *.v.example.org. has NS records; delegations by wildcard are discouraged (RFC 4592 section 4.2)"
        ),
        format!("{path}:4:2: the A records of w.example.org. have different TTLs; 60 is used for all"),
    ];
    assert_eq!(zone.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}
