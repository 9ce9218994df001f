//! RFC 8020: NXDOMAIN means that nothing is below; so a name with something below it is NODATA.

use crate::world::*;

#[test]
fn section_2_an_empty_non_terminal_is_no_nxdomain() {
    let world =
        world(&[("example.", &format!("{APEX}a.b.c TXT x\nns.d.cut A 192.0.2.1\ncut NS ns.d.cut\n"))]);
    let soa: &[&str] = &["example. 300 SOA 1"];
    for (name, rcode) in [
        ("c.example.", 0),
        ("b.c.example.", 0),
        ("a.b.c.example.", 0),
        ("x.a.b.c.example.", 3),
        ("x.b.c.example.", 3),
        ("cc.example.", 3),
    ] {
        expect(&world, name, "A", rcode, true, [&[], soa, &[]]);
    }
}
