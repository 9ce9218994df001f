//! RFC 8945: TSIG in a query to an address of the service, where no key is known.

use std::sync::LazyLock;

use anyns::answer::TransportKind;

use crate::world::*;

/// `hmac-sha256.`
const ALGORITHM: &[u8] = b"\x0bhmac-sha256\0";
/// The name of a key.
const KEY: &[u8] = b"\x03key\x07example\0";

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| world(&[("example.", APEX)]));
    &WORLD
}

/// The query with a record behind it, of type TSIG and class ANY.
fn with_record(mut query: Vec<u8>, rdata: &[u8]) -> Vec<u8> {
    query[11] += 1;
    query.extend(KEY);
    query.extend([0, 250, 0, 255, 0, 0, 0, 0]);
    query.extend((rdata.len() as u16).to_be_bytes());
    query.extend(rdata);
    query
}

/// RDATA: a time in 2026, a fudge of 300 s, so many octets of MAC, the original ID, an error, nothing else.
fn rdata(mac: usize, error: u16) -> Vec<u8> {
    let mut octets = [ALGORITHM, &[0, 0, 0x6a, 0, 0, 0], &[1, 0x2c], &(mac as u16).to_be_bytes()].concat();
    octets.extend(vec![7; mac]);
    octets.extend([0x12, 0x34]);
    octets.extend(error.to_be_bytes());
    octets.extend([0, 0]);
    octets
}

#[test]
fn section_5_2_1_a_key_that_is_not_known() {
    for asked in [query("example.", "SOA"), with_opt(query("no.example.", "A"), 1232, 0, 0, &[])] {
        let has_opt = asked[11] == 1;
        each(zones(), &with_record(asked, &rdata(32, 0)), |response| {
            assert_eq!((response.rcode(), response.aa()), (9, false), "{:?}", response.way);
            assert_eq!(response.message.edns.is_some(), has_opt);
            assert!(response.section(0).is_empty() && response.section(1).is_empty());
            if response.way == Way::Hickory && response.transport == TransportKind::Udp {
                // What stands before OPT would not be the last record.
                return assert!(response.section(2).is_empty());
            }
            // No MAC, BADKEY, and it stands last.
            let end = [KEY, &[0, 250, 0, 255, 0, 0, 0, 0, 0, 29], &rdata(0, 17)].concat();
            assert!(response.octets.ends_with(&end), "{:?} {:?}", response.way, response.octets);
        });
    }
}

#[test]
fn section_5_1_a_record_that_is_none_or_not_the_last() {
    let signed = || with_record(query("example.", "SOA"), &rdata(32, 0));
    let cut = with_record(query("example.", "SOA"), &rdata(32, 0)[..20]);
    for asked in [with_opt(signed(), 1232, 0, 0, &[]), with_record(signed(), &rdata(32, 0)), cut] {
        each(zones(), &asked, |response| assert_eq!(response.rcode(), 1, "{:?}", response.way));
    }
}
