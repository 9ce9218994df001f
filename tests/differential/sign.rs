//! Signs zone files with BIND's `dnssec-signzone`, as an operator would.

use std::path::Path;
use std::process::Command;

use super::support::process::must;
use super::zone::{Signing, Zone};

/// Signs the file in place; does nothing for an unsigned zone.
pub fn sign(zone: &Zone, files: &Path, keys: &Path) {
    if zone.signing == Signing::Unsigned {
        return;
    }
    let origin = zone.origin.lower().to_string();
    let keys = keys.display().to_string();
    let key = |flags: &[&str]| {
        let mut command = Command::new("dnssec-keygen");
        must(
            command.args(["-q", "-K", &keys, "-a", "ECDSAP256SHA256", "-n", "ZONE"]).args(flags).arg(&origin),
        );
    };
    key(&["-f", "KSK"]);
    key(&[]);
    let file = files.join(zone.file()).display().to_string();
    let mut command = Command::new("dnssec-signzone");
    // -S finds the keys, -P leaves out its own verification, -z nothing: both kinds of keys sign what is theirs.
    command.args(["-S", "-P", "-n", "1", "-K", &keys, "-d", &keys, "-o", &origin, "-f", &file, "-O", "full"]);
    match zone.signing {
        Signing::Nsec3 => drop(command.args(["-3", "aabb", "-H", "1"])),
        Signing::Nsec3OptOut => drop(command.args(["-3", "-", "-A"])),
        Signing::Unsigned | Signing::Nsec => {}
    }
    must(command.arg(&file));
}
