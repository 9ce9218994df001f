//! DNSSEC signatures: every kind of fault, beside what BIND and ldns say of it.

use anyns::zone::signatures::Level;

use crate::signed::{Signer, can_sign, change, field, words};

#[test]
fn what_the_common_signer_makes_of_each_algorithm_is_right() {
    if !can_sign() {
        return;
    }
    for (algorithm, denial) in [
        ("RSASHA1", &[][..]),
        ("NSEC3RSASHA1", &["-3", "-"]),
        ("RSASHA256", &["-3", "5a17", "-H", "5"]),
        ("RSASHA512", &[]),
        ("ECDSAP256SHA256", &["-3", "-", "-A"]),
        ("ECDSAP384SHA384", &["-3", "-"]),
        ("ED25519", &[]),
    ] {
        let signer = Signer::new(&[algorithm]);
        let (found, bind, ldns) = signer.judge(&signer.sign(1, "", denial));
        assert!(bind && ldns, "{algorithm}: the peers do not accept it");
        assert_eq!(
            found.count(Level::Wrong) + found.count(Level::Time),
            0,
            "{algorithm}: {:?}",
            words(&found)
        );
        assert!(found.signatures >= 20, "{algorithm}: {found:?}");
        let notes = usize::from(algorithm.ends_with("RSASHA1") || algorithm == "RSASHA1");
        assert_eq!(words(&found).len(), notes, "{algorithm}: {:?}", words(&found));
    }
    let signer = Signer::new(&["ED448"]);
    let (found, ..) = signer.judge(&signer.sign(1, "", &[]));
    assert_eq!((found.count(Level::Wrong), found.count(Level::Time)), (0, 0), "{:?}", words(&found));
    assert!(
        words(&found)[0].ends_with("(ED448) cannot be verified: the algorithm is not supported"),
        "{:?}",
        words(&found)
    );
}

/// What a fault makes of a zone; the words that must be told; whether BIND and ldns refuse it.
type Case<'a> = (&'a str, String, Vec<String>, bool, bool);

#[test]
fn each_kind_of_fault_has_its_words() {
    if !can_sign() {
        return;
    }
    let signer = Signer::new(&["ECDSAP256SHA256"]);
    let good = signer.sign(1, "", &[]);
    let tag = signer.tag();
    let www = "www.example.org.";
    let a = |to: &dyn Fn(&str) -> Option<String>| change(&good, www, "RRSIG A", to);
    let said = |words: &str| vec![format!("wrong: {words}").replace("TAG", &tag.to_string())];
    let mismatch = "the signature by key TAG (ECDSAP256SHA256) does not match the RRset; sign it again";
    let mismatch = |set: &str| said(&format!("{set}: {mismatch}"));
    let cases: Vec<Case<'_>> = vec![
        (
            "RDATA",
            change(&good, www, "A", |line| Some(line.replace("192.0.2.10", "192.0.2.11"))),
            mismatch("www.example.org. A"),
            true,
            true,
        ),
        ("a record less", change(&good, www, "A 192.0.2.10", |_| None), mismatch("www.example.org. A"), true, true),
        (
            "another signature",
            a(&|line| {
                let fields: Vec<&str> = line.split_whitespace().take(12).collect();
                Some(format!("{} {}==", fields.join(" "), "A".repeat(86)))
            }),
            mismatch("www.example.org. A"),
            true,
            true,
        ),
        ("no signature", a(&|_| None), said("www.example.org. A: the RRset is not signed; sign it"), true, true),
        (
            "key tag",
            a(&|line| field(line, 10, "1")),
            vec!["wrong: www.example.org. A: the signature is by key 1 (ECDSAP256SHA256), which is not in the DNSKEY RRset".into()],
            true,
            true,
        ),
        (
            "algorithm",
            a(&|line| field(line, 5, "8")),
            said("www.example.org. A: the signature is by key TAG (RSASHA256), which is not in the DNSKEY RRset"),
            true,
            true,
        ),
        (
            "signer",
            a(&|line| field(line, 11, "org.")),
            said("www.example.org. A: the signature by key TAG names org. as its signer; the zone's name is right"),
            true,
            true,
        ),
        (
            "labels",
            a(&|line| field(line, 6, "2")),
            said("www.example.org. A: the signature by key TAG says 2 labels; 3 is right"),
            true,
            true,
        ),
        (
            "labels of a wildcard",
            change(&good, "*.wild.example.org.", "RRSIG TXT", |line| field(line, 6, "4")),
            said("*.wild.example.org. TXT: the signature by key TAG says 4 labels; 3 is right"),
            true,
            true,
        ),
        (
            "original TTL",
            a(&|line| field(line, 7, "60")),
            said("www.example.org. A: the signature by key TAG says an original TTL of 60, and the RRset's is 3600"),
            true,
            true,
        ),
        (
            "TTL",
            change(&change(&good, www, "A", |line| field(line, 1, "60")), www, "RRSIG A", |line| field(line, 1, "60")),
            said("www.example.org. A: the signature by key TAG says an original TTL of 3600, and the RRset's is 60"),
            true,
            false,
        ),
        (
            "a type more",
            change(&good, www, "NSEC", |line| Some(line.replace(" AAAA ", " TXT AAAA "))),
            said("www.example.org. NSEC: the type bit map of the NSEC record has TXT, which is not there"),
            true,
            true,
        ),
        (
            "a type less",
            change(&good, www, "NSEC", |line| Some(line.replace(" AAAA ", " "))),
            said("www.example.org. NSEC: the type bit map of the NSEC record leaves out AAAA, which is there"),
            true,
            true,
        ),
        (
            "no signature of the keys",
            change(&good, "example.org.", "RRSIG DNSKEY", |_| None),
            said("example.org. DNSKEY: the RRset is not signed; sign it"),
            true,
            true,
        ),
    ];
    for (case, zone, told, bind_refuses, ldns_refuses) in cases {
        let (found, bind, ldns) = signer.judge(&zone);
        for words_of in told {
            assert!(words(&found).contains(&words_of), "{case}: {words_of} is not in {:#?}", words(&found));
        }
        assert!(found.count(Level::Wrong) <= 2, "{case}: {:#?}", words(&found));
        assert_eq!((!bind, !ldns), (bind_refuses, ldns_refuses), "{case}: BIND and ldns refuse");
    }
}

