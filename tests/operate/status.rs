//! The status and the admin socket of a running anyns.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::support::anyns::{BOUND, PROGRAM, run_here};
use crate::support::pop::{Alone, ZONE, deploy};
use crate::support::wait::wait_until;

/// The commands without `--socket`: they read the config file.
fn by_config(alone: &Alone, arguments: &[&str]) -> (i32, String) {
    let mut command = alone.space.command(PROGRAM);
    let output = command.args(arguments).arg("--config").arg(alone.anyns.config()).output().expect("it runs");
    let text = [output.stdout, output.stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned());
    (output.status.code().unwrap_or(-1), text.concat())
}

#[test]
fn a_half_edited_config_locks_nobody_out() {
    let alone = Alone::running("[drain]\ndeprefer = \"0s\"\n");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    for edit in ["[zonez]\n", "[pop\nname = \n", "[serve]\nport = \"a port\n"] {
        std::fs::write(alone.anyns.config(), format!("{edit}{before}")).expect("written");
        let (code, text) = by_config(&alone, &["status"]);
        assert_eq!(code, 0, "{edit:?}: {text}");
    }
    let (code, text) = by_config(&alone, &["drain", "--reason", "half-edited"]);
    assert_eq!(code, 0, "{text}");
}

/// Exit status 1 would say that the POP is degraded, or that a POP does not serve the version.
#[test]
fn a_config_that_is_not_there_is_no_state_of_the_pop() {
    let folder = tempfile::tempdir().expect("a folder");
    let absent = folder.path().join("absent.toml").display().to_string();
    for arguments in [
        &["status"][..],
        &["status", "--watch"],
        &["fleet"],
        &["fleet", "wait", ZONE, "1"],
        &["fleet", "catchment"],
        &["fleet", "plan", "drain", "ams1"],
    ] {
        let said = run_here(folder.path(), &[arguments, &["--config", &absent]].concat());
        assert_eq!(said.code, 3, "{arguments:?}: {}", said.text);
        assert_eq!(said.text.matches("absent.toml").count(), 1, "{}", said.text);
    }
    // A list without a POP, and one of which no POP answers.
    let list = folder.path().join("list.toml");
    let empty = format!("{}/empty.toml", folder.path().display());
    std::fs::write(&list, "[[fleet.pop]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"\n").expect("written");
    std::fs::write(&empty, "").expect("written");
    for file in [list.display().to_string(), empty] {
        for arguments in
            [&["fleet"][..], &["fleet", "wait", ZONE, "1", "--timeout", "300ms"], &["fleet", "catchment"]]
        {
            let said = run_here(folder.path(), &[arguments, &["--fleet", &file]].concat());
            assert_eq!(said.code, 3, "{arguments:?} {file}: {}", said.text);
        }
    }
}

/// A frozen server answers nothing: the operator is told that the command waits.
#[test]
fn an_order_that_waits_says_so() {
    let mut alone = Alone::running("");
    alone.anyns.signal(Signal::SIGSTOP);
    let mut command = alone.space.command(PROGRAM);
    command.args(["reload", "--config"]).arg(alone.anyns.config()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let line = lines.next().expect("a line").expect("it is read");
    assert!(line.contains("no answer yet on ") && line.ends_with("waiting, 1m 10s at most"), "{line}");
    assert!(child.try_wait().expect("it is looked at").is_none(), "it goes on waiting");
    alone.anyns.signal(Signal::SIGCONT);
    assert!(child.wait().expect("waited for").success());
}

#[test]
fn zones_are_shown_as_asked() {
    let alone = Alone::running("");
    deploy(&alone.zones, "other.example", 1);
    alone.anyns.wait_zone("other.example", "served", Some(1));
    std::fs::remove_file(alone.zones.join("other.example.zone")).expect("removed");
    alone.anyns.wait_zone("other.example", "kept", Some(1));
    let shown = |pattern: &str| alone.anyns.command(&["status", "--zones", pattern]).text;
    for (pattern, this, other) in
        [(ZONE, true, false), ("bad", false, true), ("*.example", false, true), ("*", true, true)]
    {
        let text = shown(pattern);
        let zones =
            text.split("\nzone\n").nth(1).expect("a table of zones").split("\n\n").next().expect("one");
        assert_eq!(
            (zones.contains(ZONE), zones.contains("other.example")),
            (this, other),
            "{pattern}: {text}"
        );
    }
    let first = shown(ZONE).lines().next().expect("a line").to_owned();
    assert!(first.starts_with("alone is DEGRADED since ") && first.contains("DRY RUN"), "{first}");
}

#[test]
fn watch_shows_frame_after_frame() {
    let alone = Alone::running("");
    let mut command = alone.space.command(PROGRAM);
    command.args(["status", "--watch", "--config"]).arg(alone.anyns.config());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let frames = lines.map_while(Result::ok).filter(|line| line.starts_with("alone is OK since ")).take(2);
    assert_eq!(frames.count(), 2);
    child.kill().expect("ended");
    child.wait().expect("waited for");
}

#[test]
fn the_socket_is_there_again_and_the_status_answers_during_a_stop() {
    let mut alone = Alone::running("[drain]\ndeprefer = \"10m\"\nquiet = \"10m\"\nlimit = \"20m\"\n");
    let socket = alone.lab.directory().join("alone.sock");
    std::fs::remove_file(&socket).expect("it was there");
    wait_until("the socket is there again", BOUND, || socket.exists());
    assert_eq!(alone.anyns.command(&["status"]).code, 0);
    alone.anyns.signal(Signal::SIGTERM);
    alone.anyns.wait_status("it says that it stops", |status| status["stopping"] == true);
    let drain = alone.anyns.command(&["drain"]);
    assert!(drain.code == 1 && drain.text.contains("anyns is stopping in order"), "{}", drain.text);
    alone.anyns.signal(Signal::SIGTERM);
    assert!(alone.anyns.process().wait_end(BOUND).success());
    assert!(!socket.exists());
}
