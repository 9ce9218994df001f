//! A drain by order: prefer less, withdraw, stay so, also across a restart; the server goes on answering.

use crate::support::pop::{Alone, ZONE};

fn intents(alone: &Alone, intent: &str) {
    let what = format!("every prefix is meant to be {intent}");
    alone.anyns.wait_status(&what, |status| crate::support::anyns::every_intent(status, intent));
}

#[test]
fn a_drain_prefers_less_and_then_withdraws() {
    let alone = Alone::running("[drain]\ndeprefer = \"2s\"\n");
    alone.anyns.must(&["drain", "--reason", "router upgrade"]);
    intents(&alone, "deprefer");
    intents(&alone, "withdraw");
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
    assert!(crate::support::anyns::every_intent(&status, "withdraw"), "{status:#}");
    alone.anyns.must(&["undrain"]);
    alone.anyns.wait_announces();
}
