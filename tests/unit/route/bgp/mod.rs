//! What is sent, what is taken, and what is refused, without a socket.

mod session;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ipnet::IpNet;
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use proptest::prelude::*;
use rustbgpd_fsm::{NegotiatedSession, TimerType};
use rustbgpd_wire::{Afi, Message, Safi, encode_message};

use super::attributes::Route;
use super::framer::{Framer, Received};
use super::neighbor::{Origin, survivor};
use super::rib_out::RibOut;
use super::timers::{ExpiredTimer, Timers};
use super::*;
use crate::route::driver::{Preference, Wanted};
use crate::route::service::{Community, LargeCommunity, Service};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn settings(remote_as: u32) -> BgpSettings {
    BgpSettings {
        local_as: 65_000,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        hold_time: BgpSettings::DEFAULT_HOLD_TIME,
        send_hold_time: None,
        listen_port: 179,
        deprefer: Deprefer { med: Some(500), prepend: 2 },
        shutdown_text: "stops".into(),
        neighbors: vec![Neighbor {
            next_hop_ipv6: Some("2001:db8::1".parse().unwrap()),
            ..Neighbor::new(65_000, address("10.0.0.1"), address("10.0.0.2"), remote_as)
        }],
    }
}

fn services() -> Vec<Service> {
    let prefix = |text: &str| Service::new(text.parse().unwrap());
    vec![prefix("192.0.2.0/24"), prefix("2001:db8:53::/48")]
}

fn session() -> NegotiatedSession {
    let mut session = NegotiatedSession::default();
    session.four_octet_as = true;
    session.negotiated_families = vec![(Afi::Ipv4, Safi::Unicast), (Afi::Ipv6, Safi::Unicast)];
    session
}

fn wanted(services: &[Service], preference: Preference) -> Wanted {
    Wanted { routes: services.iter().map(|service| (service.prefix, preference)).collect() }
}

/// Decodes everything with an independent decoder; it must leave no octet.
fn decode(octets: &[u8], four_octet_as: bool) -> Vec<BgpMessage> {
    let mut rest = SliceReader::new(octets);
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let mut context = BgpParsingContext::asn2_default();
        context.set_asn4(four_octet_as);
        messages.push(BgpMessage::parse(&mut rest, &mut context).expect("the decoder takes it"));
    }
    messages
}

/// Lets `rib` follow `wanted` and gives the messages decoded.
fn follow(
    rib: &mut RibOut,
    settings: &BgpSettings,
    services: &[Service],
    wanted: &Wanted,
) -> Vec<BgpMessage> {
    let mut out = BytesMut::new();
    rib.follow((settings, &settings.neighbors[0], services), wanted, &session(), &mut out).unwrap();
    decode(&out, true)
}

#[test]
fn a_neighbor_is_told_the_difference_and_end_of_rib_once() {
    let (settings, services) = (settings(65_001), services());
    let normal = wanted(&services, Preference::Normal);
    let mut rib = RibOut::default();
    assert_eq!(
        follow(&mut rib, &settings, &services, &normal).len(),
        4,
        "two routes, two End-of-RIB markers"
    );
    assert_eq!(follow(&mut rib, &settings, &services, &normal).len(), 0);
    let mut one = wanted(&services, Preference::Depreferred);
    one.routes.pop_last();
    assert_eq!(follow(&mut rib, &settings, &services, &one).len(), 2, "one withdrawal, one change");
    assert_eq!(follow(&mut rib, &settings, &services, &Wanted::default()).len(), 1);
    assert_eq!(rib.advertised().count(), 0);
}

#[test]
fn a_refresh_repeats_the_family_between_the_markers_of_rfc_7313() {
    let (settings, services) = (settings(65_001), services());
    let mut rib = RibOut::default();
    follow(&mut rib, &settings, &services, &wanted(&services, Preference::Normal));
    let mut session = session();
    for (enhanced, expected) in [(false, 1), (true, 3)] {
        session.peer_enhanced_route_refresh = enhanced;
        let mut out = BytesMut::new();
        rib.refresh(Afi::Ipv6, &session, &mut out).unwrap();
        assert_eq!(decode(&out, true).len(), expected);
    }
}

