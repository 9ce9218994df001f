//! RFC 4035: DS at the parent, RRSIGs with DO, NSEC with the zone of appendix A and the answers of appendix B.

use anyns::wire::Name;
use anyns::zone::{Absence, Expiry};

use crate::signed::*;
use crate::world::*;

fn lines() -> String {
    format!(
        "{APEX}child NS ns.child\nchild DS 1 13 2 {DIGEST}\nchild RRSIG DS 8 2 60 2 1 1 @ CQkJCQ==\nns.child A 192.0.2.9\nplain NS ns\n\
        www A 192.0.2.1\nwww RRSIG A 8 2 60 2 1 1 @ CQkJCQ==\nwww RRSIG NSEC 8 2 60 2 1 1 @ CQkJCQ==\nwww NSEC @ A RRSIG NSEC\n"
    )
}

#[test]
fn section_3_1_4_1_ds_is_answered_by_the_parent() {
    let parent_only = world(&[("example.", &lines())]);
    let both = world(&[("example.", &lines()), ("child.example.", APEX), ("plain.example.", APEX)]);
    for world in [&parent_only, &both] {
        each(world, &query("child.example.", "DS"), |response| {
            assert_eq!((response.rcode(), response.aa()), (0, true));
            assert_eq!(response.section(0).len(), 1);
        });
        expect(world, "plain.example.", "DS", 0, true, [&[], &["example. 300 SOA 1"], &[]]);
    }
    let child_only = world(&[("child.example.", APEX)]);
    expect(&child_only, "child.example.", "DS", 0, true, [&[], &["child.example. 300 SOA 1"], &[]]);
    // The root has no parent.
    let root = world(&[(".", APEX)]);
    expect(&root, ".", "DS", 0, true, [&[], &[". 300 SOA 1"], &[]]);
}

/// A denial of DS by the child would be one of the wrong zone.
#[test]
fn ds_is_not_answered_by_the_child_while_the_parent_is_not_served() {
    let parent: Name = "example.".parse().expect("a name");
    let zones = [(".", APEX), ("child.example.", APEX)];
    let mut absent = world(&zones);
    absent.snapshot = absent.snapshot.with_absent([(&parent, Absence::NoData)]).expect("a change");
    let mut expired = world(&[zones[0], ("example.", &lines()), zones[1]]);
    expired.snapshot = expired.snapshot.with_expiry([(&parent, Expiry::Expired)]).expect("a change");
    for world in [&absent, &expired] {
        for name in ["child.example.", "www.example."] {
            each(world, &query(name, "DS"), |response| {
                assert_eq!((response.rcode(), response.aa()), (2, false))
            });
        }
        each(world, &query("child.example.", "SOA"), |response| {
            assert_eq!((response.rcode(), response.aa()), (0, true));
        });
    }
}

#[test]
fn section_3_1_1_signatures_with_do_only() {
    let world = world(&[("example.", &lines())]);
    let types = |response: &Response| -> Vec<u16> {
        response.message.answers.iter().map(|record| record.record_type().into()).collect()
    };
    each(&world, &query("www.example.", "A"), |response| assert_eq!(types(response), [1]));
    each(&world, &with_do(query("www.example.", "A")), |response| assert_eq!(types(response), [1, 46]));
    each(&world, &query("www.example.", "RRSIG"), |response| assert_eq!(types(response), [46, 46]));
    each(&world, &query("www.example.", "NSEC"), |response| assert_eq!(types(response), [47]));
}

#[test]
fn section_3_1_4_ds_goes_with_a_referral() {
    let world = world(&[("example.", &lines())]);
    each(&world, &with_do(query("www.child.example.", "A")), |response| {
        let types: Vec<u16> = response.message.authorities.iter().map(|r| r.record_type().into()).collect();
        assert_eq!((types, response.aa()), (vec![2, 43, 46], false));
    });
    each(&world, &query("www.child.example.", "A"), |r| assert_eq!(r.message.authorities.len(), 1));
}

const RECORDS: &str = "\
@ SOA ns1 bugs.x.w 1 3600 300 3600000 3600
@ NS ns1
@ NS ns2
@ MX 1 xx
@ DNSKEY 257 3 8 AQID
a NS ns1.a
a NS ns2.a
a DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B
ns1.a A 192.0.2.5
ns2.a A 192.0.2.6
ai A 192.0.2.9
b NS ns1.b
b NS ns2.b
ns1.b A 192.0.2.7
ns2.b A 192.0.2.8
ns1 A 192.0.2.1
ns2 A 192.0.2.2
*.w MX 1 ai
x.w MX 1 xx
x.y.w MX 1 xx
xx A 192.0.2.10
";

