//! Skips are seen: each is printed and counted, and `tests/run` prints the sum.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Says that `what` was not tested and why; adds a line to the file named by `ANYNS_TEST_SKIPS`, if there is one.
pub fn skip(what: &str, why: &str) {
    println!("SKIPPED {what}: {why}");
    let Some(file) = std::env::var_os("ANYNS_TEST_SKIPS") else { return };
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let written = opened.and_then(|mut file| writeln!(file, "{what}: {why}"));
    written.expect("the file of skips can be written");
}

/// Whether every program is installed; if one is not, the skip of `what` is told.
pub fn has_programs(what: &str, programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        skip(what, &format!("not installed: {}", missing.join(" ")));
    }
    missing.is_empty()
}

/// Whether this is the long run (`tests/run full`).
pub fn is_full_run() -> bool {
    std::env::var_os("ANYNS_TEST_FULL").is_some_and(|value| value == "1")
}

fn is_installed(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(usual).any(|directory| directory.join(program).exists())
}
