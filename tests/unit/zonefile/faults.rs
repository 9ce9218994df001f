//! Every fault with its exact place and its text.

use crate::zonefile::MAX_FAULTS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::read;

/// What stands behind the SOA (which is line 1), and the faults as they are displayed, without the file's path.
const CASES: &[(&str, &[&str])] = &[
    ("a A 192.0.2.256\n", &["2:5: found `192.0.2.256`, expected an IPv4 address such as 192.0.2.1"]),
    ("a AAAA 192.0.2.1\n", &["2:8: found `192.0.2.1`, expected an IPv6 address such as 2001:db8::1"]),
    ("a A\n", &["2:4: the entry ends here, expected an IPv4 address such as 192.0.2.1"]),
    ("a A 192.0.2.1 x\n", &["2:15: found `x` after the last field, expected the end of the line"]),
    ("a MX 65536 b\n", &["2:6: found `65536`, expected a number from 0 to 65535"]),
    ("a MX \"1\" b\n", &["2:6: found `1`, expected a number from 0 to 65535"]),
    ("a NS b..c\n", &["2:6: `b..c` is no domain name: a label is empty"]),
    (
        "a\\256 A 192.0.2.1\n b A 192.0.2.1\n",
        &[
            "2:1: `a\\256` is no domain name: a backslash must be followed by three digits up to 255 or by one other character",
        ],
    ),
    (
        "a BOGUS x\n",
        &["2:3: found `BOGUS`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280"],
    ),
    (
        "a IN IN A 192.0.2.1\n",
        &["2:6: found `IN`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280"],
    ),
    ("a CH TXT x\n", &["2:3: the class is CH, expected IN: no other class is served"]),
    ("a CLASS3 TXT x\n", &["2:3: the class is CLASS3, expected IN: no other class is served"]),
    ("a ANY x\n", &["2:3: ANY is a question or meta type, expected the type of a record"]),
    ("a NULL x\n", &["2:8: NULL has no presentation format here, expected `\\# length hex` (RFC 3597)"]),
    (
        "a 2147483648 A 192.0.2.1\n",
        &["2:3: found `2147483648`, expected a TTL from 0 to 2147483647 seconds, units allowed as in 1h30m"],
    ),
    (
        "a TXT \"b\n",
        &[
            "2:7: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
        ],
    ),
    // One fault, told at the line where the string begins; what follows the string is read again.
    (
        "a TXT \"b\nc\"\nd FOO\n",
        &[
            "2:7: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
            "4:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
    (
        "a TXT ( \"b\n  v=1; \\\" k\n\n c\" \"d\"\n  \"e\" )\nd FOO\n",
        &[
            "2:9: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
            "7:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
    (
        "a HTTPS 1 . alpn=\"b\nc\"\n",
        &[
            "2:18: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
        ],
    ),
    // A quote that was forgotten hides no fault of the lines behind it.
    (
        "a TXT \"b\nc TXT \"d\" x\"y\nd FOO\n",
        &[
            "2:7: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
            "4:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
    (
        "a TXT \"b\nc TXT \"d\"\nd FOO\n",
        &[
            "2:7: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
            "4:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
    (
        "a TXT \"b\nd FOO\ne BAR\n",
        &[
            "2:7: the quoted string that begins in line 2 is not closed there, expected `\"` before the end of that line",
            "3:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
            "4:3: found `BAR`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
    (
        "a TXT b\"c\n",
        &["2:8: found `\"` inside a word, expected a blank before it, or `\\\"` for the character itself"],
    ),
    ("a TXT \"b\"c\n", &["2:10: found text right after a quoted string, expected a blank between them"]),
    (
        "a TXT b=\"c\"\n",
        &["2:7: found `b=\"c\"`, expected a character-string, with quotes if it holds blanks"],
    ),
    ("a TXT \\25\n", &["2:7: found `\\25`, expected a character-string, with quotes if it holds blanks"]),
    (
        "a TXT b\\\n",
        &["2:8: found `\\` at the end of the line, expected three digits or a character after it"],
    ),
    ("a TXT b\0\n", &["2:8: found a NUL octet, expected text: the file may have been cut or is binary"]),
    (
        "a TXT b\rc TXT d\n",
        &["2:8: found a carriage return without a line feed, expected LF or CRLF line ends"],
    ),
    ("a TXT b )\n", &["2:9: found `)` without a `(` before it"]),
    (
        "a TXT ( b\n c\n",
        &["2:7: this parenthesis is not closed, expected `)` within 524288 octets and before the file ends"],
    ),
    ("a TXT ((((((((((((((((( b\n", &["2:23: parentheses are nested deeper than 16, expected one pair"]),
    (
        "a TYPE65280 \\# 3 abcd\n",
        &["2:16: the RDATA is said to be 3 octets long and is 2; expected the same number"],
    ),
    ("a A \\# 3 abcdef\n", &["2:8: these octets are no RDATA of type A, expected the layout of that type"]),
    ("a DS 1 8 2 ABC\n", &["2:12: found `ABC`, expected octets in hexadecimal, two digits each"]),
    ("a HTTPS 1 . port=1 port=2\n", &["2:20: found `port=2`, expected each key once (RFC 9460 section 2.1)"]),
    (
        "a HTTPS 1 . mandatory=port\n",
        &[
            "2:13: found `mandatory=port`, expected every key that `mandatory` lists to be there (RFC 9460 section 8)",
        ],
    ),
    ("a HTTPS 1 . port=x\n", &["2:13: found `port=x`, expected port=NUMBER from 0 to 65535"]),
    (
        "a LOC 91 N 0 E 0m\n",
        &["2:7: found `91`, expected degrees [minutes [seconds]], then N or S (latitude, up to 90) and \
      E or W (longitude, up to 180)"],
    ),
    ("$FOO\n", &["2:1: found `$FOO`, expected $ORIGIN, $TTL, $INCLUDE or $GENERATE"]),
    ("$ORIGIN a..b\nx FOO\n", &["2:9: `a..b` is no domain name: a label is empty"]),
    (
        "$TTL x\na A 192.0.2.1\n",
        &["2:6: found `x`, expected a TTL from 0 to 2147483647 seconds, units allowed as in 1h30m"],
    ),
    (
        "$GENERATE 0-4294967295 a$ A 192.0.2.1\n",
        &["2:11: found `0-4294967295`, expected a range as start-stop or \
      start-stop/step, with start <= stop <= 2147483647 and step > 0"],
    ),
    (
        "$GENERATE 0-2000000000 a$ A 192.0.2.1\n",
        &[
            "2:11: $GENERATE would make 2000000001 records, expected at most 4194304 from all such lines of the zone",
        ],
    ),
    (
        "$GENERATE 1-2 a${x} A 192.0.2.1\n",
        &["2:15: found `a${x}`, expected $ or ${offset[,width[,base]]} with a width up \
      to 255 and a base of d, o, x, X, n or N"],
    ),
    (
        "a FOO\nb BAR\n",
        &[
            "2:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
            "3:3: found `BAR`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
    (
        "a A ( 192.0.2.1\n  \"x\"y\n  z )\nb FOO\n",
        &[
            "3:6: found text right after a quoted string, expected a blank between them",
            "5:3: found `FOO`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280",
        ],
    ),
];

#[test]
fn faults_name_file_line_column_and_what_was_expected() {
    let mut wrong = Vec::new();
    for (text, expected) in CASES {
        let error = read(format!("{SOA}{text}")).expect_err(text);
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
fn the_first_line_needs_an_owner_and_a_ttl_once() {
    let shown = |text: &str| {
        let error = read(text).unwrap_err();
        error
            .faults
            .iter()
            .map(|fault| format!("{}:{} {}", fault.line, fault.column, fault.fault))
            .collect::<Vec<_>>()
    };
    assert!(shown(&format!(" A 192.0.2.1\n{SOA}"))[0].starts_with("1:2 the line begins with a blank"));
    let faults = shown(&format!("a A 192.0.2.1\nb A 192.0.2.1\n{SOA}"));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("1:1 no TTL"));
}

#[test]
fn faults_are_bounded_and_hostile_text_is_made_printable() {
    let error = read("a \x1b[31m\n".repeat(1_000)).unwrap_err();
    assert_eq!(error.faults.len(), MAX_FAULTS);
    assert!(!error.to_string().contains('\x1b'));
    let error = read(format!("a {}\n", "x".repeat(10_000))).unwrap_err();
    assert!(error.to_string().len() < 500);
}

#[test]
fn rdata_and_entries_end_at_their_bounds() {
    let text = format!("{SOA}a TXT{}\n", format!(" {}", "x".repeat(255)).repeat(257));
    assert!(
        read(text)
            .unwrap_err()
            .to_string()
            .contains("the RDATA is 65792 octets long, expected at most 65535")
    );
    let text = format!("{SOA}a TXT{}\n", " x".repeat(300_000));
    assert!(read(text).unwrap_err().to_string().contains("the entry is longer than 524288 octets"));
}
