//! Versions of zones with canaries that others may have, where the state directory answers late, a zone leaves the configuration and
//! comes back, or goes back to an earlier version. The hub is asked as each secondary would ask it.

use std::path::PathBuf;

use serde_json::Value;

use crate::canary::{KNOT, NSD, addresses, deploy, hub_config, soa_of};
use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::fuse::Fuse;
use crate::support::lab::{Lab, Space};
use crate::support::pop::{ZONE, replace, state_directory};
use crate::support::skip::{has_programs, skip};
use crate::support::wait::wait_until;
use crate::support::zones::versioned;

/// The state directory does not answer when the hub starts: nothing counts as released until it does, and then what was.
#[test]
fn what_was_released_is_known_again_when_the_state_directory_answers() {
    if !has_programs("versions that were released", &["dig"]) {
        return;
    }
    let mut site = Leaving::deployed();
    let (data, state) = (site.lab.subdirectory("late-data"), state_directory(&site.lab, "hub"));
    let Some(fuse) = Fuse::mount(&data, &state) else {
        return skip("a state directory that answers late", "there is no FUSE");
    };
    site.hub.start(&site.lab);
    site.wait("released", 1);
    site.hub.kill();
    fuse.stop();
    site.hub.start(&site.lab);
    site.wait_withheld();
    // A reload that changes the group, and a zone that leaves and comes back, change nothing of that.
    for when in ["release", "hold"] {
        site.configure(&site.usual.replacen(
            "when-unreachable = \"hold\"",
            &format!("when-unreachable = \"{when}\""),
            1,
        ));
        site.wait_withheld();
    }
    site.leave_and_come_back(false);
    site.wait_withheld();
    fuse.go_on();
    site.wait("released", 1);
    assert_eq!(site.sent(), [Some(1), Some(1)]);
    site.hub.kill();
}

/// The hub with a zone that a `[[zone]]` names, so that it can leave the configuration.
struct Leaving {
    hub: Anyns,
    zones: PathBuf,
    usual: String,
    without: String,
    space: Space,
    lab: Lab,
}

impl Leaving {
    /// Version 1 is released.
    fn new() -> Self {
        let mut site = Self::deployed();
        site.hub.start(&site.lab);
        site.wait("released", 1);
        site
    }

    fn deployed() -> Self {
        let mut lab = Lab::new();
        let space = addresses(&mut lab);
        let zones = lab.subdirectory("named");
        let stays = versioned("stays.example", 1);
        replace(&lab.subdirectory("zones-hub").join("stays.example.zone"), &stays);
        let without = hub_config(&lab, NSD, "hold").replacen(&format!("required = [\"{ZONE}\"]"), "", 1);
        let file = zones.join(format!("{ZONE}.zone"));
        let usual = format!("{without}[[zone]]\nname = \"{ZONE}\"\nfile = \"{}\"\n", file.display());
        let hub = Anyns::new(&lab, &space, "hub", &usual);
        deploy(&zones, 1);
        Self { hub, zones, usual, without, space, lab }
    }

    /// Waits until the only zone of the group stands so, and the state directory has all.
    fn wait(&self, state: &str, count: u64) {
        self.hub.wait_status(&format!("{count} {state}"), |status| {
            status["canaries"][0][state] == count && status["zones_not_kept"] == 0
        });
    }

    fn wait_withheld(&self) {
        self.hub.wait_status("withheld", |status| status["canaries"][0]["withheld"] == 1);
        assert_eq!(self.sent(), [Some(1), None]);
    }

    fn deploy(&self, version: u32) {
        deploy(&self.zones, version);
        self.hub.wait_zone(ZONE, "served", Some(version.into()));
    }

    fn configure(&self, config: &str) {
        self.hub.write_config(config);
        self.hub.must(&["reload"]);
    }

