//! What is told of zones that come from primaries.

use std::time::{Duration, Instant};

use super::*;
use crate::daemon::status::clock::Anchor;
use crate::transfer::delay::{DelayRules, DelaySettings};
use crate::transfer::hub::Hub;
use crate::transfer::refresh::{Behind, Contradiction, Status};
use crate::zone::Expiry;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn report(zone: &str, change: impl FnOnce(&mut Status)) -> (Name, Option<Box<ZoneReport>>) {
    let now = Instant::now();
    let mut status = Status {
        serial: Some(Serial(5)),
        phase: Phase::Idle,
        due: now + Duration::from_secs(60),
        checked: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)),
        expires: Some(now + Duration::from_secs(600)),
        stale_since: None,
        failing_since: None,
        failures: 0,
        seen: vec![Some(Serial(5)), None],
        behind: None,
        silent: None,
        contradiction: None,
        refused: None,
        refused_since: None,
    };
    change(&mut status);
    let report = ZoneReport {
        zone: name(zone),
        primaries: vec!["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()],
        status,
        is_expired: false,
        expiry: Expiry::Current,
        last_error: Some((SystemTime::UNIX_EPOCH, "192.0.2.1:53: no connection".into())),
        last_transfer: None,
        diverged: None,
    };
    (name(zone), Some(Box::new(report)))
}

#[test]
fn zones_with_the_same_trouble_are_one_alarm_that_ends_with_the_last_of_them() {
    let (queue, news) = crate::handoff::queue(MOST_NEWS).unwrap();
    let mut sources = TransferSources { news: Some(news), ..TransferSources::default() };
    let mut table = TransferTable::default();
    let stale = |status: &mut Status| {
        status.stale_since = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_600));
        status.failures = 2;
    };
    // Its primary went backwards, and was not reached after that.
    let behind = |status: &mut Status| {
        status.behind = Some(Behind { primary: 0, serial: Serial(3), is_proven: true });
        status.stale_since = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_700));
    };
    for zone in ["b.example.", "a.example."] {
        queue.push(report(zone, stale)).unwrap();
    }
    queue.push(report("c.example.", behind)).unwrap();
    queue.push(report("d.example.", |_| {})).unwrap();
    let empty = |status: &mut Status| (status.serial, status.failures) = (None, 1);
    queue.push(report("e.example.", empty)).unwrap();
    table.follow(&mut sources, Instant::now());
    let told = |table: &TransferTable| {
        table.alarms().into_iter().map(|alarm| (alarm.kind, alarm.message)).collect::<Vec<_>>()
    };
    let alarms = told(&table);
    let kinds: Vec<&str> = alarms.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["zones without a version from a primary", "stale zones", "serials that went backwards"]
    );
    assert!(alarms[0].1.starts_with("zone e.example.: no version has come"), "{}", alarms[0].1);
    let expected = "3 zones, the first is a.example.: stale, because no primary has confirmed what is served since \
                    1970-01-12T13:56:40Z: 192.0.2.1:53: no connection";
    assert_eq!(alarms[1].1, expected);
    assert!(
        alarms[2].1.contains("the serial of the primary went backwards: it has 3, and 5 is served here; its")
    );
    // The facts of the zones that were asked for; one that is not known has none.
    let mut zones =
        ["a.example.", "x.example."].map(|zone| ZoneStatus { name: zone.into(), ..ZoneStatus::default() });
    let clock = Anchor::now().clock();
    table.fill(&mut zones, &sources, clock);
    let transfer = zones[0].transfer.clone().unwrap();
    assert_eq!((transfer.checked, transfer.stale_since), (Some(1_000_000), Some(1_000_600)));
    assert_eq!(transfer.primaries.iter().map(|one| one.serial).collect::<Vec<_>>(), [Some(5), None]);
    assert!(transfer.next.unwrap() > clock.unix() && transfer.expires > transfer.next);
    assert_eq!(table.facts(&name("a.example."), clock).unwrap().next, transfer.next);
    assert_eq!(zones[1].transfer, None);
    // All is well again, or gone.
    queue.push(report("a.example.", |_| {})).unwrap();
    for gone in ["b.example.", "c.example.", "e.example."] {
        queue.push((name(gone), None)).unwrap();
    }
    table.follow(&mut sources, Instant::now());
    assert_eq!(told(&table), []);
}

