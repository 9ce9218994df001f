//! Catalog zones: what is read, what is broken, who owns which member, and that what is produced is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Place, Record, Zone, ZoneBuilder};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A zone from records in the form `owner type data`, the owner without the catalog's name.
fn zone(catalog: &str, serial: u32, records: &[&str]) -> Zone {
    let origin = name(catalog);
    let mut builder = ZoneBuilder::new(origin.clone());
    let soa = [&b"\x07invalid\0\x07invalid\0"[..], &serial.to_be_bytes(), &[0; 16]].concat();
    let mut push = |owner: &str, record_type, rdata: &[u8]| {
        let owner = Name::from_text(owner.as_bytes(), &origin).unwrap();
        builder.push(Record { owner, record_type, ttl: 0, rdata: rdata.into() }, Place::default());
    };
    push("@", RecordType::SOA, &soa);
    push("@", RecordType::NS, b"\x07invalid\0");
    for record in records {
        let words: Vec<&str> = record.split_whitespace().collect();
        let record_type = RecordType::from_text(words[1]).unwrap();
        let rdata = match record_type {
            RecordType::TXT => {
                words[2..].iter().flat_map(|word| [&[word.len() as u8], word.as_bytes()].concat()).collect()
            }
            RecordType::PTR => name(words[2]).as_wire().to_vec(),
            _ => words[2].as_bytes().to_vec(),
        };
        push(words[0], record_type, &rdata);
    }
    builder.finish().unwrap()
}

const VERSION: &str = "version TXT 2";

fn catalog(catalog: &str, serial: u32, members: &[&str]) -> Arc<CatalogZone> {
    Arc::new(CatalogZone::read(&zone(catalog, serial, &[&[VERSION], members].concat())).unwrap())
}

#[test]
fn a_catalog_is_read_with_its_properties() {
    let read = catalog(
        "cat.",
        7,
        &[
            "One.zones PTR a.test.",
            "coo.one.zones PTR other.",
            "group.one.zones TXT west",
            "group.one.zones TXT east",
            "group.one.zones TXT two strings",
            "x.ext.one.zones TXT ignored",
            "two.zones PTR b.test.",
            "two.zones TXT ignored",
            "unknown.two.zones PTR c.test.",
            "three.zones TXT no-member",
            "group.four.zones TXT no-member",
            "ext TXT ignored",
        ],
    );
    assert_eq!((read.name.clone(), read.serial), (name("cat."), Serial(7)));
    let members: Vec<(String, String, Option<Name>, usize)> = read
        .members
        .iter()
        .map(|(name, member)| {
            let label = String::from_utf8(member.label.to_vec()).unwrap();
            (name.to_string(), label, member.new_owner.clone(), member.groups.len())
        })
        .collect();
    assert_eq!(
        members,
        [
            ("a.test.".into(), "one".into(), Some(name("other.")), 2),
            ("b.test.".into(), "two".into(), None, 0)
        ]
    );
}

#[test]
fn what_is_broken_is_named_and_refused_whole() {
    let table: &[(&[&str], &str)] = &[
        (&["one.zones PTR a.test."], "cat. has no version: one TXT record of one string at version.cat."),
        (
            &["version TXT 2", "version TXT 1"],
            "cat. has no version: one TXT record of one string at version.cat.",
        ),
        (&["version TXT 2 2"], "cat. has no version: one TXT record of one string at version.cat."),
        (&["version PTR a."], "cat. has no version: one TXT record of one string at version.cat."),
        (&["version TXT 1"], "cat. has version \"1\"; version 2 is known (RFC 9432)"),
        (
            &[VERSION, "one.zones PTR a.test.", "one.zones PTR b.test."],
            "one.zones.cat. has 2 PTR records; a member has one",
        ),
        (
            &[VERSION, "one.zones PTR a.test.", "two.zones PTR A.test."],
            "A.test. is a member twice, the second time at two.zones.cat.",
        ),
        (
            &[VERSION, "one.zones PTR a.test.", "coo.one.zones PTR x.", "coo.one.zones PTR y."],
            "coo.one.zones.cat. has 2 PTR records; a change of ownership names one catalog",
        ),
    ];
    for (records, expected) in table {
        let fault = CatalogZone::read(&zone("cat.", 1, records)).unwrap_err();
        assert_eq!(fault.to_string(), *expected, "{records:?}");
    }
}

