//! The way back of a signed zone: not here, because the serial is signed. What the refusal says helps: the older content signed anew, or the older
//! file by an order at each server. What is served is verified by another program each time.

use std::process::Command;

use crate::fleet::{FILES, Fleet, Place};
use crate::support::anyns::BOUND;
use crate::support::pop::replace;
use crate::support::process::must;
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

/// Signs versions of the zone.
struct Signer {
    directory: tempfile::TempDir,
    key: String,
}

impl Signer {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut keygen = Command::new("dnssec-keygen");
        let key = must(keygen.args(["-q", "-a", "ED25519", FILES]).current_dir(directory.path()));
        Self { directory, key: key.trim().to_owned() }
    }

    /// A signed version, with this address.
    fn signed(&self, serial: u32, address: &str) -> String {
        let public = self.directory.path().join(format!("{}.key", self.key));
        let public = std::fs::read_to_string(public).expect("the key");
        let text = format!(
            "@ 60 SOA ns1 host {serial} 3600 600 86400 60\n@ 60 NS ns1\nns1 60 A 192.0.2.1\nwww 60 A {address}\n{public}"
        );
        std::fs::write(self.directory.path().join("plain"), text).expect("written");
        let mut sign = Command::new("dnssec-signzone");
        sign.args(["-q", "-z", "-o", FILES, "-f", "signed", "plain", &self.key]);
        must(sign.current_dir(self.directory.path()));
        std::fs::read_to_string(self.directory.path().join("signed")).expect("a signed zone")
    }

    /// Whether what is served there has this serial and this address, and every signature is right.
    fn serves(&self, place: &Place, serial: u32, address: &str) -> bool {
        let Some((_, lines)) = place.zone(FILES).filter(|(found, _)| *found == serial) else { return false };
        assert!(lines.iter().any(|line| *line == format!("www.{FILES}. 60 IN A {address}")), "{lines:?}");
        let file = self.directory.path().join("served");
        std::fs::write(&file, lines.join("\n") + "\n").expect("written");
        must(Command::new("dnssec-verify").args(["-q", "-z", "-o", FILES]).arg(file));
        true
    }
}

#[test]
fn a_signed_zone_is_not_rolled_back_and_what_the_refusal_says_helps() {
    let programs = ["dig", "dnssec-keygen", "dnssec-signzone", "dnssec-verify"];
    if !has_programs("the way back of a signed zone", &programs) {
        return;
    }
    let (mut fleet, signer) = (Fleet::new(), Signer::new());
    let (right, wrong) = ("192.0.2.7", "192.0.2.66");
    let first = signer.signed(1, right);
    fleet.deploy(&first);
    fleet.start_hub();
    fleet.start_pop();
    let both = [fleet.at_hub(), fleet.at_pop()];
    let wait_serves = |serial: u32, address: &str| {
        for (place, name) in both.iter().zip(["hub", "POP"]) {
            wait_until(&format!("the {name} serves {serial}"), BOUND, || {
                signer.serves(place, serial, address)
            });
        }
    };
    wait_serves(1, right);
    fleet.deploy(&signer.signed(2, wrong));
    wait_serves(2, wrong);
    // Refused, with what to do in its place; nothing changes.
    for order in [&["zone", "rollback", FILES][..], &["zone", "rollback", FILES, "1"]] {
        let said = fleet.hub.anyns.command(order);
        let parts =
            ["only its signer", "with a serial above 2", "anyns zone accept", "anyns zone retransfer"];
        assert!(said.code == 1 && parts.iter().all(|part| said.text.contains(part)), "{said:?}");
    }
    wait_serves(2, wrong);
    // The older signed file as it was, by an order at each.
    fleet.deploy(&first);
    fleet.hub.anyns.wait_zone(FILES, "kept", Some(2));
    fleet.hub.anyns.must(&["zone", "accept", FILES, "1"]);
    fleet.pop.must(&["zone", "retransfer", FILES]);
    wait_serves(1, right);
    // The rejected version does not come back, not by a reload, and not by a restart.
    fleet.hub.anyns.must(&["reload"]);
    fleet.hub.anyns.kill();
    fleet.start_hub();
    fleet.hub.anyns.wait_zone(FILES, "served", Some(1));
    fleet.pop.must(&["zone", "refresh", FILES]);
    wait_serves(1, right);
    // The older content signed anew: all take it by themselves.
    replace(&fleet.file(), &signer.signed(3, right));
    wait_serves(3, right);
}
