//! `anyns fleet`: POPs that are healthy, that differ, that are down and that hang.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{event, get};
use crate::support::anyns::{Anyns, every_intent};
use crate::support::lab::Space;
use crate::support::pop::{Alone, ZONE, base_config, deploy, replace};
use crate::support::wait::{looked_for, wait_until};
use crate::support::zones;

const MANAGEMENT: [&str; 2] = ["198.18.1.2", "2001:db8:1::2"];

/// Two POPs in one namespace, on ports of their own, and a list of them with some that do not answer.
pub(crate) struct Fleet {
    pub(crate) alone: Alone,
    pub(crate) other: Anyns,
    pub(crate) list: std::path::PathBuf,
}

pub(crate) fn fleet(more: &[(&str, &str)]) -> Fleet {
    let mut alone = Alone::new("[web]\n[samples]\none-in = 1\n");
    deploy(&alone.lab.subdirectory("zones-other"), ZONE, 1);
    let extra = "[serve]\nport = 5301\n[web]\nlisten = [\"127.0.0.1:9534\"]\n[samples]\none-in = 1\n";
    let config = base_config(&alone.lab, "other", MANAGEMENT, "dry-run", extra);
    let mut other = Anyns::new(&alone.lab, &alone.space, "other", &config);
    alone.anyns.start(&alone.lab);
    other.start(&alone.lab);
    let list = alone.lab.directory().join("fleet.toml");
    let pops =
        [("alone", "127.0.0.1:9533"), ("other", "127.0.0.1:9534")].into_iter().chain(more.iter().copied());
    let pops: String =
        pops.map(|(name, at)| format!("[[fleet.pop]]\nname = \"{name}\"\nurl = \"http://{at}\"\n")).collect();
    std::fs::write(&list, pops).expect("written");
    alone.anyns.wait_announces();
    other.wait_announces();
    Fleet { alone, other, list }
}

impl Fleet {
    /// `anyns fleet ARGUMENTS`: exit code and text.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let list = self.list.display().to_string();
        let said = self.alone.anyns.command(&[&["fleet"], arguments, &["--fleet", &list]].concat());
        (said.code, said.text)
    }

    /// Starts the first POP again, with the list of all in its configuration.
    pub(crate) fn restart_with_list(&mut self) {
        let config = std::fs::read_to_string(self.alone.anyns.config()).expect("the config");
        let list = std::fs::read_to_string(&self.list).expect("the list");
        std::fs::write(self.alone.anyns.config(), format!("{list}{config}")).expect("written");
        self.alone.anyns.kill();
        self.alone.anyns.start(&self.alone.lab);
        self.alone.anyns.wait_announces();
    }

    fn json(&self) -> Value {
        let (_, text) = self.run(&["--json", "--timeout", "5s"]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

#[test]
fn all_pops_are_shown_and_a_serial_is_waited_for() {
    let fleet = fleet(&[]);
    wait_until("both are healthy", crate::support::anyns::BOUND, || fleet.run(&[]).0 == 0);
    let (_, text) = fleet.run(&[]);
    assert!(text.contains("other  OK") && text.contains("announce (dry run)"), "{text}");
    let (code, text) = fleet.run(&["wait", ZONE, "1"]);
    assert!(code == 0 && text.contains("every announced POP serves example.org 1"), "{text}");
    // What is no zone is told at once.
    for zone in ["bad..name", "*.example"] {
        let (code, text) = fleet.run(&["wait", zone, "1", "--timeout", "1h"]);
        assert!(code == 2 && text.contains(zone), "{text}");
    }
    // Only one of them has the next version.
    deploy(&fleet.alone.zones, ZONE, 2);
    fleet.alone.anyns.wait_zone(ZONE, "served", Some(2));
    wait_until("the serials differ", crate::support::anyns::BOUND, || {
        let report = fleet.json();
        report["differing"][0]["zone"] == format!("{ZONE}.")
            && report["differing"][0]["serials"] == serde_json::json!([["alone", 2], ["other", 1]])
    });
    let (code, text) = fleet.run(&[]);
    assert!(code == 1 && text.contains("! example.org. differs: 1 at other; 2 at alone"), "{text}");
    let (code, text) = fleet.run(&["wait", ZONE, "2", "--timeout", "1s"]);
    assert!(code == 1 && text.contains("! other: serves 1"), "{text}");
    // A wait that goes on while the version arrives.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fleet.run(&["wait", ZONE, "2", "--timeout", "20s", "--json"]));
        deploy(&fleet.alone.lab.subdirectory("zones-other"), ZONE, 2);
        let (code, text) = waiting.join().expect("it ended");
        assert_eq!(code, 0, "{text}");
    });
    assert!(fleet.other.status().is_some());
    // Where nobody is announced, nobody has what is waited for.
    for pop in [&fleet.alone.anyns, &fleet.other] {
        pop.must(&["drain"]);
        pop.wait_status("it is withdrawn", |status| every_intent(status, "withdraw"));
    }
    let (code, text) = fleet.run(&["wait", ZONE, "2", "--timeout", "2s"]);
    assert!(code == 1 && text.contains("no POP that is waited for is announced"), "{text}");
    wait_until("the fleet says so", crate::support::anyns::BOUND, || {
        let (code, text) = fleet.run(&[]);
        code == 2 && text.contains("no POP that answers announces it")
    });
}

