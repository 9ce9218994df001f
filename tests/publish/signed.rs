//! Zones signed by BIND's tools, damaged line by line, and what BIND and ldns say of them.

use std::path::Path;
use std::process::Command;

use anyns::publish::check_signatures;
use anyns::zone::signatures::{Findings, Level};
use anyns::zonefile;
use tempfile::TempDir;

use crate::skip;
use crate::support::name;

/// Whether the tools are here; if not, the skip is told.
pub(crate) fn can_sign() -> bool {
    let programs = ["dnssec-keygen", "dnssec-signzone", "dnssec-verify", "ldns-verify-zone"];
    skip::has_programs("signatures of signed zones", &programs)
}

/// Every kind of data that is signed or not: an upper-case name in RDATA, a wildcard, an empty non-terminal, delegations with and
/// without DS, glue, duplicates but for case.
const PLAIN: &str = "$ORIGIN example.org.\n$TTL 3600
@ NS ns\n@ MX 10 MAIL.Example.ORG.\n@ MX 10 mail.example.org.\nns A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.10
www AAAA 2001:db8::1\n*.wild TXT \"w\"\nUp TXT \"x\"\na.ent A 192.0.2.4\nalias CNAME WWW\nother DNAME Example.NET.
sub NS ns.sub\nsub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000\nns.sub A 192.0.2.3
insecure NS ns.insecure\nns.insecure A 192.0.2.5\n";

/// Keys and the directory where zones are signed with them.
pub(crate) struct Signer {
    pub(crate) directory: TempDir,
    keys: Vec<String>,
}

impl Signer {
    /// With a new key of each algorithm.
    pub(crate) fn new(algorithms: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = |algorithm: &&str| {
            let bits: &[&str] = if algorithm.contains("RSA") { &["-b", "1024"] } else { &[] };
            let mut keygen = Command::new("dnssec-keygen");
            keygen.args(["-q", "-a", algorithm]).args(bits).arg("example.org");
            run(keygen.current_dir(directory.path())).trim().to_owned()
        };
        let keys = algorithms.iter().map(key).collect();
        Self { directory, keys }
    }

    /// The zone with this serial, one record on each line, all fields written out; `more` are records beside the usual ones.
    pub(crate) fn sign(&self, serial: u32, more: &str, arguments: &[&str]) -> String {
        let path = self.directory.path();
        let public = |key: &String| std::fs::read_to_string(path.join(format!("{key}.key"))).unwrap();
        let keys: String = self.keys.iter().map(public).collect();
        let soa = format!("@ 3600 SOA ns hostmaster {serial} 7200 3600 1209600 3600\n");
        let text = PLAIN.replacen("@ NS", &format!("{soa}@ NS"), 1);
        std::fs::write(path.join("plain"), format!("{text}{more}{keys}")).unwrap();
        let mut sign = Command::new("dnssec-signzone");
        sign.args(["-q", "-z", "-O", "full", "-o", "example.org", "-f", "signed"]).args(arguments);
        run(sign.arg("plain").args(&self.keys).current_dir(path));
        std::fs::read_to_string(path.join("signed")).unwrap()
    }

    /// The tag of the first key.
    pub(crate) fn tag(&self) -> u32 {
        self.keys[0].rsplit('+').next().unwrap().parse().unwrap()
    }

    /// What we find in a zone, and whether `dnssec-verify` and `ldns-verify-zone` accept it.
    pub(crate) fn judge(&self, zone: &str) -> (Findings, bool, bool) {
        let file = self.directory.path().join("example.org.zone");
        std::fs::write(&file, zone).unwrap();
        let accepts = |command: &mut Command| command.output().unwrap().status.success();
        let bind = accepts(Command::new("dnssec-verify").args(["-q", "-z", "-o", "example.org"]).arg(&file));
        let ldns = accepts(Command::new("ldns-verify-zone").arg(&file));
        (found(&file), bind, ldns)
    }
}

/// What is wrong with the signatures of a zone file.
fn found(file: &Path) -> Findings {
    let read = zonefile::read_zone(file, &name("example.org."), &zonefile::Limits::default()).unwrap();
    check_signatures(&read.zone, |_, _| {}).unwrap().0
}

/// The lines of a zone of which the owner and the type (of an RRSIG: `RRSIG` and the covered type) are these, changed.
pub(crate) fn change(
    zone: &str,
    owner: &str,
    record_type: &str,
    to: impl Fn(&str) -> Option<String>,
) -> String {
    let is_it = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let wanted: Vec<&str> = record_type.split(' ').collect();
        fields.first().is_some_and(|first| first.eq_ignore_ascii_case(owner))
            && fields.get(3..).is_some_and(|rest| rest.starts_with(&wanted))
    };
    let mut changed = 0;
    let lines: Vec<String> = zone
        .lines()
        .filter_map(|line| {
            if !is_it(line) {
                return Some(line.to_owned());
            }
            changed += 1;
            to(line)
        })
        .collect();
    assert!(changed > 0, "no {owner} {record_type}");
    lines.join("\n") + "\n"
}

/// A line with one field changed: 0 is the owner, 1 the TTL, 3 the type, 4 the first of the RDATA.
pub(crate) fn field(line: &str, number: usize, to: &str) -> Option<String> {
    let mut fields: Vec<&str> = line.split_whitespace().collect();
    fields[number] = to;
    Some(fields.join(" "))
}

/// Everything that was found, in words.
pub(crate) fn words(found: &Findings) -> Vec<String> {
    let levels = [(Level::Wrong, "wrong"), (Level::Time, "time"), (Level::Note, "note")];
    let told = levels
        .iter()
        .flat_map(|(level, word)| found.told(*level).iter().map(move |fault| format!("{word}: {fault}")));
    told.collect()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
