//! A file in pieces gives what the same file gives in one go: zone, warnings, faults and their places.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use crate::zone::Zone;
use crate::zonefile::Beside;
use crate::zonefile::FileProgress;
use crate::zonefile::How;
use crate::zonefile::Limits;
use crate::zonefile::ReadZone;
use crate::zonefile::pieces;
use crate::zonefile::read_sized;
use crate::zonefile::read_zone;
use crate::zonefile::reader::Reader;
use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::origin;
use crate::zonefile::tests::written;

/// Lines that inherit, change what is inherited, look like something else, or are wrong.
const LINES: &[&str] = &[
    "a 60 IN A 192.0.2.1",
    "b A 192.0.2.2",
    " A 192.0.2.3",
    "\t70 TXT x",
    "c TXT ( \"a;b(\" ; x (\n\t\"c\" )",
    "c TXT (\nx\n)",
    "c TXT (\n$TTL\n)",
    "d TXT \"q ( ; \\\" \"",
    "e\\046f 60 A 192.0.2.4\r",
    "x.example.org 60 A 192.0.2.1",
    "$TTL 300",
    "$ttl 1h ; a comment",
    "$ORIGIN sub",
    "$ORIGIN Sub.example.org.",
    "$ORIGIN example.org.",
    " $TTL 77",
    "( $ORIGIN deep )",
    "$GENERATE 1-3 g$ A 192.0.2.$",
    "; $TTL 5 (",
    "\t; \" (",
    "",
    "\r",
    "  ",
];

/// Each makes the whole file be read from its beginning; they come up seldom, so that the rest is tested, too.
const ODD: &[&str] = &[
    "$INCLUDE part",
    "bad FOO",
    "u TXT \"unclosed",
    "v TXT ( unclosed",
    "$ORIGIN a..b",
    "$TTL x",
    "w 60 CNAME v\nw 60 A 192.0.2.1",
    "www.test. 60 A 192.0.2.1",
    "$GENERATE 1-99999999 g$ A 192.0.2.1",
    "z A \0",
];

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        100 => prop::sample::select(LINES),
        1 => prop::sample::select(ODD),
    ];
    (any::<bool>(), prop::collection::vec(line, 0..60)).prop_map(|(ttl, lines)| {
        format!("{}{SOA}{NS}{}\n", if ttl { "$TTL 5\n" } else { "" }, lines.join("\n"))
    })
}

/// Everything that a reading says, with all files larger than `size` in pieces.
fn outcome(path: &Path, size: usize) -> String {
    outcome_after(path, size, None)
}

/// The same, with what it can share with a served version shared.
fn outcome_after(path: &Path, size: usize, served: Option<&Arc<Zone>>) -> String {
    let limits = Limits { records: 100, ..Limits::default() };
    let mut file = File::open(path).unwrap();
    let facts = file.metadata().unwrap();
    let read = read_sized(
        &mut file,
        &facts,
        path,
        &origin(),
        &limits,
        (How { size, is_kept: false }, Beside { served, ..Beside::default() }),
    );
    match read.map(ReadZone::from) {
        Ok(read) => {
            let mut warnings: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
            // What is shared is looked at first.
            warnings.sort();
            let digests = (read.digest, read.file_digest);
            format!("{}\n{digests:?}\n{warnings:?}\n{:?}", written(&read.zone), read.files)
        }
        Err(error) => format!("{error}\n{:?}", error.files),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn pieces_give_what_one_go_gives(text in text(), size in 16..600_usize) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zone");
        fs::write(&path, &text).unwrap();
        fs::write(directory.path().join("part"), "$TTL 9\n$ORIGIN part\ni A 192.0.2.9\n").unwrap();
        prop_assert_eq!(outcome(&path, size), outcome(&path, usize::MAX), "{}", text);
    }

    #[test]
    fn what_is_shared_changes_nothing(text in text(), size in 16..600_usize, skip in 5..60_usize) {
        let directory = tempfile::tempdir().unwrap();
        let (path, before) = (directory.path().join("zone"), directory.path().join("before"));
        fs::write(&path, &text).unwrap();
        fs::write(directory.path().join("part"), "$TTL 9\n$ORIGIN part\ni A 192.0.2.9\n").unwrap();
        let lines = text.split_inclusive('\n').enumerate();
        fs::write(&before, lines.filter(|(at, _)| *at != skip).map(|(_, line)| line).collect::<String>()).unwrap();
        if let Ok(served) = read_zone(&before, &origin(), &Limits::default()) {
            let served = Arc::new(served.zone);
            // Of two spellings of a name either may stay, and of duplicates either may be warned about.
            let essence = |outcome: String| {
                let lower = outcome.to_ascii_lowercase();
                let is_warnings = |line: &&str| *line == "[]" || line.starts_with("[\"/") && line.contains("zone:");
                lower.lines().filter(|line| !is_warnings(line)).collect::<Vec<_>>().join("\n")
            };
            let shared = essence(outcome_after(&path, size, Some(&served)));
            prop_assert_eq!(shared, essence(outcome(&path, usize::MAX)), "{}", text);
        }
    }
}

