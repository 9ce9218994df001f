//! RFC 3597: unknown types are opaque; names in RDATA are compressed only in the types of RFC 1035.

use crate::world::*;

#[test]
fn unknown_types_are_served_as_they_are() {
    let world = world(&[("example.", &format!("{APEX}x TYPE65280 \\# 5 0377777700\n"))]);
    each(&world, &query("x.example.", "TYPE65280"), |response| {
        assert!(response.octets.ends_with(b"\xff\0\0\x01\0\0\x0e\x10\0\x05\x03www\0"));
    });
}

#[test]
fn section_4_new_types_are_not_compressed() {
    let world = world(&[("example.", &format!("{APEX}_s SRV 1 2 3 ns\nd DNAME x\n"))]);
    each(&world, &query("_s.example.", "SRV"), |r| assert!(r.octets.ends_with(b"\0\x03\x02ns\x07example\0")));
    each(&world, &query("d.example.", "DNAME"), |r| assert!(r.octets.ends_with(b"\x01x\x07example\0")));
}
