//! The whole transition table, and what must hold for every row of outcomes.

use proptest::prelude::*;

use super::*;

fn lost(evidence: Evidence) -> Outcome {
    Outcome::Lost { reason: "late".into(), evidence }
}

fn outcome(letter: char) -> Outcome {
    match letter {
        'g' => Outcome::Good,
        'w' => Outcome::Wrong { reason: "SERVFAIL".into() },
        'i' => lost(Evidence::Idle),
        'b' => lost(Evidence::Busy),
        'r' => lost(Evidence::Refused),
        _ => panic!("no outcome is called {letter}"),
    }
}

fn track(letters: &str) -> Track {
    let mut track = Track::new(3, 3);
    letters.chars().for_each(|letter| track.observe(&outcome(letter)));
    track
}

#[test]
fn the_whole_table() {
    // How each standing is reached, and what it becomes after each whole row of outcomes (the last letter of the
    // path is another one than the row's, so that the row starts there).
    let paths = [("", "untested"), ("ggg", "up"), ("gggbbb", "pressure"), ("ww", "wrong"), ("iii", "silent")];
    let rows = [
        ("ggg", ["up", "up", "up", "up", "up"]),
        ("ww", ["wrong", "wrong", "wrong", "wrong", "wrong"]),
        ("iii", ["silent", "silent", "silent", "silent", "silent"]),
        ("bbb", ["untested", "pressure", "pressure", "wrong", "silent"]),
        ("r", ["silent", "silent", "silent", "silent", "silent"]),
    ];
    for (row, expected) in rows {
        for ((path, from), to) in paths.into_iter().zip(expected) {
            assert_eq!(track(path).standing().word(), from, "{path}");
            assert_eq!(track(&format!("{path}{row}")).standing().word(), to, "{from} then {row}");
        }
    }
}

#[test]
fn one_less_than_a_row_changes_nothing() {
    let paths = [("", "untested"), ("ggg", "up"), ("gggbbb", "pressure"), ("ww", "wrong"), ("iii", "silent")];
    for row in ["gg", "w", "ii", "bb"] {
        for (path, from) in paths {
            let continues = (path == "ww" && row == "w") || (path == "gggbbb" && row == "bb");
            let after = track(&format!("{path}{row}"));
            assert!(after.standing().word() == from || continues, "{from} then {row}: {after:?}");
        }
    }
}

#[test]
fn rows_that_are_broken() {
    let cases = [
        ("gggiigii", "up", "a good answer ends a row of losses"),
        ("gggiibii", "pressure", "a busy loss ends the row of idle losses, and three losses are pressure"),
        ("gggbbbiii", "silent", "pressure is over: idle and lost"),
        ("gggbbbbbbii", "pressure", "idle losses not enough yet"),
        ("gggwiw", "wrong", "a loss does not hide wrong answers"),
        ("gggwgwgw", "up", "a good answer ends a row of wrong ones"),
        ("gggiiwii", "up", "a wrong answer is an answer"),
        ("bbbbbbbb", "untested", "load from the start: never tested, never announced"),
        ("rggw", "silent", "not risen yet"),
        ("gggbbbg", "pressure", "one good answer is not the end of overload"),
        ("gggbbbggg", "up", "three are"),
    ];
    for (letters, expected, why) in cases {
        assert_eq!(track(letters).standing().word(), expected, "{letters}: {why}");
    }
}

#[test]
fn a_larger_fall_does_not_bear_wrong_content_longer() {
    let mut track = Track::new(1, 100);
    track.observe(&outcome('g'));
    track.observe(&outcome('w'));
    assert_eq!(track.standing().word(), "up");
    track.observe(&outcome('w'));
    assert_eq!(track.standing().word(), "wrong");
    let mut strict = Track::new(1, 1);
    strict.observe(&outcome('w'));
    assert_eq!(strict.standing().word(), "wrong");
}

#[test]
fn fast_rounds_while_something_may_change() {
    let cases = [
        ("", true),
        ("ggg", false),
        ("gggi", true),
        ("gggw", true),
        ("gggbbb", false),
        ("r", true),
        ("ww", true),
    ];
    for (letters, fast) in cases {
        assert_eq!(track(letters).is_unsettled(), fast, "{letters}");
    }
}

#[test]
fn the_worse_transport_speaks() {
    let standings = [
        Standing::Up,
        Standing::Pressure,
        Standing::Untested,
        Standing::Silent("late".into()),
        Standing::Wrong("SERVFAIL".into()),
    ];
    for (u, udp) in standings.iter().enumerate() {
        for (t, tcp) in standings.iter().enumerate() {
            let expected = match (u.max(t), t >= u) {
                (0, _) => Probe::Up,
                (1, _) => Probe::Pressure,
                (2, _) => Probe::Untested,
                (3, true) if u < 2 => Probe::OneTransportDead { reason: "TCP: late".into() },
                (3, false) if t < 2 => Probe::OneTransportDead { reason: "UDP: late".into() },
                (3, true) => Probe::Silent { reason: "TCP: late".into() },
                (3, false) => Probe::Silent { reason: "UDP: late".into() },
                (_, true) => Probe::Wrong { reason: "TCP: SERVFAIL".into() },
                (_, false) => Probe::Wrong { reason: "UDP: SERVFAIL".into() },
            };
            assert_eq!(combine(udp, tcp), expected, "{udp:?} {tcp:?}");
        }
    }
}

proptest! {
    /// A standing needs its row: the machine against the definition, read from the whole history.
    #[test]
    fn every_standing_has_its_reason(letters in "[gwibr]{0,40}", rise in 1u32..5, fall in 1u32..5) {
        let mut track = Track::new(rise, fall);
        let mut history = String::new();
        for letter in letters.chars() {
            let before = track.standing().word();
            track.observe(&outcome(letter));
            history.push(letter);
            let now = track.standing().word();
            if now == before {
                continue;
            }
            let tail = |letters: &str| history.chars().rev().take_while(|c| letters.contains(*c)).count() as u32;
            match now {
                "up" => prop_assert!(tail("g") >= rise),
                "wrong" => prop_assert!(letter == 'w' && tail("wibr") >= fall.min(MAX_WRONG)),
                "silent" => prop_assert!(letter == 'r' || tail("ir") >= fall),
                "pressure" => prop_assert!(before == "up" && tail("ib") >= fall),
                _ => prop_assert!(false, "nothing leads back to untested"),
            }
        }
    }

    /// Whatever comes, busy losses and good answers alone never withdraw anything (rule 4).
    #[test]
    fn overload_is_never_ill_health(letters in "[gb]{0,200}") {
        let up = track(&format!("ggg{letters}"));
        prop_assert!(matches!(up.standing(), Standing::Up | Standing::Pressure));
    }

    /// From everywhere `rise` good rounds lead up, and `fall` idle losses to silence.
    #[test]
    fn recovery_and_failure_are_always_possible(letters in "[gwibr]{0,40}") {
        prop_assert_eq!(track(&format!("{letters}ggg")).standing().word(), "up");
        prop_assert_eq!(track(&format!("{letters}iii")).standing().word(), "silent");
    }
}