#[test]
fn a_pop_that_is_down_and_one_that_hangs_are_lines_and_no_delay() {
    let mut fleet =
        fleet(&[("down", "127.0.0.1:9535"), ("hangs", "127.0.0.1:9536"), ("blackhole", "198.51.100.1:9537")]);
    // It takes the connection and says nothing.
    let hanging = fleet.alone.space.inside(|| TcpListener::bind("127.0.0.1:9536")).expect("bound");
    let ask = || fleet.run(&["--timeout", "1s"]);
    wait_until("the pages know that both announce", crate::support::anyns::BOUND, || ask().0 == 1);
    let begun = Instant::now();
    let (code, text) = ask();
    let took = begun.elapsed();
    assert_eq!(code, 1, "{text}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    for line in ["! down: no connection", "! hangs: no answer within 1s", "! blackhole: ", "alone  "] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let first = text.lines().nth(1).unwrap_or_default();
    assert!(first.contains("NO ANSWER"), "what is wrong stands first: {text}");
    // A POP that does not answer counts as announced, unless that is said.
    let (code, text) = fleet.run(&["wait", ZONE, "1", "--timeout", "1s"]);
    assert!(
        code == 1 && text.contains("! hangs: no answer") && text.contains("! down: no connection"),
        "{text}"
    );
    let (code, text) = fleet.run(&["wait", ZONE, "1", "--timeout", "20s", "--skip-unreachable"]);
    assert_eq!(code, 0, "{text}");
    // Zones that differ at the others are named all the same.
    deploy(&fleet.alone.zones, ZONE, 2);
    fleet.alone.anyns.wait_zone(ZONE, "served", Some(2));
    wait_until("the zone is named", crate::support::anyns::BOUND, || {
        ask().1.contains("! example.org. differs: 1 at other; 2 at alone")
    });
    drop(hanging);
    // Another POP than the list says is no answer.
    let list = std::fs::read_to_string(&fleet.list).expect("the list");
    std::fs::write(&fleet.list, list.replace("\"other\"", "\"third\"")).expect("written");
    let (_, text) = fleet.run(&["--timeout", "1s"]);
    assert!(text.contains("! third: the POP \"other\" answers there"), "{text}");
    fleet.alone.anyns.kill();
    fleet.other.kill();
    let (code, text) = fleet.run(&["--timeout", "1s"]);
    assert_eq!(code, 3, "{text}");
}

#[test]
fn the_timeline_of_another_pop_goes_on_after_it_started_again() {
    let mut fleet = fleet(&[]);
    fleet.restart_with_list();
    let Fleet { alone, other, .. } = &mut fleet;
    let before = other.status().expect("a status")["started"].clone();
    let (tell, told) = std::sync::mpsc::channel();
    let follows = |name: &str, pop: &Value| {
        let is_first = |list: &Value| list[0]["number"] == 1;
        let is_old = pop["status"]["started"] == before;
        if name == "pop" && is_old && is_first(&pop["changes"]) {
            tell.send(()).expect("it is waited for");
        }
        // The new process counts its changes from 1.
        name == "pop" && !is_old && is_first(&pop["changes"])
    };
    std::thread::scope(|scope| {
        let space = &alone.space;
        let following =
            scope.spawn(move || event(space, "127.0.0.1:9533", "/events/pop?name=other", follows));
        told.recv().expect("the first process is seen");
        other.kill();
        other.start(&alone.lab);
        following.join().expect("the second process is seen");
    });
}

#[test]
fn other_content_under_the_same_serial_is_named() {
    let mut fleet = fleet(&[]);
    fleet.restart_with_list();
    wait_until("both are healthy", crate::support::anyns::BOUND, || fleet.run(&[]).0 == 0);
    let other_zones = fleet.alone.lab.subdirectory("zones-other");
    let more = format!("{}\nmore A 192.0.2.77\n", zones::versioned(ZONE, 2));
    deploy(&fleet.alone.zones, ZONE, 2);
    replace(&other_zones.join(format!("{ZONE}.zone")), &more);
    let line = "! example.org.: same serial, other content: 2 digest ";
    let has_line = || {
        let (code, text) = fleet.run(&[]);
        code == 1 && text.contains(line) && !text.contains("more zones may differ")
    };
    wait_until("the command names it", crate::support::anyns::BOUND, has_line);
    let report = fleet.json();
    let differing = &report["differing"][0];
    assert_eq!(differing["serials"], serde_json::json!([["alone", 2], ["other", 2]]), "{report}");
    let digests = [&differing["contents"][0][1], &differing["contents"][1][1]];
    assert!(
        digests.iter().all(|digest| digest.as_str().is_some_and(|digest| digest.len() == 16)),
        "{report}"
    );
    assert_ne!(digests[0], digests[1]);
    let has_contents =
        |name: &str, data: &Value| name == "zones" && data["differing"][0]["contents"][1][0] == "other";
    event(&fleet.alone.space, "127.0.0.1:9533", "/events/fleet", has_contents);
    // The same content again.
    deploy(&fleet.alone.zones, ZONE, 3);
    deploy(&other_zones, ZONE, 3);
    wait_until("all is well", crate::support::anyns::BOUND, || fleet.run(&[]).0 == 0);
    // The page of the zone asks each POP for its last versions.
    for pop in ["", "&pop=alone", "&pop=other"] {
        let target = format!("/api/v1/history?zone={ZONE}{pop}");
        wait_until("the steps are kept", crate::support::anyns::BOUND, || {
            let kept = get(&fleet.alone.space, "127.0.0.1:9533", &target, "");
            let steps: Vec<(u64, u64)> = match kept.status {
                200 => kept.json()["steps"].as_array().into_iter().flatten().map(ends).collect(),
                _ => Vec::new(),
            };
            steps.ends_with(&[(1, 2), (2, 3)])
        });
    }
    for (query, status) in [("zone=*", 400), ("zone=nosuch.example", 404), ("zone=a&pop=nobody", 404)] {
        let reply = get(&fleet.alone.space, "127.0.0.1:9533", &format!("/api/v1/history?{query}"), "");
        assert_eq!(reply.status, status, "{query}: {reply:?}");
    }
}

/// The serials before and after a step.
fn ends(step: &Value) -> (u64, u64) {
    let serial = |end: &str| step[end].as_u64().expect("a serial");
    (serial("from"), serial("to"))
}

#[test]
fn a_reload_takes_over_the_list_of_pops() {
    let fleet = fleet(&[]);
    let (anyns, page) = (&fleet.alone.anyns, "127.0.0.1:9533");
    let names = || {
        let report = get(&fleet.alone.space, page, "/api/v1/fleet", "").json();
        let pops = report["pops"].as_array().into_iter().flatten();
        pops.map(|pop| pop["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["alone"]);
    let config = std::fs::read_to_string(anyns.config()).expect("the config");
    let list = std::fs::read_to_string(&fleet.list).expect("the list");
    std::fs::write(anyns.config(), format!("{list}{config}")).expect("written");
    // A page that is open goes on with the new list.
    let listed = |name: &str, data: &Value| {
        name == "order" && data["pops"].as_array().is_some_and(|pops| pops.len() == 2)
    };
    std::thread::scope(|scope| {
        let open = scope.spawn(|| event(&fleet.alone.space, page, "/events/fleet", listed));
        anyns.must(&["reload"]);
        open.join().expect("it is told");
    });
    assert_eq!(names().len(), 2);
    // The digest tells which configuration is in force as a whole.
    let digest = || {
        let text = anyns.must(&["metrics"]);
        text.lines().find(|line| line.starts_with("anyns_config_info{")).map(str::to_owned)
    };
    let before = digest();
    std::fs::write(anyns.config(), format!("{list}{}", config.replace("one-in = 1\n", "one-in = 2\n")))
        .expect("written");
    let said = anyns.command(&["reload"]);
    assert!(said.code == 4 && said.text.contains("[samples]"), "{}", said.text);
    let pending = |status: &Value| status["alarms"].to_string().contains("only a restart takes it over");
    anyns.wait_status("a restart is pending", pending);
    assert_eq!(digest(), before);
    std::fs::write(anyns.config(), format!("# edited\n{list}{config}")).expect("written");
    anyns.must(&["reload"]);
    wait_until("the digest is that of the new text", crate::support::anyns::BOUND, || digest() != before);
}

/// How long a connection to a POP that is far away takes, and each of its answers.
const FAR: Duration = Duration::from_millis(700);

/// Passes questions on to a POP, and each after [`FAR`], until it is told to stop.
fn relay(space: &Space, listener: &TcpListener, to: &str, stop: &AtomicBool) {
    let far = || assert!(looked_for(FAR, || None::<()>).is_none());
    listener.set_nonblocking(true).expect("set");
    std::thread::scope(|scope| {
        while !stop.load(Relaxed) {
            let Some((mut near, _)) = looked_for(FAR, || listener.accept().ok()) else { continue };
            scope.spawn(move || {
                // At the end the POP is gone, and is asked still.
                let Ok(pop) = space.inside(|| TcpStream::connect(to)) else { return };
                near.set_nonblocking(false).expect("set");
                let (mut answers, mut questions) = (pop.try_clone().expect("cloned"), pop);
                let mut back = near.try_clone().expect("cloned");
                let answering = std::thread::spawn(move || {
                    let _ = std::io::copy(&mut answers, &mut back);
                    let _ = back.shutdown(std::net::Shutdown::Both);
                });
                far();
                let mut question = [0; 4096];
                while let Ok(length @ 1..) = near.read(&mut question) {
                    far();
                    if questions.write_all(&question[..length]).is_err() {
                        break;
                    }
                }
                let _ = questions.shutdown(std::net::Shutdown::Both);
                answering.join().expect("it ends");
            });
        }
    });
}

#[test]
fn a_pop_that_is_far_away_is_compared_like_the_others() {
    let mut fleet = fleet(&[]);
    let list = std::fs::read_to_string(&fleet.list).expect("the list");
    std::fs::write(&fleet.list, list.replace("127.0.0.1:9534", "127.0.0.1:9536")).expect("written");
    let listener = fleet.alone.space.inside(|| TcpListener::bind("127.0.0.1:9536")).expect("bound");
    fleet.restart_with_list();
    let (stop, Fleet { alone, other, .. }) = (AtomicBool::new(false), &mut fleet);
    let space = &alone.space;
    std::thread::scope(|scope| {
        scope.spawn(|| relay(space, &listener, "127.0.0.1:9534", &stop));
        let page = "127.0.0.1:9533";
        // Connections are kept: after the first answer each takes one delay.
        let is_well =
            |name: &str, pop: &Value| name == "pop" && pop["name"] == "other" && pop["verdict"] == "ok";
        event(space, page, "/events/fleet", is_well);
        deploy(&alone.zones, ZONE, 2);
        alone.anyns.wait_zone(ZONE, "served", Some(2));
        let differs = |report: &Value| {
            report["differing"][0]["serials"] == serde_json::json!([["alone", 2], ["other", 1]])
        };
        event(space, page, "/events/fleet", |name, data| name == "zones" && differs(data));
        let report = get(space, page, "/api/v1/fleet", "").json();
        assert!(differs(&report), "at the first look: {report}");
        let rows = |name: &str, rows: &Value| {
            name == "zone" && rows[0]["zone"]["serial"] == 2 && rows[1]["zone"]["serial"] == 1
        };
        event(space, page, "/events/zone?zone=example.org", rows);
        other.kill();
        alone.anyns.kill();
        stop.store(true, Relaxed);
    });
}
