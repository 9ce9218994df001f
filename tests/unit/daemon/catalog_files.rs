//! Zone files of zones that catalogs list: when a file that is away gives its zone to the catalog.

use std::time::{Duration, SystemTime};

use super::super::following::tests::{following, name, of_catalog, version};
use super::*;
use crate::config::Catalogs;
use crate::publish::{ZoneReport, ZoneState};
use crate::zone::{Expiry, Zone};

fn zone(file: FilePresence) -> ZoneReport {
    ZoneReport {
        state: ZoneState::Serving,
        since: SystemTime::UNIX_EPOCH,
        serial: None,
        source_serial: None,
        records: 2,
        source: std::path::Path::new("a.zone").into(),
        file,
        accepted_at: None,
        durable: true,
        refused_serial: None,
        signatures: None,
        expiry: Expiry::Current,
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
        faults: Vec::new(),
    }
}

fn report(file: FilePresence) -> Report {
    [(name("z1.test."), zone(file))].into_iter().collect()
}

fn put(report: &mut Report, file: FilePresence) {
    report.put(name("z1.test."), zone(file));
}

/// Looks at this moment; whether the catalog has the zone after that.
fn look(all: &mut Following, report: &Report, catalog: &Arc<Zone>, at: Instant) -> bool {
    assert!(all.look_for_files(report, Moment { unix: 0, at }).is_none());
    if all.is_news(catalog) {
        all.take(catalog, report, 0).unwrap();
    }
    all.owners().contains_key(&name("z1.test."))
}

fn said(all: &Following) -> String {
    all.facts()[0].first_clash.clone().unwrap_or_default()
}

#[test]
fn a_file_that_is_gone_for_a_moment_gives_nothing_away_and_one_that_stays_away_does() {
    let (start, catalog) = (Instant::now(), version(1, 0..3));
    let at = |seconds| start + Duration::from_secs(seconds);
    let gone = |seconds| FilePresence::Gone(at(seconds));
    let limit = FILE_GONE.as_secs();
    let (mut all, mut report) = (following(&BTreeMap::new()), report(FilePresence::There));
    assert!(!look(&mut all, &report, &catalog, at(0)));
    assert!(said(&all).contains("in a zone file"), "{}", said(&all));
    // For a moment, again and again.
    for moment in 1..5 {
        put(&mut report, gone(moment));
        assert!(!look(&mut all, &report, &catalog, at(moment)));
        assert!(said(&all).contains("in a zone file that is gone"), "{}", said(&all));
        put(&mut report, FilePresence::There);
        assert!(!look(&mut all, &report, &catalog, at(moment)));
        assert_eq!(all.next_look(), None);
    }
    assert!(!look(&mut all, &report, &catalog, at(10 * limit)));
    // Nothing is known of it for long, and then it is gone.
    put(&mut report, FilePresence::Unknown);
    assert!(!look(&mut all, &report, &catalog, at(20 * limit)));
    assert!(said(&all).contains("anyns zone remove z1.test."), "{}", said(&all));
    assert_eq!(all.next_look(), None);
    put(&mut report, gone(30 * limit));
    assert!(!look(&mut all, &report, &catalog, at(31 * limit - 1)));
    assert_eq!(all.next_look(), Some(at(31 * limit)));
    // A new version of the catalog in between takes it as little.
    let newer = version(2, 0..3);
    assert!(!look(&mut all, &report, &newer, at(31 * limit - 1)));
    assert!(look(&mut all, &report, &newer, at(31 * limit)));
    assert_eq!((said(&all), all.next_look()), (String::new(), None));
}

