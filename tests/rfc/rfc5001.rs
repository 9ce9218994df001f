//! RFC 5001: NSID comes back when asked for, and only then.

use crate::world::*;

const NSID: &[u8] = b"\0\x03\0\x09pop1.test";

#[test]
fn nsid_is_told_when_asked() {
    let world = world(&[("example.", APEX)]);
    // What the option holds in a query does not matter (section 2.1).
    for option in [&b"\0\x03\0\0"[..], b"\0\x03\0\x02xy"] {
        for name in ["example.", "no.example.", "refused.test."] {
            each(&world, &with_opt(query(name, "SOA"), 1232, 0, 0, option), |response| {
                assert!(response.octets.windows(NSID.len()).any(|window| window == NSID));
            });
        }
    }
    each(&world, &with_opt(query("example.", "SOA"), 1232, 0, 0, &[]), |response| {
        assert!(!response.octets.windows(NSID.len()).any(|window| window == NSID));
    });
}

#[test]
fn a_long_nsid_gives_way_to_a_long_question() {
    let mut world = world(&[("example.", APEX)]);
    world.settings.identity.instance = "x".repeat(255);
    let name = [&"y".repeat(60)[..]; 4].join(".");
    each(&world, &with_opt(query(&name, "A"), 512, 0, 0, b"\0\x03\0\0"), |response| {
        assert_eq!(response.rcode(), 5);
        assert!(response.message.edns.is_some());
    });
}