fn membership(limit: RemovalLimit) -> Membership {
    Membership::new(vec![name("cat."), name("dog.")], BTreeSet::from([name("own.test.")]), limit)
}

fn owner<'m>(all: &'m Membership, member: &str) -> Option<&'m Name> {
    all.members().get(&name(member)).map(|member| &member.catalog)
}

#[test]
fn members_come_go_and_change() {
    let mut all = membership(RemovalLimit::default());
    let first =
        all.take(catalog("cat.", 1, &["1.zones PTR a.", "2.zones PTR b.", "3.zones PTR own.test."]), false);
    assert_eq!(first.added.keys().cloned().collect::<Vec<_>>(), [name("a."), name("b.")]);
    let conflict = Conflict { member: name("own.test."), catalog: name("cat."), owner: None };
    assert_eq!(first.conflicts, [conflict]);
    // The same again changes nothing.
    let again = all.take(catalog("cat.", 2, &["1.zones PTR a.", "2.zones PTR b."]), false);
    assert_eq!(again, MembershipChanges::default());
    // A group, another label, one that goes, one that comes.
    let changes = all.take(
        catalog("cat.", 3, &["1.zones PTR a.", "group.1.zones TXT g", "9.zones PTR b.", "4.zones PTR c."]),
        false,
    );
    assert_eq!(changes.changed.keys().collect::<Vec<_>>(), [&name("a.")]);
    assert_eq!(changes.reset.keys().collect::<Vec<_>>(), [&name("b.")]);
    assert_eq!(changes.added.keys().collect::<Vec<_>>(), [&name("c.")]);
    let changes = all.take(catalog("cat.", 4, &["9.zones PTR b."]), false);
    assert_eq!(changes.removed, BTreeSet::from([name("a."), name("c.")]));
    assert_eq!(all.members().len(), 1);
}

#[test]
fn a_zone_in_two_catalogs_stays_with_the_first_until_it_is_given_up_or_over() {
    let mut all = membership(RemovalLimit::default());
    all.take(catalog("dog.", 1, &["1.zones PTR a."]), false);
    let changes = all.take(catalog("cat.", 1, &["1.zones PTR a.", "2.zones PTR b."]), false);
    assert_eq!((owner(&all, "a."), changes.conflicts.len()), (Some(&name("dog.")), 1));
    // Another catalog cannot take it, only its owner can give it over; with the same label it is served on.
    let changes = all.take(catalog("dog.", 2, &["1.zones PTR a.", "coo.1.zones PTR cat."]), false);
    assert_eq!((owner(&all, "a."), changes.changed.len()), (Some(&name("cat.")), 1));
    // The old owner removes it: it is another's now.
    let changes = all.take(catalog("dog.", 3, &[]), false);
    assert_eq!((changes, owner(&all, "a.")), (MembershipChanges::default(), Some(&name("cat."))));
    // With another label it begins anew.
    let mut all = membership(RemovalLimit::default());
    all.take(catalog("dog.", 1, &["1.zones PTR a.", "coo.1.zones PTR cat."]), false);
    let changes = all.take(catalog("cat.", 1, &["other.zones PTR a."]), false);
    assert_eq!((changes.reset.len(), owner(&all, "a.")), (1, Some(&name("cat."))));
    // Given up by the one, named by the other.
    let mut all = membership(RemovalLimit::default());
    all.take(catalog("dog.", 1, &["1.zones PTR a."]), false);
    all.take(catalog("cat.", 1, &["1.zones PTR a."]), false);
    let changes = all.take(catalog("dog.", 2, &[]), false);
    assert_eq!((changes.reset.len(), changes.removed.len(), owner(&all, "a.")), (1, 0, Some(&name("cat."))));
    // A catalog cannot be a member.
    assert_eq!(all.take(catalog("dog.", 3, &["1.zones PTR cat."]), false).conflicts.len(), 1);
}