    /// The zone leaves, by a reload or while the hub does not run, and comes back.
    fn leave_and_come_back(&mut self, with_restart: bool) {
        self.configure(&self.without);
        self.hub.wait_status("gone", |status| zone_status(status, ZONE).is_none());
        if with_restart {
            self.hub.kill();
            self.hub.start(&self.lab);
            self.hub.wait_status("loaded", |status| zone_status(status, "stays.example").is_some());
        }
        self.configure(&self.usual);
    }

    /// What the canary and the others are told.
    fn sent(&self) -> [Option<u32>; 2] {
        [NSD, KNOT].map(|from| soa_of(&self.space, from))
    }

    /// The others have this version, and never had the newest.
    fn wait_others(&self, version: u32, newest: u32) {
        wait_until("the others get what was released", BOUND, || {
            let [_, others] = self.sent();
            assert_ne!(others, Some(newest), "the version on trial");
            others == Some(version)
        });
        assert_eq!(self.sent(), [Some(newest), Some(version)]);
    }
}

#[test]
fn a_zone_that_leaves_the_configuration_and_comes_back_is_halted_or_on_trial_as_before() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let mut site = Leaving::new();
    site.hub.must(&["zone", "halt", ZONE]);
    site.deploy(2);
    for with_restart in [false, true] {
        site.leave_and_come_back(with_restart);
        site.wait("halted", 1);
        site.wait_others(1, 2);
    }
    site.hub.must(&["zone", "release", ZONE]);
    assert_eq!(site.sent(), [Some(2), Some(2)]);
    // A version that comes while the zone is away has not been proven either.
    site.configure(&site.without);
    site.hub.wait_status("gone", |status| zone_status(status, ZONE).is_none());
    deploy(&site.zones, 3);
    site.configure(&site.usual);
    site.wait("trial", 1);
    site.wait_others(2, 3);
    // A group that covers the zone only when it comes back, with a newer version: the others had the one before.
    site.hub.must(&["zone", "release", ZONE]);
    let (no_group, _) = site.without.split_once("[[canary]]").unwrap();
    site.configure(no_group);
    site.hub.wait_status("gone", |status| zone_status(status, ZONE).is_none());
    deploy(&site.zones, 4);
    site.configure(&site.usual);
    site.wait("trial", 1);
    site.wait_others(3, 4);
}

