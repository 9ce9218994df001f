//! A drain by order: prefer less, withdraw, stay so, also across a restart; the server goes on answering.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::anyns::{BOUND, every_intent};
use crate::support::fuse::Fuse;
use crate::support::pop::{Alone, ZONE, state_directory};
use crate::support::process::{Process, read};
use crate::support::skip::{has_programs, skip};
use crate::support::table::tell;
use crate::support::wait::wait_until;

fn intents(alone: &Alone, intent: &str) {
    let what = format!("every prefix is meant to be {intent}");
    alone.anyns.wait_status(&what, |status| every_intent(status, intent));
}

#[test]
fn a_drain_prefers_less_and_then_withdraws() {
    let alone = Alone::running("[drain]\ndeprefer = \"3s\"\n");
    alone.anyns.must(&["drain", "--reason", "router upgrade"]);
    intents(&alone, "deprefer");
    let said = alone.anyns.must(&["drain", "--reason", "router upgrade"]);
    assert!(said.starts_with("draining already: withdraws in "), "{said}");
    assert!(said.contains("; the reason is the new one; "), "{said}");
    intents(&alone, "withdraw");
    let said = alone.anyns.must(&["drain", "--reason", "router upgrade"]);
    assert!(said.starts_with("drained already: "), "{said}");
    assert_eq!(alone.served_version(ZONE), Some(1), "it goes on answering");
    let said = alone.anyns.command(&["status"]);
    assert_eq!(said.code, 2, "down: {}", said.text);
    assert!(said.text.contains("router upgrade"), "{}", said.text);
    alone.anyns.must(&["undrain"]);
    alone.anyns.wait_announces();
    assert_eq!(alone.anyns.command(&["undrain"]).code, 1, "there is no drain to end");
}

#[test]
fn a_drain_outlives_the_process() {
    let mut alone = Alone::running("[drain]\ndeprefer = \"0s\"\n");
    alone.anyns.must(&["drain", "--reason", "broken fan"]);
    intents(&alone, "withdraw");
    alone.anyns.kill();
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_zone(ZONE, "served", Some(1));
    let drained = |status: &serde_json::Value| {
        status["operator"]["order"] == "withdraw" && status["operator"]["reason"] == "broken fan"
    };
    alone.anyns.wait_status("the drain is still there", drained);
    let up = |status: &serde_json::Value| {
        status["probes"].as_array().is_some_and(|probes| probes.iter().all(|probe| probe["standing"] == "up"))
    };
    let status = alone.anyns.wait_status("probes are up, and still", up);
    assert!(every_intent(&status, "withdraw"), "{status:#}");
    alone.anyns.must(&["undrain"]);
    alone.anyns.wait_announces();
}

/// "Also across a restart" is true of a power failure, too: the file and its directory are on the disk before the answer.
#[test]
fn a_drain_is_on_the_disk_when_it_is_answered() {
    if !has_programs("what is synced", &["strace"]) {
        return;
    }
    let alone = Alone::running("[drain]\ndeprefer = \"0s\"\n");
    let trace = alone.lab.directory().join("trace");
    let process = alone.anyns.process_id().to_string();
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", calls, "-p", &process, "-o"]).arg(&trace);
    let mut strace = Process::start("strace", command, alone.lab.log_file("strace"));
    wait_until("strace is attached", BOUND, || strace.output().contains("attached"));
    let state = state_directory(&alone.lab, "alone").display().to_string();
    // The end of each call, in order; those of other files are left out.
    let calls = || -> Vec<&'static str> {
        let of = |line: &str| match line {
            _ if line.contains("fsync(") && line.contains("/drained.new>") => Some("file"),
            _ if line.contains("fsync(") && line.contains(&format!("<{state}>")) => Some("directory"),
            _ if line.contains("rename") && line.contains("/drained\"") => Some("rename"),
            _ if line.contains("unlink") && line.contains("/drained\"") => Some("unlink"),
            _ => None,
        };
        read(&trace).lines().filter_map(of).collect()
    };
    alone.anyns.must(&["drain", "--reason", "work"]);
    wait_until("the drain is on the disk", BOUND, || calls() == ["file", "rename", "directory"]);
    alone.anyns.must(&["undrain"]);
    wait_until("its end is on the disk", BOUND, || {
        calls() == ["file", "rename", "directory", "unlink", "directory"]
    });
    strace.signal(Signal::SIGINT);
    strace.wait_end(BOUND);
}

/// A drain whose file cannot be read stays: nobody else knows that this POP was taken out of service.
#[test]
fn a_drain_that_cannot_be_read_is_a_drain() {
    let mut alone = Alone::running("[drain]\ndeprefer = \"0s\"\n");
    alone.anyns.kill();
    let file = state_directory(&alone.lab, "alone").join("drained");
    std::fs::create_dir(&file).unwrap();
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_zone(ZONE, "served", Some(1));
    alone.anyns.wait_status("it is drained, and says why", |status| {
        let reason = status["operator"]["reason"].as_str().unwrap_or_default();
        status["operator"]["order"] == "withdraw" && reason.contains("drained is a directory")
    });
    // Nobody is known to have ordered it: it ends all the same, until the next start.
    let said = alone.anyns.must(&["undrain"]);
    assert!(said.contains("a restart drains it again: "), "{said}");
    alone.anyns.wait_announces();
    // What an operator orders is kept, or it is said that it is not.
    std::fs::remove_dir(&file).unwrap();
    alone.anyns.must(&["drain", "--reason", "work"]);
    alone.anyns.must(&["undrain"]);
    alone.anyns.wait_announces();
}

/// The disk of the file that keeps the drain does not answer.
#[test]
fn a_drain_waits_for_no_disk() {
    let mut alone = Alone::new("[drain]\ndeprefer = \"0s\"\n");
    let (data, state) = (alone.lab.subdirectory("state-data"), state_directory(&alone.lab, "alone"));
    let Some(fuse) = Fuse::mount(&data, &state) else {
        return skip("a drain whose disk does not answer", "there is no FUSE");
    };
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    fuse.stop();
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| alone.anyns.must(&["drain", "--reason", "dead disk"]));
        intents(&alone, "withdraw");
        let lease = |status: &serde_json::Value| {
            let alarms = status["alarms"].as_array();
            alarms.is_some_and(|alarms| !alarms.iter().any(|alarm| alarm.to_string().contains("lease")))
        };
        alone.anyns.wait_status("the deciding task goes on", lease);
        assert!(!drain.is_finished(), "nothing can be kept yet");
        fuse.go_on();
        assert!(drain.join().unwrap().contains("draining"));
    });
    alone.anyns.must(&["undrain"]);
    alone.anyns.wait_announces();
    alone.anyns.kill();
}

/// A planned stop is when an operator looks most closely: the status answers in every phase of it.
#[test]
fn the_status_answers_during_a_planned_stop() {
    let mut alone = Alone::running("[drain]\ndeprefer = \"3s\"\nquiet = \"3s\"\n");
    alone.anyns.signal(Signal::SIGTERM);
    for (intent, bound) in [("deprefer", Duration::from_secs(2)), ("withdraw", Duration::from_secs(5))] {
        let what = format!("the status says that every prefix is to be {intent}");
        let took = wait_until(&what, bound, || {
            alone.anyns.status_soon().is_some_and(|status| every_intent(&status, intent))
        });
        tell(&format!("SIGTERM: the status says {intent} after {took:.1?}"));
    }
    assert!(alone.anyns.process().wait_end(BOUND).success());
}
