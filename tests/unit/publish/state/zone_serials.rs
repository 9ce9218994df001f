use super::*;
use crate::publish::state::version::tail::BeganReason;

fn zone() -> Name {
    "a.example.".parse().unwrap()
}

/// What is kept of a zone, from its first version to the last one.
fn tail(first: u32, last: u32) -> Tail {
    Tail { serial: Serial(last), ..Tail::begin(Default::default(), Serial(first), 0, BeganReason::First) }
}

/// Which of these serials may have another version.
fn ambiguous(serials: &ZoneSerials, of: &[u32]) -> Vec<u32> {
    of.iter().copied().filter(|serial| serials.may_have_another(&zone(), Serial(*serial))).collect()
}

#[test]
fn no_history_counts_until_a_version_of_the_zone_that_is_served_is_kept() {
    let serials = ZoneSerials::default();
    serials.begin(&zone(), Serial(7));
    assert_eq!((ambiguous(&serials, &[5, 9]), serials.begun(&zone())), (vec![5, 9], Some(Serial(7))));
    // Not of the one version that was served.
    serials.is_kept_as(&zone(), Serial(9));
    assert_eq!(ambiguous(&serials, &[5, 9]), [5, 9]);
    serials.is_kept_as(&zone(), Serial(7));
    assert!(ambiguous(&serials, &[5, 9]).is_empty());
    serials.begin(&zone(), Serial(7));
    serials.kept([&zone()]);
    assert!(ambiguous(&serials, &[5, 9]).is_empty() && serials.of(&zone()).is_none());
}

#[test]
fn what_was_served_before_the_directory_answered_is_known_beside_what_is_kept() {
    let serials = ZoneSerials::default();
    serials.begin(&zone(), Serial(6));
    serials.return_to_kept(&zone(), Serial(7), Some(&tail(3, 9)));
    assert_eq!(ambiguous(&serials, &[3, 5, 6, 7, 8, 9]), [6, 7]);
    // The run that is kept goes on from where it began.
    assert!(serials.publish(&zone(), (Serial(9), 0), Serial(4), || panic!("it is known")));
    assert_eq!(ambiguous(&serials, &[3, 9, 10]), [3, 9]);
}

#[test]
fn the_first_run_that_ends_takes_what_is_kept_and_a_year_before() {
    let serials = ZoneSerials::default();
    let first = Serial(2_062_010_101);
    assert!(!serials.publish(&zone(), (first, 0), first.next(), || panic!("it goes on")));
    assert!(serials.publish(&zone(), (first.next(), 0), Serial(2_026_113_001), || Some(first)));
    assert_eq!(
        ambiguous(&serials, &[2_026_113_001, 2_062_010_100, 2_062_010_102]),
        [2_062_010_100, 2_062_010_102]
    );
}

#[test]
fn a_zone_that_is_forgotten_or_cannot_be_leaves_all_that_was_served() {
    let serials = ZoneSerials::default();
    // It was never kept.
    serials.begin(&zone(), Serial(6));
    serials.begin_to_forget(&zone(), Some(Serial(12)));
    assert_eq!((ambiguous(&serials, &[1, 99]), serials.begun(&zone())), (vec![1, 99], None));
    assert!(serials.of(&zone()).is_some_and(|runs| runs.has(Serial(6)) && runs.has(Serial(12))));
    serials.forgot([&zone()]);
    assert!(ambiguous(&serials, &[1, 6, 12, 99]).is_empty());
    // It was, and later versions were served; the next zone of the name is, too, and nothing could be forgotten.
    serials.begin_to_forget(&zone(), Some(Serial(12)));
    assert_eq!(serials.last_served(&zone()), Some(Serial(12)));
    serials.begin(&zone(), Serial(1));
    serials.not_forgotten(&zone(), Some(&tail(5, 9)));
    serials.kept([&zone()]);
    assert_eq!(ambiguous(&serials, &[5, 9, 10, 12, 13]), [5, 9, 10, 12]);
}

#[test]
fn what_is_damaged_ends_a_run_once_however_often_it_is_found() {
    let serials = ZoneSerials::default();
    for _ in 0..3 {
        serials.leave(&zone(), &tail(2_026_113_001, 2_026_113_009), Some(Serial(2_026_113_007)));
    }
    let all = [1_900_000_000, 2_026_113_001, 2_026_113_007, 2_026_113_009, 2_026_113_010];
    assert_eq!(ambiguous(&serials, &all), &all[1..4]);
    let serials = ZoneSerials::default();
    for _ in 0..3 {
        serials.leave(&zone(), &tail(2_026_113_001, 2_026_113_009), None);
    }
    assert_eq!(ambiguous(&serials, &all), &all[1..4]);
}
