//! `verdicts.toml`: zones that can never be right beside near ones that are, what anyns says of each, what BIND, Knot and NSD
//! say, and the RFC section that decides.

use std::path::Path;
use std::process::Command;

use anyns::zonefile::{Limits, read_zone};
use serde::Deserialize;

use crate::support::skip::has_programs;

/// What stands in front of the lines of a case; they begin in line 4.
const HEAD: &str =
    "$TTL 3600\n@ IN SOA ns.example. host.example. 1 7200 3600 1209600 300\n@ NS ns.example.\n";
const ORIGIN: &str = "example.org";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The lines behind [`HEAD`].
    lines: Vec<String>,
    anyns: Verdict,
    /// Words of the fault or the warning; every case that is not taken has some.
    #[serde(default)]
    says: String,
    /// Left out, as the next two, if it does not know the type.
    bind: Option<Verdict>,
    knot: Option<Verdict>,
    nsd: Option<Verdict>,
    /// The section.
    decides: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Takes,
    /// Takes it with a warning; of the other servers this is not told from taking it.
    Warns,
    Refuses,
}

fn cases() -> Vec<Case> {
    let file: File = toml::from_str(include_str!("verdicts.toml")).expect("verdicts.toml can be read");
    file.case
}

fn text(case: &Case) -> String {
    format!("{HEAD}{}\n", case.lines.join("\n"))
}

#[test]
fn anyns_refuses_what_can_never_be_right() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("zone");
    let origin = ORIGIN.parse().expect("a name");
    let mut wrong = Vec::new();
    for case in cases() {
        std::fs::write(&path, text(&case)).expect("written");
        let (verdict, says) = match read_zone(&path, &origin, &Limits::default()) {
            Ok(read) => {
                // A case with an NSEC record has no chain, which is not what it is about.
                let warnings = read.warnings.iter().map(ToString::to_string);
                let warnings: Vec<String> =
                    warnings.filter(|warning| !warning.contains("but the zone's apex has none")).collect();
                (if warnings.is_empty() { Verdict::Takes } else { Verdict::Warns }, warnings)
            }
            Err(error) => (Verdict::Refuses, error.faults.iter().map(ToString::to_string).collect()),
        };
        let is_said_once = match case.anyns {
            Verdict::Takes => case.says.is_empty() && says.is_empty(),
            Verdict::Warns | Verdict::Refuses => says.len() == 1 && says[0].contains(&case.says),
        };
        if verdict != case.anyns || !is_said_once || !case.decides.starts_with("RFC ") {
            wrong.push(format!("{:?}: {verdict:?} and not {:?}: {says:?}", case.lines, case.anyns));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs a checker on every case, of which `of` gives what it is known to say.
fn compare(program: &str, of: impl Fn(&Case) -> Option<Verdict>, command: impl Fn(&Path) -> Command) {
    if !has_programs(&format!("verdicts of {program}"), &[program]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    for case in cases() {
        let Some(expected) = of(&case) else { continue };
        std::fs::write(directory.path().join("zone"), text(&case)).expect("written");
        let output = command(directory.path()).output().expect("it runs");
        let verdict = if output.status.success() { Verdict::Takes } else { Verdict::Refuses };
        if verdict != expected {
            let (said, failed) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            wrong.push(format!("{:?}: {verdict:?} and not {expected:?}: {said}{failed}", case.lines));
        }
    }
    assert!(wrong.is_empty(), "{program} says something else than verdicts.toml:\n{}", wrong.join("\n"));
}

#[test]
fn named_checkzone_says_what_is_written() {
    compare(
        "named-checkzone",
        |case| case.bind,
        |directory| {
            let mut command = Command::new("named-checkzone");
            // Only this zone is looked at: no name is looked up.
            command.args(["-i", "local", ORIGIN]).arg(directory.join("zone"));
            command
        },
    );
}

#[test]
fn nsd_checkzone_says_what_is_written() {
    compare(
        "nsd-checkzone",
        |case| case.nsd,
        |directory| {
            let mut command = Command::new("nsd-checkzone");
            command.arg(ORIGIN).arg(directory.join("zone"));
            command
        },
    );
}

/// The checks of `kzonecheck`, which is a package of its own, are in `knotc` too.
#[test]
fn knotc_zone_check_says_what_is_written() {
    compare(
        "knotc",
        |case| case.knot,
        |directory| {
            let config = directory.join("knot.conf");
            let here = directory.display();
            let text = format!(
                "server:\n    rundir: \"{here}\"\ndatabase:\n    storage: \"{here}\"\nzone:\n  - domain: {ORIGIN}\n    \
             storage: \"{here}\"\n    file: \"zone\"\n    semantic-checks: on\n"
            );
            std::fs::write(&config, text).expect("written");
            let mut command = Command::new("knotc");
            command.arg("-c").arg(config).args(["zone-check", ORIGIN]);
            command
        },
    );
}
