//! Followed catalogs that leave the configuration over a restart, and when an empty POP has what its catalogs list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::following::{Following, MemberOrders};
use crate::catalog::{LEFT, ListedMember, RemovalLimit, catalog_records, label_of};
use crate::config::{Catalogs, FollowedCatalog};
use crate::control::ZoneFilter;
use crate::publish::{KeptMember, MemberChanges, Report};
use crate::transfer::secondary::{AwaitedZones, OnExpiry, PrimaryServer, SecondaryZone};
use crate::wire::{Name, Serial};
use crate::zone::{Snapshot, Zone, ZoneBuilder};

const NOW: u64 = 1_800_000_000;
const WEEK: u64 = 7 * 86_400;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A configuration with these catalogs.
fn catalogs(names: &[&str]) -> Catalogs {
    let primary = PrimaryServer { address: "192.0.2.1:53".parse().unwrap(), key: None, tls: None };
    let catalog = |catalog: &&str| FollowedCatalog {
        name: name(catalog),
        limit: RemovalLimit::default(),
        keep: std::time::Duration::from_secs(60),
        ready_percent: 100,
        allowed: vec![ZoneFilter::All],
        zones: SecondaryZone {
            name: name(catalog),
            primaries: vec![primary.clone()],
            notify: Default::default(),
            expired: Default::default(),
        },
        groups: Vec::new(),
    };
    Catalogs {
        followed: names.iter().map(catalog).collect(),
        expired: OnExpiry::Stale,
        ..Catalogs::default()
    }
}

fn member(number: usize) -> ListedMember {
    let name = name(&format!("z{number}.test."));
    ListedMember { label: label_of(&name, None), name, groups: Vec::new(), new_owner: None }
}

/// So many members of the catalog `old.`, as the last process kept them.
fn kept(count: usize) -> BTreeMap<Name, KeptMember> {
    let kept = |ListedMember { name: zone, label, groups, new_owner }| {
        let catalog = name("old.");
        (zone, KeptMember { catalog, label, new_owner, groups, kept_until: None, waits_since: None })
    };
    (0..count).map(member).map(kept).collect()
}

/// A version of a catalog that lists these of the zones `zN.test.`.
fn version(catalog: &str, serial: u32, zones: std::ops::Range<usize>) -> Arc<Zone> {
    let members: Vec<ListedMember> = zones.map(member).collect();
    let mut builder = ZoneBuilder::new(name(catalog));
    builder.add(catalog_records(&name(catalog), Serial(serial), &members).unwrap());
    Arc::new(builder.finish().unwrap())
}

/// How many members come or change, begin anew, and go.
fn counts(orders: &MemberOrders) -> (usize, usize, usize) {
    let MemberChanges { set, reset, removed, .. } = &orders.publish;
    (set.len(), reset.len(), removed.len())
}

/// Of how many zones the transfers know primaries, and of how many none.
fn primaries(zones: &[SecondaryZone]) -> (usize, usize) {
    let known = zones.iter().filter(|zone| !zone.primaries.is_empty()).count();
    (known, zones.len() - known)
}