#[test]
fn what_the_session_did_not_negotiate_is_refused_by_prefix() {
    let (mut settings, mut services) = (settings(65_001), services());
    services[0].next_hop = Some(address("2001:db8::9"));
    settings.neighbors[0].next_hop_ipv6 = None;
    let wanted = wanted(&services, Preference::Normal);
    let mut session = session();
    session.negotiated_families.truncate(1);
    let mut rib = RibOut::default();
    let mut out = BytesMut::new();
    rib.follow((&settings, &settings.neighbors[0], &services), &wanted, &session, &mut out).unwrap();
    assert_eq!(rib.refused().count(), 2, "RFC 8950 was not negotiated, nor was there an IPv6 next hop");
    session.extended_nexthop_families.insert((Afi::Ipv4, Safi::Unicast), Afi::Ipv6);
    rib.follow((&settings, &settings.neighbors[0], &services), &wanted, &session, &mut out).unwrap();
    assert_eq!(rib.advertised().count(), 1);
    assert_eq!(decode(&out, true).len(), 2, "End-of-RIB of the one family, then the route");
}

#[test]
fn the_plan_shows_internal_and_external_sessions_apart() {
    let mut services = services();
    services[0].prepend = 2;
    services[0].med = Some(7);
    let mut settings = settings(65_001);
    settings.neighbors.push(Neighbor::new(65_000, address("2001:db8::1"), address("2001:db8::2"), 65_000));
    settings.neighbors.push(Neighbor::new(65_000, address("10.0.0.1"), address("10.0.0.3"), 65_003));
    services.pop();
    let plan = plan(&settings, &services);
    let paths: Vec<&[u32]> = plan.announcements.iter().map(|a| a.as_path.as_slice()).collect();
    assert_eq!(paths, [[65_000; 3].as_slice(), &[], &[65_000; 3]]);
    let preferences: Vec<Option<u32>> = plan.announcements.iter().map(|a| a.local_pref).collect();
    assert_eq!(preferences, [None, Some(100), None]);
    assert!(matches!(
        plan.warnings.as_slice(),
        [Warning::ExtendedNextHop { .. }, Warning::MedAcrossAses { ases, .. }] if *ases == [65_001, 65_003]
    ));
    services[0].prefix = "192.0.2.0/25".parse().unwrap();
    let warnings = super::plan(&settings, &services).warnings;
    assert!(warnings.iter().any(|warning| matches!(warning, Warning::LongPrefix { accepted: 24, .. })));
    services[0].next_hop = Some(address("127.0.0.1"));
    let warnings = super::plan(&settings, &services).warnings;
    assert_eq!(warnings.iter().filter(|w| matches!(w, Warning::LoopbackNextHop { .. })).count(), 3);
}

#[test]
fn settings_that_cannot_be_are_each_refused() {
    type Spoil = fn(&mut BgpSettings, &mut Vec<Service>);
    let table: [(&str, Spoil); 25] = [
        ("AsNumber", |s, _| s.local_as = 0),
        ("AsNumber", |s, _| s.neighbors[0].remote_as = 23_456),
        ("RouterId", |s, _| s.router_id = Ipv4Addr::UNSPECIFIED),
        ("HoldTime", |s, _| s.hold_time = Duration::from_secs(2)),
        ("HoldTime", |s, _| s.hold_time = Duration::from_millis(3500)),
        ("SendHoldTime", |s, _| s.send_hold_time = Some(Duration::from_secs(9))),
        ("TooMany", |_, v| v[0].communities = vec![Community(1); 65]),
        ("TooMany", |_, v| v[0].prepend = 33),
        ("DuplicateNeighbor", |s, _| s.neighbors.push(s.neighbors[0].clone())),
        ("DuplicatePrefix", |_, v| v.push(v[0].clone())),
        ("HostBits", |_, v| v[0].prefix = "192.0.2.1/24".parse().unwrap()),
        ("NotUnicast", |_, v| v[0].prefix = "224.0.0.0/8".parse().unwrap()),
        ("NotUnicast", |_, v| v[1].prefix = "::/0".parse().unwrap()),
        ("Address", |s, _| s.neighbors[0].local_address = address("0.0.0.0")),
        ("Address", |s, _| s.neighbors[0].local_address = address("2001:db8::1")),
        ("ServiceAddress", |s, _| s.neighbors[0].local_address = address("192.0.2.1")),
        ("NoNextHop", |s, _| s.neighbors[0].next_hop_ipv6 = None),
        ("NextHop", |_, v| v[1].next_hop = Some(address("192.0.2.9"))),
        ("Port", |s, _| s.neighbors[0].port = 0),
        ("Port", |s, _| s.listen_port = 0),
        ("SameEnds", |s, _| s.neighbors[0].address = s.neighbors[0].local_address),
        ("LinkLocal", |s, _| s.neighbors[0].address = address("169.254.1.1")),
        ("LinkLocal", |s, _| {
            s.neighbors[0].local_address = address("fe80::1");
            s.neighbors[0].address = address("fe80::2");
        }),
        ("PasswordLength", |s, _| s.neighbors[0].password = Some(Password::new("x".repeat(81)))),
        ("Distance", |s, _| s.neighbors[0].ttl = Ttl::Security(0)),
    ];
    assert_eq!(settings(65_001).check(&services()), Ok(()));
    for (expected, spoil) in table {
        let (mut settings, mut services) = (settings(65_001), services());
        spoil(&mut settings, &mut services);
        let errors = settings.check(&services).unwrap_err();
        let named = errors.iter().any(|error| format!("{error:?}").starts_with(expected));
        assert!(named, "expected {expected}, got {errors:?}");
        assert!(errors.iter().all(|error| !error.to_string().is_empty()));
    }
}

