//! The journal on the disk: cut, flipped, too large, full, killed; what was acknowledged is served again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyns::publish::{ApplyError, SourceFault};
use anyns::wire::{RecordType, Serial};
use anyns::zone::Place;
use proptest::prelude::*;

use crate::difference::{apply, step};
use crate::restart::{SmallDisk, fill};
use crate::skip::skip;
use crate::support::{Pop, name, replace, zone_text};

const ZONE: &str = "zones/a.example.zone";
const STATE: &str = "state/a.example.state";
const JOURNAL: &str = "state/a.example.journal";
/// A journal may always be so large (`publish::journal_file`).
const LEAST: u64 = 1 << 20;

/// A publisher that was stopped after these differences, and the length of its journal after each.
async fn history(hosts: usize, differences: u32) -> (Pop, Vec<usize>) {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, hosts));
    pop.start().await;
    pop.wait_kept().await;
    let mut lengths = Vec::new();
    for serial in 1..=differences {
        apply(&pop, serial, serial + 1, hosts).await;
        lengths.push(fs::metadata(pop.path(JOURNAL)).unwrap().len() as usize);
    }
    pop.stop().await;
    (pop, lengths)
}

/// Starts with this journal and says what is served; and whether that was an alarm.
async fn served_with(pop: &mut Pop, journal: &[u8]) -> (u32, bool) {
    fs::write(pop.path(JOURNAL), journal).unwrap();
    pop.published = Default::default();
    pop.start().await;
    let (serial, content) = pop.served("a.example.").expect("a version is served");
    assert_eq!(serial, content);
    let report = pop.report();
    let alarm = report.faults.iter().any(|fault| fault.to_string().contains("journal"));
    assert_eq!(report.faults.len(), usize::from(alarm), "{:?}", report.faults);
    let faults = &report.zones[&name("a.example.")].faults;
    assert!(faults.is_empty(), "{faults:?}");
    pop.stop().await;
    (serial, alarm)
}