const NAMES: [(&str, &str); 10] = [
    ("@", "NS SOA MX RRSIG NSEC DNSKEY"),
    ("a", "NS DS RRSIG NSEC"),
    ("ai", "A HINFO AAAA RRSIG NSEC"),
    ("b", "NS RRSIG NSEC"),
    ("ns1", "A RRSIG NSEC"),
    ("ns2", "A RRSIG NSEC"),
    ("*.w", "MX RRSIG NSEC"),
    ("x.w", "MX RRSIG NSEC"),
    ("x.y.w", "MX RRSIG NSEC"),
    ("xx", "A HINFO AAAA RRSIG NSEC"),
];

#[test]
fn appendix_b_denials() {
    let world = world(&[("example.", &format!("{RECORDS}{}", nsec_chain(&NAMES)))]);
    type Case<'a> = (&'a str, &'a str, (u16, bool, usize), &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        // B.2 and B.3.
        ("ml.example.", "A", (3, true, 0), &["b.example", "example"]),
        ("ns1.example.", "MX", (0, true, 0), &["ns1.example"]),
        // B.4 and B.5.
        ("mc.a.example.", "MX", (0, false, 0), &[]),
        ("mc.b.example.", "MX", (0, false, 0), &["b.example"]),
        // B.6 and B.7.
        ("a.z.w.example.", "MX", (0, true, 1), &["x.y.w.example"]),
        ("a.z.w.example.", "AAAA", (0, true, 0), &["x.y.w.example", "*.w.example"]),
        // B.8.
        ("example.", "DS", (0, true, 0), &["example"]),
        // Section 5.4: an empty non-terminal; the last name; before the first; behind glue; below what exists.
        ("y.w.example.", "A", (0, true, 0), &["x.w.example"]),
        ("w.example.", "A", (0, true, 0), &["ns2.example"]),
        ("zz.example.", "A", (3, true, 0), &["xx.example", "example"]),
        ("\\000.example.", "A", (3, true, 0), &["example"]),
        ("c.example.", "A", (3, true, 0), &["b.example", "example"]),
        ("x.xx.example.", "A", (3, true, 0), &["xx.example"]),
        ("b.example.", "DS", (0, true, 0), &["b.example"]),
        ("*.w.example.", "A", (0, true, 0), &["*.w.example"]),
        // Section 3.1.3.2: one NSEC proves twice and is there once.
        ("nope.x.y.w.example.", "A", (3, true, 0), &["x.y.w.example"]),
    ];
    for (name, record_type, expected, owners) in cases {
        denied(&world, name, record_type, *expected, owners);
    }
}

#[test]
fn section_3_1_6_cd_and_ad_are_clear() {
    let world = world(&[("example.", &format!("{RECORDS}{}", nsec_chain(&NAMES)))]);
    let mut asked = with_do(query("ns1.example.", "MX"));
    asked[3] |= 0x30;
    each(&world, &asked, |response| {
        assert!(!response.message.metadata.checking_disabled && !response.message.metadata.authentic_data);
    });
}

#[test]
fn section_2_3_a_chain_that_is_not_whole_is_refused() {
    let faults = |chain: &str| -> Vec<String> {
        let error = read("example.", &format!("{RECORDS}{chain}")).unwrap_err();
        let path = error.files[0].display().to_string();
        error.faults.iter().map(|fault| fault.to_string().replace(&path, "zone")).collect()
    };
    let chain = nsec_chain(&NAMES);
    let wrong = chain.replace("NSEC ns2 ", "NSEC nt2 ");
    let text =
        "the NSEC record of ns1.example. says that nt2.example. is the next name, but that is ns2.example.";
    assert_eq!(faults(&wrong), [format!("zone:31:1: {text}")]);
    let open = chain.replace("xx 300 NSEC @", "xx 300 NSEC a");
    let text = "the NSEC record of xx.example. says that a.example. is the next name, but that is example.";
    assert_eq!(faults(&open), [format!("zone:41:1: {text}")]);
    let gap: String =
        chain.lines().filter(|line| !line.starts_with("ai ")).map(|line| format!("{line}\n")).collect();
    let missing = "zone:12:1: ai.example. has no NSEC record, though the zone's apex has one";
    let over = "zone:25:1: the NSEC record of a.example. says that ai.example. is the next name, but that is b.example.";
    assert_eq!(faults(&gap), [missing, over]);
    let twice = faults(&format!("{chain}ns1 300 NSEC xx A\n"));
    assert!(twice.iter().any(|text| text.contains("ns1.example. has a second NSEC record")), "{twice:?}");
}

#[test]
fn section_2_3_nsec_without_one_at_the_apex_denies_nothing() {
    let text = "www.example. has an NSEC record, but the zone's apex has none; answers deny nothing with it";
    let zone = read("example.", &lines()).unwrap();
    assert_eq!(zone.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    let signature = SIGNATURE.replacen("13 2", "13 1", 1);
    let keys = format!("{APEX}@ DNSKEY 257 3 8 AQID\n@ RRSIG SOA {signature}\n");
    let zone = read("example.", &keys).unwrap();
    let text = "the zone example. is signed but has neither NSEC nor NSEC3 records; it cannot deny anything";
    assert_eq!(zone.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
}
