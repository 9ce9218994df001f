//! RFC 6891: EDNS.

use std::sync::LazyLock;

use anyns::answer::TransportKind;

use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let few: String = (0..20).map(|n| format!("few A 10.0.0.{n}\n")).collect();
        let many: String =
            (0..200).map(|n| format!("many A 10.0.0.{n}\nsome{} A 10.0.0.{n}\n", n / 60)).collect();
        world(&[("example.", &format!("{APEX}{few}{many}"))])
    });
    &WORLD
}

#[test]
fn section_6_1_1_an_opt_for_an_opt() {
    each(zones(), &query("example.", "SOA"), |response| assert!(response.message.edns.is_none()));
    each(zones(), &with_opt(query("example.", "SOA"), 4096, 0, 0, &[]), |response| {
        let edns = response.message.edns.as_ref().unwrap();
        assert_eq!((edns.max_payload(), edns.version(), edns.flags().dnssec_ok), (1232, 0, false));
    });
}

#[test]
fn section_6_1_3_badvers() {
    for version in [1, 100, 255] {
        each(zones(), &with_opt(query("example.", "SOA"), 4096, version, 0, &[]), |response| {
            assert_eq!((response.rcode(), response.aa(), response.section(0).len()), (16, false, 0));
            assert_eq!(response.message.edns.as_ref().unwrap().version(), 0);
        });
    }
}

#[test]
fn section_6_1_4_do_is_copied_and_unknown_flags_are_ignored() {
    each(zones(), &with_opt(query("example.", "SOA"), 4096, 0, 0xffff, &[]), |response| {
        let flags = response.message.edns.as_ref().unwrap().flags();
        assert_eq!((response.rcode(), flags.dnssec_ok, flags.z), (0, true, 0));
    });
}

#[test]
fn section_6_1_2_unknown_options_are_ignored() {
    each(
        zones(),
        &with_opt(query("example.", "SOA"), 4096, 0, 0, b"\xfd\xe9\0\x03abc\0\x64\0\0"),
        |response| {
            assert_eq!(response.rcode(), 0);
            assert!(response.octets.ends_with(&[0, 0]));
        },
    );
}

#[test]
fn broken_opts_are_formerr() {
    let once = with_opt(query("example.", "SOA"), 4096, 0, 0, &[]);
    for octets in
        [with_opt(once, 4096, 0, 0, &[]), with_opt(query("example.", "SOA"), 4096, 0, 0, b"\0\x03\0\x09")]
    {
        each(zones(), &octets, |response| assert_eq!(response.rcode(), 1));
    }
}

#[test]
fn section_6_2_3_the_payload_size() {
    // 60 addresses take some 990 octets, 200 some 3,200; the ceiling is 1232, anything below 512 means 512.
    for (name, payload, fits) in [
        // 20 addresses take some 370 octets.
        ("few.example.", 100, true),
        ("some0.example.", 0, false),
        ("some0.example.", 512, false),
        ("some0.example.", 1232, true),
        ("some0.example.", 65535, true),
        ("many.example.", 65535, false),
    ] {
        each(zones(), &with_opt(query(name, "A"), payload, 0, 0, &[]), |response| {
            let fits = fits || response.transport == TransportKind::Tcp;
            assert_eq!(
                (response.tc(), response.message.answers.is_empty()),
                (!fits, !fits),
                "{name} {payload}"
            );
            assert!(response.message.edns.is_some(), "OPT stays");
            let limit =
                if response.transport == TransportKind::Tcp { 65535 } else { payload.clamp(512, 1232) };
            assert!(response.octets.len() <= usize::from(limit));
        });
    }
}

#[test]
fn section_6_2_3_hickory_keeps_to_the_clients_size_though_it_compresses_less() {
    // Ours: header, question, 29 addresses and OPT are 505 octets; hickory's first owner takes 12 more.
    let lines: String = (0..29).map(|n| format!("edge A 10.0.0.{n}\n")).collect();
    let world = world(&[("example.", &format!("{APEX}{lines}"))]);
    let octets = with_opt(query("edge.example.", "A"), 512, 0, 0, &[]);
    let whole = ask(&world, &octets);
    assert!(whole.iter().all(|response| response.message.answers.len() == 29 && !response.tc()));
    assert_eq!((whole.len(), whole[0].octets.len()), (5, 505));
    // The one that is missing: no RRset is cut in two (RFC 2181 section 9), and OPT stays (section 7).
    let response = world.servers()[1].ask_udp(&octets);
    let message = hickory_proto::op::Message::from_vec(&response).unwrap();
    assert!(message.metadata.truncation && message.answers.is_empty() && message.edns.is_some());
    // With room it comes whole.
    assert_eq!(ask(&world, &with_opt(query("edge.example.", "A"), 600, 0, 0, &[])).len(), 6);
}
