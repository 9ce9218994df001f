//! RFC 5155: NSEC3, with the zone of appendix A and the answers of appendix B.

use anyns::zone::{Place, ZoneBuilder};

use crate::signed::*;
use crate::world::*;

const APPENDIX: Parameters<'static> =
    Parameters { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd], opt_out: true };

const RECORDS: &str = "\
@ SOA ns1 bugs.x.w 1 3600 300 3600000 3600
@ NS ns1
@ NS ns2
@ MX 1 xx
@ DNSKEY 257 3 8 AQID
2t7b4g4vsa5smi47k61mv5bv1a22bojr A 192.0.2.127
a NS ns1.a
a NS ns2.a
a DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C
ns1.a A 192.0.2.5
ns2.a A 192.0.2.6
ai A 192.0.2.9
c NS ns1.c
c NS ns2.c
ns1.c A 192.0.2.7
ns2.c A 192.0.2.8
ns1 A 192.0.2.1
ns2 A 192.0.2.2
*.w MX 1 ai
x.w MX 1 xx
x.y.w MX 1 xx
xx A 192.0.2.10
";

/// The names in the chain; `c` is left out by opt-out.
const NAMES: [(&str, &str); 12] = [
    ("@", "NS SOA MX RRSIG DNSKEY NSEC3PARAM"),
    ("2t7b4g4vsa5smi47k61mv5bv1a22bojr", "A RRSIG"),
    ("a", "NS DS RRSIG"),
    ("ai", "A HINFO AAAA RRSIG"),
    ("ns1", "A RRSIG"),
    ("ns2", "A RRSIG"),
    ("w", ""),
    ("*.w", "MX RRSIG"),
    ("x.w", "MX RRSIG"),
    ("y.w", ""),
    ("x.y.w", "MX RRSIG"),
    ("xx", "A HINFO AAAA RRSIG"),
];

const EXAMPLE: &str = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example";
const NS1: &str = "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example";
const A: &str = "35mthgpgcu1qg68fab165klnsnk3dpvl.example";
const X_W: &str = "b4um86eghhds6nea196smvmlo4ors995.example";
const Y_W: &str = "ji6neoaepv8b5o6k4ev33abha8ht9fgc.example";
const W: &str = "k8udemvp1j2f7eg6jebps17vp3n8i58h.example";
const NS2: &str = "q04jkcevqvmu85r014c7dkba38o0ji5r.example";
const STAR_W: &str = "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example";

fn appendix_a() -> World {
    world(&[("example.", &format!("{RECORDS}{}", nsec3_chain("example.", APPENDIX, &NAMES)))])
}

#[test]
fn appendix_b_1_name_error() {
    denied(&appendix_a(), "a.c.x.w.example.", "A", (3, true, 0), &[EXAMPLE, X_W, A]);
}

#[test]
fn appendix_b_2_no_data() {
    let world = appendix_a();
    denied(&world, "ns1.example.", "MX", (0, true, 0), &[NS1]);
    denied(&world, "y.w.example.", "A", (0, true, 0), &[Y_W]);
}

#[test]
fn appendix_b_3_referral_to_an_opt_out_unsigned_zone() {
    denied(&appendix_a(), "mc.c.example.", "MX", (0, false, 0), &[EXAMPLE, A]);
}

#[test]
fn section_7_2_4_no_ds_at_an_opt_out_delegation() {
    denied(&appendix_a(), "c.example.", "DS", (0, true, 0), &[EXAMPLE, A]);
}

#[test]
fn appendix_b_4_wildcard_expansion() {
    denied(&appendix_a(), "a.z.w.example.", "MX", (0, true, 1), &[NS2]);
}

#[test]
fn appendix_b_5_wildcard_no_data() {
    denied(&appendix_a(), "a.z.w.example.", "AAAA", (0, true, 0), &[W, NS2, STAR_W]);
}

#[test]
fn appendix_b_6_ds_at_the_apex() {
    denied(&appendix_a(), "example.", "DS", (0, true, 0), &[EXAMPLE]);
}

#[test]
fn section_7_2_7_a_signed_referral_denies_nothing() {
    denied(&appendix_a(), "mc.a.example.", "MX", (0, false, 0), &[]);
}

#[test]
fn section_7_2_8_owner_names_of_nsec3_do_not_exist() {
    let world = appendix_a();
    for record_type in ["NSEC3", "RRSIG", "A", "ANY"] {
        each(&world, &query(&format!("{EXAMPLE}."), record_type), |response| {
            assert_eq!((response.rcode(), response.section(0).len()), (3, 0), "{record_type}");
        });
    }
    // This one is the owner of an NSEC3 record and of an address.
    expect(
        &world,
        &format!("{NS1}."),
        "A",
        0,
        true,
        [&["2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. 3600 A 192.0.2.127"], &[], &[]],
    );
    denied(&world, &format!("{NS1}."), "NSEC3", (0, true, 0), &["kohar7mbb8dc2ce8a9qvl8hon4k53uhi.example"]);
}

