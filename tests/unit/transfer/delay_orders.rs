//! What an operator orders at a last-resort POP, and how long versions have waited, over a restart.

use super::*;

const HELD: Facts = Facts { is_held: true, expires: None };

/// What is to be done next of the zone.
fn next(versions: &DelayedVersions) -> NextRelease {
    let now = Now { instant: Instant::now(), wall: SystemTime::now() };
    versions.lock().zones[&name("example.")].machine.next(now)
}

fn tell(versions: &DelayedVersions, facts: Facts) {
    versions.lock().zones.get_mut(&name("example.")).unwrap().machine.tell(facts);
}

#[test]
fn an_order_to_catch_up_that_waits_for_the_end_of_a_hold_survives_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, _served) = Hub::new();
    hub.put(zone(1, &[], &[]));
    let bad = || step(1, 2, &[], &["bad.example."]);
    let good = || step(2, 3, &["bad.example."], &["good.example."]);
    let before = delayed(directory.path(), &hub);
    // The one that is right comes so much later that it does not wait together with the wrong one.
    before.differences(&name("example."), vec![bad()], ORIGIN).unwrap();
    before.lock().zones.get_mut(&name("example.")).unwrap().machine.begin(1);
    before.differences(&name("example."), vec![good()], ORIGIN).unwrap();
    before.lock().zones.get_mut(&name("example.")).unwrap().machine.not_taken(
        "held".into(),
        seconds(1),
        Now { instant: Instant::now(), wall: SystemTime::now() },
    );
    tell(&before, HELD);
    let caught = before.catch_up(None);
    assert_eq!((caught.len(), caught[0].serial, caught[0].is_held), (1, Serial(3), true));
    before.keep_waiting().unwrap();
    // The second restart comes before the versions do.
    let between = delayed(directory.path(), &hub);
    between.keep_waiting().unwrap();
    let after = delayed(directory.path(), &hub);
    after
        .differences(&name("example."), vec![bad(), good(), step(3, 4, &[], &["new.example."])], ORIGIN)
        .unwrap();
    tell(&after, HELD);
    assert_eq!(next(&after), NextRelease::Held);
    // Both at once, and not the wrong one alone; what came later waits.
    tell(&after, Facts::default());
    assert_eq!(next(&after), NextRelease::Release(2, Why::Ordered));
    release(&after, 2).unwrap();
    assert_eq!(serials(&after, &hub), (Some(4), Some(3)));
    assert!(matches!(next(&after), NextRelease::Wait(_, Why::Delay)));
}

#[test]
fn how_long_versions_have_waited_is_kept_and_a_clock_that_jumps_ends_no_delay() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, then) = (directory.path(), UNIX_EPOCH + seconds(1_000_000));
    assert_eq!(kept::read(directory, then).unwrap(), Kept::new());
    let name: Name = "a\\032b.example.".parse().unwrap();
    let version = |waited| {
        let (seen, waited, primary) = (then - seconds(50), seconds(waited), None);
        (Serial(7), Remembered { seen, waited, is_ordered: true, primary })
    };
    let kept: Kept = [(name.clone(), vec![version(50)])].into();
    kept::write(directory, &kept, then).unwrap();
    let table = [
        // A restart; a long stop; the clock is set a year ahead; it went backwards.
        (then + seconds(5), 55),
        (then + seconds(600), 650),
        (then + seconds(100_000), 650),
        (then + seconds(31_536_000), 650),
        (then - seconds(31_536_000 / 100), 50),
    ];
    for (now, waited) in table {
        assert_eq!(kept::read(directory, now).unwrap()[&name], [version(waited)], "{now:?}");
    }
    let file = directory.join("waiting-versions");
    // Lines that cannot be read, and a number that no delay has.
    let text = format!("anyns-waiting 1 1000000\nnonsense\na. 1 2\na. 1 999000 {}\n", u64::MAX);
    std::fs::write(&file, text).unwrap();
    let found = kept::read(directory, then).unwrap();
    assert_eq!(found.values().flatten().count(), 1);
    assert_eq!(found.values().flatten().next().unwrap().1.waited, DelayRules::LONGEST);
    for text in ["anyns-waiting 2 1000000\n", "", "anyns-waiting 1 x\n"] {
        std::fs::write(&file, text).unwrap();
        assert!(kept::read(directory, then).is_err(), "{text:?}");
    }
}
