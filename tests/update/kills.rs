//! `kill -9` at random moments of deploys, updates, transfers, and of what they write: journal, history, whole versions.
//!
//! After each start every zone is served in a version that was accepted and is not older than the last one that somebody saw or was
//! told of; no update that was acknowledged is lost, and none is there by half. A POP is started again without its hub: what
//! it serves then is what it had kept.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use crate::client::Client;
use crate::fleet::{FILES, Fleet, Place};
use crate::hub::{HUB, PORT, ZONE};
use crate::support::anyns::BOUND;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::wait::{holds_for, wait_for, wait_until};

/// Kills of the quick run, and of the long one.
const QUICK: u32 = 12;
const FULL: u32 = 320;
/// What a version says of its hosts: which of them have changed.
const ALL: &str = "all";
const FEW: &str = "few";

/// What goes on when a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Deploys,
    LargeDeploys,
    Updates,
    DeploysAndUpdates,
    /// The POP is killed, while both zones change at the hub.
    Transfers,
    LargeTransfers,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Deploys,
        Self::LargeDeploys,
        Self::Updates,
        Self::DeploysAndUpdates,
        Self::Transfers,
        Self::LargeTransfers,
    ];

    fn kills_pop(self) -> bool {
        matches!(self, Self::Transfers | Self::LargeTransfers)
    }

    fn is_large(self) -> bool {
        matches!(self, Self::LargeDeploys | Self::LargeTransfers)
    }

    fn has_deploys(self) -> bool {
        self != Self::Updates
    }

    fn has_updates(self) -> bool {
        matches!(self, Self::Updates | Self::DeploysAndUpdates | Self::Transfers)
    }
}

/// A version whose records tell its serial, so that a mixture shows: of its hosts all change, or one in sixteen.
fn version(serial: u32, hosts: u32, mode: &str) -> String {
    let mut text = format!(
        "$ORIGIN {FILES}.\n$TTL 60\n@ IN SOA ns1 host {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.1\n\
         version IN TXT \"{serial}\"\nalso.version IN TXT \"{serial}\"\nmode IN TXT \"{mode}\"\n"
    );
    for host in 0..hosts {
        let change = if mode == ALL || host % 16 == serial % 16 { serial } else { 0 };
        text += &format!("h{host} IN A 10.{}.{}.{}\n", change % 250, host / 250, host % 250);
    }
    text
}

/// What was seen or acknowledged, and what may not be missing from then on.
#[derive(Default)]
struct Seen {
    next_version: AtomicU32,
    next_update: AtomicU32,
    events: AtomicU32,
    /// The highest serial of the file's zone and of the updated zone, at the hub and at the POP.
    at_hub: [AtomicU32; 2],
    at_pop: [AtomicU32; 2],
    acknowledged: Mutex<Vec<u32>>,
}

const NAMES: [&str; 2] = [FILES, ZONE];

impl Seen {
    fn note(&self, place: &[AtomicU32; 2], zone: usize, serial: Option<u32>) {
        let Some(serial) = serial else { return };
        if place[zone].fetch_max(serial, SeqCst) < serial {
            self.events.fetch_add(1, SeqCst);
        }
    }

    fn deploy(&self, (fleet, hub): (&Fleet, &Place), (hosts, mode): (u32, &str), is_over: &AtomicBool) {
        while !is_over.load(SeqCst) {
            let serial = self.next_version.fetch_add(1, SeqCst) + 1;
            fleet.deploy(&version(serial, hosts, mode));
            while !is_over.load(SeqCst) && self.at_hub[0].load(SeqCst) < serial {
                self.note(&self.at_hub, 0, hub.serial(FILES));
            }
        }
    }

    fn update(&self, fleet: &Fleet, hub: &Place, is_over: &AtomicBool) {
        while !is_over.load(SeqCst) {
            let number = self.next_update.fetch_add(1, SeqCst);
            let owner = format!("u{number}.{ZONE}.");
            let both = format!("update add {owner} 300 TXT a\nupdate add {owner} 300 A 192.0.2.1");
            if Client::Nsupdate.send(&fleet.hub.space, (HUB, PORT), Some("hmac-sha256"), &both) == "NOERROR" {
                self.acknowledged.lock().unwrap().push(number);
                self.events.fetch_add(1, SeqCst);
                self.note(&self.at_hub, 1, hub.serial(ZONE));
            }
        }
    }

    fn watch_pop(&self, pop: &Place, is_over: &AtomicBool) {
        while !is_over.load(SeqCst) {
            for (zone, name) in NAMES.into_iter().enumerate() {
                self.note(&self.at_pop, zone, pop.serial(name));
            }
        }
    }

    /// What must hold for a process that was started again.
    fn check(&self, what: &str, place: &Place, is_pop: bool) {
        for (zone, name) in NAMES.into_iter().enumerate() {
            let least = if is_pop { &self.at_pop } else { &self.at_hub }[zone].load(SeqCst);
            let ((serial, lines), _) = wait_for(&format!("{what}: {name}"), BOUND, || place.zone(name));
            assert!(
                serial >= least,
                "{what}: {name} is served with serial {serial}, {least} was seen before"
            );
            match name {
                FILES => check_version(what, serial, &lines),
                _ => self.check_updates(what, &lines, is_pop),
            }
        }
    }

