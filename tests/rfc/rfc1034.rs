//! RFC 1034: the algorithm of section 4.3.2, exact matches, aliases, delegations.

use std::sync::LazyLock;

use crate::world::*;

const NONE: &[&str] = &[];
const SOA: &[&str] = &["example. 300 SOA 1"];

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let example = format!(
            "{APEX}www A 192.0.2.1\nwww A 192.0.2.2\na.ent.b A 192.0.2.3\nalias CNAME www\nalias2 CNAME alias\n\
         gone CNAME nothing\nout CNAME www.elsewhere.test.\nacross CNAME www.other.test.\nl1 CNAME l2\nl2 CNAME l1\n\
         self CNAME self\ninto CNAME host.child\nchild NS ns.child\nchild NS ns.other.test.\nns.child A 192.0.2.9\n\
         child DS 1 13 2 {DIGEST}\nboth NS ns\n"
        );
        world(&[
            ("example.", &example),
            ("other.test.", &format!("{APEX}www A 198.51.100.1\n")),
            ("both.example.", &format!("{APEX}www A 198.51.100.2\n")),
        ])
    });
    &WORLD
}

#[test]
fn section_4_3_2_exact_match() {
    let world = zones();
    let two: &[&str] = &["www.example. 3600 A 192.0.2.1", "www.example. 3600 A 192.0.2.2"];
    expect(world, "www.example.", "A", 0, true, [two, NONE, NONE]);
    expect(world, "example.", "SOA", 0, true, [&["example. 3600 SOA 1"], NONE, NONE]);
    expect(world, "example.", "NS", 0, true, [&["example. 3600 NS ns.example."], NONE, NONE]);
}

#[test]
fn the_closest_zone_answers() {
    let world = zones();
    expect(
        world,
        "www.both.example.",
        "A",
        0,
        true,
        [&["www.both.example. 3600 A 198.51.100.2"], NONE, NONE],
    );
    expect(world, "both.example.", "SOA", 0, true, [&["both.example. 3600 SOA 1"], NONE, NONE]);
}

#[test]
fn outside_the_zones_is_refused() {
    let world = zones();
    for name in [".", "test.", "xexample.", "www.other.example.org."] {
        expect(world, name, "A", 5, false, [NONE, NONE, NONE]);
    }
}

#[test]
fn before_the_first_load_is_over_is_servfail_with_not_ready() {
    let mut world = world(&[]);
    world.snapshot = anyns::zone::Snapshot::default();
    each(&world, &query("example.", "A"), |response| {
        assert_eq!((response.rcode(), response.octets.len()), (2, 25));
    });
    each(&world, &with_do(query("example.", "A")), |response| {
        assert_eq!(response.rcode(), 2);
        // RFC 8914 section 4.15: option 15, INFO-CODE 14.
        assert!(response.octets.ends_with(&[0, 15, 0, 2, 0, 14]));
    });
}

#[test]
fn section_3_6_2_chains_of_aliases() {
    let world = zones();
    let www: [&str; 2] = ["www.example. 3600 A 192.0.2.1", "www.example. 3600 A 192.0.2.2"];
    let alias = "alias.example. 3600 CNAME www.example.";
    let alias2 = "alias2.example. 3600 CNAME alias.example.";
    expect(world, "alias.example.", "A", 0, true, [&[alias, www[0], www[1]], NONE, NONE]);
    expect(world, "alias2.example.", "A", 0, true, [&[alias2, alias, www[0], www[1]], NONE, NONE]);
    expect(world, "alias2.example.", "CNAME", 0, true, [&[alias2], NONE, NONE]);
    expect(world, "alias.example.", "AAAA", 0, true, [&[alias], SOA, NONE]);
}

#[test]
fn chains_leave_the_zone_only_for_zones_served() {
    let world = zones();
    let across = "across.example. 3600 CNAME www.other.test.";
    expect(
        world,
        "across.example.",
        "A",
        0,
        true,
        [&[across, "www.other.test. 3600 A 198.51.100.1"], NONE, NONE],
    );
    expect(world, "across.example.", "TXT", 0, true, [&[across], &["other.test. 300 SOA 1"], NONE]);
    expect(
        world,
        "out.example.",
        "A",
        0,
        true,
        [&["out.example. 3600 CNAME www.elsewhere.test."], NONE, NONE],
    );
}

#[test]
fn loops_end() {
    let world = zones();
    let (l1, l2) = ("l1.example. 3600 CNAME l2.example.", "l2.example. 3600 CNAME l1.example.");
    expect(world, "l1.example.", "A", 0, true, [&[l1, l2], NONE, NONE]);
    expect(world, "self.example.", "A", 0, true, [&["self.example. 3600 CNAME self.example."], NONE, NONE]);
}

#[test]
fn long_chains_are_cut_off() {
    let lines: String = (0..40).map(|n| format!("c{n} CNAME c{}\n", n + 1)).collect();
    let world = world(&[("example.", &format!("{APEX}{lines}"))]);
    each(&world, &query("c0.example.", "A"), |response| {
        assert_eq!(response.rcode(), 0);
        assert_eq!(response.section(0).len(), 16);
    });
}

#[test]
fn rfc6604_the_rcode_is_that_of_the_last_name() {
    expect(
        zones(),
        "gone.example.",
        "A",
        3,
        true,
        [&["gone.example. 3600 CNAME nothing.example."], SOA, NONE],
    );
}

#[test]
fn section_4_2_1_referrals_are_not_authoritative() {
    let world = zones();
    let servers: &[&str] =
        &["child.example. 3600 NS ns.child.example.", "child.example. 3600 NS ns.other.test."];
    let glue: &[&str] = &["ns.child.example. 3600 A 192.0.2.9"];
    for (name, record_type) in [
        ("child.example.", "A"),
        ("child.example.", "NS"),
        ("child.example.", "ANY"),
        ("www.child.example.", "A"),
        ("a.b.child.example.", "DS"),
        ("ns.child.example.", "A"),
    ] {
        expect(world, name, record_type, 0, false, [NONE, servers, glue]);
    }
    // An alias in front is ours, the rest is the child's.
    let alias: &[&str] = &["into.example. 3600 CNAME host.child.example."];
    expect(world, "into.example.", "A", 0, true, [alias, servers, glue]);
}
