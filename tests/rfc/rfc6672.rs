//! RFC 6672: DNAME.

use std::sync::LazyLock;

use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let long = [&"z".repeat(60)[..]; 3].join(".");
        let lines = format!(
            "{APEX}d 60 DNAME t.other.test.\nin DNAME w\nwww.w A 192.0.2.1\nlong DNAME {long}\nup DNAME x.up2\n\
         up2 DNAME up\nself DNAME self\nredo DNAME @\n"
        );
        let other = format!("{APEX}www.t A 198.51.100.1\n");
        world(&[("example.", &lines), ("other.test.", &other)])
    });
    &WORLD
}

#[test]
fn section_3_1_the_synthesised_cname() {
    let world = zones();
    let dname = "d.example. 60 DNAME t.other.test.";
    let cname = "wWw.d.example. 60 CNAME wWw.t.other.test.";
    each(world, &query("wWw.d.example.", "A"), |response| {
        assert_eq!((response.rcode(), response.aa()), (0, true));
        // hickory knows no DNAME: its RDATA is not shown.
        let answer = response.section(0);
        assert!(answer[0].starts_with("d.example. 60 "), "{answer:?} for {dname}");
        assert_eq!(answer[1..], [cname, "wWw.t.other.test. 3600 A 198.51.100.1"]);
    });
    each(world, &query("no.d.example.", "A"), |response| {
        assert_eq!((response.rcode(), response.section(0).len()), (3, 2));
        assert_eq!(response.section(1), ["other.test. 300 SOA 1"]);
    });
    each(world, &query("www.in.example.", "A"), |response| {
        assert_eq!(response.section(0)[2], "www.w.example. 3600 A 192.0.2.1");
    });
}

#[test]
fn section_2_3_the_owner_is_not_redirected() {
    let world = zones();
    expect(world, "d.example.", "A", 0, true, [&[], &["example. 300 SOA 1"], &[]]);
    each(world, &query("d.example.", "DNAME"), |response| assert_eq!(response.section(0).len(), 1));
}

#[test]
fn section_3_2_a_query_for_the_cname_ends_there() {
    for record_type in ["CNAME", "ANY"] {
        each(zones(), &query("www.d.example.", record_type), |response| {
            assert_eq!(response.section(0)[1..], ["www.d.example. 60 CNAME www.t.other.test."]);
            assert!(response.section(1).is_empty());
        });
    }
}

#[test]
fn section_2_2_overflow_is_yxdomain() {
    let name = format!("{}.long.example.", "y".repeat(63));
    each(zones(), &query(&name, "A"), |response| {
        assert_eq!((response.rcode(), response.aa(), response.section(0).len()), (6, true, 1));
    });
    each(zones(), &query("y.long.example.", "A"), |response| assert_eq!(response.rcode(), 3));
}

/// RFC 2181 section 5: a DNAME that is met again stands in the answer once, also when it is what was asked for.
#[test]
fn a_dname_is_written_once() {
    let dnames = |response: &Response| {
        response
            .section(0)
            .iter()
            .filter(|record| record.starts_with("redo.example. 3600 ") && !record.contains("CNAME"))
            .count()
    };
    each(zones(), &query("redo.redo.example.", "DNAME"), |response| {
        assert_eq!((dnames(response), response.section(0).len()), (1, 2), "{:?}", response.section(0));
    });
    each(zones(), &query("www.w.redo.redo.example.", "A"), |response| {
        assert_eq!((dnames(response), response.section(0).len()), (1, 4), "{:?}", response.section(0));
    });
}

/// Section 2.4 has a server refuse a zone below the owner of a DNAME in another zone ("ought to"). It is served: each
/// zone is judged by itself, so that a zone that changes cannot stop the service of another, and the closest one answers (RFC 1034
/// section 4.3.2 step 2), as with BIND, Knot DNS and PowerDNS. Records of the DNAME's own zone below it are refused.
#[test]
fn section_2_4_a_zone_below_another_ones_dname_answers_for_itself() {
    let below = format!("{APEX}www A 192.0.2.7\n");
    let world = world(&[("example.", &format!("{APEX}d DNAME w\n")), ("sub.d.example.", &below)]);
    let answer: [&[&str]; 3] = [&["www.sub.d.example. 3600 A 192.0.2.7"], &[], &[]];
    expect(&world, "www.sub.d.example.", "A", 0, true, answer);
    each(&world, &query("www.other.d.example.", "A"), |response| {
        assert_eq!(response.section(0)[1], "www.other.d.example. 3600 CNAME www.other.w.example.");
    });
    let error = read("example.", &format!("{APEX}d DNAME w\nwww.d A 192.0.2.7\n")).unwrap_err();
    assert!(error.to_string().contains("www.d.example. is below d.example."), "{error}");
}

#[test]
fn loops_and_growing_names_end() {
    for name in ["a.up.example.", "a.self.example."] {
        for response in ask(zones(), &query(name, "A")) {
            assert!(response.section(0).len() <= 2 * 16);
        }
    }
}