#[test]
fn two_primaries_with_other_content_are_told_with_both_addresses_and_what_to_do() {
    let (queue, news) = crate::handoff::queue(MOST_NEWS).unwrap();
    let mut sources = TransferSources { news: Some(news), ..TransferSources::default() };
    let mut table = TransferTable::default();
    for (giver, than) in
        [(Some(0), "than 192.0.2.1:53, which gave what is served"), (None, "than is served here")]
    {
        let found = Some(Contradiction { giver, other: 1, serial: Serial(4) });
        queue.push(report("a.example.", |status| status.contradiction = found)).unwrap();
        table.follow(&mut sources, Instant::now());
        let alarm = table.alarms().remove(0);
        assert_eq!(alarm.kind, "primaries with other content under one serial");
        let expected = format!(
            "zone a.example.: the primary [2001:db8::1]:53 has other content under serial 4 {than}; correct one under a higher serial, \
             let the other one follow it, then `anyns zone refresh a.example.`"
        );
        assert_eq!(alarm.message, expected);
        assert_eq!(table.totals(Instant::now()).contradicting, 1);
        let mut zones = [ZoneStatus { name: "a.example.".into(), ..ZoneStatus::default() }];
        table.fill(&mut zones, &sources, Anchor::now().clock());
        let told = zones[0].transfer.clone().unwrap().contradiction.unwrap();
        assert_eq!((told.primary.as_str(), told.serial), ("[2001:db8::1]:53", 4));
        assert_eq!(told.giver.as_deref(), giver.map(|_| "192.0.2.1:53"));
    }
    queue.push(report("a.example.", |_| {})).unwrap();
    table.follow(&mut sources, Instant::now());
    assert!(table.alarms().is_empty() && table.totals(Instant::now()).contradicting == 0);
}

#[test]
fn zones_behind_their_primaries_are_counted_and_timed_from_the_first() {
    let (queue, news) = crate::handoff::queue(MOST_NEWS).unwrap();
    let mut sources = TransferSources { news: Some(news), ..TransferSources::default() };
    let mut table = TransferTable::default();
    let begun = Instant::now();
    let at = |seconds| begun + Duration::from_secs(seconds);
    let told = |table: &TransferTable, now| {
        let totals = table.totals(now);
        (totals.behind_primary, totals.behind_primary_for.as_secs())
    };
    let newer = |served: u32, primary: u32| {
        move |status: &mut Status| {
            status.serial = Some(Serial(served));
            status.seen = vec![None, Some(Serial(primary))];
        }
    };
    // Also where the serial has wrapped around (RFC 1982); an older one, the same one and none are no lag.
    queue.push(report("a.example.", newer(u32::MAX, 1))).unwrap();
    queue.push(report("b.example.", newer(7, 6))).unwrap();
    queue.push(report("c.example.", newer(7, 7))).unwrap();
    queue.push(report("d.example.", |status| status.serial = None)).unwrap();
    queue.push(report("e.example.", |status| status.seen = vec![None, None])).unwrap();
    table.follow(&mut sources, at(0));
    assert_eq!(told(&table, at(9)), (1, 9));
    // The next version comes while the last one is missing: the lag goes on. It counts from the first zone.
    queue.push(report("a.example.", newer(u32::MAX, 2))).unwrap();
    queue.push(report("b.example.", newer(7, 8))).unwrap();
    table.follow(&mut sources, at(10));
    assert_eq!(told(&table, at(20)), (2, 20));
    queue.push(report("a.example.", newer(2, 2))).unwrap();
    table.follow(&mut sources, at(30));
    assert_eq!(told(&table, at(40)), (1, 30));
    queue.push((name("b.example."), None)).unwrap();
    table.follow(&mut sources, at(50));
    assert_eq!(told(&table, at(60)), (0, 0));
}

