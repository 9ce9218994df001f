//! `$GENERATE`, with the examples of the BIND 9 Administrator Reference Manual.

use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::read;
use crate::zonefile::tests::written;

/// The lines that `text` comes to, without those of [`SOA`] and [`NS`], in order.
fn lines(text: &str) -> Vec<String> {
    let zone = read(format!("{SOA}{NS}$TTL 60\n{text}\n")).unwrap_or_else(|error| panic!("{error}")).zone;
    let mut lines: Vec<String> = written(&zone)
        .lines()
        .skip(1)
        .filter(|line| !line.ends_with("\tNS\tns.example."))
        .map(|line| line.replace("\t60\tIN\t", " ").replace('\t', " "))
        .collect();
    lines.sort();
    lines
}

#[test]
fn examples_of_the_manual() {
    assert_eq!(
        lines("$GENERATE 1-2 @ NS SERVER$.EXAMPLE."),
        ["example.org. NS SERVER1.EXAMPLE.", "example.org. NS SERVER2.EXAMPLE."]
    );
    assert_eq!(
        lines("$GENERATE 1-2 $ CNAME $.0"),
        ["1.example.org. CNAME 1.0.example.org.", "2.example.org. CNAME 2.0.example.org."]
    );
    assert_eq!(
        lines("$GENERATE 1-2 HOST-$ A 1.2.3.$"),
        ["HOST-1.example.org. A 1.2.3.1", "HOST-2.example.org. A 1.2.3.2"]
    );
    assert_eq!(
        lines("$GENERATE 1-2 HOST-$ MX \"0 .\""),
        ["HOST-1.example.org. MX 0 .", "HOST-2.example.org. MX 0 ."]
    );
}

#[test]
fn steps_offsets_widths_and_bases() {
    let owner = |value: u32, template: &str| {
        lines(&format!("$GENERATE {value}-{value} {template} NS a."))[0]
            .split_once(".example.org. ")
            .unwrap()
            .0
            .to_owned()
    };
    assert_eq!(owner(7, "a${0}"), "a7");
    assert_eq!(owner(7, "a${-5}"), "a2");
    assert_eq!(owner(7, "a${+5,4}"), "a0012");
    assert_eq!(owner(30, "a${1,3,d}"), "a031");
    assert_eq!(owner(8, "a${0,3,o}"), "a010");
    assert_eq!(owner(254, "a${0,4,x}"), "a00fe");
    assert_eq!(owner(254, "a${0,4,X}"), "a00FE");
    assert_eq!(owner(0x1a, "${0,3,n}"), "a.1");
    assert_eq!(owner(0x1a, "${0,7,N}"), "A.1.0.0");
    assert_eq!(owner(0x1abc, "${0,1,n}"), "c.b.a.1");
    assert_eq!(owner(3, "a$-$"), "a3-3");
    assert_eq!(owner(3, "a\\$b"), "a\\$b");
    assert_eq!(owner(3, "a$$b"), "a\\$b");
    assert_eq!(lines("$GENERATE 0-10/4 a$ NS a.").len(), 3);
    assert_eq!(
        lines("$GENERATE 1-1 a$ 300 IN TXT \"v $\" \"w\""),
        ["a1.example.org. 300 IN TXT \"v 1\" \"w\""]
    );
}

#[test]
fn the_owner_to_inherit_stays_and_faults_stand_at_the_directive() {
    assert_eq!(
        lines("o A 192.0.2.1\n$GENERATE 1-1 g$ A 192.0.2.2\n A 192.0.2.3"),
        ["g1.example.org. A 192.0.2.2", "o.example.org. A 192.0.2.1", "o.example.org. A 192.0.2.3"]
    );
    let error = read(format!("{SOA}$TTL 60\n  $GENERATE 250-260 g$ A 192.0.2.$\n")).unwrap_err();
    assert_eq!(error.faults.len(), 1);
    assert!(
        error
            .to_string()
            .ends_with("zone:3:3: found `192.0.2.256`, expected an IPv4 address such as 192.0.2.1"),
        "{error}"
    );
}

#[test]
fn names_that_look_like_directives_are_names() {
    assert_eq!(lines("$GENERATE 1-1 $$INCLUDE NS x.").first().unwrap(), "\\$INCLUDE.example.org. NS x.");
}

#[test]
fn the_bound_is_of_all_lines_together_and_known_before_expansion() {
    let error = read(format!("{SOA}$GENERATE 1-4000000/1000000 a$ NS x.\n$GENERATE 1-4194301 a$ NS x.\n"))
        .unwrap_err();
    assert!(error.to_string().contains("zone:3:11: $GENERATE would make 4194301 records"), "{error}");
}
