//! Every way of a zone through a canary, as tables: what happens when, how the zone stands then, and what is released.

use std::time::{Duration, Instant};

use super::*;
use crate::wire::Serial;
use CanaryState::{Halted, Overdue, Released, Trial};
use MemberAnswer::{Failed, Serves};
use MemberHealth::NotTold;
use ReleaseReason::{PatienceOver, Proven};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The hub serves this serial.
    Offered(u32),
    /// This secondary answers; nothing is known of how well it is.
    Answered(usize, MemberAnswer),
    /// This secondary answers, and is as well as this.
    Told(usize, MemberAnswer, Told),
    /// An operator halts.
    Halt,
    /// The others have this serial now: by an order, or because it was released.
    Commit(u32),
    /// Only time passes.
    Wake,
}
use Event::{Answered, Commit, Halt, Offered, Told as Tells, Wake};

/// How well a secondary is; times in seconds.
#[derive(Clone, Copy, Debug)]
enum Told {
    Good(u64),
    Unknown,
    Bad(u64),
}

/// The second, the event, the state after it, and what is to be released.
type Row = (u64, Event, CanaryState, Option<ReleaseReason>);

pub(super) const TIME: u64 = 10;
const PATIENCE: u64 = 60;

pub(super) fn rules(when_unreachable: WhenUnreachable) -> CanaryRules {
    CanaryRules { time: Duration::from_secs(TIME), patience: Duration::from_secs(PATIENCE), when_unreachable }
}

pub(super) fn serves(serial: u32) -> MemberAnswer {
    Serves(Serial(serial))
}

/// What is released.
fn released(outcome: Option<CanaryOutcome>) -> Option<Release> {
    outcome.map(|outcome| match outcome {
        CanaryOutcome::Release(release) => release,
        CanaryOutcome::Stop => panic!("nothing speaks against a secondary"),
    })
}

/// A zone whose serial 1 is released, with two secondaries in the group.
fn run(title: &str, when_unreachable: WhenUnreachable, rows: &[Row]) -> CanaryZone {
    let start = Instant::now();
    let mut zone = CanaryZone::new(rules(when_unreachable), 2, (Serial(1), Serial(1)), start);
    assert_eq!((zone.state(start), zone.due(), zone.since()), (Released, None, None));
    for (index, (second, event, state, reason)) in rows.iter().enumerate() {
        let now = start + Duration::from_secs(*second);
        let release = match *event {
            Offered(serial) => {
                zone.offered(Serial(serial), now);
                None
            }
            Answered(member, answer) => released(zone.answered(member, (answer, NotTold), now)),
            Tells(member, answer, told) => {
                let at = |seconds| start + Duration::from_secs(seconds);
                let health = match told {
                    Told::Good(since) => MemberHealth::Good(at(since)),
                    Told::Unknown => MemberHealth::Unknown,
                    Told::Bad(since) => MemberHealth::Bad(at(since)),
                };
                let was_halted = zone.is_halted();
                let outcome = zone.answered(member, (answer, health), now);
                let is_stop = outcome == Some(CanaryOutcome::Stop);
                assert_eq!(is_stop, zone.is_halted() && !was_halted, "{title}, row {index}: it says so once");
                outcome.filter(|_| !is_stop).and_then(|outcome| released(Some(outcome)))
            }
            Halt => {
                zone.halt();
                None
            }
            Commit(serial) => {
                zone.commit(Serial(serial), now);
                None
            }
            Wake => zone.wake(now).1,
        };
        let place = format!("{title}, row {index}: {second} s {event:?}");
        assert_eq!(zone.state(now), *state, "{place}");
        assert_eq!(release.map(|release| release.reason), *reason, "{place}");
        assert_eq!(release.map_or(zone.newest(), |release| release.serial), zone.newest(), "{place}");
    }
    zone
}

