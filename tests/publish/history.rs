//! The history of zones: from every version that is kept the steps lead to each later one, octet by octet, whatever happened.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyns::publish::{BeganReason, Difference, HistoryBounds, SerialRule, Settings, StepOrigin};
use anyns::wire::{RecordType, Serial};
use anyns::zone::{Place, RecordBatch, Zone};
use anyns::zonefile::write_zone;
use proptest::prelude::*;

use crate::difference::apply;
use crate::journal::Child;
use crate::support::{Pop, name, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";

/// A zone as text: what two versions are compared by.
fn text(zone: &Zone) -> String {
    let mut text = Vec::new();
    write_zone(zone, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What is served.
fn served(pop: &Pop) -> Zone {
    Zone::clone(pop.published.load().zone(&name("a.example.")).unwrap())
}

/// Applies the steps since each version that is known; each must lead to every later version.
fn check(pop: &Pop, versions: &BTreeMap<u32, Zone>) -> usize {
    let (history, zone) = (pop.handle().history(), name("a.example."));
    let kept = history.steps(&zone).unwrap().unwrap();
    let mut serial = kept.steps.first().map_or(kept.serial, |step| step.from);
    let mut starts = vec![serial];
    for step in &kept.steps {
        assert_eq!(step.from, serial, "each begins where the one before it ends");
        serial = step.to;
        starts.push(serial);
    }
    assert_eq!(serial, kept.serial);
    for start in starts {
        let Some(mut at) = versions.get(&start.0).cloned() else { continue };
        let steps = history.since(&zone, start).unwrap().expect("it is kept");
        for Difference { from, to, deleted, added } in steps {
            assert_eq!(at.serial(), from);
            at = at.with_changes(deleted, added).unwrap();
            assert_eq!(at.serial(), to);
            if let Some(expected) = versions.get(&to.0) {
                assert!(text(&at) == text(expected), "{}\nis not\n{}", text(&at), text(expected));
            }
        }
        assert_eq!(text(&at), text(&served(pop)), "the last is what is served");
    }
    kept.steps.len()
}

/// What happens to the zone.
#[derive(Clone, Debug)]
enum Event {
    /// Another file: so many hosts with this address; its serial is raised or, with the rule bump, is not.
    File {
        hosts: usize,
        address: u8,
        raised: bool,
    },
    /// A difference of one record.
    Difference(u8),
    Restart,
    /// Three files in a row before anything is kept.
    Burst(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..6_usize, any::<u8>(), any::<bool>())
            .prop_map(|(hosts, address, raised)| Event::File { hosts, address, raised }),
        4 => any::<u8>().prop_map(Event::Difference),
        2 => Just(Event::Restart),
        1 => any::<u8>().prop_map(Event::Burst),
    ]
}

fn file(serial: u32, hosts: usize, address: u8) -> String {
    let head = format!("@ 60 IN SOA ns.example. host.example. {serial} 1 1 1 1\n@ 60 IN NS ns.example.\n");
    let hosts = (0..hosts).map(|host| {
        format!("{}{host} 60 IN A 10.0.0.{address}\n", if address.is_multiple_of(2) { "h" } else { "H" })
    });
    head + &hosts.collect::<String>()
}

/// A difference that adds or changes a TXT record.
pub(crate) fn text_record(zone: &Zone, value: u8) -> Difference {
    let (mut deleted, mut added) = (RecordBatch::new(zone.origin()), RecordBatch::new(zone.origin()));
    let (from, to) = (zone.serial(), zone.serial().next());
    for record in zone.records() {
        let is_soa = record.record_type == RecordType::SOA;
        if is_soa || record.record_type == RecordType::TXT {
            deleted.push(
                record.owner.as_wire(),
                record.record_type,
                record.ttl,
                &record.rdata,
                Place::default(),
            );
        }
        if is_soa {
            let mut rdata = record.rdata.to_vec();
            let at = rdata.len() - 20;
            rdata[at..at + 4].copy_from_slice(&to.0.to_be_bytes());
            added.push(record.owner.as_wire(), RecordType::SOA, record.ttl, &rdata, Place::default());
        }
    }
    let owner = name("text.a.example.");
    added.push(owner.as_wire(), RecordType::TXT, 60 + u32::from(value % 3), &[1, value], Place::default());
    Difference { from, to, deleted, added }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Random files, bumps, differences and restarts.
    #[test]
    fn from_every_version_the_steps_lead_to_every_later_one(
        events in prop::collection::vec(event(), 1..14),
        bump in any::<bool>(),
        few in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pop = Pop::new();
            let history = if few { HistoryBounds { octets: 3_000, steps: 4 } } else { HistoryBounds::default() };
            let serial = if bump { SerialRule::Bump } else { SerialRule::Strict };
            let settings = Settings { history, serial, ..pop.settings() };
            pop.write(ZONE, &file(1, 2, 0));
            pop.start_with(settings.clone()).await;
            pop.wait_kept().await;
            let mut versions = BTreeMap::from([(1, served(&pop))]);
            let mut in_file = 1;
            for event in events {
                let now = served(&pop).serial().0;
                match event {
                    Event::File { hosts, address, raised } => {
                        if raised || !bump {
                            in_file = now.max(in_file) + 1;
                        }
                        replace(&pop.path(ZONE), &file(in_file, hosts, address));
                        pop.handle().reload().await;
                    }
                    Event::Burst(address) => for more in 0..3 {
                        in_file = served(&pop).serial().0.max(in_file) + 1;
                        replace(&pop.path(ZONE), &file(in_file, 3, address.wrapping_add(more)));
                        pop.handle().reload().await;
                        versions.insert(served(&pop).serial().0, served(&pop));
                    },
                    Event::Difference(value) => {
                        let difference = text_record(&served(&pop), value);
                        pop.handle().apply(&name("a.example."), vec![difference]).await.unwrap();
                    }
                    Event::Restart => {
                        let before = text(&served(&pop));
                        pop.stop().await;
                        pop.published = Default::default();
                        pop.start_with(settings.clone()).await;
                        assert_eq!(text(&served(&pop)), before);
                    }
                }
                pop.wait_kept().await;
                versions.insert(served(&pop).serial().0, served(&pop));
                check(&pop, &versions);
                let kept = pop.handle().history().steps(&name("a.example.")).unwrap().unwrap();
                // Differences that a restart needs are kept beyond the bounds of the history.
                if kept.steps.last().is_some_and(|step| step.origin != StepOrigin::Difference) {
                    assert!(kept.steps.len() as u64 <= history.steps, "{kept:?}");
                    assert!(kept.steps.iter().map(|step| step.octets as u64).sum::<u64>() <= history.octets);
                }
            }
            if !few {
                let first = pop.handle().history().since(&name("a.example."), Serial(1)).unwrap();
                assert!(first.is_some(), "no step is missing: {:?}", pop.handle().history().steps(&name("a.example.")));
            }
            pop.stop().await;
        });
    }
}