#[test]
fn many_removals_are_held_and_additions_are_not() {
    let many: Vec<String> = (0..100).map(|it| format!("m{it}.zones PTR z{it}.test.")).collect();
    let lines = |range: std::ops::Range<usize>| many[range].iter().map(String::as_str).collect::<Vec<_>>();
    let mut all = membership(RemovalLimit { percent: 10, members: 5 });
    all.take(catalog("cat.", 1, &lines(0..100)), false);
    // As many as the limit allows.
    assert_eq!(all.take(catalog("cat.", 2, &lines(0..90)), false).removed.len(), 10);
    // More: held; what comes is added.
    let emptied = catalog("cat.", 3, &["new.zones PTR new.test."]);
    let changes = all.take(emptied.clone(), false);
    assert_eq!((changes.removed.len(), changes.added.len(), all.members().len()), (0, 1, 91));
    assert_eq!((all.held()[&name("cat.")].serial, all.held()[&name("cat.")].members.len()), (Serial(3), 90));
    // They are back: nothing waits any more.
    assert_eq!(
        all.take(catalog("cat.", 4, &lines(0..90)), false).removed,
        BTreeSet::from([name("new.test.")])
    );
    assert!(all.held().is_empty());
    // Wanted by an operator.
    let changes = all.take(emptied, true);
    assert_eq!((changes.removed.len(), changes.added.len(), all.members().len()), (90, 1, 1));
    // Few zones: the number counts.
    let mut all = membership(RemovalLimit { percent: 10, members: 5 });
    all.take(catalog("cat.", 1, &lines(0..5)), false);
    assert_eq!(all.take(catalog("cat.", 2, &lines(0..1)), false).removed.len(), 4);
    // But an emptied catalog is held, however few there were; one zone may go.
    all.take(catalog("cat.", 3, &lines(0..2)), false);
    assert_eq!(all.take(catalog("cat.", 4, &[]), false).removed.len(), 0);
    assert_eq!(all.held()[&name("cat.")].members.len(), 2);
    assert_eq!(all.accept(&name("cat."), Serial(3)), None, "another version");
    assert_eq!(all.accept(&name("cat."), Serial(4)).unwrap().removed.len(), 2);
    assert_eq!(all.accept(&name("cat."), Serial(4)), None, "nothing waits");
    all.take(catalog("cat.", 5, &lines(0..1)), false);
    assert_eq!(all.take(catalog("cat.", 6, &[]), false).removed.len(), 1);
}