/// Every key that sets a next hop, with every address that cannot be one.
#[test]
fn next_hops_that_no_router_can_use_are_refused_wherever_they_are_set() {
    let bad4 = ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255", "169.254.0.1", "10.0.0.2"];
    let bad6 = ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"];
    let refused = |settings: &BgpSettings, services: &[Service], next_hop: &str| {
        let errors = settings.check(services).expect_err(next_hop);
        let kind = |error: &SettingsError| {
            matches!(error, SettingsError::NextHop { .. } | SettingsError::NeighborNextHop { .. })
        };
        assert!(errors.iter().all(kind), "{next_hop}: {errors:?}");
        assert!(errors.iter().all(|error| error.to_string().contains(next_hop)), "{errors:?}");
    };
    for next_hop in bad4 {
        let (mut settings, mut services) = (settings(65_001), services());
        settings.neighbors[0].next_hop_ipv4 = Some(next_hop.parse().unwrap());
        refused(&settings, &services, next_hop);
        settings.neighbors[0].next_hop_ipv4 = None;
        services[0].next_hop = Some(address(next_hop));
        refused(&settings, &services, next_hop);
    }
    for next_hop in bad6 {
        let (mut settings, mut services) = (settings(65_001), services());
        settings.neighbors[0].next_hop_ipv6 = Some(next_hop.parse().unwrap());
        refused(&settings, &services, next_hop);
        settings.neighbors[0].next_hop_ipv6 = Some("2001:db8::1".parse().unwrap());
        services[1].next_hop = Some(address(next_hop));
        refused(&settings, &services, next_hop);
    }
}

/// The types of the attributes in the order in which they stand in an UPDATE (RFC 4271 section 4.3).
fn attribute_types(update: &[u8]) -> Vec<u8> {
    let length = |at: usize| usize::from(u16::from_be_bytes([update[at], update[at + 1]]));
    let first = 21 + length(19) + 2;
    let end = first + length(first - 2);
    let (mut at, mut types) = (first, Vec::new());
    while at < end {
        types.push(update[at + 1]);
        let extended = update[at] & 0x10 != 0;
        at += if extended { 4 + length(at + 2) } else { 3 + usize::from(update[at + 2]) };
    }
    types
}

#[test]
fn mp_reach_comes_first_and_the_other_attributes_ascend() {
    for remote_as in [65_000, 65_001] {
        let settings = settings(remote_as);
        for mut service in services() {
            service.med = Some(7);
            service.communities = vec![Community(1)];
            service.large_communities = vec![LargeCommunity(1, 2, 3)];
            let route = Route::new(&settings, &settings.neighbors[0], &service, Preference::Normal);
            let types = attribute_types(&route.unwrap().announcement(true).unwrap());
            let rest = match service.prefix {
                IpNet::V4(_) => types.as_slice(),
                IpNet::V6(_) => {
                    assert_eq!(types.first(), Some(&14), "RFC 7606 section 5.1: {types:?}");
                    &types[1..]
                }
            };
            assert!(rest.is_sorted() && rest.len() >= 5, "{types:?}");
        }
    }
}

#[test]
fn the_higher_identifier_keeps_its_connection() {
    let id = |last| Ipv4Addr::new(10, 0, 0, last);
    for (ours, theirs, expected) in [
        ((id(2), 1), (id(1), 9), Origin::Outgoing),
        ((id(1), 9), (id(2), 1), Origin::Incoming),
        ((id(1), 2), (id(1), 1), Origin::Outgoing),
        ((id(1), 1), (id(1), 2), Origin::Incoming),
    ] {
        assert_eq!(survivor(ours, theirs), expected, "{ours:?} {theirs:?}");
    }
}

