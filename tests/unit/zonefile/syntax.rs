//! Master file syntax that is right.

use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::origin;
use crate::zonefile::tests::read;
use crate::zonefile::tests::records;
use crate::zonefile::tests::written;

/// Owners and TTLs of what `text` holds, in canonical order.
fn owners(text: &str) -> Vec<String> {
    records(text)
        .iter()
        .map(|record| format!("{} {} {}", record.owner, record.ttl, record.record_type))
        .collect()
}

#[test]
fn owner_ttl_and_class_are_inherited_and_come_in_any_order() {
    let text = "a 60 IN A 192.0.2.1\n IN 61 TXT x\n\tAAAA 2001:db8::1\n$TTL 1h\nb A 192.0.2.4\nb in 1W txt x\nc A 192.0.2.6";
    assert_eq!(
        owners(text),
        [
            "a.example.org. 60 A",
            "a.example.org. 61 TXT",
            "a.example.org. 61 AAAA",
            "b.example.org. 3600 A",
            "b.example.org. 604800 TXT",
            "c.example.org. 3600 A"
        ]
    );
}

#[test]
fn origin_is_relative_to_the_one_before() {
    assert_eq!(
        owners(
            "$ORIGIN sub\na 1 A 192.0.2.1\n$ORIGIN b\n@ 1 A 192.0.2.1\n$ORIGIN org.\nexample 1 A 192.0.2.1\n"
        ),
        ["example.org. 1 A", "a.sub.example.org. 1 A", "b.sub.example.org. 1 A"]
    );
}

#[test]
fn parentheses_comments_crlf_tabs_and_a_missing_last_line_end() {
    let text = "; comment \"(\r\n\r\na\t1\tTXT ( one ; (\r\n\r\n two\r\n) three (\r\n)\r\n   ; blank\r\nb 1 TXT \"a;b\"";
    let records = records(text);
    assert_eq!(records[0].rdata[..], *b"\x03one\x03two\x05three");
    assert_eq!(records[1].rdata[..], *b"\x03a;b");
}

#[test]
fn the_soa_stands_in_for_a_missing_ttl_with_a_warning() {
    let zone = read("@ IN SOA a b 7 1h 2h 4w 5m\n A 192.0.2.1\n NS ns\n").unwrap();
    assert_eq!(zone.warnings.len(), 1);
    assert_eq!((zone.warnings[0].line, zone.warnings[0].column), (1, 1));
    assert_eq!(zone.zone.serial().0, 7);
    assert!(zone.zone.records().all(|record| record.ttl == 300));
}

#[test]
fn a_byte_order_mark_is_skipped_with_a_warning_and_utf16_is_refused() {
    let zone = read(format!("\u{feff}{SOA}{NS}")).unwrap();
    assert!(zone.warnings[0].to_string().contains("byte order mark"));
    let utf16: Vec<u8> = b"\xff\xfe@\0 \0".to_vec();
    assert!(read(utf16).unwrap_err().to_string().contains("UTF-16"));
}

#[test]
fn octets_above_ascii_are_octets() {
    assert_eq!(records("ä 1 TXT ü\n")[0].owner.to_string(), "\\195\\164.example.org.");
}

#[test]
fn a_forgotten_dot_is_warned_of() {
    let zone = read(format!(
        "{SOA}www.example.org 1 A 192.0.2.1\nnotexample.org 1 A 192.0.2.1\nwww 1 MX 10 mail.EXAMPLE.org\n{NS}"
    ))
    .unwrap();
    let places: Vec<(u32, u32)> =
        zone.warnings.iter().map(|warning| (warning.line, warning.column)).collect();
    assert_eq!(places, [(2, 1), (4, 13)]);
    let expected = "`mail.EXAMPLE.org` becomes mail.EXAMPLE.org.example.org.; \
        expected a dot at its end if the origin is not to be added";
    assert_eq!(zone.warnings[1].fault.to_string(), expected);
}

#[test]
fn the_digest_is_of_the_content_alone() {
    let digest = |text: &str| read(format!("{text}{NS}")).unwrap().digest;
    let one = digest("@ 60 IN SOA a b 1 2 3 4 5\na 60 A 192.0.2.1\nb 60 A 192.0.2.2\n");
    let same = digest("$TTL 60\n@ SOA ( a b 99\n 2 3 4 5 ) ; x\nB.example.org. A 192.0.2.2\na A 192.0.2.1\n");
    assert_eq!(one, same);
    assert_ne!(one, digest("@ 60 IN SOA a b 1 2 3 4 6\na 60 A 192.0.2.1\nb 60 A 192.0.2.2\n"));
    assert_ne!(one, digest("@ 60 IN SOA a b 1 2 3 4 5\na 61 A 192.0.2.1\nb 60 A 192.0.2.2\n"));
    assert_ne!(one, digest("@ 60 IN SOA a b 1 2 3 4 5\na 60 A 192.0.2.1\nc 60 A 192.0.2.2\n"));
}

#[test]
fn a_zone_is_written_one_record_a_line_and_read_again() {
    let first = read(format!("{SOA}\\$x\\.y 60 TXT \"a b\"\n*  60 MX 10 @\n{NS}")).unwrap();
    let text = written(&first.zone);
    assert!(
        text.starts_with("example.org.\t3600\tIN\tSOA\tns.example. host.example. 1 7200 3600 1209600 300\n"),
        "{text}"
    );
    assert!(text.contains("\\$x\\.y.example.org.\t60\tIN\tTXT\t\"a b\"\n"), "{text}");
    let again = read(&text).unwrap();
    assert_eq!(again.digest, first.digest);
    assert_eq!(again.zone.origin(), &origin());
    assert_eq!(written(&again.zone), text);
}