#[test]
fn what_validators_let_pass_is_a_warning() {
    if !can_sign() {
        return;
    }
    let signer = Signer::new(&["ECDSAP256SHA256", "RSASHA256"]);
    let good = signer.sign(1, "", &["-3", "-"]);
    let without = change(&good, "www.example.org.", "RRSIG A 8", |_| None);
    let (found, bind, _) = signer.judge(&without);
    let told = "note: www.example.org. A: no signature by RSASHA256, which the DNSKEY RRset lists";
    assert_eq!((words(&found), bind), (vec![told.to_owned()], false), "BIND insists, validators must not");
    // Glue is not signed; a signature of it is not looked at.
    let glue = "ns.sub.example.org.";
    let signature =
        format!("RRSIG A 13 4 3600 20300101000000 20200101000000 1 example.org. {}==", "A".repeat(86));
    let (found, ..) = signer.judge(&format!("{good}{glue} 3600 IN {signature}\n"));
    assert!(
        words(&found)[0].starts_with("note: ns.sub.example.org. A: signatures of an RRset that is not there"),
        "{found:?}"
    );
    let (found, ..) =
        signer.judge(&format!("{good}up.example.org. 3600 IN {}\n", signature.replace(" 4 3600", " 3 3600")));
    assert_eq!((found.count(Level::Wrong), found.count(Level::Note)), (0, 1), "{:?}", words(&found));
}

#[test]
fn time_and_revoked_keys_are_told_apart() {
    if !can_sign() {
        return;
    }
    let signer = Signer::new(&["ED25519"]);
    let (found, bind, ldns) =
        signer.judge(&signer.sign(1, "", &["-s", "20200101000000", "-e", "20200201000000", "-P"]));
    assert_eq!(
        (found.count(Level::Wrong), found.count(Level::Time)),
        (0, found.signatures),
        "{:?}",
        words(&found)
    );
    assert!(
        words(&found)[0].ends_with("expired at 2020-02-01T00:00:00Z; sign it again"),
        "{:?}",
        words(&found)
    );
    assert!(!ldns, "ldns looks at the time, and BIND does not: {bind}");
    let (found, ..) =
        signer.judge(&signer.sign(1, "", &["-s", "20600101000000", "-e", "20600201000000", "-P"]));
    assert_eq!(
        (found.count(Level::Wrong), found.count(Level::Time)),
        (0, found.signatures),
        "{:?}",
        words(&found)
    );
    assert!(words(&found)[0].ends_with("is valid from 2060-01-01T00:00:00Z only"), "{:?}", words(&found));
    let revoked = change(&signer.sign(1, "", &[]), "example.org.", "DNSKEY", |line| field(line, 4, "384"));
    let (found, ..) = signer.judge(&revoked);
    assert_eq!(found.count(Level::Wrong), found.signatures, "{:?}", words(&found));
    assert!(
        words(&found).iter().any(|words| words.ends_with("is revoked (RFC 5011)")),
        "{:?}",
        words(&found)
    );
}
