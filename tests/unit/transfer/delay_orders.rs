//! What an operator orders at a last-resort POP, over a restart.

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
