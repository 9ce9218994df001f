//! Differences on the disk: too large, full, killed; what was acknowledged is served again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyns::publish::{ApplyError, Fault, SourceFault};
use anyns::wire::{RecordType, Serial};
use anyns::zone::Place;

use crate::difference::{apply, step};
use crate::restart::{SmallDisk, fill};
use crate::skip::skip;
use crate::support::{Pop, name, zone_text};

const ZONE: &str = "zones/a.example.zone";
const STATE: &str = "state/zones.redb";

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

#[tokio::test]
async fn beyond_its_bound_the_journal_is_given_up_for_a_new_state_file() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 1));
    pop.start().await;
    pop.wait_kept().await;
    let zone = name("a.example.");
    for serial in 1..80 {
        pop.handle().apply(&zone, vec![heavy(serial)]).await.unwrap();
        // A crash at this moment: what was acknowledged is there.
        if serial % 10 == 0 {
            pop.restart().await;
            assert_eq!(pop.served("a.example."), Some((serial + 1, serial + 1)));
        }
    }
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((80, 80)));
    // Pages that a commit freed are used again: what is written does not add up. The history has the last steps.
    let length = fs::metadata(pop.path(STATE)).unwrap().len();
    let history = pop.handle().history().steps(&zone).unwrap().unwrap();
    let octets: usize = history.steps.iter().map(|step| step.octets).sum();
    println!("{length} octets, {octets} of them in {} steps", history.steps.len());
    assert!((length as usize) < 3 * octets + (8 << 20), "{length}");
    assert_eq!(history.steps.len(), 79);
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
    assert_eq!(pop.kept("a.example."), Some(2));
    apply_small(&pop, 2).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
}

async fn apply_small(pop: &Pop, from: u32) {
    pop.handle().apply(&name("a.example."), vec![step(from, from + 1, 1)]).await.unwrap();
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
        let error = pop.handle().apply(&name("a.example."), vec![large(2)]).await.unwrap_err();
        assert!(matches!(error, ApplyError::NotDurable { from: Serial(2), to: Serial(3), .. }), "{error}");
        assert_eq!(pop.served("a.example."), Some((2, 2)));
    }
    let report = pop.report().zones[&name("a.example.")].clone();
    assert!(
        report.durable && matches!(report.faults.as_slice(), [Fault::ChangeNotDurable { .. }]),
        "{report:?}"
    );
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

/// A difference of more octets than a full disk may have left in pages that are free.
fn large(from: u32) -> anyns::publish::Difference {
    let mut difference = step(from, from + 1, 100);
    for number in 0..8 {
        let owner = name(&format!("large{number}.a.example."));
        difference.added.push(owner.as_wire(), RecordType(65_280), 60, &[b'x'; 60_000], Place::default());
    }
    difference
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
