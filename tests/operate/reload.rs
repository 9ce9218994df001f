//! Reloads: the configuration's zones are taken over, a wrong configuration changes nothing; forced versions.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::anyns::BOUND;
use crate::support::fuse::Fuse;
use crate::support::pop::{Alone, ZONE, deploy, replace};
use crate::support::skip::skip;
use crate::support::wait::{looked_for, wait_for, wait_until};
use crate::support::zones;

/// One more zone, from a file outside the zone directory.
fn listed(alone: &Alone) -> String {
    let file = alone.lab.directory().join("listed");
    replace(&file, &zones::versioned("listed.example", 5));
    format!("\n[[zone]]\nname = \"listed.example\"\nfile = \"{}\"\n", file.display())
}

#[test]
fn a_reload_takes_new_zones_and_lets_go_of_those_that_left_the_config() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("{before}{}", listed(&alone))).expect("written");
    alone.anyns.must(&["reload"]);
    assert_eq!(alone.served_version("listed.example"), Some(5), "served when the command returns");
    std::fs::write(alone.anyns.config(), before).expect("written");
    let said = alone.anyns.must(&["reload"]);
    assert!(said.contains("no longer served: listed.example."), "{said}");
    assert_eq!(alone.served_version("listed.example"), None);
    assert_eq!(alone.served_version(ZONE), Some(1));
}

#[test]
fn sighup_reloads() {
    let mut alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("{before}{}", listed(&alone))).expect("written");
    alone.anyns.signal(Signal::SIGHUP);
    alone.anyns.wait_zone("listed.example", "served", Some(5));
}

#[test]
fn a_wrong_config_changes_nothing() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("{before}\n[zonez]\n")).expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("there is no key \"zonez\"") && said.text.contains("zones"), "{}", said.text);
    assert_eq!(alone.served_version(ZONE), Some(1));
    deploy(&alone.zones, ZONE, 2);
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.wait_zone(ZONE, "served", Some(2));
}

#[test]
fn a_config_that_leaves_no_zone_changes_nothing() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let empty = alone.lab.subdirectory("empty");
    let [from, to] = [&alone.zones, &empty].map(|path| format!("\"{}\"", path.display()));
    let changed = before.replace(&from, &to);
    assert_ne!(before, changed);
    std::fs::write(alone.anyns.config(), changed).expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(
        said.text.contains("no zone would be left") && said.text.contains(&*empty.to_string_lossy()),
        "{}",
        said.text
    );
    assert_eq!(alone.served_version(ZONE), Some(1));
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.must(&["reload"]);
}

#[test]
fn a_directory_that_does_not_answer_holds_up_no_reload() {
    let mut alone = Alone::new("");
    let data = alone.lab.subdirectory("data");
    replace(&data.join(format!("{ZONE}.zone")), &zones::versioned(ZONE, 1));
    std::fs::remove_file(alone.zones.join(format!("{ZONE}.zone"))).expect("removed");
    let Some(fuse) = Fuse::mount(&data, &alone.zones) else {
        return skip("reloads with a directory that does not answer", "there is no FUSE");
    };
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    fuse.stop();
    let silent = format!("the directory {} does not answer", alone.zones.display());
    // The second one, too: the look of the first has not come back.
    for _ in 0..2 {
        let said = alone.anyns.must(&["reload"]);
        assert!(said.contains(&silent) && said.contains("1 zone served"), "{said}");
    }
    // One that leaves the directory is in force.
    let other = alone.lab.subdirectory("other");
    replace(&other.join(format!("{ZONE}.zone")), &zones::versioned(ZONE, 2));
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let [from, to] = [&alone.zones, &other].map(|path| format!("\"{}\"", path.display()));
    std::fs::write(alone.anyns.config(), changed(&before, &from, &to)).expect("written");
    alone.anyns.must(&["reload"]);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
    fuse.go_on();
    wait_until("reloads look again", BOUND, || !alone.anyns.must(&["reload"]).contains("does not answer"));
    alone.anyns.kill();
}

#[test]
fn check_has_the_program_judge_what_is_new() {
    let alone = Alone::new("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let judged = |program: &str| {
        let changed = before.replace("[zones]\n", &format!("[zones]\nvalidate = [\"{program}\"]\n"));
        assert_ne!(before, changed);
        std::fs::write(alone.anyns.config(), changed).expect("written");
        (alone.anyns.command(&["check"]), alone.anyns.command(&["check", "--offline"]))
    };
    for program in ["/bin/false", "/no/such/program"] {
        let (here, elsewhere) = judged(program);
        assert!(
            here.code == 1 && here.text.contains("is refused") && here.text.contains(program),
            "{}",
            here.text
        );
        assert!(
            elsewhere.text.contains("not checked: what") && !elsewhere.text.contains("is refused"),
            "{}",
            elsewhere.text
        );
    }
    assert_eq!(judged("/bin/true").0.code, 0);
}

/// A refused reload must not change what is required either: here it names a zone that nobody has.
#[test]
fn another_state_directory_is_refused_whole() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let changed = before
        .replace("state-alone", "elsewhere")
        .replace("required = [", "required = [\"absent.example\", ");
    assert_ne!(before, changed);
    std::fs::write(alone.anyns.config(), changed).expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("zones.state-directory"), "{}", said.text);
    let status = alone.anyns.status().expect("a status");
    assert!(!status.to_string().contains("absent.example"), "{status:#}");
    let status = alone.anyns.command(&["status"]);
    assert_eq!(status.code, 1, "a reload that failed is shown until the next good one: {}", status.text);
    assert!(status.text.contains("zones.state-directory"), "{}", status.text);
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.must(&["reload"]);
    assert_eq!(alone.anyns.command(&["status"]).code, 0, "nothing has changed");
}

