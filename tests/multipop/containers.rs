//! The same file with the real containerlab and Docker: deploy, map, every scenario, destroy. In the long run only: it builds
//! containerlab and images, and needs Go.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use crate::support::anyns::PROGRAM;
use crate::support::process::must;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::table::tell;
use crate::tool::catchment;
use crate::tool::faults;
use crate::tool::nodes::RunningLab;
use crate::tool::scenario::SCENARIOS;
use crate::{TURN, folder, image, judge, orders, run, topology};

/// What has been prepared; taken away when dropped.
struct Prepared {
    directory: tempfile::TempDir,
}

impl Prepared {
    fn new() -> Self {
        let prepared = Self { directory: tempfile::tempdir().expect("a directory") };
        println!("{}", prepared.order(&["prepare", PROGRAM]));
        prepared
    }

    fn order(&self, arguments: &[&str]) -> String {
        must(&mut self.script(arguments))
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multipop/containerlab");
        let mut command = Command::new(script);
        command.args(arguments).env("WORK", self.directory.path());
        command
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        match self.script(&["remove"]).output() {
            Ok(output) => println!("{}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => eprintln!("what was prepared is not removed: {error}"),
        }
    }
}

#[test]
fn every_scenario_in_containers() {
    if !is_full_run() {
        return;
    }
    if !has_programs("the real containerlab", &["go", "dockerd", "docker", "mmdebstrap"]) {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let prepared = Prepared::new();
    image::runs_as_itself(&folder().join("config/hub/example.org.zone"));
    println!("{}", prepared.order(&["deploy"]));
    let lab = RunningLab::containers(topology()).unwrap_or_else(|error| panic!("{error}"));
    faults::wait_whole(&lab).unwrap_or_else(|error| panic!("{error}"));
    let map = catchment::map(&lab);
    println!("{}", catchment::table(&map));
    judge::catchments(&lab, &map);
    tell("the same with containerlab and Docker");
    for scenario in SCENARIOS {
        run(&lab, *scenario, None, judge::scenario, judge::measured);
    }
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", prepared.directory.path().join("bin").display());
    let mut down = orders::lab(&["--topology", &lab.topology.file.to_string_lossy(), "--containers", "down"]);
    must(down.env("PATH", path).env("CLAB_LABDIR_BASE", prepared.directory.path()));
    let left = must(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", "name=clab-anyns-"]));
    assert!(left.trim().is_empty(), "containers stay: {left}");
    let spaces = must(Command::new("ip").args(["netns", "list"]));
    assert!(!spaces.contains("clab-anyns-"), "namespaces stay: {spaces}");
    let directory = prepared.directory.path().to_owned();
    drop(prepared);
    assert!(!directory.exists(), "{} stays, because something is mounted there", directory.display());
}
