use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn run(first: u32, last: u32) -> SerialRun {
    SerialRun { first, more: last.wrapping_sub(first) }
}

fn ended(runs: &[(u32, u32)]) -> SerialRuns {
    let mut all = SerialRuns::default();
    runs.iter().for_each(|(first, last)| all.add(run(*first, *last)));
    all
}

fn ends(all: &SerialRuns) -> Vec<(u32, u32)> {
    all.ended.iter().map(|run| (run.first, run.first.wrapping_add(run.more))).collect()
}

#[test]
fn a_run_goes_on_while_serials_come_after_each_other_and_are_near() {
    const DAY: u64 = 86_400;
    // Where the run began, the serial before, the next one, seconds between them, and whether the run goes on.
    for (first, before, next, seconds, goes_on) in [
        (Some(1), 5, 6, 0, true),
        (None, 5, 6, 0, true),
        (None, u32::MAX, 0, 0, true),
        (Some(1), 5, 5, 0, false),
        (Some(1), 5, 4, 0, false),
        (None, 5, 5, 0, false),
        (None, 0, u32::MAX, 0, false),
        // YYYYMMDDnn: the year after, and a mistyped one.
        (None, 2_026_123_101, 2_027_010_101, 0, true),
        (None, 2_026_010_101, 2_062_010_101, 0, false),
        // Seconds since 1970: a zone that changes each half year, and another way to count.
        (None, 1_700_000_000, 1_700_000_000 + 180 * 86_400, 180 * DAY, true),
        (None, 1_700_000_000, 1_700_000_000 + 180 * 86_400, 90 * DAY, false),
        (None, 7, 2_026_010_101, 1000 * DAY, false),
        (None, 7, 7 + FAR - 1, 0, true),
        (None, 7, 7 + FAR, 0, false),
        (None, 7, 7 + HALF - 1, u64::MAX, true),
        (None, 7, 7 + HALF, u64::MAX, false),
        // A run does not go around: its first serials would come after its last ones.
        (Some(0), HALF - 2, HALF - 1, 0, true),
        (Some(0), HALF - 1, HALF, 0, false),
        // A version that did not come into service left its serial as the first one.
        (Some(2_026_010_101), 5, 6, 0, true),
    ] {
        let mut runs = SerialRuns { ended: Vec::new(), first: first.map(Serial) };
        let case = format!("{first:?} {before} {next} after {seconds} s");
        assert_eq!(runs.publish(Serial(before), Serial(next), seconds), !goes_on, "{case}");
        assert_eq!(runs.ended.is_empty(), goes_on, "{case}");
        assert_eq!(runs.first, if goes_on { first.map(Serial) } else { Some(Serial(next)) }, "{case}");
        assert!(goes_on || runs.has(Serial(before)), "{case}");
    }
}

#[test]
fn the_beginning_of_a_run_that_nobody_knows_is_as_far_back_as_can_be() {
    for first in [None, Some(Serial(9))] {
        let mut runs = SerialRuns { ended: Vec::new(), first };
        runs.end(Serial(7));
        let before = |by: u32| runs.has(Serial(7_u32.wrapping_sub(by)));
        assert_eq!([0, 1, HALF - 2].map(before), [true; 3], "{first:?}");
        assert!(!before(HALF - 1) && !runs.has(Serial(8)), "{first:?}");
    }
}

#[test]
fn a_mistyped_serial_costs_nothing_once_it_is_repaired() {
    // RFC 1912 section 3.1: twice ahead by at most 2^31 - 1.
    let mut runs = SerialRuns::default();
    runs.begin_first(Serial(2_026_010_100));
    let (right, wrong) = (Serial(2_026_010_105), Serial(2_062_010_101));
    let turned = Serial(wrong.0.wrapping_add(HALF - 1));
    let next = right.next();
    for (before, next) in [(right, wrong), (wrong, turned), (turned, next)] {
        assert!(next.is_after(before) && runs.publish(before, next, 60));
    }
    assert_eq!([right, wrong, turned].map(|serial| runs.has(serial)), [true; 3]);
    assert!(![next, Serial(2_026_010_199), Serial(2_062_010_100)].iter().any(|serial| runs.has(*serial)));
    // The same to an older serial: what was between is not known by its serial.
    let before = right;
    let mut runs = SerialRuns { ended: Vec::new(), first: Some(Serial(2_026_010_100)) };
    for (before, next) in [(before, turned), (turned, Serial(2_026_010_102))] {
        runs.publish(before, next, 60);
    }
    assert_eq!(
        [101, 102, 105, 106].map(|nn| runs.has(Serial(2_026_010_000 + nn))),
        [true, true, true, false]
    );
}

