//! RFC 2308: negative answers carry the SOA, its TTL the lower of its own and MINIMUM.

use crate::world::*;

#[test]
fn section_3_the_negative_ttl() {
    for (ttl, minimum, expected) in [(3600, 300, 300), (60, 300, 60), (3600, 0, 0)] {
        let lines = format!(
            "@ {ttl} SOA ns hostmaster 7 7200 900 604800 {minimum}\n@ NS ns\nwww A 192.0.2.1\na.b A 192.0.2.1\n"
        );
        let world = world(&[("example.", &lines)]);
        let soa = format!("example. {expected} SOA 7");
        expect(&world, "no.example.", "A", 3, true, [&[], &[&soa], &[]]);
        expect(&world, "www.example.", "AAAA", 0, true, [&[], &[&soa], &[]]);
        // An empty non-terminal exists (RFC 8020).
        expect(&world, "b.example.", "A", 0, true, [&[], &[&soa], &[]]);
        expect(&world, "b.example.", "ANY", 0, true, [&[], &[&soa], &[]]);
        // Asked for itself, the SOA has its own TTL.
        expect(&world, "example.", "SOA", 0, true, [&[&format!("example. {ttl} SOA 7")], &[], &[]]);
    }
}
