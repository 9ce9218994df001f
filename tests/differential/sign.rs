//! Signs zone files with BIND's `dnssec-signzone`, as an operator would, but for the keys: two for all zones.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::process::must;
use super::zone::{Signing, Zone};

/// The name that the keys are made for before each zone gets copies with its own.
const MADE_FOR: &str = "key.invalid.";

/// A KSK and a ZSK. Making two for each zone would take twice as long as signing.
pub struct Keys {
    directory: PathBuf,
    /// Their file names after the zone's name, `+013+12345`.
    names: Vec<String>,
}

impl Keys {
    /// New keys, in this directory.
    pub fn new(directory: PathBuf) -> Self {
        let make = |flags: &[&str]| {
            let mut command = Command::new("dnssec-keygen");
            command.arg("-q").arg("-K").arg(&directory).args(["-a", "ECDSAP256SHA256", "-n", "ZONE"]);
            let name = must(command.args(flags).arg(MADE_FOR));
            name.trim().trim_start_matches(&format!("K{MADE_FOR}")).to_owned()
        };
        let names = vec![make(&["-f", "KSK"]), make(&[])];
        Self { directory, names }
    }

    /// Copies for a zone: the public part names its owner, in the file's name and in it.
    fn copy_for(&self, origin: &str) {
        let path =
            |owner: &str, name: &str, part: &str| self.directory.join(format!("K{owner}{name}.{part}"));
        for name in &self.names {
            let public = std::fs::read_to_string(path(MADE_FOR, name, "key")).expect("the key was made");
            std::fs::write(path(origin, name, "key"), public.replace(MADE_FOR, origin)).expect("writable");
            std::fs::copy(path(MADE_FOR, name, "private"), path(origin, name, "private")).expect("writable");
        }
    }

    /// Signs the file in place; does nothing for an unsigned zone.
    pub fn sign(&self, zone: &Zone, files: &Path) {
        if zone.signing == Signing::Unsigned {
            return;
        }
        let origin = zone.origin.lower().to_string();
        self.copy_for(&origin);
        let file = files.join(zone.file()).display().to_string();
        let keys = self.directory.display().to_string();
        let mut command = Command::new("dnssec-signzone");
        // -S finds the keys, -P leaves out its own verification, -z nothing: both kinds of keys sign what is theirs.
        command.args([
            "-S", "-P", "-n", "1", "-K", &keys, "-d", &keys, "-o", &origin, "-f", &file, "-O", "full",
        ]);
        match zone.signing {
            Signing::Nsec3 => drop(command.args(["-3", "aabb", "-H", "1"])),
            Signing::Nsec3OptOut => drop(command.args(["-3", "-", "-A"])),
            Signing::Unsigned | Signing::Nsec => {}
        }
        must(command.arg(&file));
    }
}