#[test]
fn what_needs_a_restart_is_said_until_it_is_gone() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let changed = before.replace("[zones]", "[serve]\nversion = \"other\"\n[zones]");
    assert_ne!(before, changed);
    std::fs::write(alone.anyns.config(), changed).expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 4, "{}", said.text);
    assert!(said.text.contains("needs a restart: [serve] or [tls]"), "{}", said.text);
    let shown =
        || alone.anyns.command(&["status"]).text.contains("only a restart takes it over: [serve] or [tls]");
    wait_for("the status says it", BOUND, || shown().then_some(()));
    std::fs::write(alone.anyns.config(), format!("{before}\n[zonez]\n")).expect("written");
    assert_eq!(alone.anyns.command(&["reload"]).code, 1);
    wait_for("the status says that it failed", BOUND, || {
        alone.anyns.command(&["status"]).text.contains("the last reload failed").then_some(())
    });
    assert!(shown(), "a reload that fails does not make it untrue");
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.must(&["reload"]);
    wait_for("the status says it no more", BOUND, || (!shown()).then_some(()));
}

/// Writes this config and has it taken over; nothing of it needs a restart.
fn reload_with(alone: &Alone, config: &str) {
    std::fs::write(alone.anyns.config(), config).expect("written");
    alone.anyns.must(&["reload"]);
}

/// The config with one piece replaced.
fn changed(config: &str, from: &str, to: &str) -> String {
    assert!(config.contains(from), "{from:?} is in the config");
    config.replace(from, to)
}

/// Each of these is in force without a restart, and no query is lost meanwhile.
#[test]
fn a_reload_changes_the_log_level_and_the_probes_under_load() {
    let mut alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let stream = alone.stream();
    stream.wait_answers(50, BOUND);

    assert!(!alone.anyns.process().output().contains("TRACE"), "the level is info");
    reload_with(&alone, &format!("{before}\n[log]\nlevel = \"trace\"\n"));
    wait_for("trace records", BOUND, || alone.anyns.process().output().contains("TRACE").then_some(()));

    let probes = || alone.anyns.status().expect("a status")["probes"].to_string();
    let rare = changed(&before, "interval = \"200ms\"", "interval = \"1h\"");
    reload_with(&alone, &changed(&rare, "hold = \"500ms\"", "hold = \"900ms\""));
    let last = wait_for("the probes rest", BOUND, || {
        let now = probes();
        looked_for(Duration::from_secs(2), || (probes() != now).then_some(())).is_none().then_some(now)
    });
    reload_with(&alone, &before);
    wait_for("the probes go on", BOUND, || (probes() != last.0).then_some(()));
    let record = stream.stop();
    assert_eq!(record.lost(), 0, "{}", record.summary());
    let log = alone.anyns.process().output();
    let announced = log.find("intent=\"announce\"").expect("it was announced");
    let later = log.get(announced..).unwrap_or_default();
    assert!(!later.contains("intent=\"withdraw\"") && !later.contains("intent=\"deprefer\""), "{later}");
}

#[test]
fn a_reload_changes_the_rate_limits_under_load() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let stream = alone.stream();
    stream.wait_answers(50, BOUND);
    let limits = || alone.anyns.status().expect("a status")["rate_limit"].clone();
    let tight = "mode = \"enforce\"\nqueries-per-second = 1\nburst = 1\nslip = 0";
    let tight = changed(&before, "mode = \"off\"", tight);
    reload_with(&alone, &tight);
    wait_for("queries are dropped", BOUND, || limits()["limited"].as_u64().filter(|count| *count > 20));
    reload_with(&alone, &changed(&tight, "slip = 0", "slip = 0\nexempt = [\"192.0.2.0/24\"]"));
    let dropped = limits()["limited"].clone();
    stream.wait_answers(100, BOUND);
    assert_eq!(limits()["limited"], dropped, "an exempt source is not counted");
    reload_with(&alone, &before);
    assert_eq!(limits()["mode"], "off");
    stream.wait_answers(50, BOUND);
}

#[test]
fn a_serial_that_went_back_is_refused_until_it_is_accepted_by_number() {
    let alone = Alone::running("");
    deploy(&alone.zones, ZONE, 7);
    alone.anyns.wait_zone(ZONE, "served", Some(7));
    deploy(&alone.zones, ZONE, 3);
    alone.anyns.wait_zone(ZONE, "kept", Some(7));
    assert_eq!(alone.served_version(ZONE), Some(7));
    assert_eq!(alone.anyns.command(&["zone", "accept", ZONE, "4"]).code, 1, "that version is not there");
    assert_eq!(alone.served_version(ZONE), Some(7));
    alone.anyns.must(&["zone", "accept", ZONE, "3"]);
    assert_eq!(alone.served_version(ZONE), Some(3));
    alone.anyns.wait_zone(ZONE, "served", Some(3));
}

#[test]
fn bump_serves_other_content_under_the_next_serial() {
    let alone = Alone::new("");
    let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let bump = config.replace("state-directory", "serial = \"bump\"\nstate-directory");
    std::fs::write(alone.anyns.config(), bump).expect("written");
    let mut alone = alone;
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_zone(ZONE, "served", Some(1));
    let text = format!("{}more IN TXT \"more\"\n", zones::versioned(ZONE, 1));
    replace(&alone.zones.join(format!("{ZONE}.zone")), &text);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
    alone.anyns.kill();
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
}