#[test]
fn timers_go_off_in_order_and_once() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut timers = Timers::default();
    timers.start(TimerType::Hold, 240, true, now, 0.0);
    assert_eq!(timers.next(), Some(now + 30 * second), "a silent neighbor is given up early");
    timers.start(TimerType::Hold, 9, false, now, 0.0);
    timers.start(TimerType::Keepalive, 4, false, now, 1.0);
    timers.set_send_hold(Some(now + 20 * second));
    assert_eq!(timers.next(), Some(now + 3 * second), "jitter takes a quarter");
    assert_eq!(timers.expire(now + 2 * second), None);
    assert_eq!(timers.expire(now + 3 * second), Some(ExpiredTimer::Keepalive));
    assert_eq!(timers.expire(now + 3 * second), None);
    assert_eq!(timers.expire(now + 20 * second), Some(ExpiredTimer::SendHold));
    assert_eq!(timers.expire(now + 20 * second), Some(ExpiredTimer::Hold));
    assert_eq!(timers.next(), None);
    timers.start(TimerType::Hold, 9, false, now, 0.0);
    timers.stop(TimerType::Hold);
    assert_eq!(timers.next(), None);
}

/// An UPDATE whose body is nonsense.
fn update(length: u16) -> Vec<u8> {
    let mut octets = vec![0xFF; usize::from(length)];
    octets[16..18].copy_from_slice(&length.to_be_bytes());
    octets[18] = 2;
    octets
}

#[test]
fn bodies_of_updates_are_skipped_not_kept() {
    let mut framer = Framer::default();
    let mut stream = update(65_535);
    stream.extend_from_slice(&update(23));
    stream.extend_from_slice(&encode_message(&Message::Keepalive).unwrap());
    let mut received = Vec::new();
    for chunk in stream.chunks(1000) {
        framer.push(chunk);
        while let Some(message) = framer.next().unwrap() {
            received.push(message);
        }
        assert!(framer.buffered() < 1000);
    }
    assert_eq!(received, [Received::Update, Received::Update, Received::Message(Message::Keepalive)]);
    framer.push(&update(22));
    assert!(framer.next().is_err());
}

fn prefixes() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 8u8..=32).prop_map(|(bits, length)| {
        IpNet::new(IpAddr::V4(Ipv4Addr::from_bits(bits)), length).unwrap().trunc()
    });
    let v6 = (any::<u128>(), 16u8..=128)
        .prop_map(|(bits, length)| IpNet::new(IpAddr::V6(bits.into()), length).unwrap().trunc());
    let announceable = |prefix: &IpNet| settings(65_001).check(&[Service::new(*prefix)]).is_ok();
    prop_oneof![v4, v6].prop_filter("announceable", announceable)
}

prop_compose! {
    fn any_service()(
        prefix in prefixes(),
        extended in any::<bool>(),
        communities in prop::collection::vec(any::<u32>().prop_map(Community), 0..=Service::MOST_COMMUNITIES),
        large in prop::collection::vec(any::<(u32, u32, u32)>(), 0..=Service::MOST_COMMUNITIES),
        med in any::<Option<u32>>(),
        prepend in 0..=Service::MOST_PREPENDS,
    ) -> Service {
        let next_hop = extended.then(|| address("2001:db8::77"));
        let large_communities = large.into_iter().map(|(a, b, c)| LargeCommunity(a, b, c)).collect();
        Service { prefix, next_hop, communities, large_communities, med, prepend }
    }
}

proptest! {
    #[test]
    fn an_independent_decoder_takes_every_message(
        service in any_service(),
        internal in any::<bool>(),
        four_octet_as in any::<bool>(),
        depreferred in any::<bool>(),
    ) {
        let settings = settings(if internal { 65_000 } else { 65_001 });
        let mut session = session();
        session.four_octet_as = four_octet_as;
        session.extended_nexthop_families.insert((Afi::Ipv4, Safi::Unicast), Afi::Ipv6);
        let preference = if depreferred { Preference::Depreferred } else { Preference::Normal };
        let services = [service];
        let context = (&settings, &settings.neighbors[0], services.as_slice());
        let mut rib = RibOut::default();
        let mut out = BytesMut::new();
        rib.follow(context, &wanted(&services, preference), &session, &mut out).unwrap();
        prop_assert_eq!(rib.advertised().count(), 1);
        rib.follow(context, &Wanted::default(), &session, &mut out).unwrap();
        prop_assert_eq!(decode(&out, four_octet_as).len(), 4);
    }

    #[test]
    fn no_octets_make_the_framer_fail_badly_or_grow(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        valid in 0usize..4,
    ) {
        let mut framer = Framer::default();
        for _ in 0..valid {
            framer.push(&encode_message(&Message::Keepalive).unwrap());
        }
        'stream: for chunk in chunks {
            framer.push(&chunk);
            loop {
                match framer.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
            prop_assert!(framer.buffered() <= usize::from(u16::MAX) + Framer::READ_SIZE);
        }
    }
}
