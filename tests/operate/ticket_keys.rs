//! Keys of session tickets that two POPs share: OpenSSL resumes a session of one at the other; the keys are replaced by a reload.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::support::anyns::BOUND;
use crate::support::encrypted::{framed, write_pair};
use crate::support::pop::Alone;
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

/// One of two POPs, with DNS over TLS at the service address, the certificate and the keys of the directory that they share.
fn pop(shared: &Path, keys: &str) -> Alone {
    let at = |name: &str| shared.join(name).display().to_string();
    let tls = format!(
        "[tls]\ncertificate = '{}'\nkey = '{}'\ndot = 853\nidle = '500ms'\nticket-keys = {keys}\n",
        at("cert.pem"),
        at("key.pem")
    );
    Alone::new(&tls.replace("DIR", &shared.display().to_string()))
}

/// The file of a key.
fn key(shared: &Path, name: &str, first: u8) {
    let path = shared.join(name);
    std::fs::write(&path, (0..80).map(|index| first + index).collect::<Vec<u8>>()).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its mode is set");
}

/// Asks a POP by `openssl s_client`, with the session of `file` where there is one, and leaves the new session there. Whether the
/// session was resumed.
fn resumes(alone: &Alone, version: &str, file: &Path) -> bool {
    let mut command = alone.space.command("openssl");
    command.args(["s_client", "-connect", "192.0.2.53:853", "-servername", "ns.example", "-alpn", "dot"]);
    // The server ends the connection when it has been idle; the tickets have come by then.
    command.args([version, "-ign_eof", "-sess_out"]).arg(file);
    if file.exists() {
        command.arg("-sess_in").arg(file);
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("openssl runs");
    let query = [&[0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x07example\x03org\0\0\x06\0\x01"].concat();
    child.stdin.take().expect("a pipe").write_all(&framed(&query)).expect("openssl reads");
    let output = child.wait_with_output().expect("openssl ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.stdout.windows(2).any(|pair| pair == [0, 7]), "no answer: {text}");
    match (text.contains("\nReused, TLSv1."), text.contains("\nNew, TLSv1.")) {
        (true, false) => true,
        (false, true) => false,
        _ => panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn a_session_of_one_pop_is_resumed_at_the_other_and_keys_are_replaced_by_a_reload() {
    if !has_programs("ticket keys with OpenSSL", &["openssl"]) {
        return;
    }
    let shared = tempfile::tempdir().expect("a directory");
    write_pair(shared.path());
    key(shared.path(), "current", 1);
    key(shared.path(), "next", 2);
    let keys = "['DIR/current', 'DIR/next']";
    let (mut one, mut other) = (pop(shared.path(), keys), pop(shared.path(), keys));
    let listed = one.anyns.must(&["check"]);
    assert!(listed.contains("ticket key 0102030405060708090a0b0c0d0e0f10: "), "{listed}");
    assert!(listed.contains("/current issues and opens tickets"), "{listed}");
    assert!(listed.contains("/next opens tickets"), "{listed}");
    for pop in [&mut one, &mut other] {
        pop.anyns.start(&pop.lab);
        pop.anyns.wait_announces();
    }
    for version in ["-tls1_3", "-tls1_2"] {
        let file = shared.path().join(version);
        assert!(!resumes(&one, version, &file), "{version}: there is no session yet");
        assert!(resumes(&other, version, &file), "{version}: at the other POP");
    }

    // A rotation, at the one POP by a signal; the other has the next key already.
    let move_to = |from: &str, to: &str| {
        std::fs::rename(shared.path().join(from), shared.path().join(to)).expect("moved");
    };
    move_to("current", "previous");
    move_to("next", "current");
    key(shared.path(), "next", 3);
    let config = std::fs::read_to_string(one.anyns.config()).expect("the config");
    let listed = format!("['{0}/current', '{0}/previous', '{0}/next']", shared.path().display());
    let before = keys.replace("DIR", &shared.path().display().to_string());
    assert!(config.contains(&before), "{config}");
    std::fs::write(one.anyns.config(), config.replace(&before, &listed)).expect("written");
    one.anyns.signal(Signal::SIGHUP);
    let new = "02030405060708090a0b0c0d0e0f1011";
    let said = format!("the ticket keys are read; the first one issues names=[\"{new}\"");
    wait_until("the keys are read", BOUND, || one.anyns.process().output().contains(&said));
    for version in ["-tls1_3", "-tls1_2"] {
        let file = shared.path().join(version);
        assert!(resumes(&one, version, &file), "{version}: the previous key opens");
        assert!(resumes(&other, version, &file), "{version}: the next key opens");
    }
    let status = one.anyns.command(&["status"]);
    assert_eq!(status.code, 0, "nothing needs a restart: {}", status.text);

    // Files that others can read: the reload fails, and the keys in use stay.
    std::fs::set_permissions(shared.path().join("next"), std::fs::Permissions::from_mode(0o644))
        .expect("set");
    let said = one.anyns.command(&["reload"]);
    assert!(
        said.code == 1 && said.text.contains("the old ticket keys stay: the ticket key"),
        "{}",
        said.text
    );
    assert!(said.text.contains("/next has mode 644"), "{}", said.text);
    one.anyns.wait_status("says so", |status| {
        let alarms = status["alarms"].to_string();
        status["overall"]["verdict"] == "degraded" && alarms.contains("the old ticket keys stay")
    });
    let said = one.anyns.command(&["check"]);
    assert!(said.code == 1 && said.text.contains("error: tls.ticket-keys: "), "{}", said.text);
    let file = shared.path().join("-tls1_3");
    assert!(resumes(&one, "-tls1_3", &file));

    // The old key is gone: a full handshake.
    std::fs::set_permissions(shared.path().join("next"), std::fs::Permissions::from_mode(0o600))
        .expect("set");
    for name in ["current", "previous", "next"] {
        key(shared.path(), name, 20 + name.len() as u8);
    }
    one.anyns.must(&["reload"]);
    assert!(!resumes(&one, "-tls1_3", &file), "no key opens this ticket any more");
    one.anyns.wait_status("is healthy again", |status| status["overall"]["verdict"] != "degraded");
}
