//! Comparisons of primaries, and primaries whose serial goes backwards: none of them holds back what another primary has.

use super::lineage_tests::{
    HOUR, addresses, ask, axfr, compared, contradiction, forked, given, ixfr, restarted, round,
};
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

/// The publisher may tell of the version before its transfer has ended.
#[test]
fn a_whole_version_ends_the_doubt_also_where_it_is_in_service_before_its_transfer_has_ended() {
    for is_early in [false, true] {
        let mut it = given(start());
        let (action, now) = round(&mut it, start(), &[Some(5), Some(4)]);
        assert_eq!(action, None);
        let (action, at) = round(&mut it, now, &[Some(6), Some(5)]);
        assert_eq!(action, forked(0), "the other one may have another 5");
        if is_early {
            it.serves(at, Some(soa(6)));
        }
        it.transferred(at, Transferred::Served(soa(6)));
        assert_eq!(round(&mut it, at, &[Some(7), Some(6)]).0, ixfr(0, 6), "{is_early}");
    }
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

/// Seconds until the comparison of primary 1.
fn seconds(it: &Refresh, now: Now) -> f64 {
    it.comparison().unwrap().at.saturating_duration_since(now.instant).as_secs_f64()
}

#[test]
fn a_primary_that_does_not_answer_is_not_compared() {
    let now = start();
    let mut it = given(now);
    assert_eq!(it.comparison().unwrap().primary, 1);
    let (_, now) = round(&mut it, now, &[Some(5), None]);
    assert_eq!(it.comparison(), None);
    round(&mut it, now, &[Some(5), Some(5)]);
    assert_eq!(it.comparison().unwrap().primary, 1);
}

#[test]
fn comparisons_without_a_result_become_seldom() {
    let now = start();
    for (found, first) in [(Comparison::Moved, 60.0), (Comparison::Failed, HOUR)] {
        let mut it = given(now);
        let mut pause = first;
        for _ in 0..20 {
            it.compared(it.comparison().unwrap(), found, now);
            assert_eq!(seconds(&it, now), pause, "{found:?}");
            pause = (pause * 2.0).min(86_400.0);
        }
        // An order, or a result, and it is as at first.
        let mut ordered = it.clone();
        ordered.ordered(Order::Refresh);
        ordered.answered(now, 0, Some(soa(5)));
        ordered.answered(now, 1, Some(soa(5)));
        assert_eq!(seconds(&ordered, now), 0.0);
        ordered.compared(ordered.comparison().unwrap(), found, now);
        assert_eq!(seconds(&ordered, now), first);
        it.compared(it.comparison().unwrap(), Comparison::Other, now);
        it.compared(it.comparison().unwrap(), found, now);
        assert_eq!(seconds(&it, now), first);
    }
    let mut it = given(now);
    for _ in 0..4 {
        it.compared(it.comparison().unwrap(), Comparison::Moved, now);
    }
    for days in [1.0, 2.0, 4.0, 8.0, 8.0] {
        it.compared(it.comparison().unwrap(), Comparison::TooLarge, now);
        assert_eq!(seconds(&it, now), days * 86_400.0);
        it.compared(it.comparison().unwrap(), Comparison::Failed, now);
    }
    // The alarm of one with other content is not to wait so long for its end.
    let mut it = compared(now, Comparison::Other);
    for hours in [1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 24.0] {
        it.compared(it.comparison().unwrap(), Comparison::TooLarge, now);
        assert_eq!(seconds(&it, now), hours * HOUR);
    }
    // Each new version has one with other content compared soon, but not where that never has a result.
    let mut it = compared(now, Comparison::Other);
    for _ in 0..20 {
        it.compared(it.comparison().unwrap(), Comparison::Moved, now);
    }
    assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
    it.transferred(now, Transferred::Served(soa(6)));
    it.notified(Some(1), None);
    it.answered(now, 1, Some(soa(6)));
    assert_eq!(seconds(&it, now), 86_400.0);
}

/// Zones that change each day are compared each day at first, and seldom once their primaries have agreed for long.
#[test]
fn primaries_that_agree_for_long_are_compared_seldom() {
    let mut now = start();
    let mut it = given(now);
    let mut serial = 5;
    let mut next_version = move |it: &mut Refresh, now: Now| {
        serial += 1;
        assert_eq!(it.notified(Some(0), Some(Serial(serial))), ixfr(0, serial - 1));
        it.transferred(now, Transferred::Served(soa(serial)));
        it.notified(Some(1), None);
        assert_eq!(it.answered(now, 1, Some(soa(serial))), None);
    };
    for days in [1.0, 2.0, 4.0, 8.0, 8.0] {
        it.compared(it.comparison().unwrap(), Comparison::Same, now);
        next_version(&mut it, now);
        assert_eq!(seconds(&it, now), days * 86_400.0);
        // One that comes meanwhile makes it neither sooner nor later.
        next_version(&mut it, later(now, HOUR));
        assert_eq!(seconds(&it, now), days * 86_400.0);
        now = later(now, days * 86_400.0);
    }
    // An order, other content, and other primaries have it begin anew.
    let again = |it: &mut Refresh| {
        let mut next_version = next_version;
        it.compared(it.comparison().unwrap(), Comparison::Same, now);
        next_version(it, now);
        seconds(it, now)
    };
    let mut ordered = it.clone();
    ordered.compare_soon();
    assert_eq!(seconds(&ordered, now), 0.0);
    assert_eq!(again(&mut ordered), 86_400.0);
    // An order for all zones, or a new key, does not: only where there was no result.
    let mut all = it.clone();
    let told = all.status(now).serial.unwrap().0;
    let order = |it: &mut Refresh| {
        it.ordered(Order::Refresh);
        it.answered(now, 0, Some(soa(told)));
        it.answered(now, 1, Some(soa(told)));
    };
    let mut failed = it.clone();
    failed.compared(failed.comparison().unwrap(), Comparison::Failed, now);
    order(&mut failed);
    assert_eq!(seconds(&failed, now), 0.0);
    assert_eq!(again(&mut failed), 8.0 * 86_400.0);
    order(&mut all);
    assert_eq!(again(&mut all), 8.0 * 86_400.0);
    let mut other = it.clone();
    other.compared(other.comparison().unwrap(), Comparison::Other, now);
    assert_eq!(again(&mut other), 86_400.0);
    // One that had no result does not.
    it.compared(it.comparison().unwrap(), Comparison::Moved, now);
    assert_eq!(again(&mut it), 8.0 * 86_400.0);
}

/// One of two that have agreed for long is put back and edited apart: what is served comes from it, and the other one is compared soon.
#[test]
fn primaries_that_part_after_they_agreed_for_long_are_compared_soon() {
    let now = start();
    let mut it = given(now);
    let mut serial = 5;
    for giver in [0, 1].repeat(5) {
        it.compared(it.comparison().unwrap(), Comparison::Same, now);
        serial += 1;
        assert_eq!(it.notified(Some(giver), Some(Serial(serial))), ixfr(giver, serial - 1));
        it.transferred(now, Transferred::Served(soa(serial)));
        it.notified(Some(1 - giver), None);
        assert_eq!(it.answered(now, 1 - giver, Some(soa(serial))), None);
    }
    let mut unfit = it.clone();
    assert_eq!(seconds(&it, now), 8.0 * 86_400.0);
    let (action, now) = round(&mut it, now, &[Some(serial), Some(serial - 1)]);
    assert_eq!(action, None);
    let (action, now) = round(&mut it, now, &[Some(serial), Some(serial)]);
    assert_eq!(action, forked(1), "it may have another version");
    it.transferred(now, Transferred::Served(soa(serial)));
    assert_eq!((it.comparison().unwrap().primary, seconds(&it, now)), (0, HOUR));
    // The same where differences do not fit.
    unfit.parted(now);
    assert!(seconds(&unfit, now) <= HOUR);
}

#[test]
fn what_was_believed_of_a_primary_stays_when_others_are_listed_beside_it() {
    let now = start();
    let [hub, standby] = addresses();
    let changed = |it: &Refresh, from: &[std::net::SocketAddr], to: &[std::net::SocketAddr]| {
        let (mut it, believed) = (it.clone(), it.believed(from));
        it.change_primaries(to.len(), now);
        it.restore_belief(&believed, to);
        it
    };
    // After an upgrade, a standby is added.
    let one = refresh(1, Some(5), now);
    let it = changed(&one, &[hub], &[standby, hub]);
    assert_eq!(round(&mut it.clone(), now, &[None, Some(6)]).0, ixfr(1, 5));
    assert_eq!(round(&mut it.clone(), now, &[Some(6), None]).0, axfr(0), "the new one is not believed");
    // Nor after a restart.
    let again = restarted(&it, 5, now, &[standby, hub]);
    assert_eq!(round(&mut again.clone(), now, &[Some(6), None]).0, axfr(0));
    // One whose address went is believed no more.
    let it = changed(&one, &[hub], &[standby]);
    assert_eq!(round(&mut it.clone(), now, &[Some(6)]).0, axfr(0));
    // Nor is anybody once one gave a version.
    let it = changed(&given(now), &addresses(), &[hub, standby]);
    assert_eq!(round(&mut it.clone(), now, &[None, Some(6)]).0, axfr(1));
}

#[test]
fn what_no_primary_has_comes_whole_and_is_no_alarm() {
    let now = start();
    // Neither the giver nor the other one has what is served: a record's TTL, or a mixture from before.
    let mut it = given(now);
    let of = it.comparison().unwrap();
    assert_eq!((of.primary, of.giver), (1, Some(0)));
    it.compared(of, Comparison::NobodyHas, now);
    assert_eq!(contradiction(&it, now), None);
    assert!(it.due().unwrap() <= later(now, 30.0).instant, "soon");
    let (action, now) = round(&mut it, now, &[Some(5), Some(5)]);
    assert_eq!(action, forked(0), "never differences");
    it.transferred(now, Transferred::Served(soa(5)));
    // What the other one has is compared with what came now.
    let of = it.comparison().unwrap();
    assert_eq!((of.primary, of.giver, seconds(&it, now)), (1, Some(0), 0.0));
    let mut same = it.clone();
    same.compared(of, Comparison::Same, now);
    assert_eq!((contradiction(&same, now), same.comparison()), (None, None));
    it.compared(of, Comparison::Other, now);
    assert_eq!(contradiction(&it, now), Some((Some(0), 1, 5)));
    // Believed, and each of both has other content.
    let now = start();
    let mut it = refresh(2, Some(5), now);
    round(&mut it, now, &[Some(5), Some(5)]);
    for other in [0, 1] {
        let of = it.comparison().unwrap();
        assert_eq!((of.primary, of.giver), (other, None));
        it.compared(of, Comparison::Other, now);
    }
    assert_eq!(contradiction(&it, now), None);
    assert_eq!(round(&mut it, now, &[Some(5), Some(5)]).0, forked(0));
}

#[test]
fn the_alarm_ends_when_the_giver_is_listed_no_more_and_the_other_one_alone_is_left() {
    let now = start();
    let [_, standby] = addresses();
    let mut it = restarted(&compared(now, Comparison::Other), 5, now, &[standby]);
    assert_eq!(contradiction(&it, now), None);
    let (action, now) = round(&mut it, now, &[Some(5)]);
    assert_eq!(action, forked(0), "its content under the same serial");
    it.transferred(now, Transferred::Served(soa(5)));
    assert_eq!(round(&mut it, now, &[Some(6)]).0, ixfr(0, 5));
}

#[test]
fn two_primaries_with_one_address_are_not_taken_for_each_other() {
    let now = start();
    let [hub, _] = addresses();
    let it = restarted(&compared(now, Comparison::Same), 5, now, &[hub, hub]);
    for serials in [[Some(6), None], [None, Some(6)]] {
        let (action, _) = round(&mut it.clone(), now, &serials);
        assert!(action == axfr(0) || action == axfr(1), "{action:?}");
    }
}

#[test]
fn a_notify_of_a_primary_that_was_repaired_has_it_asked() {
    let now = start();
    let mut it = compared(now, Comparison::Other);
    assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
    it.transferred(now, Transferred::Served(soa(6)));
    assert_eq!(it.comparison(), None, "it told 5 last");
    assert_eq!(it.notified(Some(0), Some(Serial(6))), None);
    assert_eq!(it.notified(Some(1), Some(Serial(6))), ask(&[1]));
    it.answered(now, 1, Some(soa(6)));
    assert!(seconds(&it, now) <= 60.0);
    assert_eq!(it.notified(Some(1), Some(Serial(6))), None, "who repeats it has nothing asked");
    it.compared(it.comparison().unwrap(), Comparison::Same, now);
    assert_eq!(contradiction(&it, now), None);
}