#[test]
fn a_file_that_is_missing_at_a_start_is_waited_for_and_a_zone_that_was_removed_is_not() {
    let (start, catalog) = (Instant::now(), version(1, 0..3));
    let at = |seconds| start + Duration::from_secs(seconds);
    let (mut all, mut report) = (following(&BTreeMap::new()), report(FilePresence::Gone(at(0))));
    for seconds in [0, 1, FILE_GONE.as_secs() - 1] {
        assert!(!look(&mut all, &report, &catalog, at(seconds)));
        assert_eq!(all.next_look(), Some(at(FILE_GONE.as_secs())));
    }
    // An operator has removed it.
    report.take_out(&name("z1.test."));
    assert!(look(&mut all, &report, &catalog, at(2)));
    // A zone that is here by another way, and of which something changes, is not free.
    let (mut all, mut report) = (following(&BTreeMap::new()), self::report(FilePresence::None));
    for _ in 0..3 {
        put(&mut report, FilePresence::None);
        assert!(!look(&mut all, &report, &catalog, at(3)));
    }
}

#[test]
fn a_member_is_left_to_a_file_when_that_is_served() {
    let (catalog, moment) = (version(1, 0..3), Moment::now());
    let (mut all, mut report) = (following(&BTreeMap::new()), Report::default());
    assert!(look(&mut all, &report, &catalog, moment.at));
    // Broken, and gone again.
    for file in
        [FilePresence::Unused, FilePresence::Gone(moment.at), FilePresence::None, FilePresence::Unused]
    {
        put(&mut report, file);
        assert!(look(&mut all, &report, &catalog, moment.at));
    }
    put(&mut report, FilePresence::There);
    let orders = all.look_for_files(&report, moment).unwrap();
    let zone = vec![name("z1.test.")];
    assert_eq!((&orders.publish.to_files, &orders.publish.removed), (&zone, &Vec::new()));
    assert_eq!((&orders.transfer.removed, &orders.transfer.elsewhere), (&zone, &zone));
    // Whatever the file becomes.
    for file in [FilePresence::Unused, FilePresence::Gone(moment.at), FilePresence::There] {
        put(&mut report, file);
        assert!(!look(&mut all, &report, &catalog, moment.at));
    }
}

#[test]
fn a_zone_that_a_reload_gives_to_a_catalog_is_transferred_when_the_reload_has_found_no_other_file() {
    for is_there in [true, false] {
        let (zone, catalog) = (name("z1.test."), version(1, 0..3));
        let named = |names: &[&Name]| -> Catalogs {
            let configured: BTreeSet<Name> = names.iter().map(|name| (*name).clone()).collect();
            let followed = vec![of_catalog("cat.")];
            Catalogs { followed, produced: Vec::new(), configured: Arc::new(configured) }
        };
        let mut all = Following::new(named(&[&zone]), &BTreeMap::new());
        let mut report = report(FilePresence::There);
        let moment = Moment::now();
        assert!(!look(&mut all, &report, &catalog, moment.at));
        // Its [[zone]] goes: the publisher has it as a member from now on, so that it is served on.
        let orders = all.configure(named(&[]), &report, 0);
        assert!(orders.publish.set.iter().any(|(name, _)| *name == zone), "{orders:?}");
        let names: Vec<&Name> = orders.transfer.set.iter().map(|zone| &zone.name).collect();
        assert_eq!(names, [&name("z0.test."), &name("z2.test.")]);
        // What is told before the publisher has taken the configuration says nothing.
        put(&mut report, FilePresence::There);
        assert!(all.look_for_files(&report, moment).is_none());
        put(&mut report, if is_there { FilePresence::There } else { FilePresence::None });
        assert!(all.look_for_files(&report, moment).is_none());
        let orders = all.end_reload(&report, 0).unwrap();
        let transferred: Vec<Name> = orders.transfer.set.into_iter().map(|zone| zone.name).collect();
        let expected = if is_there { (vec![zone.clone()], vec![]) } else { (vec![], vec![zone.clone()]) };
        assert_eq!((orders.publish.to_files, transferred), expected);
        assert_eq!(all.owners().contains_key(&zone), !is_there);
        assert!(all.end_reload(&report, 0).is_none());
    }
}