#[test]
fn before_the_first_version_that_is_kept_a_year_counts() {
    let mut runs = SerialRuns::default();
    runs.begin_first(Serial(2_062_010_101));
    runs.begin_first(Serial(7));
    runs.end(Serial(2_062_010_102));
    assert_eq!(ends(&runs), [(2_062_010_101 - FAR, 2_062_010_102)]);
    // Of a run that began later, or after one that has ended, more is known.
    runs.begin_first(Serial(7));
    assert_eq!(runs.first, None);
}

#[test]
fn what_is_kept_and_what_was_served_end_one_run() {
    for (known, first, lasts, expected) in [
        (&[][..], Some(5), &[9, 12][..], &[(5, 12)][..]),
        (&[], Some(5), &[12, 9], &[(5, 12)]),
        // It went back to 6, and what is kept is of the run before.
        (&[(5, 9)], Some(6), &[9, 7], &[(5, 9)]),
        (&[(5, 9)], Some(20), &[9, 22], &[(5, 9), (20, 22)]),
        (&[(5, 9)], None, &[9], &[(5, 9)]),
        (&[(5, 9)], None, &[], &[(5, 9)]),
    ] {
        let mut runs = SerialRuns { first: first.map(Serial), ..ended(known) };
        runs.end_all(lasts.iter().copied().map(Serial));
        assert_eq!((ends(&runs), runs.first), (expected.to_vec(), None), "{known:?} {first:?} {lasts:?}");
    }
    // Beside a run that goes on, also where what was served went back.
    for (began, first, last, expected) in [
        (6, None, 8, (6, 8)),
        (9, Some(6), 7, (6, 7)),
        (9, None, 7, (7, 7)),
        (u32::MAX, None, 1, (u32::MAX, 1)),
    ] {
        let mut runs = SerialRuns { ended: Vec::new(), first: first.map(Serial) };
        runs.add_beside(Serial(began), Serial(last));
        assert_eq!((ends(&runs), runs.first), (vec![expected], first.map(Serial)));
    }
}

#[test]
fn runs_that_touch_are_one() {
    for (runs, expected) in [
        (&[(5, 8), (20, 22)][..], &[(5, 8), (20, 22)][..]),
        (&[(5, 8), (9, 12)], &[(5, 12)]),
        (&[(9, 12), (5, 8)], &[(5, 12)]),
        (&[(5, 8), (7, 12)], &[(5, 12)]),
        (&[(5, 12), (7, 8)], &[(5, 12)]),
        (&[(7, 8), (5, 12)], &[(5, 12)]),
        (&[(5, 8), (5, 12)], &[(5, 12)]),
        (&[(5, 8), (5, 8)], &[(5, 8)]),
        (&[(5, 6), (8, 9), (6, 8)], &[(5, 9)]),
        // Around the circle.
        (&[(u32::MAX, 3), (1, 5)], &[(u32::MAX, 5)]),
        (&[(1, 5), (u32::MAX - 1, u32::MAX)], &[(1, 5), (u32::MAX - 1, u32::MAX)]),
        (&[(0, 5), (u32::MAX - 1, u32::MAX)], &[(u32::MAX - 1, 5)]),
        (&[(10, 20), (30, 40), (u32::MAX, 35)], &[(u32::MAX, 40)]),
        // All of it.
        (&[(0, HALF), (HALF, 1)], &[(0, u32::MAX)]),
        (&[(7, 5), (6, 6)], &[(6, 5)]),
    ] {
        assert_eq!(ends(&ended(runs)), expected, "{runs:?}");
    }
    assert!(
        (0..=40).chain([HALF, u32::MAX]).all(|serial| ended(&[(0, HALF), (HALF, 1)]).has(Serial(serial)))
    );
}

