//! RFC 8482: ANY is answered with one RRset, over every transport.

use crate::world::*;

#[test]
fn section_4_1_one_rrset() {
    let lines = format!("{APEX}www TXT t\nwww A 192.0.2.1\nwww A 192.0.2.2\nalias CNAME www\n");
    let world = world(&[("example.", &lines)]);
    let two: &[&str] = &["www.example. 3600 A 192.0.2.1", "www.example. 3600 A 192.0.2.2"];
    expect(&world, "www.example.", "ANY", 0, true, [two, &[], &[]]);
    expect(&world, "alias.example.", "ANY", 0, true, [&["alias.example. 3600 CNAME www.example."], &[], &[]]);
    expect(&world, "example.", "ANY", 0, true, [&["example. 3600 SOA 1"], &[], &[]]);
    expect(&world, "no.example.", "ANY", 3, true, [&[], &["example. 300 SOA 1"], &[]]);
}
