//! Comparisons of primaries, and primaries whose serial goes backwards: none of them holds back what another primary has.

use super::lineage_tests::{HOUR, ask, compared, forked, given, ixfr, round};
use super::tests::{later, refresh, soa, start};
use super::*;

#[test]
fn a_primary_whose_serial_goes_up_and_down_does_not_hold_back_the_versions_of_another_one() {
    let mut it = given(start());
    let flap = |it: &mut Refresh, now| {
        let (action, now) = round(it, now, &[Some(5), Some(4)]);
        assert_eq!(action, None);
        round(it, now, &[Some(5), Some(5)])
    };
    let (action, begun) = flap(&mut it, start());
    assert_eq!(action, forked(1), "it may have another 5");
    it.transferred(begun, Transferred::Served(soa(5)));
    it.notified(Some(1), None);
    it.answered(begun, 1, Some(soa(4)));
    it.answered(begun, 0, Some(soa(5)));
    it.notified(Some(1), None);
    assert_eq!(it.answered(begun, 1, Some(soa(5))), None, "not so soon again");
    let tell = |it: &mut Refresh, now, serials: &[Option<u32>]| {
        assert_eq!(it.notified(None, None), ask(&[0, 1]));
        it.answered(now, 0, serials[0].map(soa));
        it.answered(now, 1, serials[1].map(soa))
    };
    // A newer version of the first one waits for a minute at most, whatever the other one tells.
    for of_other in [None, Some(5), Some(6), Some(7)] {
        let mut it = it.clone();
        assert_eq!(tell(&mut it, later(begun, 30.0), &[Some(6), of_other]), None);
        assert!(it.due().unwrap() <= later(begun, 60.0).instant);
        let action = tell(&mut it, later(begun, 60.0), &[Some(6), of_other]);
        assert_eq!(action, forked(0), "{of_other:?}");
        // When that fails, the other one has not its turn yet.
        assert_eq!(it.transferred(later(begun, 61.0), Transferred::Unreachable), None);
    }
    // Those of the other one wait until a refresh has passed.
    assert_eq!(tell(&mut it, later(begun, 61.0), &[Some(5), Some(7)]), None);
}

#[test]
fn a_primary_is_compared_only_while_it_tells_what_is_served_and_seldom() {
    let now = start();
    let seconds = |it: &Refresh| {
        let at = it.comparison().map(|of| of.at);
        at.map(|at| at.saturating_duration_since(now.instant).as_secs_f64())
    };
    assert_eq!(seconds(&given(now)), Some(0.0));
    assert_eq!(seconds(&compared(now, Comparison::Other)), Some(HOUR));
    assert_eq!(seconds(&compared(now, Comparison::Failed)), Some(HOUR));
    assert_eq!(seconds(&compared(now, Comparison::Moved)), Some(60.0));
    // An order has it compared now.
    let mut ordered = compared(now, Comparison::Other);
    ordered.ordered(Order::Refresh);
    assert_eq!(seconds(&ordered), None, "while a round goes on");
    ordered.answered(now, 0, Some(soa(5)));
    ordered.answered(now, 1, Some(soa(5)));
    assert_eq!(seconds(&ordered), Some(0.0));
    // A version later, a day later.
    let mut same = compared(now, Comparison::Same);
    assert_eq!(seconds(&same), None);
    assert_eq!(same.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
    same.transferred(now, Transferred::Served(soa(6)));
    assert_eq!(seconds(&same), None, "it tells 5");
    round(&mut same, now, &[Some(6), Some(6)]);
    assert_eq!(seconds(&same), Some(86_400.0));
    // Where nothing was kept, all are compared, unless there is but one.
    let mut believed = refresh(2, Some(5), now);
    round(&mut believed, now, &[Some(5), Some(5)]);
    assert_eq!(believed.comparison().unwrap().primary, 0);
    believed.compared(believed.comparison().unwrap(), Comparison::Same, now);
    assert_eq!(believed.comparison().unwrap().primary, 1);
    let mut one = refresh(1, Some(5), now);
    round(&mut one, now, &[Some(5)]);
    assert_eq!(one.comparison(), None);
    // What is told of it does not count as a confirmation.
    let mut one_of_two = refresh(2, Some(5), now);
    round(&mut one_of_two, now, &[Some(5), Some(4)]);
    assert_eq!(one_of_two.comparison().unwrap().primary, 0);
}
