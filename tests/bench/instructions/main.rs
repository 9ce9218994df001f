//! Instructions that the parts of the query path take, counted by callgrind and held against bounds: `cargo bench --bench
//! instructions`. A count does not depend on the machine's load or clock, so a part that has become dearer is seen at once.
//!
//! This program runs itself under valgrind once for each part; [`measured`] alone is counted. Ends with 1 if a part takes
//! more than `bounds.toml` allows.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark stops at the first fault and prints what it measures"
)]

#[allow(dead_code, reason = "each benchmark uses its own part of this module")]
#[path = "../micro/material.rs"]
mod material;
mod parts;
#[allow(dead_code, reason = "each benchmark uses its own part of this module")]
#[path = "../queries.rs"]
mod queries;
#[path = "../reports.rs"]
mod reports;
#[allow(dead_code, unreachable_pub, reason = "each benchmark uses its own part of this module")]
#[path = "../../support/skip.rs"]
mod skip;
#[allow(dead_code, reason = "each benchmark uses its own part of this module")]
#[path = "../zones.rs"]
mod zones;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use parts::PARTS;

/// The argument before the name of a part: run it, and count nothing here.
const RUN: &str = "--run";

/// The bounds: instructions a query, by the part's name.
const BOUNDS: &str = include_str!("bounds.toml");

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != RUN).skip(1);
    if let Some(name) = arguments.next() {
        let (_, run) = PARTS.iter().find(|(part, _)| *part == name).expect("a part of this name");
        run();
        return ExitCode::SUCCESS;
    }
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip::skip("instructions", "no valgrind here; apt-get install valgrind");
        return ExitCode::SUCCESS;
    }
    let bounds: BTreeMap<String, u64> = toml::from_str(BOUNDS).expect("the bounds are TOML");
    let mut dearer = 0;
    println!("instructions a query (bound):");
    for (name, _) in PARTS {
        let count = count(name) / parts::QUERIES as u64;
        let bound = *bounds.get(*name).unwrap_or_else(|| panic!("no bound for {name} in bounds.toml"));
        let verdict = if count > bound { "  DEARER" } else { "" };
        println!("  {name:<18} {count:>6} ({bound}){verdict}");
        dearer += usize::from(count > bound);
    }
    if dearer == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The instructions of one part, for all queries.
fn count(name: &str) -> u64 {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let out = home.path().join("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*instructions*measured*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program has a path"))
        .args([RUN, name])
        .output()
        .expect("valgrind starts");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let count = read(&out);
    assert!(count > 0, "{name}: nothing was counted");
    count
}

/// The sum that callgrind wrote.
fn read(out: &Path) -> u64 {
    let text = std::fs::read_to_string(out).expect("callgrind has written its file");
    let line = text.lines().find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
    line.and_then(|line| line.trim().parse().ok()).expect("callgrind has written a sum")
}

/// What is counted.
#[inline(never)]
fn measured(run: &mut dyn FnMut()) {
    run();
}
