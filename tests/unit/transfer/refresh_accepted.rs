//! Versions that go into service by another way than their transfer: somebody accepts one that was refused, or those that waited are forgotten.

use super::lineage_tests::{
    addresses, ask, axfr, compared, contradiction, forked, given, ixfr, restarted, round,
};
use super::tests::{later, refresh, soa, start};
use super::*;

/// Primary 0 gives version 6, whole or as differences, and it is refused.
fn refused(it: &mut Refresh, now: Now) {
    assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
    let again = it.transferred(now, Transferred::Refused(Serial(6)));
    assert_eq!(again, ask(&[0, 1]));
    it.answered(now, 0, Some(soa(6)));
    it.answered(now, 1, Some(soa(5)));
    assert_eq!(it.status(now).refused, Some(Serial(6)));
}

#[test]
fn a_version_that_somebody_accepts_is_of_the_primary_that_gave_it() {
    let now = start();
    let mut it = given(now);
    refused(&mut it, now);
    it.serves(now, Some(soa(6)));
    assert_eq!(round(&mut it.clone(), now, &[Some(7), None]).0, ixfr(0, 6));
    assert_eq!(round(&mut it.clone(), now, &[None, Some(7)]).0, axfr(1), "nobody knows of the other one");
    let mut again = restarted(&it, 6, now, &addresses());
    assert_eq!(round(&mut again, now, &[Some(7), None]).0, ixfr(0, 6), "restart");
    // Of a zone with one primary, which gave it whole.
    let mut one = refresh(1, Some(5), now);
    one.serves(now, Some(soa(5)));
    assert_eq!(round(&mut one, now, &[Some(6)]).0, axfr(0));
    one.transferred(now, Transferred::Refused(Serial(6)));
    one.serves(now, Some(soa(6)));
    assert_eq!(round(&mut one, now, &[Some(7)]).0, ixfr(0, 6));
    // Another version than the one that was refused is nobody's.
    let mut other = given(now);
    refused(&mut other, now);
    other.serves(now, Some(soa(7)));
    assert_eq!(round(&mut other, now, &[Some(8), None]).0, axfr(0));
    // So is one that was no zone when its primary gave it.
    let mut broken = refresh(1, Some(5), now);
    broken.serves(now, Some(soa(5)));
    assert_eq!(round(&mut broken, now, &[Some(6)]).0, axfr(0));
    broken.transferred(now, Transferred::NoZone(Serial(6)));
    assert_eq!(broken.status(now).refused, Some(Serial(6)));
    broken.serves(now, Some(soa(6)));
    assert_eq!(round(&mut broken, now, &[Some(7)]).0, axfr(0));
    // So is one of which both primaries gave another one: either may have been accepted.
    let mut both = compared(now, Comparison::Same);
    refused(&mut both, now);
    assert_eq!(both.notified(Some(1), Some(Serial(7))), ask(&[1]));
    assert_eq!(both.answered(now, 1, Some(soa(7))), ixfr(1, 5));
    both.transferred(now, Transferred::Refused(Serial(6)));
    both.answered(now, 0, Some(soa(6)));
    both.answered(now, 1, Some(soa(6)));
    both.serves(now, Some(soa(6)));
    assert_eq!(round(&mut both.clone(), now, &[Some(7), None]).0, axfr(0));
    assert_eq!(round(&mut both, now, &[None, Some(7)]).0, axfr(1));
}

/// What is kept while a transfer goes on whose version is in service already says who had the version before, and nothing of this one.
#[test]
fn a_restart_between_the_service_of_a_version_and_the_end_of_its_transfer_takes_no_differences() {
    let now = start();
    for found in [Comparison::Failed, Comparison::Same] {
        let mut it = compared(now, found);
        let from_other = if found == Comparison::Same { ixfr(1, 5) } else { axfr(1) };
        let (action, now) = round(&mut it, now, &[None, Some(6)]);
        assert_eq!(action, from_other);
        it.serves(now, Some(soa(6)));
        for serials in [[Some(7), None], [None, Some(7)]] {
            let mut again = restarted(&it, 6, now, &addresses());
            let primary = usize::from(serials[0].is_none());
            assert_eq!(round(&mut again, now, &serials).0, axfr(primary), "{found:?}");
        }
        // One that ended before the version was in service knows what it knew.
        let mut again = restarted(&it, 5, now, &addresses());
        assert_eq!(round(&mut again, now, &[Some(6), None]).0, ixfr(0, 5));
        it.transferred(now, Transferred::Served(soa(6)));
        let mut again = restarted(&it, 6, now, &addresses());
        assert_eq!(round(&mut again, now, &[None, Some(7)]).0, ixfr(1, 6));
    }
}

#[test]
fn when_what_waited_is_forgotten_nobody_is_behind_it_or_has_what_is_served_without_proof() {
    let now = start();
    let mut parted = compared(now, Comparison::Other);
    parted.fell_back(now, Some(soa(2)));
    assert_eq!(contradiction(&parted, now), None);
    assert_eq!(parted.kept_lineage(&addresses()), Some(crate::publish::KeptLineage::default()));
    for phase in ["idle", "asking", "transferring"] {
        let mut it = compared(now, Comparison::Same);
        // The version that waited is 5, of primary 0; the other one fell behind it.
        let (action, at) = round(&mut it, now, &[None, Some(4)]);
        assert_eq!(action, None);
        assert!(it.status(at).behind.is_some_and(|behind| behind.is_proven));
        match phase {
            "asking" => assert_eq!(it.ordered(Order::Refresh), ask(&[0, 1])),
            "transferring" => {
                it.notified(Some(0), None);
                assert_eq!(it.answered(at, 0, Some(soa(6))), ixfr(0, 5));
            }
            _ => {}
        }
        it.fell_back(at, Some(soa(2)));
        let status = it.status(at);
        assert_eq!((status.serial, status.behind, status.refused), (Some(Serial(2)), None, None), "{phase}");
        let lineage = it.kept_lineage(&addresses());
        assert_eq!(lineage, Some(crate::publish::KeptLineage::default()), "{phase}");
        it.change_primaries(1, at);
        assert_eq!(contradiction(&it, at), None);
        // An older version than the one that waited is a newer one now, and comes whole: no history went backwards.
        let (action, at) = round(&mut it, at, &[Some(4)]);
        assert_eq!(action, axfr(0), "{phase}");
        assert_eq!(it.transferred(at, Transferred::Served(soa(4))), None);
        assert_eq!(it.status(later(at, 1.0)).behind, None);
        assert_ne!(round(&mut it, at, &[Some(5)]).0, forked(0));
    }
}