/// A halted zone that no group covers any more goes to all: the log and an alarm name it, until it is covered again or an operator knows.
#[test]
fn a_halted_zone_that_no_group_covers_any_more_is_named() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let mut site = Leaving::new();
    let other = site.usual.replacen("zones = [\"*.org\"]", "zones = [\"*.invalid\"]", 1);
    let (none, rest) = site.usual.split_once("[[canary]]").unwrap();
    let none = format!("{none}{}", &rest[rest.find("[[zone]]").unwrap()..]);
    let usual = site.usual.clone();
    let is_alarm = |status: &Value| {
        let alarms = status["alarms"].to_string();
        let is_told = alarms.contains("no [[canary]] covers it any more");
        assert!(!is_told || alarms.contains(&format!("anyns zone release {ZONE}")), "{alarms}");
        is_told
    };
    let log = |site: &Leaving| std::fs::read_to_string(site.lab.log_file("hub")).unwrap_or_default();
    let told = "the zone was halted, and no [[canary]] covers it any more";
    let mut log_lines = 0;
    let rounds = [(&other, false), (&other, true), (&none, false), (&none, true)];
    for ((without, with_restart), newest) in rounds.into_iter().zip(2..) {
        site.hub.must(&["zone", "halt", ZONE]);
        site.deploy(newest);
        site.wait_others(newest - 1, newest);
        site.hub.wait_status("kept", |status| status["zones_not_kept"] == 0 && !is_alarm(status));
        if with_restart {
            site.hub.kill();
            site.hub.write_config(without);
            site.hub.start(&site.lab);
        } else {
            site.configure(without);
        }
        site.hub.wait_status("the alarm", is_alarm);
        wait_until("it is for all", BOUND, || site.sent() == [Some(newest); 2]);
        log_lines += 1;
        assert_eq!(log(&site).matches(told).count(), log_lines);
        // Nobody knows of it yet: it is told after each start.
        site.hub.kill();
        site.hub.start(&site.lab);
        site.hub.wait_status("the alarm after another start", is_alarm);
        log_lines += 1;
        // It ends by an order, and when a group covers the zone again.
        if with_restart {
            let said = site.hub.must(&["zone", "release", ZONE]);
            assert!(said.contains("because no [[canary]] covers it any more"), "{said}");
            site.hub.wait_status("no alarm", |status| !is_alarm(status));
            let said = site.hub.command(&["zone", "release", ZONE]);
            assert!(said.code == 1 && said.text.contains("no zone of a [[canary]]"), "{said:?}");
        }
        // So it does where a start has the group again: what was released before counts no more.
        if with_restart {
            site.hub.kill();
            site.hub.start(&site.lab);
            site.hub.wait_zone(ZONE, "served", Some(newest.into()));
            site.configure(&usual);
        } else {
            site.hub.kill();
            site.hub.write_config(&usual);
            site.hub.start(&site.lab);
        }
        site.wait("released", 1);
        site.hub.wait_status("no alarm", |status| !is_alarm(status));
        wait_until("all have the newest", BOUND, || site.sent() == [Some(newest); 2]);
        assert_eq!(log(&site).matches(told).count(), log_lines);
    }
    // It ends with the zone, which goes later than the last group, or by the same reload.
    let (neither, _) = site.without.split_once("[[canary]]").unwrap();
    let neither = neither.to_owned();
    for (is_later, newest) in [(true, 6), (false, 7)] {
        site.hub.must(&["zone", "halt", ZONE]);
        site.deploy(newest);
        if is_later {
            site.configure(&none);
            site.hub.wait_status("the alarm", is_alarm);
        }
        site.configure(&neither);
        site.hub.wait_status("gone, and no alarm", |status| {
            zone_status(status, ZONE).is_none() && !is_alarm(status)
        });
        site.configure(&usual);
        site.wait("released", 1);
    }
}

/// Of the removed zone nothing is kept: what was released of it is nowhere to be had, and its successor is new.
#[test]
fn another_zone_of_the_name_of_a_removed_one_is_new_to_all() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    for (with_restart, is_halted) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut lab = Lab::new();
        let space = addresses(&mut lab);
        let zones = lab.subdirectory("zones-hub");
        replace(&zones.join("stays.example.zone"), &versioned("stays.example", 1));
        deploy(&zones, 11);
        let config = hub_config(&lab, NSD, "hold").replacen(&format!("required = [\"{ZONE}\"]"), "", 1);
        let mut hub = Anyns::new(&lab, &space, "hub", &config);
        hub.start(&lab);
        let sent = || [NSD, KNOT].map(|from| soa_of(&space, from));
        wait_until("the first version is for all", BOUND, || sent() == [Some(11), Some(11)]);
        hub.wait_status("kept", |status| status["zones_not_kept"] == 0);
        if is_halted {
            hub.must(&["zone", "halt", ZONE]);
        }
        std::fs::remove_file(zones.join(format!("{ZONE}.zone"))).expect("removed");
        hub.must(&["zone", "remove", ZONE]);
        hub.wait_status("gone", |status| zone_status(status, ZONE).is_none());
        if with_restart {
            hub.kill();
            if is_halted {
                // It is there when the hub starts.
                deploy(&zones, 1);
            }
            hub.start(&lab);
            hub.wait_status("loaded", |status| zone_status(status, "stays.example").is_some());
        }
        deploy(&zones, 1);
        hub.wait_zone(ZONE, "served", Some(1));
        wait_until("the new zone is for all", BOUND, || sent() == [Some(1), Some(1)]);
        hub.wait_status("nothing waits", |status| status["canaries"][0]["released"] == 1);
        hub.kill();
    }
}

