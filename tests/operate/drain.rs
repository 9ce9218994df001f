//! A drain by order: prefer less, withdraw, stay so, also across a restart; the server goes on answering.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::anyns::{BOUND, every_intent};
use crate::support::pop::{Alone, ZONE, state_directory};
use crate::support::process::must;
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

/// The file that keeps the drain is a pipe that nobody reads: a write to it hangs, as one to a dead disk does.
#[test]
fn a_drain_waits_for_no_disk() {
    let alone = Alone::running("[drain]\ndeprefer = \"0s\"\n");
    let pipe = state_directory(&alone.lab, "alone").join("drained.new");
    must(Command::new("mkfifo").arg(&pipe));
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| alone.anyns.must(&["drain", "--reason", "dead disk"]));
        intents(&alone, "withdraw");
        let lease = |status: &serde_json::Value| {
            let alarms = status["alarms"].as_array();
            alarms.is_some_and(|alarms| !alarms.iter().any(|alarm| alarm.to_string().contains("lease")))
        };
        alone.anyns.wait_status("the deciding task goes on", lease);
        assert!(!drain.is_finished(), "nothing can be kept yet");
        drop(std::fs::File::open(&pipe).unwrap());
        assert!(drain.join().unwrap().contains("draining"));
    });
    alone.anyns.must(&["undrain"]);
    alone.anyns.wait_announces();
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
