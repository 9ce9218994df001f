//! `anyns check` on the host that serves: what keeps `run` from starting or from announcing is an error, what it starts without is a warning.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use crate::support::anyns::{PROGRAM, Said, run_here};

/// A port of loopback that is taken for as long as both sockets live.
fn taken_port() -> (u16, (UdpSocket, TcpListener)) {
    let sockets = (0..32).find_map(|_| {
        let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
        let tcp = TcpListener::bind(udp.local_addr().ok()?).ok()?;
        Some((udp, tcp))
    });
    let sockets = sockets.expect("a free port");
    (sockets.0.local_addr().expect("an address").port(), sockets)
}

/// Writes a configuration of one zone that is served on loopback.
fn write(directory: &Path, port: u16, more: &str) {
    std::fs::create_dir_all(directory.join("zones")).expect("made");
    let zone = "@ 60 IN SOA ns1 host 1 3600 600 86400 300\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.53\n";
    std::fs::write(directory.join("zones/example.org.zone"), zone).expect("written");
    let has = |section: &str| more.contains(section);
    let listen = match has("[[service]]") {
        true => format!("port = {port}\n"),
        false => format!("listen = [\"127.0.0.1:{port}\"]\n"),
    };
    let zones = if has("[zones]") { "" } else { "[zones]\ndirectory = \"zones\"\n" };
    let control = if has("[control]") { "" } else { "[control]\nsocket = \"anyns.sock\"\n" };
    let text = format!(
        "[pop]\nname = \"here\"\nmanagement-addresses = [\"127.0.0.1\"]\n[serve]\n{listen}{zones}{control}{more}"
    );
    std::fs::write(directory.join("anyns.toml"), text).expect("written");
}

fn check(directory: &Path) -> Said {
    run_here(directory, &["check", "--config", "anyns.toml"])
}

#[test]
fn what_run_would_meet_is_told_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let (port, sockets) = taken_port();
    write(directory, port, "");
    let said = check(directory);
    let words = ["udp", "tcp"]
        .map(|it| format!("error: cannot listen on 127.0.0.1:{port}/{it}: another process has this port"));
    assert!(said.code == 1 && words.iter().all(|words| said.text.contains(words)), "{}", said.text);
    drop(sockets);
    assert_eq!(check(directory).code, 0, "{}", check(directory).text);
    std::fs::write(directory.join("file"), "").expect("written");
    std::fs::create_dir(directory.join("state")).expect("made");
    std::fs::write(directory.join("state/drained"), "a new router").expect("written");
    std::fs::write(directory.join("a.key"), "c2VjcmV0IG9mIGEgdGVzdA==\n").expect("written");
    assert!(
        Command::new("chmod")
            .args(["600", "a.key"])
            .current_dir(directory)
            .status()
            .expect("it runs")
            .success()
    );
    let state = |path: &str| format!("[zones]\ndirectory = \"zones\"\nstate-directory = \"{path}\"\n");
    let bgp = "[[service]]\nprefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\"]\n[route]\ndriver = \"bgp\"\n\
               [bgp]\nlocal-as = 65001\nrouter-id = \"192.0.2.1\"\n";
    for (more, code, words) in [
        ("[control]\nsocket = \"absent/below/a.sock\"\n".to_owned(), 1, "error: control.socket: cannot make the directory of"),
        ("[control]\nsocket = \"file/a.sock\"\n".to_owned(), 1, "error: control.socket: cannot"),
        (bgp.to_owned(), 1, "error: bgp.neighbor: nothing is announced"),
        (state("file/state"), 0, "warning: zones.state-directory: nothing of what is served can be kept in"),
        (state("state"), 0, "warning: this POP is drained, and nothing is announced until `anyns undrain`: a new router"),
        (
            "[rssac002]\ndirectory = \"file/rssac002\"\nservice = \"test.example\"\n".to_owned(),
            0,
            "warning: rssac002.directory: nothing can be written in",
        ),
        (
            "[[key]]\nname = \"a.\"\nalgorithm = \"hmac-sha256\"\nsecret-file = \"a.key\"\n".to_owned(),
            0,
            "warning: key.secret-file: only root can read",
        ),
        (
            "[transfer]\ndelay = \"1h\"\n[[service]]\nprefix = \"127.0.0.53/32\"\naddresses = [\"127.0.0.53\"]\n".to_owned()
                + &state("other"),
            0,
            "its route is preferred like all others",
        ),
        (
            "[transfer]\n[[zone]]\nname = \"example.net\"\nprimaries = [{ address = \"192.0.2.1\" }]\n".to_owned(),
            0,
            "zone example.net. comes from 192.0.2.1:53",
        ),
    ] {
        write(directory, port, &more);
        let said = check(directory);
        assert!(said.code == code && said.text.contains(words), "{words}: {}\nof {more}", said.text);
    }
    assert!(!directory.join("other").exists() && !directory.join("absent").exists(), "a check makes nothing");
}

/// A group that the user is not in, as a unit without `SupplementaryGroups=` has it.
#[test]
fn a_group_that_the_user_is_not_in_is_told_to_who_starts_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (port, sockets) = taken_port();
    drop(sockets);
    write(directory.path(), port, "[control]\nsocket = \"anyns.sock\"\ngroup = \"daemon\"\n");
    // Root without the capability to give files away.
    let mut command = Command::new("setpriv");
    command.args([
        "--bounding-set",
        "-chown",
        "--inh-caps",
        "-chown",
        PROGRAM,
        "run",
        "--config",
        "anyns.toml",
    ]);
    let output = command.current_dir(directory.path()).output().expect("setpriv runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("control.group") && text.contains("SupplementaryGroups="), "{text}");
}

/// All faults of a file are in one place, in its order.
#[test]
fn the_faults_of_a_zone_file_are_told_in_its_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let zone =
        "@ 60 IN SOA a b 1 2 3 4 5\n@ 60 IN NS a\na 60 IN A 192.0.2.300\nb 60 IN A x\nc 60 IN AAAA y\n";
    std::fs::write(directory.path().join("example.org.zone"), zone).expect("written");
    let mut command = Command::new(PROGRAM);
    let output = command.args(["zone", "check", "example.org.zone"]).current_dir(directory.path()).output();
    let output = output.expect("it runs");
    let lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let places: Vec<&str> = lines.iter().filter_map(|line| line.split(':').nth(2)).collect();
    assert_eq!(places, ["3", "4", "5"], "{lines:?}");
    assert_eq!(
        (output.status.code(), output.stderr.len()),
        (Some(1), 0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
