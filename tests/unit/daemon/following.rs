//! Followed catalogs over restarts.

use super::*;
use crate::catalog::{ListedMember, catalog_records, label_of};
use crate::control::ZoneFilter;
use crate::transfer::secondary::SecondaryZone;
use crate::zone::ZoneBuilder;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn following(kept: &BTreeMap<Name, KeptMember>) -> Following {
    let zones = SecondaryZone {
        name: name("cat."),
        primaries: Vec::new(),
        notify: Default::default(),
        expired: Default::default(),
    };
    let catalog = FollowedCatalog {
        name: name("cat."),
        limit: RemovalLimit::default(),
        keep: std::time::Duration::from_secs(60),
        ready_percent: 100,
        allowed: vec![ZoneFilter::All],
        zones,
        groups: Vec::new(),
    };
    let catalogs = Catalogs { followed: vec![catalog], ..Catalogs::default() };
    Following::new(catalogs, kept)
}

/// A version that lists these of the zones `zN.test.`.
fn version(serial: u32, zones: std::ops::Range<usize>) -> Arc<Zone> {
    let member = |it| {
        let name = name(&format!("z{it}.test."));
        ListedMember { label: label_of(&name, None), name, groups: Vec::new(), new_owner: None }
    };
    let members: Vec<ListedMember> = zones.map(member).collect();
    let mut builder = ZoneBuilder::new(name("cat."));
    builder.add(catalog_records(&name("cat."), Serial(serial), &members).unwrap());
    Arc::new(builder.finish().unwrap())
}

/// Keeps what the publisher would keep; how many are removed.
fn keep(kept: &mut BTreeMap<Name, KeptMember>, orders: MemberOrders) -> usize {
    let MemberChanges { set, reset, removed } = orders.publish;
    kept.extend(set.into_iter().chain(reset));
    for (zone, until) in &removed {
        kept.get_mut(zone).unwrap().kept_until = Some(*until);
    }
    removed.len()
}

#[test]
fn what_waits_for_an_operator_waits_on_after_a_restart() {
    let report = Report::default();
    let mut kept = BTreeMap::new();
    let mut all = following(&kept);
    let waiting = |kept: &BTreeMap<Name, KeptMember>| {
        kept.values().filter_map(|member| member.waits_since).collect::<Vec<_>>()
    };
    for (serial, zones) in [(1, 0..100), (2, 11..100), (3, 11..140)] {
        keep(&mut kept, all.take(&version(serial, zones), &report, 0).unwrap());
    }
    // 11 of 140 would not be many.
    assert_eq!((kept.len(), waiting(&kept)), (140, vec![2; 11]));
    let mut all = following(&kept);
    assert_eq!(all.facts()[0].held.as_ref().map(|held| held.count), Some(11));
    assert_eq!(keep(&mut kept, all.take(&version(3, 11..140), &report, 0).unwrap()), 0);
    // The hub lists some of them again: the others wait on.
    assert_eq!(keep(&mut kept, all.take(&version(4, 5..140), &report, 0).unwrap()), 0);
    assert_eq!(waiting(&kept), [2; 5]);
    let mut all = following(&kept);
    assert_eq!(keep(&mut kept, all.take(&version(4, 5..140), &report, 0).unwrap()), 0);
    assert_eq!(keep(&mut kept, all.accept(&name("cat."), Serial(4), 0).unwrap()), 5);
    // Those are out of service, and nothing waits after the next restart.
    assert!(following(&kept).facts()[0].held.is_none());
}