/// The name in front of one that went, and what is below a new DNAME, are as they were; their lines are told all the same.
#[test]
fn what_is_wrong_with_shared_names_is_told_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let (path, before) = (directory.path().join("zone"), directory.path().join("before"));
    let zone = |lines: &str| format!("$TTL 5\n{SOA}{NS} NSEC a A\n{lines}");
    fs::write(
        &before,
        zone("a A 192.0.2.1\n NSEC b A\nb A 192.0.2.1\n NSEC www.c A\nwww.c A 192.0.2.1\n NSEC @ A\n"),
    )
    .unwrap();
    let served = Arc::new(read_zone(&before, &origin(), &Limits::default()).unwrap().zone);
    for (lines, fault) in [
        (
            "a A 192.0.2.1\n NSEC b A\nwww.c A 192.0.2.1\n NSEC @ A\n",
            ":6:2: the NSEC record of a.example.org.",
        ),
        (
            "a A 192.0.2.1\n NSEC b A\nb A 192.0.2.1\n NSEC c A\nwww.c A 192.0.2.1\n NSEC @ A\nc DNAME x\n NSEC @ A\n",
            ":9:1: www.c.example.org. is below",
        ),
    ] {
        fs::write(&path, zone(lines)).unwrap();
        for size in [16, usize::MAX] {
            let said = outcome_after(&path, size, Some(&served));
            assert!(said.contains(fault), "{said}");
        }
    }
}

/// Whether this text is read in pieces of 200 octets.
fn is_read_in_pieces(text: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zone");
    fs::write(&path, text).unwrap();
    let mut file = File::open(&path).unwrap();
    let facts = file.metadata().unwrap();
    let limits = Limits::default();
    let mut reader = Reader::new(&origin(), vec![directory.path().into()], &limits);
    let file_progress = FileProgress::new(Arc::new(crate::telemetry::pulse::Pulse::new(1)));
    let in_pieces =
        pieces::read(&mut reader, &mut file, &facts, &origin(), (200, Some(&file_progress))).unwrap();
    if in_pieces {
        let shown = file_progress.shown().unwrap();
        assert_eq!(
            (shown.read, shown.of),
            (facts.len(), facts.len()),
            "the file_progress has seen all of it"
        );
    }
    in_pieces
}

#[test]
fn what_zones_usually_hold_is_read_in_pieces() {
    let hosts =
        |from: u32| (from..from + 20).map(|host| format!("h{host} A 192.0.2.1\n  TXT (\n\t\"x\" )\n"));
    let hosts = |from| hosts(from).collect::<String>();
    let head = format!("$TTL 60\n{SOA}{NS}");
    assert!(is_read_in_pieces(&format!("{head}{}", hosts(0))));
    let origins =
        format!("$ORIGIN sub\n{}$TTL 5\n{}$ORIGIN example.org.\n{}", hosts(0), hosts(20), hosts(40));
    assert!(is_read_in_pieces(&format!("{head}{origins}")));
    assert!(is_read_in_pieces(&format!("{head}{}$GENERATE 1-9 g$ A 192.0.2.$\n{}", hosts(0), hosts(20))));
    // What needs the whole file, and what is wrong.
    assert!(!is_read_in_pieces(&format!(
        "{SOA}{NS}{}",
        hosts(0).replace("A 192", "60 A 192").replace("  TXT", "x TXT")
    )));
    assert!(!is_read_in_pieces(&format!("{head}{}$INCLUDE part\n", hosts(0))));
    assert!(!is_read_in_pieces(&format!("{head}{}bad FOO\n", hosts(0))));
    assert!(!is_read_in_pieces(&format!("{head}a TXT \"{}\"\n", "x".repeat(250))));
    assert!(!is_read_in_pieces(&head));
}