    fn check_updates(&self, what: &str, lines: &[String], is_pop: bool) {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for line in lines {
            let number = line.strip_prefix('u').and_then(|rest| rest.split('.').next()?.parse().ok());
            *counts.entry(number.unwrap_or(u32::MAX)).or_default() += 1;
        }
        counts.remove(&u32::MAX);
        let halves: Vec<_> = counts.iter().filter(|(_, count)| **count != 2).collect();
        assert!(halves.is_empty(), "{what}: updates are there by half: {halves:?}");
        // The serial alone tells what the POP may not lose.
        let acknowledged = self.acknowledged.lock().unwrap();
        let lost: Vec<_> =
            acknowledged.iter().filter(|number| !is_pop && !counts.contains_key(number)).collect();
        assert!(lost.is_empty(), "{what}: lost: {lost:?} of {}", acknowledged.len());
    }
}

/// The records are those of the version with this serial, all of them; `lines` are sorted.
fn check_version(what: &str, serial: u32, lines: &[String]) {
    let hosts = lines.iter().filter(|line| line.starts_with('h')).count() as u32;
    let mode = if lines.iter().any(|line| line.ends_with("TXT \"all\"")) { ALL } else { FEW };
    let expected = version(serial, hosts, mode);
    for line in expected.lines().filter(|line| line.starts_with('h')) {
        let (owner, address) = line.split_once(" IN A ").expect("an address");
        let line = format!("{owner}.{FILES}. 60 IN A {address}");
        assert!(lines.binary_search(&line).is_ok(), "{what}: version {serial} lacks {line}");
    }
    let tells = lines.iter().filter(|line| line.ends_with(&format!("TXT \"{serial}\""))).count();
    assert_eq!(tells, 2, "{what}: {serial} {:?}", &lines[..lines.len().min(20)]);
}

/// Ends the threads of a round, also when it fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn nothing_acknowledged_is_lost_at_any_moment() {
    if !has_programs("kill -9 of a hub and a POP", &["nsupdate", "dig"]) {
        return;
    }
    let rounds = if is_full_run() { FULL } else { QUICK };
    let mut rng = fastrand::Rng::with_seed(if is_full_run() { fastrand::u64(..) } else { 13 });
    println!("seed {}", rng.get_seed());
    let mut fleet = Fleet::new();
    let seen = Seen::default();
    seen.next_version.store(1, SeqCst);
    fleet.deploy(&version(1, 1500, FEW));
    fleet.start_hub();
    fleet.start_pop();
    let (hub, pop) = (fleet.at_hub(), fleet.at_pop());
    let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
    for round in 0..rounds {
        let kind = Kind::ALL[round as usize % Kind::ALL.len()];
        let what = format!("round {round}, {kind:?}");
        // Large ones are written whole, and so is the difference to them.
        let change = (rng.u32(1400..1600), if kind.is_large() { ALL } else { FEW });
        wait_until(&format!("{what}: both serve both"), BOUND, || {
            NAMES.into_iter().all(|name| hub.serial(name).is_some() && pop.serial(name).is_some())
        });
        let is_over = AtomicBool::new(false);
        let events = rng.u32(1..10);
        let before = seen.events.load(SeqCst);
        std::thread::scope(|scope| {
            let (fleet_, seen, is_over) = (&fleet, &seen, &is_over);
            let (hub, pop) = (&hub, &pop);
            if kind.has_deploys() {
                scope.spawn(move || seen.deploy((fleet_, hub), change, is_over));
            }
            if kind.has_updates() {
                scope.spawn(move || seen.update(fleet_, hub, is_over));
                scope.spawn(move || seen.update(fleet_, hub, is_over));
            }
            scope.spawn(move || seen.watch_pop(pop, is_over));
            let _end = End(is_over);
            for event in 1..=events {
                wait_until(&format!("{what}: event {event} of {events} is seen"), BOUND, || {
                    seen.events.load(SeqCst) >= before + event
                });
            }
            // Between two events, so that each kill interrupts another write.
            holds_for("a moment", Duration::from_micros(rng.u64(..60_000)), || true);
            let victim = if kind.kills_pop() { fleet_.pop_process_id() } else { fleet_.hub_process_id() };
            nix::sys::signal::kill(victim, nix::sys::signal::Signal::SIGKILL).expect("it runs");
        });
        if kind.kills_pop() {
            fleet.pop.kill();
            fleet.set_wire("down");
            fleet.start_pop();
            seen.check(&what, &pop, true);
            fleet.set_wire("up");
        } else {
            fleet.hub.anyns.kill();
            fleet.start_hub();
            seen.check(&what, &hub, false);
        }
        *counts.entry(kind).or_default() += 1;
    }
    // In the end the POP has what the hub has, and neither set anything aside.
    for name in NAMES {
        fleet.pop.must(&["zone", "refresh", name]);
        wait_until("the POP has what the hub has", BOUND * 2, || {
            let at_hub = hub.zone(name);
            at_hub.is_some() && at_hub == pop.zone(name)
        });
    }
    for anyns in [&fleet.hub.anyns, &fleet.pop] {
        let status = anyns.status().map(|status| status.to_string()).unwrap_or_default();
        assert!(!status.contains("damaged"), "{status}");
        NAMES.into_iter().for_each(|name| drop(anyns.must(&["zone", "history", name])));
    }
    let updates = seen.acknowledged.lock().unwrap().len();
    let versions = seen.at_hub[0].load(SeqCst);
    println!(
        "{rounds} kills: {counts:?}; {versions} versions of a file, {updates} updates acknowledged, none lost"
    );
}