#[test]
fn the_answer_to_a_rollback_says_that_the_other_secondaries_wait_and_how_it_ends() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let site = Leaving::new();
    site.deploy(2);
    site.hub.must(&["zone", "release", ZONE]);
    assert_eq!(site.sent(), [Some(2), Some(2)]);
    let said = site.hub.must(&["zone", "rollback", ZONE]);
    let order = format!("keep 2 until it is released: anyns zone release {ZONE}");
    assert!(said.contains("content of 1 again, under serial 3") && said.contains(&order), "{said}");
    site.wait("trial", 1);
    assert_eq!(site.sent(), [Some(3), Some(2)]);
    site.hub.must(&["zone", "release", ZONE]);
    assert_eq!(site.sent(), [Some(3), Some(3)]);
    // Of a zone that no group covers nothing waits.
    let stays = site.lab.subdirectory("zones-hub").join("stays.example.zone");
    replace(&stays, &versioned("stays.example", 2));
    site.hub.wait_zone("stays.example", "served", Some(2));
    site.hub.wait_status("the way back is kept", |status| status["zones_not_kept"] == 0);
    let said = site.hub.must(&["zone", "rollback", "stays.example"]);
    assert!(said.contains("under serial 3") && !said.contains("zone release"), "{said}");
}

/// A zone goes back, and reaches the released serial again with another content: that is another version, also after a restart.
#[test]
fn a_serial_that_is_reached_again_after_the_zone_went_back_is_on_trial() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let mut site = Leaving::new();
    site.deploy(2);
    site.hub.must(&["zone", "release", ZONE]);
    assert_eq!(site.sent(), [Some(2), Some(2)]);
    deploy(&site.zones, 1);
    site.hub.wait_status("refused", |status| {
        zone_status(status, ZONE).is_some_and(|zone| zone["refused_serial"] == 1)
    });
    let said = site.hub.must(&["zone", "accept", ZONE, "1"]);
    let order = format!("keep 2 until it is released: anyns zone release {ZONE}");
    assert!(said.contains(&order) && said.contains("at each canary now"), "{said}");
    site.wait("trial", 1);
    assert_eq!(site.sent(), [Some(1), Some(2)]);
    // What was released itself comes back: nothing is to be proven.
    site.deploy(2);
    site.wait("released", 1);
    deploy(&site.zones, 1);
    site.hub.wait_status("refused", |status| {
        zone_status(status, ZONE).is_some_and(|zone| zone["refused_serial"] == 1)
    });
    site.hub.must(&["zone", "accept", ZONE, "1"]);
    site.wait("trial", 1);
    let file = site.zones.join(format!("{ZONE}.zone"));
    replace(&file, &(versioned(ZONE, 2) + "another TXT \"content\"\n"));
    site.hub.wait_zone(ZONE, "served", Some(2));
    let is_on_trial = |status: &Value| {
        let group = &status["canaries"][0];
        group["released"] == 0 && status["zones_not_kept"] == 0
    };
    site.hub.wait_status("on trial", is_on_trial);
    assert_eq!(site.sent(), [Some(2), Some(2)]);
    // The version that was released is nowhere to be had after a restart; the other one does not take its place, nor with one behind it.
    site.hub.kill();
    site.hub.start(&site.lab);
    site.hub.wait_status("withheld", |status| status["canaries"][0]["withheld"] == 1);
    assert_eq!(site.sent(), [Some(2), None]);
    site.deploy(3);
    site.hub.kill();
    site.hub.start(&site.lab);
    site.hub.wait_status("withheld", |status| status["canaries"][0]["withheld"] == 1);
    assert_eq!(site.sent(), [Some(3), None]);
    site.hub.must(&["zone", "release", ZONE]);
    assert_eq!(site.sent(), [Some(3), Some(3)]);
}