#[test]
fn a_version_is_released_when_all_have_served_it_for_the_time() {
    let zone = run(
        "proven",
        WhenUnreachable::Hold,
        &[
            (0, Offered(2), Trial, None),
            (1, Answered(0, serves(2)), Trial, None),
            (2, Answered(1, serves(1)), Trial, None),
            (5, Answered(1, serves(2)), Trial, None),
            (11, Answered(0, serves(2)), Trial, None),
            // The second has served it for ten seconds, but the first was asked last after six of them.
            (15, Answered(1, serves(2)), Trial, None),
            (15, Answered(0, serves(2)), Trial, Some(Proven)),
            (15, Commit(2), Released, None),
            (16, Wake, Released, None),
        ],
    );
    assert_eq!((zone.released(), zone.due()), (Serial(2), None));
}

#[test]
fn who_falls_back_or_does_not_answer_begins_anew() {
    for bad in [serves(1), serves(3), Failed] {
        run(
            "fell back",
            WhenUnreachable::Hold,
            &[
                (0, Offered(2), Trial, None),
                (1, Answered(0, serves(2)), Trial, None),
                (1, Answered(1, serves(2)), Trial, None),
                (9, Answered(1, bad), Trial, None),
                (10, Answered(1, serves(2)), Trial, None),
                (19, Answered(0, serves(2)), Trial, None),
                (19, Answered(1, serves(2)), Trial, None),
                (20, Answered(1, serves(2)), Trial, None),
                (20, Answered(0, serves(2)), Trial, Some(Proven)),
            ],
        );
    }
}

#[test]
fn a_newer_version_begins_anew_and_one_that_went_back_to_what_is_released_waits_no_more() {
    run(
        "replaced",
        WhenUnreachable::Hold,
        &[
            (0, Offered(2), Trial, None),
            (1, Answered(0, serves(2)), Trial, None),
            (1, Answered(1, serves(2)), Trial, None),
            (10, Offered(3), Trial, None),
            (11, Answered(0, serves(2)), Trial, None),
            (12, Answered(0, serves(3)), Trial, None),
            (12, Answered(1, serves(3)), Trial, None),
            (22, Answered(0, serves(3)), Trial, None),
            (22, Answered(1, serves(3)), Trial, Some(Proven)),
            // While that is being kept, the next one comes.
            (22, Offered(4), Trial, None),
            (23, Commit(3), Trial, None),
            (24, Offered(3), Released, None),
            (25, Offered(4), Trial, None),
        ],
    );
}

#[test]
fn versions_that_come_faster_than_they_are_proven_are_overdue() {
    let mut rows = vec![(0, Offered(2), Trial, None)];
    for step in 1..8 {
        let (at, serial) = (9 * step, 2 + step as u32);
        rows.push((at - 8, Answered(0, serves(serial - 1)), Trial, None));
        rows.push((at - 8, Answered(1, serves(serial - 1)), Trial, None));
        rows.push((at, Offered(serial), Trial, None));
    }
    rows.push((TIME + PATIENCE, Wake, Overdue, None));
    // All of the group are healthy: the choice for unreachable ones does not count.
    rows.insert(rows.len() - 1, (64, Answered(0, serves(9)), Trial, None));
    rows.insert(rows.len() - 1, (64, Answered(1, serves(9)), Trial, None));
    run("too fast", WhenUnreachable::Release, &rows);
}

