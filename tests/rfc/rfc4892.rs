//! RFC 4892: who answers, in class CH.

use anyns::wire::{CLASS_CH, RecordType};

use crate::world::*;

fn chaos(name: &str, record_type: RecordType) -> Vec<u8> {
    query_of(&name.parse().unwrap(), record_type, CLASS_CH)
}

#[test]
fn the_four_names() {
    let world = world(&[]);
    for (name, text) in [
        ("id.server.", "pop1.test"),
        ("HOSTNAME.bind.", "pop1.test"),
        ("version.bind.", "anyns test"),
        ("version.server.", "anyns test"),
    ] {
        each(&world, &chaos(name, RecordType::TXT), |response| {
            assert_eq!((response.rcode(), response.aa()), (0, false));
            assert_eq!(response.section(0), [format!("{name} 0 TXT {text}")]);
            assert_eq!(response.message.answers[0].dns_class, hickory_proto::rr::DNSClass::CH);
        });
    }
}

#[test]
fn everything_else_is_refused() {
    let mut world = world(&[("example.", APEX)]);
    world.settings.identity.version = None;
    for (name, record_type) in [
        ("version.bind.", RecordType::TXT),
        ("authors.bind.", RecordType::TXT),
        ("id.server.", RecordType::A),
        ("example.", RecordType::SOA),
    ] {
        each(&world, &chaos(name, record_type), |response| {
            assert_eq!((response.rcode(), response.aa(), response.section(0).len()), (5, false, 0));
        });
    }
}
