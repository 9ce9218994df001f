//! What is told of the targets of NOTIFYs.

use std::net::SocketAddr;

use super::*;
use crate::daemon::status::clock::Anchor;
use crate::transfer::primary::NotifyCounts;

fn target(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 53).into()
}

fn not_taken(now: Instant, zones: usize, seconds: u64) -> Option<NotTaken> {
    let since = now.checked_sub(Duration::from_secs(seconds)).unwrap();
    Some(NotTaken { zones, first: "a.example.".parse().unwrap(), since })
}

fn facts(address: SocketAddr, refusing: Option<NotTaken>, silent: Option<NotTaken>) -> TargetFacts {
    let counts = NotifyCounts { taken: 3, refused: 2, unanswered: 1 };
    TargetFacts { address, is_told_apart: true, counts, refusing, rcode: 9, silent }
}

#[test]
fn a_target_that_refuses_or_is_silent_for_a_minute_is_an_alarm_that_names_it() {
    let mut anchor = Anchor::now();
    let clock = anchor.clock();
    let now = clock.instant();
    let told = |each: Vec<TargetFacts>| {
        let known = AllTargets { each, ..AllTargets::default() };
        let alarms = TargetWatch { known }.alarms(clock);
        alarms.into_iter().map(|alarm| (alarm.kind, alarm.message)).collect::<Vec<_>>()
    };
    let early = facts(target(1), not_taken(now, 1, 59), not_taken(now, 5, 59));
    assert_eq!(told(vec![early, facts(target(2), None, None)]), []);
    let refuses = facts(target(1), not_taken(now, 1, 61), None);
    let alarms = told(vec![refuses.clone(), facts(target(2), None, not_taken(now, 7, 300))]);
    let kinds: Vec<&str> = alarms.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["NOTIFYs that are refused", "NOTIFYs without an answer"]);
    assert!(alarms[0].1.starts_with("NOTIFYs are not taken by 192.0.2.1:53 since "), "{}", alarms[0].1);
    assert!(alarms[0].1.contains("(zone a.example.; refused with NOTAUTH): does it have"), "{}", alarms[0].1);
    assert!(alarms[1].1.contains("192.0.2.2:53 since "), "{}", alarms[1].1);
    assert!(alarms[1].1.contains("(7 zones, the first is a.example.; not answered): is"), "{}", alarms[1].1);
    // Many are one alarm, of a bounded length.
    let many = (0..200).map(|last| facts(target(last), refuses.refusing.clone(), None)).collect();
    let alarms = told(many);
    assert_eq!(alarms.len(), 1);
    assert!(alarms[0].1.contains("192.0.2.1:53"), "{}", alarms[0].1);
    assert!(alarms[0].1.contains(" and 198 more: does it have the zone"), "{}", alarms[0].1);
    assert!(!alarms[0].1.contains("192.0.2.2:53"), "{}", alarms[0].1);
}

#[test]
fn targets_beyond_the_bound_have_one_sum() {
    let now = Instant::now();
    let mut each: Vec<TargetFacts> = (0..4)
        .map(|last| facts(target(last), not_taken(now, 2, 0), not_taken(now, 3, u64::from(last) * 40 + 1)))
        .collect();
    // Not the last ones by address.
    each[1].is_told_apart = false;
    each[2].is_told_apart = false;
    let gone = NotifyCounts { taken: 100, refused: 10, unanswered: 0 };
    let told = target_facts(&AllTargets { each: each.clone(), gone }, now);
    let names: Vec<&str> = told.iter().map(|it| it.target.as_str()).collect();
    assert_eq!(names, ["192.0.2.0:53", "192.0.2.3:53", "other"]);
    let first = TargetNotifies {
        target: "192.0.2.0:53".into(),
        taken: 3,
        refused: 2,
        unanswered: 1,
        zones_refused: 2,
        zones_silent: 0,
    };
    assert_eq!(told[0], first);
    let others = TargetNotifies {
        target: "other".into(),
        taken: 106,
        refused: 14,
        unanswered: 2,
        zones_refused: 4,
        zones_silent: 3,
    };
    assert_eq!(told[2], others);
    each.truncate(1);
    assert_eq!(target_facts(&AllTargets { each, ..AllTargets::default() }, now), [first]);
}