#[test]
fn unreachable_canaries_are_waited_for_or_not_as_the_operator_chose() {
    let before = [
        (0, Offered(2), Trial, None),
        (1, Answered(0, serves(2)), Trial, None),
        (8, Answered(1, Failed), Trial, None),
        (PATIENCE - 1, Wake, Trial, None),
    ];
    let hold = [
        (PATIENCE, Wake, Overdue, None),
        (PATIENCE + 500, Answered(1, Failed), Overdue, None),
        (PATIENCE + 501, Answered(1, serves(2)), Overdue, None),
        (PATIENCE + 511, Answered(0, serves(2)), Overdue, None),
        (PATIENCE + 511, Answered(1, serves(2)), Overdue, Some(Proven)),
        (PATIENCE + 511, Commit(2), Released, None),
    ];
    run("hold", WhenUnreachable::Hold, &[&before[..], &hold].concat());
    let release = [
        (PATIENCE, Wake, Overdue, Some(PatienceOver)),
        (PATIENCE, Commit(2), Released, None),
        (PATIENCE + 1, Answered(1, Failed), Released, None),
    ];
    run("release", WhenUnreachable::Release, &[&before[..], &release].concat());
    // It served the version and fell back: patience begins then.
    let late = [
        (0, Offered(2), Trial, None),
        (1, Answered(0, serves(2)), Trial, None),
        (1, Answered(1, serves(2)), Trial, None),
        (5, Answered(1, Failed), Trial, None),
        (PATIENCE + 4, Wake, Trial, None),
        (PATIENCE + 5, Wake, Overdue, Some(PatienceOver)),
    ];
    run("fell back late", WhenUnreachable::Release, &late);
}

#[test]
fn what_is_halted_waits_for_an_order_whatever_comes() {
    for when_unreachable in [WhenUnreachable::Hold, WhenUnreachable::Release] {
        run(
            "halted",
            when_unreachable,
            &[
                (0, Offered(2), Trial, None),
                (1, Answered(0, serves(2)), Trial, None),
                (1, Answered(1, serves(2)), Trial, None),
                (2, Halt, Halted, None),
                (12, Answered(0, serves(2)), Halted, None),
                (12, Answered(1, serves(2)), Halted, None),
                (PATIENCE * 3, Wake, Halted, None),
                (PATIENCE * 3, Offered(3), Halted, None),
                (PATIENCE * 4, Answered(0, Failed), Halted, None),
                (PATIENCE * 5, Wake, Halted, None),
                (PATIENCE * 5, Commit(3), Released, None),
                // An order ends the halt: the next one goes its usual way.
                (PATIENCE * 5 + 1, Offered(4), Trial, None),
            ],
        );
    }
    run(
        "halted before a version came",
        WhenUnreachable::Hold,
        &[(0, Halt, Halted, None), (1, Offered(2), Halted, None), (2, Commit(2), Released, None)],
    );
}

#[test]
fn who_becomes_unhealthy_after_the_version_came_stops_it_for_good() {
    use Told::{Bad, Good};
    for when_unreachable in [WhenUnreachable::Hold, WhenUnreachable::Release] {
        run(
            "became unhealthy",
            when_unreachable,
            &[
                (20, Offered(2), Trial, None),
                (21, Tells(0, serves(2), Good(21)), Trial, None),
                (21, Answered(1, serves(2)), Trial, None),
                (22, Tells(0, serves(2), Bad(22)), Halted, None),
                // It is healthy again: too late. Neither it nor the end of patience releases what was stopped.
                (23, Tells(0, serves(2), Good(23)), Halted, None),
                (40, Tells(0, serves(2), Good(40)), Halted, None),
                (40, Answered(1, serves(2)), Halted, None),
                (PATIENCE * 2, Wake, Halted, None),
                (PATIENCE * 2, Tells(0, Failed, Bad(100)), Halted, None),
                (PATIENCE * 2, Commit(2), Released, None),
                (PATIENCE * 2 + 1, Offered(3), Trial, None),
            ],
        );
    }
    // One that does not even serve the version stops it, too: it may have refused it.
    run(
        "refused",
        WhenUnreachable::Hold,
        &[(20, Offered(2), Trial, None), (21, Tells(0, serves(1), Bad(20)), Halted, None)],
    );
    run("nothing waits", WhenUnreachable::Hold, &[(20, Tells(0, serves(1), Bad(20)), Released, None)]);
}