/// A catalog that lists these of the zones `zN.test.`.
fn numbered(serial: u32, zones: impl Iterator<Item = usize>) -> Arc<CatalogZone> {
    let lines: Vec<String> = zones.map(|it| format!("m{it}.zones PTR z{it}.test.")).collect();
    catalog("cat.", serial, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn removals_in_many_small_steps_are_held_at_the_limit_and_a_days_work_is_not() {
    let mut all = membership(RemovalLimit::default());
    let begun = Instant::now();
    let at = |seconds| begun + Duration::from_secs(seconds);
    all.set_time(at(0));
    all.take(numbered(1, 0..100), false);
    // One version for each.
    for step in 1..=20 {
        all.set_time(at(step as u64));
        all.take(numbered(1 + step as u32, step..100), false);
    }
    assert_eq!((all.members().len(), all.held()[&name("cat.")].members.len()), (90, 10));
    // One that is back counts no more; what waits goes on waiting.
    all.set_time(at(100));
    all.take(numbered(22, 19..100), false);
    assert_eq!((all.members().len(), all.held()[&name("cat.")].members.len()), (90, 9));
    // An order ends all of it, for any serial since it is these.
    assert_eq!(all.accept(&name("cat."), Serial(20)), None);
    assert_eq!(all.accept(&name("cat."), Serial(21)).unwrap().removed.len(), 9);
    all.take(numbered(23, 25..100), false);
    assert_eq!((all.members().len(), all.held().len()), (75, 0));
    // An hour later nothing counts.
    for hour in 1..10 {
        all.set_time(at(100 + 3600 * hour));
        let first = 25 + 7 * hour as usize;
        assert_eq!(all.take(numbered(24 + hour as u32, first..100), false).removed.len(), 7);
    }
}

#[test]
fn what_waits_goes_on_waiting_whatever_comes_beside_it() {
    let mut all = membership(RemovalLimit::default());
    all.take(numbered(1, 0..100), false);
    all.take(numbered(2, 11..100), false);
    assert_eq!(all.held()[&name("cat.")].members.len(), 11);
    // More zones come, so that 11 are not many any more; and one goes, which is not.
    all.take(numbered(3, 11..140), false);
    assert_eq!(all.take(numbered(4, 11..139), false).removed, BTreeSet::from([name("z139.test.")]));
    // A hub that puts its zones back one by one.
    all.take(numbered(5, 5..139), false);
    let held = all.held()[&name("cat.")].clone();
    assert_eq!((held.members.len(), held.since, held.serial), (5, Serial(2), Serial(5)));
    assert_eq!(all.accept(&name("cat."), Serial(1)), None);
    assert_eq!(all.accept(&name("cat."), Serial(3)).unwrap().removed.len(), 5);
    assert!(all.held().is_empty());
}

#[test]
fn a_zone_that_an_operator_holds_neither_goes_nor_begins_anew_and_the_root_is_no_member() {
    let mut all = membership(RemovalLimit::default());
    all.take(numbered(1, 0..30), false);
    all.set_kept(BTreeSet::from([name("z1.test."), name("z2.test.")]));
    let other = catalog("cat.", 2, &["other.zones PTR z2.test.", "root.zones PTR ."]);
    let members = numbered(2, 3..30).members.clone();
    let mut other = CatalogZone::clone(&other);
    other.members.extend(members);
    let changes = all.take(Arc::new(other), false);
    assert_eq!((changes.removed.clone(), changes.reset.len()), (BTreeSet::from([name("z0.test.")]), 0));
    assert_eq!(all.held()[&name("cat.")].members, BTreeSet::from([name("z1.test."), name("z2.test.")]));
    assert_eq!(changes.conflicts.len(), 1);
    assert_eq!(owner(&all, "."), None);
    let changes = all.accept(&name("cat."), Serial(2)).unwrap();
    assert_eq!((changes.removed.len(), changes.reset.len()), (1, 1));
}

#[test]
fn a_zone_that_an_operator_holds_is_not_begun_anew_by_a_takeover_either() {
    let mut all = membership(RemovalLimit::default());
    let gives = ["1.zones PTR a.", "coo.1.zones PTR dog.", "2.zones PTR b.", "coo.2.zones PTR dog."];
    all.take(catalog("cat.", 1, &gives), false);
    all.set_kept(BTreeSet::from([name("a.")]));
    let taken = catalog("dog.", 1, &["other1.zones PTR a.", "other2.zones PTR b."]);
    // All of several would wait for another reason.
    let more: Vec<String> = (3..30).map(|it| format!("m{it}.zones PTR z{it}.")).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    all.take(catalog("cat.", 2, &[&gives[..], &more].concat()), false);
    assert_eq!(all.take(taken, false).reset.keys().collect::<Vec<_>>(), [&name("b.")]);
    assert_eq!(owner(&all, "a."), Some(&name("cat.")));
    assert_eq!(all.held()[&name("cat.")].members, BTreeSet::from([name("a.")]));
    assert_eq!(all.accept(&name("cat."), Serial(2)).unwrap().reset.len(), 1);
}

#[test]
fn what_waits_goes_on_waiting_after_a_restart() {
    let mut all = membership(RemovalLimit::default());
    all.take(numbered(1, 0..100), false);
    all.take(numbered(2, 11..100), false);
    all.take(numbered(3, 10..140), false);
    let (members, waiting) = (all.members().clone(), all.waiting().clone());
    let mut all = membership(RemovalLimit::default()).restored(members, waiting);
    assert_eq!(all.held()[&name("cat.")].members.len(), 10);
    assert_eq!(all.take(numbered(3, 10..140), false), MembershipChanges::default());
    let held = &all.held()[&name("cat.")];
    assert_eq!((held.since, held.serial, held.members.len()), (Serial(2), Serial(3), 10));
    assert_eq!(all.accept(&name("cat."), Serial(3)).unwrap().removed.len(), 10);
}

#[test]
fn many_that_begin_anew_are_held_too() {
    // The labels of a hub that lost its memory are all others.
    let lines =
        |label: &str| (0..20).map(|it| format!("{label}{it}.zones PTR z{it}.test.")).collect::<Vec<_>>();
    let take = |all: &mut Membership, serial, lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        all.take(catalog("cat.", serial, &lines), false)
    };
    let mut all = membership(RemovalLimit::default());
    take(&mut all, 1, &lines("a"));
    assert_eq!(take(&mut all, 2, &lines("b")), MembershipChanges::default());
    assert_eq!(all.held()[&name("cat.")].members.len(), 20);
    // Another catalog changes nothing of it, nor does the same again.
    all.take(catalog("dog.", 1, &["1.zones PTR a."]), false);
    assert_eq!(take(&mut all, 3, &lines("b")), MembershipChanges::default());
    assert_eq!(all.members()[&name("z1.test.")].properties.label[..], b"a1"[..]);
    let changes = all.accept(&name("cat."), Serial(3)).unwrap();
    assert_eq!((changes.reset.len(), changes.removed.len(), all.held().len()), (20, 0, 0));
    // One alone begins anew.
    let one: Vec<String> = lines("b").into_iter().map(|line| line.replace("b7.", "c7.")).collect();
    assert_eq!(take(&mut all, 4, &one).reset.keys().collect::<Vec<_>>(), [&name("z7.test.")]);
}

#[test]
fn many_that_begin_anew_by_a_takeover_are_held_too() {
    let lines = |label: &str, coo: bool| {
        let each = |it| {
            let owner = coo.then(|| format!("coo.{label}{it}.zones PTR dog."));
            [Some(format!("{label}{it}.zones PTR z{it}.test.")), owner]
        };
        (0..20).flat_map(each).flatten().collect::<Vec<_>>()
    };
    let take = |all: &mut Membership, of: &str, serial, lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        all.take(catalog(of, serial, &lines), false)
    };
    // Whichever comes last: the new owner's version, or the old owner's that says who it is.
    for owner_is_last in [false, true] {
        let mut all = membership(RemovalLimit::default());
        take(&mut all, "cat.", 1, &lines("a", !owner_is_last));
        take(&mut all, "dog.", 1, &lines("b", false));
        if owner_is_last {
            take(&mut all, "cat.", 2, &lines("a", true));
        }
        let serial = Serial(if owner_is_last { 2 } else { 1 });
        assert_eq!(owner(&all, "z1.test."), Some(&name("cat.")));
        assert_eq!(all.held().keys().collect::<Vec<_>>(), [&name("cat.")]);
        let held = &all.held()[&name("cat.")];
        assert_eq!((held.serial, held.members.len()), (serial, 20));
        // The same again, and what comes beside it, change nothing of that.
        let more = [lines("b", false), vec!["new.zones PTR new.test.".to_owned()]].concat();
        let changes = take(&mut all, "dog.", 2, &more);
        assert_eq!((changes.added.len(), changes.reset.len(), changes.conflicts.len()), (1, 0, 0));
        assert_eq!(all.accept(&name("dog."), Serial(2)), None, "the old owner's members wait");
        let changes = all.accept(&name("cat."), serial).unwrap();
        assert_eq!((changes.reset.len(), changes.changed.len(), all.held().len()), (20, 0, 0));
        assert_eq!(owner(&all, "z1.test."), Some(&name("dog.")));
    }
    // With the labels that they had they are served on, so nothing waits.
    let mut all = membership(RemovalLimit::default());
    take(&mut all, "cat.", 1, &lines("a", true));
    assert_eq!(take(&mut all, "dog.", 1, &lines("a", false)).changed.len(), 20);
    // What the new owner gives up waits no more.
    let mut all = membership(RemovalLimit::default());
    take(&mut all, "cat.", 1, &lines("a", true));
    take(&mut all, "dog.", 1, &lines("b", false));
    take(&mut all, "dog.", 2, &[]);
    assert!(all.held().is_empty());
}

