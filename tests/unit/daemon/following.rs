//! Followed catalogs over restarts.

use super::*;
use crate::catalog::{ListedMember, catalog_records, label_of};
use crate::control::ZoneFilter;
use crate::transfer::secondary::SecondaryZone;
use crate::zone::ZoneBuilder;

pub(in crate::daemon::catalogs) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(in crate::daemon::catalogs) fn of_catalog(catalog: &str) -> FollowedCatalog {
    let zones = SecondaryZone {
        name: name(catalog),
        primaries: Vec::new(),
        notify: Default::default(),
        expired: Default::default(),
    };
    FollowedCatalog {
        name: name(catalog),
        limit: RemovalLimit::default(),
        keep: std::time::Duration::from_secs(60),
        ready_percent: 100,
        allowed: vec![ZoneFilter::All],
        zones,
        groups: Vec::new(),
    }
}

pub(in crate::daemon::catalogs) fn following(kept: &BTreeMap<Name, KeptMember>) -> Following {
    of_catalogs(&["cat."], kept)
}

fn of_catalogs(names: &[&str], kept: &BTreeMap<Name, KeptMember>) -> Following {
    let followed = names.iter().map(|name| of_catalog(name)).collect();
    Following::new(Catalogs { followed, ..Catalogs::default() }, kept)
}

/// A version that lists these of the zones `zN.test.`.
pub(in crate::daemon::catalogs) fn version(serial: u32, zones: std::ops::Range<usize>) -> Arc<Zone> {
    version_of("cat.", serial, zones)
}

fn version_of(catalog: &str, serial: u32, zones: std::ops::Range<usize>) -> Arc<Zone> {
    let member = |it| {
        let name = name(&format!("z{it}.test."));
        ListedMember { label: label_of(&name, None), name, groups: Vec::new(), new_owner: None }
    };
    let members: Vec<ListedMember> = zones.map(member).collect();
    let mut builder = ZoneBuilder::new(name(catalog));
    builder.add(catalog_records(&name(catalog), Serial(serial), &members).unwrap());
    Arc::new(builder.finish().unwrap())
}

/// Keeps what the publisher would keep; how many are removed.
fn keep(kept: &mut BTreeMap<Name, KeptMember>, orders: MemberOrders) -> usize {
    let MemberChanges { set, reset, removed, .. } = orders.publish;
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

/// Two catalogs list the same zone. The version of the second comes first.
#[test]
fn of_new_catalogs_the_configuration_decides_and_of_known_ones_who_has_the_zone() {
    let (report, order) = (Report::default(), ["one.", "two."]);
    let mut kept = BTreeMap::new();
    let mut all = of_catalogs(&order, &kept);
    let (one, two) = (version_of("one.", 1, 0..2), version_of("two.", 1, 1..3));
    let may = |all: &Following, awaited| {
        let names = all.in_turn(awaited);
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    // Neither is looked at while the other is on its way.
    assert_eq!((may(&all, 1), may(&all, 0)), (String::new(), "one. two.".to_owned()));
    for zone in [&one, &two] {
        keep(&mut kept, all.take(zone, &report, 0).unwrap());
    }
    let owner = |all: &Following| all.owners().get(&name("z1.test.")).cloned();
    assert_eq!(owner(&all), Some(name("one.")));
    let said = all.facts()[1].first_clash.clone().unwrap();
    assert!(said.contains("z1.test. is a member of the catalog one."), "{said}");
    // Whatever comes first from now on; after a restart, and in another order, too.
    assert_eq!(may(&all, 1), "one. two.");
    let mut all = of_catalogs(&["three.", "two.", "one."], &kept);
    assert_eq!((may(&all, 1), may(&all, 0)), ("two. one.".to_owned(), "three. two. one.".to_owned()));
    for zone in [&version_of("three.", 1, 0..3), &two, &one] {
        all.take(zone, &report, 0).unwrap();
    }
    assert_eq!(owner(&all), Some(name("one.")));
    assert_eq!(all.owners().values().filter(|owner| **owner == name("three.")).count(), 0);
}
