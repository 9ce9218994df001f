//! Zones signed by the tools that people sign with.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::must;

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// `ldns-signzone` of NLnet Labs.
    Ldns,
    /// `dnssec-signzone` of BIND.
    Bind,
}

/// What denies existence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    Nsec,
    /// No iterations, no salt (RFC 9276 section 3.1).
    Nsec3,
    /// Five iterations and a salt, as zones were signed before RFC 9276.
    Nsec3Salted,
    OptOut,
}

/// A signed zone file and the DS record that its parent, or a trust anchor, has for it.
pub(crate) struct Signed {
    pub(crate) origin: String,
    pub(crate) file: PathBuf,
    /// As zone file text, absolute.
    pub(crate) ds: String,
}

/// Signs the zone `origin` (with its last dot) with a new key; files go into `directory`.
pub(crate) fn sign(directory: &Path, origin: &str, text: &str, signer: Signer, denial: Denial) -> Signed {
    let mut keygen = Command::new("ldns-keygen");
    let key = must(keygen.args(["-a", "ECDSAP256SHA256", "-k", origin]).current_dir(directory));
    let key = key.trim();
    let public = std::fs::read_to_string(directory.join(format!("{key}.key"))).unwrap();
    let ds = std::fs::read_to_string(directory.join(format!("{key}.ds"))).unwrap();
    let (plain, signed) = (format!("{origin}plain"), format!("{origin}zone"));
    std::fs::write(directory.join(&plain), format!("$ORIGIN {origin}\n$TTL 3600\n{text}{public}")).unwrap();
    let arguments: &[&str] = match (signer, denial) {
        (_, Denial::Nsec) => &[],
        (Signer::Ldns, Denial::Nsec3) => &["-n", "-t", "0"],
        (Signer::Ldns, Denial::Nsec3Salted) => &["-n", "-t", "5", "-s", "5a17"],
        (Signer::Ldns, Denial::OptOut) => &["-n", "-t", "0", "-p"],
        (Signer::Bind, Denial::Nsec3) => &["-3", "-"],
        (Signer::Bind, Denial::Nsec3Salted) => &["-3", "5a17", "-H", "5"],
        (Signer::Bind, Denial::OptOut) => &["-3", "-", "-A"],
    };
    let mut command = match signer {
        Signer::Ldns => Command::new("ldns-signzone"),
        Signer::Bind => {
            let mut command = Command::new("dnssec-signzone");
            command.args(["-q", "-z", "-o", origin]);
            command
        }
    };
    must(command.args(arguments).args(["-f", &signed, &plain, key]).current_dir(directory));
    Signed { origin: origin.into(), file: directory.join(signed), ds }
}