#[tokio::test]
async fn a_journal_cut_at_any_octet_of_its_last_entries_serves_what_was_whole() {
    let (mut pop, lengths) = history(1, 4).await;
    let whole = fs::read(pop.path(JOURNAL)).unwrap();
    for cut in lengths[1]..=whole.len() {
        let serial = 1 + lengths.iter().filter(|length| **length <= cut).count() as u32;
        assert_eq!(served_with(&mut pop, &whole[..cut]).await, (serial, false), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_journal_flipped_at_any_octet_serves_what_stands_before_and_damage_is_an_alarm() {
    let (mut pop, lengths) = history(1, 4).await;
    let whole = fs::read(pop.path(JOURNAL)).unwrap();
    // Every third: the format's own tests flip every one.
    for at in (lengths[1]..whole.len()).step_by(3) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        let before = lengths.iter().filter(|length| **length <= at).count();
        let aside = pop.path("state/a.example.journal-damaged");
        let _ = fs::remove_file(&aside);
        // The last entry could have been torn by a crash.
        assert_eq!(served_with(&mut pop, &flipped).await, (1 + before as u32, before < 3), "octet {at}");
        assert_eq!(aside.exists(), before < 3, "octet {at}");
        assert_eq!(fs::read(pop.path(JOURNAL)).unwrap(), whole[..lengths[before - 1]], "octet {at}");
    }
    // What is left goes on.
    let mut flipped = whole.clone();
    flipped[lengths[1] + 20] ^= 1;
    assert_eq!(served_with(&mut pop, &flipped).await, (3, true));
    pop.published = Default::default();
    pop.start().await;
    assert!(pop.report().faults.is_empty(), "said once");
    apply(&pop, 3, 9, 1).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((9, 9)));
}

#[tokio::test]
async fn a_head_that_is_damaged_leaves_the_state_file() {
    let (mut pop, _) = history(1, 3).await;
    let whole = fs::read(pop.path(JOURNAL)).unwrap();
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    assert_eq!(served_with(&mut pop, &flipped).await, (1, true));
    assert_eq!(served_with(&mut pop, &whole[..40]).await, (1, false));
    assert_eq!(served_with(&mut pop, b"").await, (1, false));
    assert_eq!(served_with(&mut pop, &whole).await, (4, false));
}

#[derive(Clone, Debug)]
enum Crash {
    None,
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![
        Just(Crash::None),
        any::<prop::sample::Index>().prop_map(Crash::Cut),
        (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(at, bit)| Crash::Flip(at, bit)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rounds of differences, some many in one call, and a crash at the end of each: what is served afterwards is one of
    /// the versions that were acknowledged, the last one if the journal was left alone; and it goes on from there.
    #[test]
    fn whatever_happens_to_a_journal_a_durable_version_is_served(
        rounds in prop::collection::vec((prop::collection::vec(1..4_u32, 1..6), crash()), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pop = Pop::new();
            pop.write(ZONE, &zone_text(1, 2));
            pop.start().await;
            pop.wait_kept().await;
            let (mut serial, mut acknowledged) = (1, vec![1]);
            for (calls, crash) in rounds {
                for length in calls {
                    let row = (0..length).map(|at| step(serial + at, serial + at + 1, 2)).collect();
                    pop.handle().apply(&name("a.example."), row).await.unwrap();
                    serial += length;
                    acknowledged.push(serial);
                }
                pop.stop().await;
                let mut octets = fs::read(pop.path(JOURNAL)).unwrap();
                match &crash {
                    Crash::None => {}
                    Crash::Cut(at) => octets.truncate(at.index(octets.len() + 1)),
                    Crash::Flip(at, bit) => {
                        let at = at.index(octets.len());
                        octets[at] ^= 1 << bit;
                    }
                }
                fs::write(pop.path(JOURNAL), &octets).unwrap();
                pop.published = Default::default();
                pop.start().await;
                let (found, content) = pop.served("a.example.").expect("a version is served");
                assert_eq!(found, content);
                assert!(acknowledged.contains(&found), "{found} of {acknowledged:?}");
                if matches!(crash, Crash::None) {
                    assert_eq!(found, serial);
                }
                acknowledged.retain(|known| *known <= found);
                serial = found;
            }
            pop.stop().await;
        });
    }
}

/// A difference of some 120 KB.
fn heavy(from: u32) -> anyns::publish::Difference {
    let mut difference = step(from, from + 1, 1);
    for number in 0..2_u32 {
        let owner = name(&format!("big{number}.a.example."));
        let rdata = |serial: u32| [&serial.to_be_bytes()[..], &[b'x'; 30_000]].concat();
        if from > 1 {
            difference.deleted.push(owner.as_wire(), RecordType(65_280), 60, &rdata(from), Place::default());
        }
        difference.added.push(owner.as_wire(), RecordType(65_280), 60, &rdata(from + 1), Place::default());
    }
    difference
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |status| status.len())
}

/// The serial in the state file.
fn kept_serial(pop: &Pop) -> u32 {
    let text = String::from_utf8(fs::read(pop.path(STATE)).unwrap()).unwrap();
    text.lines().find_map(|line| line.strip_prefix(";serial ")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn beyond_its_bound_the_journal_is_given_up_for_a_new_state_file() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 1));
    pop.start().await;
    pop.wait_kept().await;
    let (zone, mut most, mut rewritten) = (name("a.example."), 0, 0);
    for serial in 1..80 {
        let before = (kept_serial(&pop), length(&pop.path(JOURNAL)));
        pop.handle().apply(&zone, vec![heavy(serial)]).await.unwrap();
        most = most.max(length(&pop.path(JOURNAL)));
        rewritten += u32::from(kept_serial(&pop) != before.0);
        // A crash at this moment: what was acknowledged is there.
        if serial % 10 == 0 {
            pop.restart().await;
            assert_eq!(pop.served("a.example."), Some((serial + 1, serial + 1)));
        }
    }
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((80, 80)));
    println!("most of a journal: {most} octets, {rewritten} new state files were seen");
    assert!(most <= 2 * LEAST, "{most}");
    assert!(rewritten >= 2 && kept_serial(&pop) > 40, "{rewritten}, {}", kept_serial(&pop));
}

#[tokio::test]
async fn a_difference_larger_than_the_bound_is_kept_as_a_whole_version() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 1));
    pop.start().await;
    pop.wait_kept().await;
    let mut large = step(1, 2, 1);
    for number in 0..30 {
        let owner = name(&format!("big{number}.a.example."));
        large.added.push(owner.as_wire(), RecordType(65_280), 60, &[b'x'; 60_000], Place::default());
    }
    pop.handle().apply(&name("a.example."), vec![large]).await.unwrap();
    assert_eq!((kept_serial(&pop), pop.path(JOURNAL).exists()), (2, false));
    apply_small(&pop, 2).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
}

async fn apply_small(pop: &Pop, from: u32) {
    pop.handle().apply(&name("a.example."), vec![step(from, from + 1, 1)]).await.unwrap();
}

