//! RFC 4592: wildcards, with the zone of section 2.2.1 and its table of answers.

use std::sync::LazyLock;

use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let lines = "@ SOA ns.example.com. hostmaster 1 7200 900 604800 300\n@ NS ns.example.com.\n@ NS ns.example.net.\n* TXT wildcard\n\
        * MX 10 host1\nsub.* TXT not-a-wildcard\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 22 host1\n\
        _ssh._tcp.host2 SRV 0 0 22 host1\nsubdel NS ns.example.com.\nsubdel NS ns.example.net.\n";
        world(&[("example.", lines)])
    });
    &WORLD
}

#[test]
fn section_2_2_1_synthesised() {
    let world = zones();
    expect(world, "host3.example.", "MX", 0, true, [&["host3.example. 3600 MX 10 host1.example."], &[], &[]]);
    expect(world, "host3.example.", "A", 0, true, [&[], &["example. 300 SOA 1"], &[]]);
    expect(world, "foo.bar.example.", "TXT", 0, true, [&["foo.bar.example. 3600 TXT wildcard"], &[], &[]]);
}

#[test]
fn section_2_2_1_not_synthesised() {
    let world = zones();
    let soa: &[&str] = &["example. 300 SOA 1"];
    // The name exists, or an empty non-terminal does, or the wildcard is not the source.
    for (name, record_type, rcode) in [
        ("host1.example.", "MX", 0),
        ("sub.*.example.", "MX", 0),
        ("_telnet._tcp.host1.example.", "SRV", 3),
        ("ghost.*.example.", "MX", 3),
        ("_tcp.host1.example.", "MX", 0),
        ("_tcp.host2.example.", "MX", 0),
        ("host2.example.", "MX", 0),
        ("x.host2.example.", "MX", 3),
    ] {
        expect(world, name, record_type, rcode, true, [&[], soa, &[]]);
    }
    let servers: &[&str] =
        &["subdel.example. 3600 NS ns.example.com.", "subdel.example. 3600 NS ns.example.net."];
    expect(world, "host.subdel.example.", "A", 0, false, [&[], servers, &[]]);
}

#[test]
fn the_asterisk_itself_is_a_name() {
    expect(zones(), "*.example.", "TXT", 0, true, [&["*.example. 3600 TXT wildcard"], &[], &[]]);
    expect(
        zones(),
        "sub.*.example.",
        "TXT",
        0,
        true,
        [&["sub.*.example. 3600 TXT not-a-wildcard"], &[], &[]],
    );
}

#[test]
fn section_4_4_a_cname_at_a_wildcard() {
    let world = world(&[("example.", &format!("{APEX}*.w CNAME x.w\n*.v CNAME ns\n"))]);
    let answer: &[&str] = &["a.v.example. 3600 CNAME ns.example.", "ns.example. 3600 A 192.0.2.53"];
    expect(&world, "a.v.example.", "A", 0, true, [answer, &[], &[]]);
    let looped: &[&str] = &["a.w.example. 3600 CNAME x.w.example.", "x.w.example. 3600 CNAME x.w.example."];
    expect(&world, "a.w.example.", "A", 0, true, [looped, &[], &[]]);
}

#[test]
fn section_4_2_ns_at_a_wildcard_refers() {
    let lines = format!("{APEX}*.w NS ns.test.\n");
    assert_eq!(read("example.", &lines).unwrap().warnings().len(), 1);
    let world = world(&[("example.", &lines)]);
    expect(&world, "a.w.example.", "A", 0, false, [&[], &["a.w.example. 3600 NS ns.test."], &[]]);
    expect(&world, "*.w.example.", "A", 0, false, [&[], &["*.w.example. 3600 NS ns.test."], &[]]);
}