#[test]
fn of_too_many_runs_the_nearest_become_one() {
    let many: Vec<(u32, u32)> = (0..8).map(|number| (number * 100, number * 100 + 10 + number)).collect();
    let mut all = ended(&many);
    assert_eq!(ends(&all), many);
    // Around the circle, too: the last one and the first one.
    all.add(run(u32::MAX - 20, u32::MAX - 20));
    let expected: Vec<(u32, u32)> = many[1..].iter().copied().chain([(u32::MAX - 20, 10)]).collect();
    assert_eq!(ends(&all), expected);
    assert!(all.has(Serial(u32::MAX)) && !all.has(Serial(11)));
}

#[test]
fn what_is_written_is_read_and_nothing_else() {
    let all = [SerialRuns::default(), ended(&[(5, 8), (20, 22), (HALF, 3)])];
    for (runs, first) in all.iter().flat_map(|runs| [None, Some(Serial(77))].map(|first| (runs, first))) {
        let runs = SerialRuns { first, ..runs.clone() };
        let mut octets = Vec::new();
        runs.write(&mut octets);
        assert_eq!(SerialRuns::read(&mut Fields(&octets)), Some(runs));
        octets.push(0);
        assert_eq!(SerialRuns::read(&mut Fields(&octets)), None, "an octet too many");
    }
    assert_eq!(SerialRuns::read(&mut Fields(&[])), None);
}

/// Serials near each other, and far.
fn serial() -> impl Strategy<Value = u32> {
    prop_oneof![0..200_u32, (0..200_u32).prop_map(|serial| serial.wrapping_sub(100)), any::<u32>()]
}

/// By how much a version is ahead of the one before.
fn ahead() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => 1..4_u32,
        2 => (0..8_u32).prop_map(|back| 0_u32.wrapping_sub(back)),
        1 => Just(HALF - 1),
        1 => (FAR - 1)..(FAR + 2),
        1 => any::<u32>(),
    ]
}

proptest! {
    #[test]
    fn no_serial_gets_lost_and_few_runs_are_exact(
        added in prop::collection::vec((serial(), 0..300_u32), 0..24),
        probes in prop::collection::vec(serial(), 24),
    ) {
        let all = ended(&added.iter().map(|(first, more)| (*first, first.wrapping_add(*more))).collect::<Vec<_>>());
        let is_in = |serial: u32| added.iter().any(|(first, more)| serial.wrapping_sub(*first) <= *more);
        let edges = added.iter().flat_map(|(first, more)| [*first, first.wrapping_add(*more)]);
        let near = edges.clone().flat_map(|serial| [serial.wrapping_sub(1), serial, serial.wrapping_add(1)]);
        for serial in near.chain(probes) {
            prop_assert!(all.has(Serial(serial)) || !is_in(serial), "{serial} of {added:?} in {all:?}");
            if added.len() <= MOST {
                prop_assert_eq!(all.has(Serial(serial)), is_in(serial), "{} of {:?} in {:?}", serial, &added, &all);
            }
        }
        prop_assert!(all.ended.len() <= MOST);
        prop_assert!(all.ended.is_sorted_by_key(|run| run.first));
        let mut octets = Vec::new();
        all.write(&mut octets);
        prop_assert_eq!(SerialRuns::read(&mut Fields(&octets)), Some(all.clone()));
        let mut twice = all.clone();
        twice.merge(&all);
        prop_assert_eq!(twice, all);
    }

    /// A serial that a version has now and another one had before is in a run that has ended.
    #[test]
    fn of_each_serial_with_two_contents_it_is_known(
        first in serial(),
        steps in prop::collection::vec(ahead(), 1..60),
    ) {
        let (mut runs, mut serial) = (SerialRuns::default(), Serial(first));
        let mut last_content = BTreeMap::from([(first, 0_usize)]);
        for (content, ahead) in steps.into_iter().enumerate() {
            let next = Serial(serial.0.wrapping_add(ahead));
            runs.publish(serial, next, 0);
            if last_content.insert(next.0, content + 1).is_some() {
                prop_assert!(runs.has(next), "{next} again, after {serial}: {runs:?}");
            }
            serial = next;
        }
    }
}