#[test]
fn section_7_2_8_a_wildcard_stands_for_owner_names_of_nsec3() {
    let names = [("@", "NS SOA"), ("ns", "A"), ("*", "TXT")];
    let chain = nsec3_chain("example.", Parameters::RFC9276, &names);
    let world = world(&[("example.", &format!("{APEX}* TXT wild\n{chain}"))]);
    let owner = format!("{}.example.", Parameters::RFC9276.hash("ns.example."));
    let text = format!("{owner} 3600 TXT \"wild\"");
    each(&world, &query(&owner, "TXT"), |response| {
        assert_eq!(response.section(0), [text.replace('"', "")], "{:?}", response.section(0));
    });
}

#[test]
fn section_7_2_9_a_name_whose_hash_collides_is_servfail() {
    // An NSEC3 record that is left over makes a name collide that is not there any more.
    let names =
        [("@", "NS SOA"), ("ns", "A"), ("gone", "A"), ("x.wild", ""), ("wild", ""), ("*.wild", "TXT")];
    let chain = nsec3_chain("example.", Parameters::RFC9276, &names);
    let world = world(&[("example.", &format!("{APEX}*.wild TXT wild\n{chain}"))]);
    for (name, record_type) in [("gone.example.", "A"), ("a.gone.example.", "A"), ("x.wild.example.", "TXT")]
    {
        each(&world, &with_do(query(name, record_type)), |response| {
            assert_eq!((response.rcode(), response.aa()), (2, false), "{name}");
            assert_eq!((response.section(0).len(), response.section(1).len()), (0, 0), "{name}");
        });
    }
    each(&world, &query("gone.example.", "A"), |response| assert_eq!(response.rcode(), 3));
    denied(
        &world,
        "wild.example.",
        "TXT",
        (0, true, 0),
        &[&format!("{}.example", Parameters::RFC9276.hash("wild.example."))],
    );
}

#[test]
fn aliases_collect_their_proofs_and_write_each_once() {
    let records = format!("{APEX}*.a CNAME x.b\n*.b CNAME y.b\ny.b CNAME z.c\n*.c TXT wild\n");
    let names = [
        ("@", "NS SOA"),
        ("ns", "A"),
        ("a", ""),
        ("*.a", "CNAME"),
        ("b", ""),
        ("*.b", "CNAME"),
        ("y.b", "CNAME"),
        ("c", ""),
        ("*.c", "TXT"),
    ];
    let parameters = Parameters::RFC9276;
    let world = world(&[("example.", &format!("{records}{}", nsec3_chain("example.", parameters, &names)))]);
    let mut hashes: Vec<String> = names
        .iter()
        .map(|(name, _)| if *name == "@" { "example.".into() } else { format!("{name}.example.") })
        .map(|name| parameters.hash(&name))
        .collect();
    hashes.sort();
    let covering = |name: &str| {
        let hash = parameters.hash(name);
        let before = hashes.iter().rev().find(|known| **known < hash).or(hashes.last()).unwrap();
        format!("{before}.example")
    };
    let mut owners = vec![covering("q.a.example."), covering("x.b.example."), covering("z.c.example.")];
    owners.sort();
    owners.dedup();
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    denied(&world, "q.a.example.", "TXT", (0, true, 4), &owners);
}

#[test]
fn a_denial_that_does_not_fit_sets_tc_and_keeps_opt() {
    let world = appendix_a();
    let query = with_opt(query("a.c.x.w.example.", "A"), 512, 0, 0x8000, &[]);
    each(&world, &query, |response| {
        let udp = response.transport == anyns::answer::TransportKind::Udp;
        assert_eq!((response.tc(), response.rcode()), (udp, 3), "{:?}", response.way);
        assert!(response.message.edns.is_some());
        assert!(response.octets.len() <= if udp { 512 } else { 65_535 });
    });
}

/// The faults of a zone with the chain of three names, some text of it replaced.
fn faults(change: impl Fn(String) -> String) -> Vec<String> {
    let names = [("@", "NS SOA"), ("ns", "A"), ("a", "A")];
    let chain = change(nsec3_chain("example.", Parameters::RFC9276, &names));
    match read("example.", &format!("{APEX}a A 192.0.2.1\n{chain}")) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let path = error.files[0].display().to_string();
            error.faults.iter().map(|fault| fault.to_string().replace(&path, "zone")).collect()
        }
    }
}

