//! `neighbors.toml`: settings of BGP that can never be right beside near ones that are, what anyns says of each, what BIRD and
//! FRR say, and the RFC section that decides.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use toml::{Table, Value};

use crate::support::skip::has_programs;
use crate::verdicts::Verdict;

/// The config that a case changes a section of.
const GOOD: &str = "
[pop]
name = \"ams1\"
management-addresses = [\"198.18.1.2\", \"2001:db8:1::2\"]
[zones]
directory = \"zones\"
[[service]]
prefix = \"192.0.2.0/24\"
addresses = [\"192.0.2.53\"]
[route]
driver = \"bgp\"
[bgp]
local-as = 65001
router-id = \"198.51.100.1\"
[[bgp.neighbor]]
address = \"198.18.1.1\"
remote-as = 65000
next-hop-ipv6 = \"2001:db8:1::2\"
";

const BIRD: &str = "router id {rid};
protocol device {}
{more}
protocol bgp x {
  local {local} as {las};
  neighbor {nb} as {ras};
  {bgp}
  ipv4 { import none; export all; {four} };
  ipv6 { import none; export all; {six} };
}
";

const FRR: &str = "{more}
router bgp {las}
 bgp router-id {rid}
 no bgp ebgp-requires-policy
 neighbor {nb} remote-as {ras}
 {bgp}
 address-family ipv4 unicast
  {network}
 exit-address-family
exit
";

/// What stands for a piece that a case does not change.
const PIECES: [(&str, &str); 10] = [
    ("rid", "198.51.100.1"),
    ("local", "198.18.1.2"),
    ("las", "65001"),
    ("nb", "198.18.1.1"),
    ("ras", "65000"),
    ("bgp", ""),
    ("four", ""),
    ("six", ""),
    ("network", ""),
    ("more", ""),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Case {
    /// In words.
    what: String,
    /// Keys of the section that are other than in [`GOOD`].
    #[serde(default)]
    bgp: Table,
    #[serde(default)]
    neighbor: Table,
    #[serde(default)]
    service: Table,
    anyns: Verdict,
    /// Words of the fault or the warning; every case that is not taken has some.
    #[serde(default)]
    says: String,
    /// The same in BIRD's words: pieces of [`BIRD`]. Left out, as those of FRR, where there is no such setting.
    bird: Option<BTreeMap<String, String>>,
    bird_says: Option<Verdict>,
    frr: Option<BTreeMap<String, String>>,
    frr_says: Option<Verdict>,
    /// The section.
    decides: String,
}

fn cases() -> Vec<Case> {
    let file: File = toml::from_str(include_str!("neighbors.toml")).expect("neighbors.toml can be read");
    file.case
}

fn config(case: &Case) -> String {
    let mut config: Table = GOOD.parse().expect("the good config");
    let first = |value: &mut Value, key: &str| -> Table {
        let list = value.get_mut(key).and_then(Value::as_array_mut).expect("a list");
        list.remove(0).try_into().expect("a section")
    };
    let mut bgp = config.remove("bgp").expect("[bgp]");
    let mut neighbor = first(&mut bgp, "neighbor");
    neighbor.extend(case.neighbor.clone());
    let mut bgp: Table = bgp.try_into().expect("a section");
    bgp.extend(case.bgp.clone());
    bgp.insert("neighbor".to_owned(), Value::Array(vec![Value::Table(neighbor)]));
    config.insert("bgp".to_owned(), Value::Table(bgp));
    let mut service = first(&mut Value::Table(config.clone()), "service");
    service.extend(case.service.clone());
    config.insert("service".to_owned(), Value::Array(vec![Value::Table(service)]));
    config.to_string()
}

#[test]
fn anyns_refuses_settings_of_bgp_that_can_never_be_right() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (verdict, says) = match anyns::config::parse(Path::new("anyns.toml"), &config(&case)) {
            Ok(loaded) => {
                let says: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
                (if says.is_empty() { Verdict::Takes } else { Verdict::Warns }, says)
            }
            Err(error) => (Verdict::Refuses, error.to_string().lines().map(str::to_owned).collect()),
        };
        let is_said = match case.anyns {
            Verdict::Takes => case.says.is_empty() && says.is_empty(),
            Verdict::Warns | Verdict::Refuses => {
                !case.says.is_empty() && says.iter().any(|one| one.contains(&case.says))
            }
        };
        // Each fault has its line.
        let is_placed =
            says.iter().all(|one| one.strip_prefix("anyns.toml:").is_some_and(|rest| !rest.starts_with(' ')));
        if verdict != case.anyns || !is_said || !is_placed || !case.decides.starts_with("RFC ") {
            wrong.push(format!("{}: {verdict:?} and not {:?}: {says:?}", case.what, case.anyns));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The config of a case in another daemon's words.
fn text(template: &str, pieces: &BTreeMap<String, String>) -> String {
    let mut text = template.to_owned();
    for (name, usual) in PIECES {
        let piece = pieces.get(name).map_or(usual, String::as_str);
        text = text.replace(&format!("{{{name}}}"), piece);
    }
    text
}

/// What a daemon says of the cases that it has the setting of, against what is written.
fn compare<'a>(daemon: &str, said: impl Iterator<Item = (&'a Case, Option<Verdict>, Verdict)>) {
    let differs = said.filter(|(_, expected, verdict)| *expected != Some(*verdict));
    let wrong: Vec<String> = differs
        .map(|(case, expected, verdict)| format!("{}: {verdict:?} and not {expected:?}", case.what))
        .collect();
    assert!(wrong.is_empty(), "{daemon} says something else than neighbors.toml:\n{}", wrong.join("\n"));
}

fn verdict_of(is_good: bool) -> Verdict {
    if is_good { Verdict::Takes } else { Verdict::Refuses }
}

#[test]
fn bird_says_what_is_written() {
    if !has_programs("verdicts of bird", &["bird"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("bird.conf");
    let cases = cases();
    let said = cases.iter().filter_map(|case| {
        std::fs::write(&file, text(BIRD, case.bird.as_ref()?)).expect("written");
        let output = Command::new("bird").args(["-p", "-c"]).arg(&file).output().expect("it runs");
        Some((case, case.bird_says, verdict_of(output.status.success())))
    });
    compare("bird", said);
}

/// `vtysh` judges the form of each line, `bgpd` what it means.
#[test]
fn frr_says_what_is_written() {
    const BGPD: &str = "/usr/lib/frr/bgpd";
    if !has_programs("verdicts of frr", &["vtysh", BGPD]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("frr.conf");
    let cases = cases();
    let said = cases.iter().filter_map(|case| {
        std::fs::write(&file, text(FRR, case.frr.as_ref()?)).expect("written");
        let form = Command::new("vtysh").args(["-C", "-f"]).arg(&file).output().expect("it runs");
        let mut bgpd = Command::new(BGPD);
        bgpd.args(["-C", "-n", "-f"]).arg(&file).arg("--vty_socket").arg(directory.path());
        bgpd.arg("-i").arg(directory.path().join("pid")).arg("-z").arg(directory.path().join("zebra"));
        let meaning = bgpd.output().expect("it runs");
        let words =
            String::from_utf8_lossy(&meaning.stderr).into_owned() + &String::from_utf8_lossy(&meaning.stdout);
        let fails = words.contains("Config Failed") || words.contains("Configuration failed");
        Some((case, case.frr_says, verdict_of(form.status.success() && !fails)))
    });
    compare("frr", said);
}