#[tokio::test]
async fn steps_say_what_led_to_them_and_survive_a_restart() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 3));
    let settings = Settings { serial: SerialRule::Bump, ..pop.settings() };
    pop.start_with(settings.clone()).await;
    pop.wait_kept().await;
    replace(&pop.path(ZONE), &versioned(1, 2, 3));
    pop.wait_serial("a.example.", 2).await;
    apply(&pop, 2, 3, 3).await;
    replace(&pop.path(ZONE), &zone_text(9, 3));
    pop.wait_serial("a.example.", 9).await;
    pop.wait_kept().await;
    let zone = name("a.example.");
    let before = pop.handle().history().steps(&zone).unwrap().unwrap();
    let told: Vec<_> = before.steps.iter().map(|step| (step.from.0, step.to.0, step.origin)).collect();
    assert_eq!(told, [(1, 2, StepOrigin::Bump), (2, 3, StepOrigin::Difference), (3, 9, StepOrigin::File)]);
    assert_eq!((before.began.serial, before.began.reason), (Serial(1), BeganReason::First));
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings).await;
    let history = pop.handle().history();
    assert_eq!(history.steps(&zone).unwrap().unwrap(), before);
    let lengths = |from: u32| history.since(&zone, Serial(from)).unwrap().map(|steps| steps.len());
    assert_eq!([1, 2, 3, 9].map(lengths), [Some(3), Some(2), Some(1), Some(0)]);
    assert_eq!([0, 4, 10].map(lengths), [None; 3]);
    let part = history.between(&zone, Serial(1), Some(Serial(3))).unwrap().unwrap();
    assert_eq!(part.iter().map(|step| step.to.0).collect::<Vec<_>>(), [2, 3]);
    assert!(history.steps(&name("other.")).unwrap().is_none());
}