#[test]
fn who_was_unhealthy_before_proves_nothing_and_stops_nothing() {
    use Told::{Bad, Good, Unknown};
    for when_unreachable in [WhenUnreachable::Hold, WhenUnreachable::Release] {
        run(
            "unhealthy before",
            when_unreachable,
            &[
                (20, Offered(2), Trial, None),
                (21, Tells(0, serves(2), Bad(19)), Trial, None),
                (21, Answered(1, serves(2)), Trial, None),
                (40, Tells(0, serves(2), Bad(19)), Trial, None),
                // It can be reached and says no: the choice for unreachable ones does not count.
                (20 + PATIENCE, Wake, Overdue, None),
                (21 + PATIENCE, Tells(0, serves(2), Good(21 + PATIENCE)), Trial, None),
                (31 + PATIENCE, Answered(1, serves(2)), Overdue, None),
                (31 + PATIENCE, Tells(0, serves(2), Good(31 + PATIENCE)), Overdue, Some(Proven)),
            ],
        );
    }
    // One of which nothing is known is one that cannot be reached.
    let unknown = |state, reason| {
        [
            (20, Offered(2), Trial, None),
            (21, Tells(0, serves(2), Unknown), Trial, None),
            (21, Answered(1, serves(2)), Trial, None),
            (40, Tells(0, serves(2), Unknown), Trial, None),
            (20 + PATIENCE, Wake, state, reason),
        ]
    };
    run("unknown, hold", WhenUnreachable::Hold, &unknown(Overdue, None));
    run("unknown, release", WhenUnreachable::Release, &unknown(Overdue, Some(PatienceOver)));
}

#[test]
fn a_version_is_proven_up_to_when_the_group_was_last_known_to_be_well() {
    use Told::Good;
    run(
        "known until",
        WhenUnreachable::Hold,
        &[
            (20, Offered(2), Trial, None),
            // What is known of before it served the version says nothing.
            (21, Tells(0, serves(2), Good(5)), Trial, None),
            (21, Answered(1, serves(2)), Trial, None),
            (31, Answered(1, serves(2)), Trial, None),
            (31, Tells(0, serves(2), Good(30)), Trial, None),
            (32, Tells(0, serves(2), Good(31)), Trial, Some(Proven)),
        ],
    );
}

#[test]
fn each_of_the_group_is_asked_in_turn_and_not_while_an_answer_is_awaited() {
    let start = Instant::now();
    let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
    let rules = rules(WhenUnreachable::Hold);
    assert_eq!(rules.pause(), Duration::from_millis(1250));
    let mut zone = CanaryZone::new(rules, 2, (Serial(1), Serial(2)), start);
    assert_eq!(zone.due(), Some(at(1.25)));
    assert_eq!(zone.wake(at(1.0)), (vec![], None));
    assert_eq!(zone.wake(at(1.25)), (vec![0, 1], None));
    assert_eq!(zone.answered(0, (serves(2), NotTold), at(1.3)), None);
    assert_eq!(zone.serving().collect::<Vec<_>>(), [true, false]);
    assert_eq!(zone.wake(at(2.5)).0, [0]);
    assert_eq!(zone.answered(1, (Failed, NotTold), at(8.3)), None);
    assert_eq!(zone.answered(7, (Failed, NotTold), at(8.3)), None, "no such secondary");
    assert_eq!(zone.wake(at(9.0)).0, [1]);
    // The end of patience is due, too, where something follows from it.
    let release = CanaryRules { when_unreachable: WhenUnreachable::Release, ..rules };
    let release = CanaryRules { patience: Duration::from_secs(1), ..release };
    let zone = CanaryZone::new(release, 1, (Serial(1), Serial(2)), start);
    assert_eq!(zone.due(), Some(at(1.0)));
    let past = CanaryPast { is_halted: true, ..Serial(1).into() };
    let halted = CanaryZone::new(release, 1, (past, Serial(2)), start);
    assert_eq!((halted.due(), halted.is_halted()), (Some(at(1.25)), true));
}

#[test]
fn the_pauses_between_questions_have_bounds() {
    let pause =
        |seconds| CanaryRules { time: Duration::from_secs(seconds), ..CanaryRules::default() }.pause();
    assert_eq!([pause(0), pause(8), pause(86_400)].map(|it| it.as_millis()), [250, 1000, 10_000]);
}
