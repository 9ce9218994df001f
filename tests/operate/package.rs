//! The Debian package, installed and used in a fresh Debian: `package.sh` says how. Only in the full run: it takes minutes.

use std::path::Path;
use std::process::Command;

use crate::support::anyns::PROGRAM;
use crate::support::skip::{has_programs, is_full_run};

#[test]
fn it_is_installed_used_upgraded_and_removed() {
    // The full run alone: it builds the release.
    if !is_full_run()
        || !has_programs(
            "the Debian package",
            &["debootstrap", "systemd-nspawn", "cargo-deb", "gzip", "setpriv"],
        )
    {
        return;
    }
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operate/package.sh");
    let output = Command::new(script).arg(PROGRAM).arg(directory.path()).output().expect("it runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "{text}");
}
