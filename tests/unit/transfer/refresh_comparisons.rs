//! Comparisons of primaries, and primaries whose serial goes backwards: none of them holds back what another primary has.

use super::lineage_tests::{ask, forked, given, round};
use super::tests::{later, soa, start};
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