#[test]
fn section_7_1_a_chain_that_is_not_whole_is_refused() {
    let hash = |name: &str| Parameters::RFC9276.hash(name);
    let mut hashes = ["example.", "ns.example.", "a.example."].map(hash);
    hashes.sort();
    let [first, second, third] = &hashes;
    assert_eq!(faults(|chain| chain), [""; 0]);
    let lines = |chain: &str, keep: &dyn Fn(&str) -> bool| -> String {
        chain.lines().filter(|line| keep(line)).map(|line| format!("{line}\n")).collect()
    };
    // A record is missing.
    let gap = format!(
        "zone:8:1: the NSEC3 record of {first}.example. says that {second} is the next hash, but that is {third}"
    );
    assert_eq!(faults(|chain| lines(&chain, &|line| !line.starts_with(second.as_str()))), [gap]);
    // It is missing, and the one before it goes over the gap.
    let missing = faults(|chain| {
        let chain = lines(&chain, &|line| !line.starts_with(second.as_str()));
        chain.replace(&format!("0 - {second}"), &format!("0 - {third}"))
    });
    assert_eq!(missing.len(), 1);
    assert!(missing[0].contains(&format!("has no NSEC3 record; its owner would be {second}")), "{missing:?}");
    // The last does not name the first.
    let open = faults(|chain| chain.replace(&format!("0 - {first}"), &format!("0 - {third}")));
    assert!(open[0].contains(&format!("{third}.example. says that {third} is the next hash")), "{open:?}");
    // There is no chain, or not one for these parameters.
    let none = ["zone: the zone example. has an NSEC3PARAM record, but no NSEC3 records with its parameters"];
    assert_eq!(faults(|chain| lines(&chain, &|line| !line.contains(" NSEC3 1"))), none);
    assert_eq!(faults(|chain| chain.replace("NSEC3PARAM 1 0 0 -", "NSEC3PARAM 1 0 1 -")), none);
    // Two records with one hash.
    let twice = faults(|chain| format!("{chain}{second} 300 NSEC3 1 0 0 - {third} MX\n"));
    assert!(twice[0].contains("has a second NSEC3 record with the same parameters"), "{twice:?}");
    // An owner that is no hash.
    let odd = faults(|chain| format!("{chain}x.{second} 300 NSEC3 1 0 0 - {third} MX\n"));
    assert!(odd[0].contains("is not 32 digits of base 32hex in front of example."), "{odd:?}");
}

#[test]
fn section_4_what_says_nothing_to_us_is_not_used() {
    let names = [("@", "NS SOA"), ("ns", "A")];
    let warnings = |chain: &str| -> Vec<String> {
        let zone = read("example.", &format!("{APEX}{chain}")).unwrap();
        zone.warnings().iter().map(ToString::to_string).collect()
    };
    let whole = nsec3_chain("example.", Parameters::RFC9276, &names);
    // Section 4.1.2: NSEC3PARAM with flags is ignored; then no record is of the chain that is served.
    let flagged = warnings(&whole.replace("NSEC3PARAM 1 0", "NSEC3PARAM 1 1"));
    assert!(flagged[0].contains("has an unknown algorithm or flags and is ignored"), "{flagged:?}");
    assert!(flagged[1].contains("is not of the chain that is served"), "{flagged:?}");
    // Section 10.4: two chains at once; the cheaper is served.
    let salted = Parameters { iterations: 1, salt: &[1], opt_out: false };
    let both = format!("{whole}{}", nsec3_chain("example.", salted, &names));
    assert_eq!(warnings(&both).len(), 2, "{:?}", warnings(&both));
    let world = world(&[("example.", &format!("{APEX}{both}"))]);
    let owner = format!("{}.example", Parameters::RFC9276.hash("ns.example."));
    denied(&world, "ns.example.", "TXT", (0, true, 0), &[&owner]);
    // One of two is broken: the other is served.
    let broken: String =
        both.lines().filter(|line| !line.starts_with(&owner[..32])).map(|line| format!("{line}\n")).collect();
    assert!(warnings(&broken).iter().any(|text| text.contains("one of several NSEC3 chains is broken")));
}

#[test]
fn all_records_stay_in_the_zone() {
    let chain = nsec3_chain("example.", APPENDIX, &NAMES);
    let stray = "x.y NSEC3 1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A\n";
    let zone = read("example.", &format!("{RECORDS}{chain}{stray}")).unwrap();
    let text = RECORDS.lines().count() + chain.lines().count() + 1;
    assert_eq!((zone.records().count(), zone.record_count()), (text, text));
    let again = zone.records().fold(ZoneBuilder::new("example.".parse().unwrap()), |mut builder, record| {
        builder.push(record, Place::default());
        builder
    });
    let again = again.finish().unwrap();
    assert!(zone.records().eq(again.records()));
}
