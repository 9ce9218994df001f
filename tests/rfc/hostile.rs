//! Whatever the octets: no panic, no answer longer than allowed, every answer can be read.

use std::sync::LazyLock;

use anyns::answer::{Outcome, TransportKind, answer, truncated};
use hickory_proto::op::Message;
use proptest::prelude::*;

use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let lines = format!(
            "{APEX}* TXT w\n*.w CNAME a.w\nd DNAME x.d2\nd2 DNAME d\nc NS ns.c\nns.c A 192.0.2.1\na CNAME b\nb CNAME a\n\
         t RRSIG A 8 2 60 2 1 1 @ CQkJCQ==\nt A 192.0.2.1\ne.f.g A 192.0.2.1\n"
        );
        world(&[("example.", &lines), ("sub.example.", APEX)])
    });
    &WORLD
}

fn check(world: &World, octets: &[u8]) {
    let mut output = vec![0; 65_535];
    for transport in [TransportKind::Udp, TransportKind::Tcp] {
        let outcome = answer(octets, &client(transport), &world.snapshot, &world.settings, &mut output);
        check_outcome(outcome, transport, &output);
    }
    // And through the sockets of both engines.
    match answer(octets, &client(TransportKind::Udp), &world.snapshot, &world.settings, &mut output) {
        Outcome::Reply { .. } => drop(ask(world, octets)),
        Outcome::Ignore => ignored(world, octets),
    }
    let outcome = truncated(octets, &client(TransportKind::Udp), &world.settings, &mut output);
    check_outcome(outcome, TransportKind::Udp, &output);
}

fn check_outcome(outcome: Outcome, transport: TransportKind, output: &[u8]) {
    let Outcome::Reply { length, .. } = outcome else { return };
    assert!(transport == TransportKind::Tcp || length <= 1232);
    Message::from_vec(&output[..length]).unwrap_or_else(|error| panic!("{error}: {:?}", &output[..length]));
}

proptest! {
    // Nothing is left behind: a failure prints its input.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        check(zones(), &octets);
    }

    #[test]
    fn mutated_queries(
        name in "([a-gw*]{1,2}\\.){0,6}(d|d2|c|a|w|t|f\\.g)\\.example\\.",
        record_type in prop_oneof![0..60_u16, 240..260_u16],
        edns in any::<Option<(u16, bool)>>(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut octets = query(&name, &format!("TYPE{record_type}"));
        if let Some((payload, dnssec_ok)) = edns {
            octets = with_opt(octets, payload, 0, u16::from(dnssec_ok) << 15, b"\0\x03\0\0");
        }
        for (index, octet) in mutations {
            let index = index.index(octets.len());
            octets[index] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        check(zones(), &octets);
    }
}