#[test]
fn a_version_that_is_refused_or_does_not_come_is_an_alarm_and_a_primary_that_lags_is_no_serial_backwards() {
    let (queue, news) = crate::handoff::queue(MOST_NEWS).unwrap();
    let mut sources = TransferSources { news: Some(news), ..TransferSources::default() };
    let mut table = TransferTable::default();
    let begun = Instant::now();
    let at = |seconds| begun + Duration::from_secs(seconds);
    let newer = |status: &mut Status| status.seen = vec![Some(Serial(6)), Some(Serial(5))];
    let refused = |status: &mut Status| {
        newer(status);
        status.refused = Some(Serial(6));
        status.refused_since = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_600));
    };
    let lagging = |status: &mut Status| {
        status.behind = Some(Behind { primary: 0, serial: Serial(3), is_proven: false });
    };
    queue.push(report("a.example.", refused)).unwrap();
    queue.push(report("b.example.", newer)).unwrap();
    queue.push(report("c.example.", lagging)).unwrap();
    let mut told = |now| {
        table.follow(&mut sources, now);
        table.alarms().into_iter().map(|alarm| (alarm.kind, alarm.message)).collect::<Vec<_>>()
    };
    let kinds = |alarms: &[(String, String)]| alarms.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    let alarms = told(at(0));
    assert_eq!(kinds(&alarms), ["refused versions of primaries", "primaries with older versions"]);
    assert!(
        alarms[0].1.contains("serial 6 of a primary is refused since 1970-01-12T13:56:40Z"),
        "{alarms:?}"
    );
    assert!(!alarms[1].1.contains("retransfer"), "{alarms:?}");
    assert_eq!(told(at(59)).len(), 2);
    let alarms = told(at(60));
    assert_eq!(kinds(&alarms)[1], "newer versions that do not come");
    assert!(alarms[1].1.starts_with("zone b.example.: a primary has had serial 6"), "{alarms:?}");
    // It stays until the version has come; the next one has its own time.
    queue.push(report("b.example.", newer)).unwrap();
    assert_eq!(told(at(61)).len(), 3);
    queue.push(report("b.example.", |_| {})).unwrap();
    assert_eq!(told(at(62)).len(), 2);
    queue.push(report("b.example.", newer)).unwrap();
    assert_eq!((told(at(63)).len(), told(at(122)).len(), told(at(123)).len()), (2, 2, 3));
    // All is well again.
    ["a.example.", "b.example.", "c.example."]
        .iter()
        .for_each(|zone| queue.push(report(zone, |_| {})).unwrap());
    assert_eq!(told(at(200)), []);
}

#[test]
fn a_version_that_does_not_come_is_an_alarm_at_a_last_resort_pop_too() {
    let directory = tempfile::tempdir().unwrap();
    let second = Duration::from_secs(1);
    let rules = DelayRules { delay: 3600 * second, key_delay: 60 * second, signature_margin: second };
    let settings = DelaySettings { rules, directory: directory.path().to_owned() };
    let delayed = Some(Arc::new(DelayedVersions::new(settings, Hub::new().0)));
    let (queue, news) = crate::handoff::queue(MOST_NEWS).unwrap();
    let mut sources = TransferSources { news: Some(news), delayed, ..TransferSources::default() };
    let mut table = TransferTable::default();
    let begun = Instant::now();
    // A version that waits for its time counts as served here.
    queue.push(report("a.example.", |status| status.seen = vec![Some(Serial(6)), None])).unwrap();
    for (seconds, alarms) in [(0, 0), (59, 0), (60, 1)] {
        table.follow(&mut sources, begun + seconds * second);
        assert_eq!(table.alarms().len(), alarms, "after {seconds} s");
    }
    assert!(table.not_late.is_empty(), "nothing is left of what was looked at");
}