#[test]
fn what_the_producer_has_accepted_lets_nothing_pass_that_an_operator_or_a_takeover_holds() {
    let given = (0..20)
        .flat_map(|it| [format!("a{it}.zones PTR z{it}.test."), format!("coo.a{it}.zones PTR dog.")])
        .collect::<Vec<_>>();
    let listed = |more: std::ops::Range<usize>| {
        let more = more.map(|it| format!("a{it}.zones PTR z{it}.test."));
        given.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let of = |catalog_name: &str, serial, lines: &[String]| {
        catalog(catalog_name, serial, &lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut all = membership(RemovalLimit::default());
    all.take(of("cat.", 1, &listed(20..50)), false);
    let others: Vec<String> = (0..20).map(|it| format!("b{it}.zones PTR z{it}.test.")).collect();
    all.take(of("dog.", 1, &others), false);
    all.set_kept(BTreeSet::from([name("z49.test.")]));
    assert_eq!(all.held()[&name("cat.")].members.len(), 20);
    // Removals of other zones were accepted at the hub.
    let changes = all.take(of("cat.", 2, &listed(20..21)), true);
    assert_eq!((changes.removed.len(), changes.reset.len()), (28, 0));
    assert_eq!(owner(&all, "z1.test."), Some(&name("cat.")));
    assert_eq!(owner(&all, "z49.test."), Some(&name("cat.")));
    assert_eq!(all.held()[&name("cat.")].members.len(), 21);
    // After a restart, too, with the other catalog first.
    let (members, waiting) = (all.members().clone(), all.waiting().clone());
    let mut all = membership(RemovalLimit::default()).restored(members, waiting);
    all.set_kept(BTreeSet::from([name("z49.test.")]));
    all.take(of("dog.", 1, &others), false);
    assert_eq!(all.take(of("cat.", 2, &listed(20..21)), true), MembershipChanges::default());
    // The order of an operator here.
    let changes = all.accept(&name("cat."), Serial(2)).unwrap();
    assert_eq!((changes.removed.len(), changes.reset.len(), all.held().len()), (1, 20, 0));
}

#[test]
fn members_of_a_catalog_that_left_are_given_over_by_its_last_word_alone() {
    let mut all = membership(RemovalLimit::default());
    let given = ["1.zones PTR a.", "coo.1.zones PTR dog.", "2.zones PTR b.", "3.zones PTR own.test."];
    all.set_configured(BTreeSet::new());
    all.take(catalog("cat.", 5, &given), false);
    let members = all.members().clone();
    let order = vec![name("dog.")];
    let own = BTreeSet::from([name("own.test.")]);
    let mut all = Membership::new(order, own, RemovalLimit::default()).restored(members, BTreeMap::new());
    // What the configuration has does not wait.
    assert_eq!(all.held()[&name("cat.")].members, BTreeSet::from([name("a."), name("b.")]));
    assert!(all.let_few_go().unwrap().removed.is_empty());
    let changes = all.take(catalog("dog.", 1, &["1.zones PTR a.", "2.zones PTR b."]), false);
    assert_eq!((changes.changed.len(), changes.conflicts.len()), (1, 1));
    assert_eq!((owner(&all, "a."), owner(&all, "b.")), (Some(&name("dog.")), Some(&name("cat."))));
    let dog = vec![(name("dog."), RemovalLimit::default())];
    assert!(all.reconfigure(dog).removed.is_empty());
    assert_eq!(all.held()[&name("cat.")].members, BTreeSet::from([name("b.")]));
    assert_eq!(all.accept(&name("cat."), Serial(5)), None);
    assert_eq!(all.accept(&name("cat."), LEFT).unwrap().reset.len(), 1);
    assert_eq!(all.left().count(), 0);
}

#[test]
fn a_restart_and_a_reload_go_on_from_the_members_that_were() {
    let mut all = membership(RemovalLimit::default());
    all.take(catalog("cat.", 1, &["1.zones PTR a.", "2.zones PTR b."]), false);
    all.take(catalog("dog.", 1, &["1.zones PTR a.", "3.zones PTR c."]), false);
    let before = all.members().clone();
    // In whatever order the catalogs come back: a. stays with cat.
    let mut all = membership(RemovalLimit::default()).restored(before.clone(), BTreeMap::new());
    let changes = all.take(catalog("dog.", 1, &["1.zones PTR a.", "3.zones PTR c."]), false);
    assert_eq!((changes.conflicts.len(), owner(&all, "a.")), (1, Some(&name("cat."))));
    all.take(catalog("cat.", 1, &["1.zones PTR a.", "2.zones PTR b."]), false);
    assert_eq!(*all.members(), before);
    // The configuration names one; it is no member, and comes back when it does so no more.
    all.set_configured(BTreeSet::from([name("c.")]));
    assert_eq!(owner(&all, "c."), None);
    all.set_configured(BTreeSet::new());
    let kept = vec![(name("cat."), RemovalLimit::default()), (name("dog."), RemovalLimit::default())];
    assert_eq!(all.reconfigure(kept).added.keys().collect::<Vec<_>>(), [&name("c.")]);
    // A catalog leaves the configuration: what it had goes, and what another one lists too is that one's.
    let changes = all.reconfigure(vec![(name("dog."), RemovalLimit::default())]);
    assert_eq!(changes.removed, BTreeSet::from([name("b.")]));
    assert_eq!((changes.reset.len(), owner(&all, "a.")), (1, Some(&name("dog."))));
}

#[test]
fn what_is_produced_is_read_again() {
    let members: Vec<ListedMember> = (0..1000)
        .map(|it| ListedMember {
            name: name(&format!("Z{it}.test.")),
            label: label_of(&name(&format!("Z{it}.test.")), None),
            groups: if it % 2 == 0 { vec![b"even".as_slice().into()] } else { Vec::new() },
            new_owner: (it == 3).then(|| name("dog.")),
        })
        .collect();
    let mut builder = ZoneBuilder::new(name("cat.test."));
    let mut batch = catalog_records(&name("cat.test."), Serial(9), &members).unwrap();
    accepted_into(&mut batch, Serial(8)).unwrap();
    builder.add(batch);
    let read = CatalogZone::read(&builder.finish().unwrap()).unwrap();
    assert_eq!((read.serial, read.members.len(), read.accepted), (Serial(9), 1000, Some(Serial(8))));
    for member in &members {
        assert_eq!(read.members[&member.name].groups, member.groups);
        assert_eq!(read.members[&member.name].new_owner, member.new_owner);
    }
    // A member keeps its label when others come and go, in whatever case it is written.
    let one = [ListedMember {
        name: name("z7.test."),
        label: label_of(&name("z7.test."), None),
        groups: Vec::new(),
        new_owner: None,
    }];
    let mut builder = ZoneBuilder::new(name("cat.test."));
    builder.add(catalog_records(&name("cat.test."), Serial(9), &one).unwrap());
    let alone = CatalogZone::read(&builder.finish().unwrap()).unwrap();
    assert_eq!(alone.members[&one[0].name].label, read.members[&one[0].name].label);
}