#[test]
fn zones_of_a_catalog_that_is_renamed_over_a_restart_stay_until_an_order() {
    let report = Report::default();
    let mut all = Following::new(catalogs(&["new."]), &kept(12));
    // The transfers know them, so that they expire.
    let known = all.all().set;
    assert_eq!(primaries(&known), (0, 12));
    assert!(known.iter().all(|zone| zone.expired == OnExpiry::Stale));
    assert_eq!(all.settle_left(NOW).map(|orders| counts(&orders)), Some((0, 0, 0)));
    assert!(all.settle_left(NOW).is_none(), "it is decided once");
    // The new one lists them, and has another zone.
    let orders = all.take(&version("new.", 7, 0..13), &report, NOW).unwrap();
    assert_eq!((counts(&orders), primaries(&orders.transfer.set)), ((1, 0, 0), (1, 0)));
    let [new, old] = &*all.facts() else { panic!("two catalogs") };
    assert_eq!((new.has_left, new.members, new.clashes, new.held.is_some()), (false, 1, 12, false));
    let held = old.held.clone().unwrap();
    assert_eq!((&old.name, old.has_left, old.members), (&name("old."), true, 12));
    assert_eq!((held.serial, held.count, held.first), (LEFT, 12, name("z0.test.")));
    assert!(!all.is_too_large_to_leave(&old.name, old.members), "no reload is refused because of it");
    // A reload takes nothing away.
    let orders = all.configure(catalogs(&["new."]), &report, NOW);
    assert_eq!((counts(&orders), primaries(&orders.transfer.set)), ((0, 0, 0), (1, 12)));
    assert!(orders.transfer.removed.is_empty());
    // Its owner lets them go: those that another catalog lists begin anew.
    assert!(all.accept(&name("old."), Serial(7), NOW).is_none(), "another serial");
    let orders = all.accept(&name("old."), LEFT, NOW).unwrap();
    assert_eq!((counts(&orders), primaries(&orders.transfer.set)), ((0, 12, 0), (12, 0)));
    assert_eq!(all.facts().len(), 1);
    assert_eq!(all.facts()[0].clashes, 0);
}

#[test]
fn zones_that_go_with_a_catalog_that_left_are_kept_for_a_week_and_one_alone_goes_by_itself() {
    let kept_until = |orders: &MemberOrders| {
        orders.publish.removed.iter().filter(|(_, until)| *until == NOW + WEEK).count()
    };
    let mut all = Following::new(catalogs(&["other."]), &kept(2));
    assert_eq!(all.settle_left(NOW).map(|orders| counts(&orders)), Some((0, 0, 0)));
    let orders = all.accept(&name("old."), LEFT, NOW).unwrap();
    assert_eq!((counts(&orders), kept_until(&orders)), ((0, 0, 2), 2));
    assert_eq!(orders.transfer.removed.len(), 2);
    let mut all = Following::new(catalogs(&["other."]), &kept(1));
    let orders = all.settle_left(NOW).unwrap();
    assert_eq!((counts(&orders), kept_until(&orders), all.facts().len()), ((0, 0, 1), 1, 1));
    // There is nothing to decide where each catalog is configured.
    assert!(Following::new(catalogs(&["old."]), &kept(12)).settle_left(NOW).is_none());
}

#[test]
fn a_catalog_that_is_followed_again_has_its_zones_and_what_waited() {
    let report = Report::default();
    let mut kept = kept(20);
    kept.values_mut().take(11).for_each(|member| member.waits_since = Some(5));
    let mut all = Following::new(catalogs(&["new."]), &kept);
    all.settle_left(NOW).unwrap();
    all.take(&version("new.", 7, 0..20), &report, NOW).unwrap();
    let orders = all.configure(catalogs(&["new.", "old."]), &report, NOW);
    assert_eq!((counts(&orders), primaries(&orders.transfer.set)), ((0, 0, 0), (20, 0)));
    let old = || all.facts()[1].clone();
    assert_eq!((old().has_left, old().members, old().held.map(|held| held.count)), (false, 20, Some(11)));
    // From now on it leaves as ever: by a reload, with all of them.
    let orders = all.configure(catalogs(&["other."]), &report, NOW);
    assert_eq!(counts(&orders), (0, 0, 20));
}

#[test]
fn a_catalog_that_has_come_and_was_not_looked_at_is_waited_for() {
    let mut all = Following::new(catalogs(&["one.", "two."]), &BTreeMap::new());
    let (none, one) = (AwaitedZones::default(), version("one.", 1, 0..3));
    let served = Snapshot::default().with_changes([one.clone()], &[]);
    assert!(!all.is_ready(AwaitedZones { catalogs: 1, ..none }, &Snapshot::default()));
    assert!(!all.is_ready(none, &served), "nobody knows its zones yet");
    all.take(&one, &Report::default(), NOW).unwrap();
    assert!(!all.is_ready(AwaitedZones { members: 3, ..none }, &served));
    assert!(all.is_ready(none, &served));
}