#[tokio::test]
async fn a_history_begins_anew_where_a_step_is_too_large_or_goes_back() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 3));
    let history = HistoryBounds { octets: 2_000, steps: 10 };
    pop.start_with(Settings { history, ..pop.settings() }).await;
    pop.wait_kept().await;
    replace(&pop.path(ZONE), &zone_text(2, 500));
    pop.wait_serial("a.example.", 2).await;
    let began = |pop: &Pop| {
        let kept = pop.handle().history().steps(&name("a.example.")).unwrap().unwrap();
        (kept.began.serial.0, kept.began.reason, kept.steps.len())
    };
    pop.wait_kept().await;
    assert_eq!(began(&pop), (2, BeganReason::Large, 0));
    replace(&pop.path(ZONE), &zone_text(1, 500));
    pop.wait_fault("a.example.", "does not come after").await;
    pop.handle().accept(&name("a.example."), Serial(1)).await.unwrap();
    pop.wait_kept().await;
    assert_eq!(began(&pop), (1, BeganReason::Large, 0), "all addresses changed, too");
    pop.stop().await;
}

/// Where the child of the next test works; not set, it is no child.
const CHILD: &str = "ANYNS_TEST_HISTORY_CHILD";

/// No test of its own: the process that is killed. Deploys files and applies differences, without end.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let mut pop = Pop::at(Path::new(&directory));
    pop.start().await;
    let (first, _) = pop.served("a.example.").unwrap();
    for serial in first..u32::MAX {
        if serial % 3 == 0 {
            apply(&pop, serial, serial + 1, 400).await;
        } else {
            replace(&pop.path(ZONE), &zone_text(serial + 1, 400));
            pop.handle().reload().await;
        }
        println!("served {}", serial + 1);
    }
}

#[tokio::test]
async fn killed_at_any_moment_the_history_leads_to_what_is_served() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 400));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    let mut most = 0;
    for round in 0..7_usize {
        let mut child = Child(
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "history::child_that_is_killed", "--nocapture"])
                .env(CHILD, pop.directory.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut serials = lines.filter_map(|line| line.strip_prefix("served ")?.trim().parse::<u32>().ok());
        let last = serials.nth(2 + round * 2).expect("versions are served");
        child.0.kill().unwrap();
        let last = serials.last().unwrap_or(last);
        child.0.wait().unwrap();
        pop.published = Default::default();
        pop.start().await;
        pop.wait_kept().await;
        let (serial, content) = pop.served("a.example.").unwrap();
        assert!(serial == content && serial >= last, "{serial} after {last}");
        assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
        most = most.max(check(&pop, &BTreeMap::new()));
        // From each version that is kept the steps lead to what is served: the content tells.
        let history = pop.handle().history();
        let kept = history.steps(&name("a.example.")).unwrap().unwrap();
        for step in &kept.steps {
            let mut at = zone_of(step.from.0);
            for Difference { deleted, added, .. } in
                history.since(&name("a.example."), step.from).unwrap().unwrap()
            {
                at = at.with_changes(deleted, added).unwrap();
            }
            assert_eq!(text(&at), text(&served(&pop)));
        }
        pop.stop().await;
    }
    println!("{most} steps");
    assert!(most > 5);
    assert!(fs::metadata(pop.path("state/zones.redb")).is_ok());
}

/// The zone of `zone_text`.
fn zone_of(serial: u32) -> Zone {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.example.zone");
    fs::write(&path, zone_text(serial, 400)).unwrap();
    anyns::zonefile::read_zone(&path, &name("a.example."), &Default::default()).unwrap().zone
}
