//! What operators read.

use super::super::overall;
use super::super::overall::tests::well;
use super::*;
use crate::control::SignatureStatus;

fn settled(mut status: Status) -> Status {
    status.overall = overall(&status);
    status
}

#[test]
fn well_reads_well() {
    let text = render(&well());
    assert!(
        text.starts_with("fra1 is OK since 2023-11-14T22:13:20Z (1 h 1 min ago)\n  nothing is wrong\n"),
        "{text}"
    );
    let prefix = "\nprefix\n  198.51.100.0/24   desired: announce  since 2023-11-14T22:15:00Z (1 h 0 min)\n";
    assert!(text.contains(prefix), "{text}");
    let neighbor =
        "\n    at 192.0.2.254  sent: announced    since 2023-11-14T22:15:00Z (1 h 0 min)  Established\n";
    assert!(text.contains(neighbor), "{text}");
    assert!(!text.contains(" more "), "{text}");
}

#[test]
fn the_first_line_says_dry_run() {
    let mut status = well();
    status.dry_run = true;
    let text = render(&status);
    let first = "fra1 is OK since 2023-11-14T22:13:20Z (1 h 1 min ago), DRY RUN: no route is sent\n";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn announced_through_a_local_daemon_is_sent_to_that_daemon() {
    let mut status = well();
    status.prefixes[0].neighbors[0].local = true;
    let text = render(&status);
    assert!(text.contains("  sent to the local daemon: announced  since"), "{text}");
}

#[test]
fn what_is_wrong_stands_first_with_its_beginning_and_reaches_no_terminal_raw() {
    let mut status = well();
    status.operator.order = "withdraw".into();
    status.operator.reason = "upgrade\u{1b}[2J".into();
    status.operator.since = 1_700_000_000;
    let text = render(&settled(status));
    let second = text.lines().nth(1).unwrap();
    let expected =
        "  ! the operator ordered withdraw: upgrade\u{fffd}[2J, since 2023-11-14T22:13:20Z (1 h 1 min)";
    assert_eq!(second, expected);
}

#[test]
fn a_reload_that_goes_on_and_one_that_failed() {
    let mut status = well();
    let reason = "the old configuration stays: line 3".to_owned();
    status.reload = Some(super::super::ReloadStatus { failed: false, since: 1_700_003_690, reason });
    let text = render(&settled(status.clone()));
    assert!(text.contains("\n  a reload goes on since 2023-11-14T23:14:50Z (10 s)\n"), "{text}");
    assert!(text.starts_with("fra1 is OK"), "{text}");
    if let Some(reload) = &mut status.reload {
        reload.failed = true;
    }
    let text = render(&settled(status));
    assert!(
        text.contains("  ! the last reload failed: the old configuration stays: line 3, since"),
        "{text}"
    );
}

#[test]
fn what_is_not_listed_of_the_zones() {
    let table = [
        ((1, 0), None),
        ((5, 0), Some("and 4 more zones without faults: see anyns status --json")),
        ((5, 2), Some("and 4 more zones, 2 not well: see anyns status --zones bad")),
        ((0, 0), Some("no zone of 9 matches")),
    ];
    for ((matched, matched_not_well), expected) in table {
        let mut status = well();
        status.zone_counts =
            super::super::ZoneCounts { total: 9, matched, matched_not_well, ..status.zone_counts };
        if matched == 0 {
            status.zones.clear();
        }
        assert_eq!(more_zones(&status).as_deref(), expected, "{matched} {matched_not_well}");
    }
}

#[test]
fn no_cell_is_long() {
    let mut status = well();
    status.zones[0].faults = vec!["fault ".repeat(2000)];
    status.prefixes[0].reasons = vec!["reason ".repeat(2000)];
    status.prefixes[0].intent = "withdraw".into();
    status.probes[0].reason = Some("late ".repeat(2000));
    status.probes[0].standing = "silent".into();
    let text = render(&settled(status));
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest < MOST_CHARACTERS + 200, "{longest}: a cell of at most 300 beside short ones");
    for reason in &settled(well()).overall.reasons {
        assert!(reason.chars().count() <= MOST_CHARACTERS, "{reason}");
    }
}

#[test]
fn tasks_are_listed_when_there_is_something_to_tell() {
    let mut status = well();
    let task = |name: &str, state, panics| super::super::TaskStatus { name: name.into(), state, panics };
    status.tasks = vec![task("decide", TaskState::Runs, 0), task("health", TaskState::Runs, 2)];
    let text = render(&status);
    assert!(text.contains("\ntask\n  health  runs  panicked 2 times\n"), "{text}");
    assert!(!text.contains("decide"), "{text}");
}

#[test]
fn signatures_stand_beside_their_zone() {
    let mut status = well();
    let row = |status: &Status| {
        let text = render(status);
        text.lines().find(|line| line.contains("signatures: ")).unwrap_or_default().to_owned()
    };
    assert_eq!(row(&status), "");
    let signatures = SignatureStatus { expires: Some(status.now + 60), ..SignatureStatus::default() };
    let faults = vec!["2 signatures are wrong".to_owned()];
    status.zones.push(ZoneStatus { signatures: Some(signatures.clone()), faults, ..ZoneStatus::default() });
    let until = rfc3339(status.now + 60);
    assert!(
        row(&status).ends_with(&format!("signatures: valid until {until}; 2 signatures are wrong")),
        "{status:?}"
    );
    let zone = status.zones.last_mut().unwrap();
    let verifying = SignatureStatus { verifying: true, verified_percent: Some(34), wrong: 2, ..signatures };
    (zone.signatures, zone.faults) = (Some(verifying), Vec::new());
    status.now += 61;
    assert!(
        row(&status).ends_with(&format!("signatures: verifying (34 %), expired at {until}, 2 wrong")),
        "{status:?}"
    );
}
