//! Three POPs from the topology file that users deploy with containerlab: catchments, and every scenario with its timeline.
//!
//! The lab is built from network namespaces, by the code of the lab tool (`tests/labtool`). One test, because the scenarios happen one
//! after the other in one lab; the others read files only. With the real containerlab: `containers.rs`, in the long run.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../labtool/tool/mod.rs"]
mod tool;

mod catalog;
mod comparison;
mod containers;
mod image;
mod judge;
mod orders;
mod reset_key;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use support::skip::{has_programs, is_full_run};
use support::table::tell;
use tool::catchment;
use tool::ecmp;
use tool::faults;
use tool::namespaces;
use tool::nodes::RunningLab;
use tool::observe;
use tool::result::{HEADING, ScenarioResult, rows};
use tool::scenario::{SCENARIOS, Scenario};
use tool::topology::{Role, Stack, Topology};

/// One lab at a time: they measure.
static TURN: Mutex<()> = Mutex::new(());

/// What is run of the process crash beside the usual POP: each way of announcing has one.
const OTHER_WAYS: [&str; 2] = ["eu", "ap"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/containerlab")
}

fn topology() -> Topology {
    Topology::read(&folder().join("anyns.clab.yml")).unwrap_or_else(|error| panic!("{error}"))
}

/// Removes the lab, also when the test fails.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = std::fs::read_dir(namespaces::logs(&self.0)).into_iter().flatten().flatten();
            let names =
                logs.filter_map(|log| Some(log.file_name().to_str()?.strip_suffix(".log")?.to_owned()));
            for node in names {
                eprintln!("---- the log of {node} ends:\n{}", namespaces::end_of_log(&self.0, &node));
            }
        }
        if let Err(error) = namespaces::down(&self.0) {
            eprintln!("the lab is not removed: {error}");
        }
    }
}

#[test]
fn every_scenario_in_namespaces() {
    if !has_programs("the lab of several POPs", &["bird", "vtysh", "nsenter", "unshare", "setpriv", "pkill"])
    {
        return;
    }
    let results = in_namespaces(topology(), judge::scenario, judge::measured);
    // For the comparison, in the long run only.
    if !is_full_run() || !has_programs("the stitched stack", &["nsd", "nsd-control", "exabgp", "dig"]) {
        return;
    }
    let mut topology = topology();
    topology.stitch();
    let stitched = in_namespaces(topology, judge::stitched, judge::nothing_before);
    tell(&comparison::table(&results, &stitched));
}

/// What a scenario must show: always; and in one of several runs.
type Always = fn(&ScenarioResult);
type Measured = fn(&ScenarioResult) -> Result<(), String>;

/// Every scenario in a lab of its own, of which nothing stays.
fn in_namespaces(mut topology: Topology, always: Always, measured: Measured) -> Vec<ScenarioResult> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    namespaces::clear_dead().unwrap_or_else(|error| panic!("{error}"));
    let name = format!("{}{}", namespaces::OF_TESTS, std::process::id());
    topology.name.clone_from(&name);
    let removed = Removed(name.clone());
    let started = std::time::Instant::now();
    let lab = RunningLab::up(topology, Path::new(support::anyns::PROGRAM)).unwrap();
    faults::wait_whole(&lab).unwrap_or_else(|error| panic!("{error}"));
    let stack = lab.topology.stack.name();
    tell(&format!("several POPs with {stack}: the lab is whole after {:.1?}", started.elapsed()));
    let map = catchment::map(&lab);
    println!("{}", catchment::table(&map));
    judge::catchments(&lab, &map);
    if lab.topology.stack == Stack::Anyns {
        catalog::a_zone_comes_and_goes(&lab);
        reset_key::the_other_server_of_the_group_ends_a_connection(&lab, "ap");
    }
    tell(HEADING);
    let crash = Scenario::named("process-crash").unwrap();
    let usual = SCENARIOS.iter().map(|scenario| (*scenario, None));
    let all = usual.chain(OTHER_WAYS.iter().map(|pop| (crash, Some(*pop))));
    let results = all.map(|(scenario, pop)| {
        if scenario.name == "ecmp-plain" {
            // As a scenario leaves it that was interrupted: the next one is plain all the same.
            leave_resilient(&lab, scenario.pop);
        }
        run(&lab, scenario, pop, always, measured)
    });
    let results = results.collect();
    mend_ends_resilient_groups(&lab, "ap");
    drop(removed);
    let listed = support::process::must(std::process::Command::new("ip").args(["netns", "list"]));
    assert!(!listed.contains(&name), "namespaces stay: {listed}");
    assert!(!Path::new("/run/anyns-lab").join(&name).exists(), "the lab's directory stays");
    results
}

/// Starts the resilient groups of a POP and waits until they are there.
fn leave_resilient(lab: &RunningLab, pop: &str) {
    let router = lab.topology.the(Role::Router, pop).unwrap();
    ecmp::start_resilient(lab, router).unwrap_or_else(|error| panic!("{error}"));
    observe::wait("resilient groups", || faults::has_paths(lab, pop, RESILIENT_TABLE, |paths| paths > 0))
        .unwrap();
}

/// The table of `node resilient`, which is looked up before the main one.
const RESILIENT_TABLE: &str = "153";

fn mend_ends_resilient_groups(lab: &RunningLab, pop: &str) {
    leave_resilient(lab, pop);
    let router = lab.topology.the(Role::Router, pop).unwrap();
    let is_first =
        |family: &&str| lab.run(router, &["ip", family, "rule"]).unwrap().contains(RESILIENT_TABLE);
    assert!(["-4", "-6"].iter().all(is_first), "the table is looked up");
    faults::mend(lab).unwrap_or_else(|error| panic!("{error}"));
    assert!(!["-4", "-6"].iter().any(is_first), "the table is looked up after `mend`");
    for family in ["-4", "-6"] {
        // It fails where the kernel has removed the table with its last route.
        let show = ["ip", family, "route", "show", "table", RESILIENT_TABLE];
        let routes = lab.command(router, &show).unwrap().output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&routes), "", "routes stay");
    }
}

/// How often a scenario is run when its times and losses are not as they must be: a busy machine spoils one run, a fault of the server
/// all of them.
const TRIES: usize = 3;

/// Runs a scenario, tells its rows, writes its files where ANYNS_LAB_OUT says, and judges it.
fn run(
    lab: &RunningLab,
    scenario: Scenario,
    pop: Option<&str>,
    always: Always,
    measured: Measured,
) -> ScenarioResult {
    let mut remaining = TRIES;
    loop {
        remaining -= 1;
        let result = scenario.run(lab, pop).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
        println!("{}", result.timeline());
        always(&result);
        match measured(&result) {
            Err(fault) if remaining > 0 => tell(&format!("{}: once more: {fault}", scenario.name)),
            judged => {
                tell(rows(&result).trim_end());
                if let Some(folder) = std::env::var_os("ANYNS_LAB_OUT") {
                    let of_stack = match lab.topology.stack {
                        Stack::Anyns => "",
                        Stack::Stitched => "stitched",
                    };
                    tool::result::write(&result, &Path::new(&folder).join(of_stack)).unwrap();
                }
                judged.unwrap_or_else(|fault| panic!("{}, {TRIES} times: {fault}", scenario.name));
                return result;
            }
        }
    }
}