#[tokio::test]
async fn a_journal_that_somebody_took_away_or_wrote_to_loses_nothing_more() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 1));
    pop.start().await;
    pop.wait_kept().await;
    apply(&pop, 1, 2, 1).await;
    fs::remove_file(pop.path(JOURNAL)).unwrap();
    apply(&pop, 2, 3, 1).await;
    apply(&pop, 3, 4, 1).await;
    let octets = fs::read(pop.path(JOURNAL)).unwrap();
    fs::write(pop.path(JOURNAL), [&octets[..], b"nonsense"].concat()).unwrap();
    apply(&pop, 4, 5, 1).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)), "written where it counts");
    assert!(pop.report().faults.is_empty());
    fs::write(pop.path(JOURNAL), &octets[..octets.len() - 1]).unwrap();
    apply(&pop, 5, 6, 1).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    assert!(pop.report().faults.is_empty());
}

#[tokio::test]
async fn on_a_full_disk_a_difference_is_refused_and_passes_when_there_is_room() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&pop.path("state")) else {
        skip("a full disk", "this user cannot mount");
        return;
    };
    pop.write(ZONE, &zone_text(1, 100));
    pop.start().await;
    pop.wait_kept().await;
    apply(&pop, 1, 2, 100).await;
    let filler = pop.path("state/filler");
    fill(&filler);
    for _ in 0..2 {
        let error = pop.handle().apply(&name("a.example."), vec![step(2, 3, 100)]).await.unwrap_err();
        assert!(matches!(error, ApplyError::NotDurable { from: Serial(2), to: Serial(3), .. }), "{error}");
        assert_eq!(pop.served("a.example."), Some((2, 2)));
    }
    let report = pop.report().zones[&name("a.example.")].clone();
    assert!(report.durable && report.faults.is_empty(), "{report:?}");
    // What was refused is not there after a restart either.
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((2, 2)));
    let faults = pop.report().faults.clone();
    assert!(matches!(faults.as_slice(), [SourceFault::StateUnwritable { .. }]), "{faults:?}");
    fs::remove_file(&filler).unwrap();
    apply(&pop, 2, 3, 100).await;
    assert!(pop.report().faults.is_empty());
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    pop.stop().await;
}

/// Where the child of the next test works; not set, it is no child.
const CHILD: &str = "ANYNS_TEST_JOURNAL_CHILD";

/// No test of its own: the process that is killed. Applies differences without end and says which were acknowledged.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let mut pop = Pop::at(Path::new(&directory));
    pop.start().await;
    let (first, _) = pop.served("a.example.").unwrap();
    for serial in first..u32::MAX {
        pop.handle().apply(&name("a.example."), vec![heavy(serial)]).await.unwrap();
        println!("acknowledged {}", serial + 1);
    }
}

#[tokio::test]
async fn killed_at_any_moment_a_process_serves_what_it_acknowledged() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 1));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    let mut acknowledged = 1;
    // Journals are given up every eight differences or so: some kills come in the middle of that.
    for round in 0..12_u32 {
        let mut child = Child(
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "journal::child_that_is_killed", "--nocapture"])
                .env(CHILD, pop.directory.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut serials =
            lines.filter_map(|line| line.strip_prefix("acknowledged ")?.trim().parse::<u32>().ok());
        for _ in 0..3 + round * 3 {
            acknowledged = serials.next().expect("differences are acknowledged");
        }
        child.0.kill().unwrap();
        // What it still said before it died was acknowledged, too.
        acknowledged = serials.last().unwrap_or(acknowledged);
        child.0.wait().unwrap();
        pop.published = Default::default();
        pop.start().await;
        let (served, content) = pop.served("a.example.").unwrap();
        assert!(served == content && served >= acknowledged, "{served} after {acknowledged}");
        assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
        acknowledged = served;
        pop.stop().await;
    }
    println!("acknowledged until serial {acknowledged}");
}

/// A process that does not outlive the test.
pub(crate) struct Child(pub(crate) std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_state_file_of_version_2_is_continued() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    let text = fs::read_to_string(pop.path(STATE)).unwrap();
    let (lines, body) = text.split_at(text.find(";header ").unwrap());
    let lines: String = lines
        .replace(";anyns-state 4", ";anyns-state 2")
        .lines()
        .filter(|line| ![";chain", ";source-digest", ";octets"].iter().any(|key| line.starts_with(key)))
        .map(|line| format!("{line}\n"))
        .collect();
    let body = &body[body.find('\n').unwrap() + 1..];
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&lines);
    let hash: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    fs::write(pop.path(STATE), format!("{lines};header {hash}\n{body}")).unwrap();
    fs::remove_file(pop.path(ZONE)).unwrap();
    pop.published = Default::default();
    pop.start().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    assert!(pop.report().faults.is_empty());
    apply(&pop, 5, 6, 3).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    replace(&pop.path(ZONE), &zone_text(5, 3));
    pop.wait_serial("a.example.", 6).await;
}
