//! Zones from primaries and members of catalogs: what other servers serve is served here, too, and rules judge members.

use std::net::SocketAddr;

use anyns::publish::{
    ApplyError, Difference, Force, KeptMember, MemberChanges, NeededRecord, Settings, SingleZone,
    SourceFault, ZoneChecks, ZoneState,
};
use anyns::wire::{RecordType, Serial};
use anyns::zone::{Place, RecordBatch, Zone, ZoneBuilder, ZoneFault};

use crate::support::{Pop, name};

const NAPTR: RecordType = RecordType(35);
/// Order, preference, flags, services, an expression, and a replacement beside it (RFC 3403 section 4.1 wants one of them).
const BOTH: &[u8] = b"\0\x01\0\x01\x01u\x07E2U+sip\x0a!^.*$!sip!\x01x\0";

pub(crate) fn primary() -> SocketAddr {
    "192.0.2.1:53".parse().unwrap()
}

/// The SOA record with this serial.
fn batch(serial: u32) -> RecordBatch {
    let mut batch = RecordBatch::new(&name("a.example."));
    let numbers = [serial, 1, 1, 1, 1].map(u32::to_be_bytes).concat();
    let soa = [name("ns.example.").as_wire(), name("host.example.").as_wire(), &numbers].concat();
    batch.push(name("a.example.").as_wire(), RecordType::SOA, 60, &soa, Place::default());
    batch
}

/// What BIND and NSD serve and no zone file here may hold: NAPTR with both, KEY without exponent, DS at the apex.
fn odd(batch: &mut RecordBatch) {
    let (apex, below) = (name("a.example."), name("b.a.example."));
    batch.push(below.as_wire(), NAPTR, 60, BOTH, Place::default());
    batch.push(below.as_wire(), RecordType::KEY, 60, &[1, 0, 3, 5, 0], Place::default());
    let ds = [&[0, 1, 13, 2][..], &[7; 32]].concat();
    batch.push(apex.as_wire(), RecordType::DS, 60, &ds, Place::default());
}

pub(crate) fn zone(serial: u32, is_odd: bool) -> Zone {
    let mut builder = ZoneBuilder::new(name("a.example.")).received().in_order();
    let mut batch = batch(serial);
    let (apex, ns) = (name("a.example."), name("ns.example."));
    batch.push(apex.as_wire(), RecordType::NS, 60, ns.as_wire(), Place::default());
    if is_odd {
        odd(&mut batch);
    }
    batch.sort();
    builder.add(batch);
    builder.finish().unwrap()
}

/// From a version without the odd records to one with them.
fn difference(from: u32, to: u32) -> Difference {
    let mut added = batch(to);
    odd(&mut added);
    Difference { from: Serial(from), to: Serial(to), deleted: batch(from), added }
}

fn records(pop: &Pop) -> (u32, usize) {
    let zone = pop.published.load().zone(&name("a.example.")).unwrap().clone();
    (zone.serial().0, zone.record_count())
}

#[tokio::test]
async fn what_other_servers_serve_is_served_where_it_comes_from_a_primary() {
    let origin = name("a.example.");
    for whole in [true, false] {
        let mut pop = Pop::new();
        let settings = Settings { transferred: [origin.clone()].into(), ..pop.settings() };
        pop.start_with(settings.clone()).await;
        pop.handle().offer(zone(5, whole), primary(), Force::No).await.unwrap();
        if !whole {
            pop.handle().apply(&origin, vec![difference(5, 6)]).await.unwrap();
        }
        let expected = (if whole { 5 } else { 6 }, 5);
        assert_eq!(records(&pop), expected);
        let report = pop.wait_kept().await;
        assert!(report.zones[&origin].faults.is_empty());
        pop.stop().await;
        pop.published = Default::default();
        pop.start_with(settings).await;
        let report = pop.report();
        let zone = &report.zones[&origin];
        assert_eq!((zone.state, records(&pop)), (ZoneState::Serving, expected));
        assert!(zone.faults.is_empty(), "{:?}", zone.faults);
    }
}

#[tokio::test]
async fn malformed_records_are_refused_all_the_same_and_odd_ones_where_they_are_made_here() {
    let origin = name("a.example.");
    let mut malformed = batch(5);
    malformed.push(origin.as_wire(), RecordType::NS, 60, name("ns.example.").as_wire(), Place::default());
    malformed.push(name("b.a.example.").as_wire(), NAPTR, 60, b"\0\x01", Place::default());
    let mut builder = ZoneBuilder::new(origin.clone()).received();
    builder.add(malformed);
    let Err(faults) = builder.finish() else { panic!("it is no zone") };
    assert!(faults.iter().any(|fault| matches!(fault, ZoneFault::MalformedRdata { .. })), "{faults:?}");
    // A zone that is made here is not received.
    let mut hub = Pop::new();
    hub.write("zones/a.example.zone", &crate::support::zone_text(5, 0));
    hub.start().await;
    let refused = hub.handle().apply(&origin, vec![difference(5, 6)]).await;
    assert!(matches!(refused, Err(ApplyError::Value { .. })), "{refused:?}");
}

pub(crate) fn listed() -> KeptMember {
    KeptMember {
        catalog: name("catalog.test."),
        label: b"m1"[..].into(),
        new_owner: None,
        groups: Vec::new(),
        kept_until: None,
        waits_since: None,
    }
}

#[tokio::test]
async fn rules_for_a_member_of_a_catalog_are_no_fault_and_judge_it() {
    let origin = name("a.example.");
    let needed = NeededRecord { owner: name("b.a.example."), record_type: NAPTR };
    let checks = ZoneChecks { must_have: vec![needed], ..ZoneChecks::default() };
    let mut pop = Pop::new();
    let rules = SingleZone { name: origin.clone(), file: None, serial: None, dnssec: None };
    let settings =
        Settings { zones: [rules].into(), checks: [(origin.clone(), checks)].into(), ..pop.settings() };
    let is_of_it = |fault: &SourceFault| matches!(fault, SourceFault::NoFile { zone } if *zone == origin);
    pop.start_with(settings.clone()).await;
    assert!(pop.report().faults.iter().any(is_of_it), "nothing lists it yet");
    let set = MemberChanges { set: vec![(origin.clone(), listed())], ..MemberChanges::default() };
    assert!(pop.handle().change_members(set).await);
    pop.wait(|report| !report.faults.iter().any(is_of_it)).await;
    let refused = pop.handle().offer(zone(5, false), primary(), Force::No).await.unwrap_err();
    assert!(refused.to_string().contains("which must-have of its [[zone]] asks for"), "{refused}");
    pop.handle().offer(zone(6, true), primary(), Force::No).await.unwrap();
    assert_eq!(records(&pop), (6, 5));
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings).await;
    assert!(!pop.report().faults.iter().any(is_of_it));
    let until = u64::from(u32::MAX);
    let removed = MemberChanges { removed: vec![(origin.clone(), until)], ..MemberChanges::default() };
    assert!(pop.handle().change_members(removed).await);
    pop.wait(|report| report.faults.iter().any(is_of_it)).await;
}
