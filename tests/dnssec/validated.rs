//! Every answer and denial is validated.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyns::serve::Serving;
use anyns::zone::Snapshot;

use crate::authority::{Family, ask, load, serve};
use crate::delv::{Delv, Verdict};
use crate::direct;
use crate::names::{TYPES, UNSIGNED, ZONES, is_insecure, questions};
use crate::resolver::{Client, Unbound};
use crate::sign::{Denial, Signer};
use crate::support::lab::{Lab, Space};
use crate::support::skip::has_programs;
use crate::wire::query;

/// How many questions are under way at once: Unbound waits for our servers most of the time.
const CLIENTS: usize = 8;
/// Faults that are shown before the test gives up.
const SHOWN: usize = 10;
const A: u16 = 1;
const AAAA: u16 = 28;
const DS: u16 = 43;
const PROGRAMS: [&str; 4] = ["ldns-signzone", "dnssec-signzone", "delv", "unbound"];

#[test]
fn every_answer_and_denial_validates() {
    if !has_programs("DNSSEC validation", &PROGRAMS) {
        return;
    }
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("seed {seed} (PROPTEST_RNG_SEED)");
    let world = World::new(|directory| {
        ZONES.map(|(origin, signer, denial)| Family::new(directory, origin, signer, denial)).into()
    });
    let asked = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let start = Instant::now();
    let mut faults = Vec::new();
    for (family, (origin, _, denial)) in world.families.iter().zip(ZONES) {
        let judge = Judge { world: &world, snapshot: snapshot(family), origin, denial, asked: &asked };
        let names = questions(&mut fastrand::Rng::with_seed(seed));
        let work: Vec<Question<'_>> =
            names.iter().flat_map(|name| TYPES.map(|record_type| (name.as_str(), record_type))).collect();
        faults.extend(judge.all(&work));
    }
    let [by_unbound, by_delv] = asked.map(AtomicUsize::into_inner);
    println!("Unbound {by_unbound} and delv {by_delv} questions in {:?}", start.elapsed());
    if !faults.is_empty() {
        let log = world.unbound.log();
        let why: Vec<String> =
            log.lines().filter(|line| line.contains("failure")).map(str::to_owned).collect();
        let shown = |lines: &[String]| lines.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
        panic!("{} faults:\n{}\n{}", faults.len(), shown(&faults), shown(&why));
    }
    assert!(by_unbound > 20_000 && by_delv > 100, "too little was asked");
}

/// The check of the checks: a type bitmap that promises a type which was taken away after signing.
#[test]
fn a_wrong_denial_is_noticed() {
    if !has_programs("DNSSEC validation", &PROGRAMS) {
        return;
    }
    let origin = "wrong.example.";
    let name = format!("www.{origin}");
    let world = World::new(|directory| {
        let mut family = Family::new(directory, origin, Signer::Ldns, Denial::Nsec);
        let text = std::fs::read_to_string(&family.parent.file).unwrap();
        let lines = text.lines().filter(|line| !(line.starts_with(&name) && line.contains("\tAAAA")));
        let without: String = lines.map(|line| format!("{line}\n")).collect();
        assert_eq!(text.lines().count(), without.lines().count() + 2, "AAAA and its signature");
        std::fs::write(&family.parent.file, without).unwrap();
        family.zone = load(origin, &family.parent.file);
        vec![family]
    });
    let snapshot = snapshot(&world.families[0]);
    let judged = |record_type: u16| {
        let ours = ask(&snapshot, &query(1, &name, record_type, false));
        let unbound = world.space.inside(|| Client::new().judge(&name, record_type, &ours));
        [unbound, world.delv.ask(&world.space, origin, &name, record_type)]
    };
    assert_eq!(judged(A), [Ok(Verdict::Secure), Ok(Verdict::Secure)]);
    for verdict in judged(AAAA) {
        assert!(verdict.is_err(), "{verdict:?}");
    }
}

/// A snapshot of the parent's zone alone.
fn snapshot(family: &Family) -> Snapshot {
    Snapshot::default().with_changes([Arc::clone(&family.zone)], &[]).completed()
}

/// Zones, the servers that have them, and the validators, in one namespace; dropped in this order.
struct World {
    unbound: Unbound,
    _servers: [Serving; 2],
    delv: Delv,
    families: Vec<Family>,
    space: Space,
    _lab: Lab,
}

impl World {
    /// Signs the zones in the directory that `families` gets, and starts everything.
    fn new(families: impl FnOnce(&Path) -> Vec<Family>) -> Self {
        let mut lab = Lab::new();
        let space = lab.space("dnssec");
        for address in ["192.0.2.53/32", "192.0.2.54/32"] {
            space.ip(&["address", "add", address, "dev", "lo"]);
        }
        let families = families(lab.directory());
        let servers = space.inside(|| serve(&families));
        let unbound = Unbound::start(&lab, &space, &families);
        let delv = Delv::new(lab.directory(), &families);
        Self { unbound, _servers: servers, delv, families, space, _lab: lab }
    }
}

/// A name relative to the zone, and a type.
type Question<'a> = (&'a str, u16);

/// What the answers of one zone are judged with.
struct Judge<'a> {
    world: &'a World,
    snapshot: Snapshot,
    origin: &'a str,
    denial: Denial,
    /// How many questions Unbound and delv got.
    asked: &'a [AtomicUsize; 2],
}

impl Judge<'_> {
    /// The faults of all answers; gives up after some.
    fn all(&self, work: &[Question<'_>]) -> Vec<String> {
        let next = AtomicUsize::new(0);
        let some = || {
            self.world.space.enter();
            let client = Client::new();
            let mut faults = Vec::new();
            while let Some(question) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                faults.extend(self.fault(&client, *question));
                if faults.len() > SHOWN {
                    break;
                }
            }
            faults
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(some)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// What is wrong with the answer to one question.
    fn fault(&self, client: &Client, (name, record_type): Question<'_>) -> Option<String> {
        if (name, record_type) == ("", DS) {
            // The parent's question; the apex says NODATA, which no validator takes from it (RFC 6840 section 4.4).
            return None;
        }
        let origin = self.origin;
        let full = if name.is_empty() { origin.to_owned() } else { format!("{name}.{origin}") };
        let ours = ask(&self.snapshot, &query(1, &full, record_type, false));
        let told = |what: &str| Some(format!("{full} {record_type}: {what}\nours: {}", ours.text()));
        if let Some(fault) = direct::fault(&ours, origin) {
            return told(&fault);
        }
        let verdict = if direct::is_alias_below_dname(&ours, record_type) {
            self.asked[1].fetch_add(1, Ordering::Relaxed);
            self.world.delv.ask(&self.world.space, origin, &full, record_type)
        } else {
            self.asked[0].fetch_add(1, Ordering::Relaxed);
            client.judge(&full, record_type, &ours)
        };
        let referral = !ours.message.metadata.authoritative;
        // At an unsigned delegation only the DS question is the parent's to answer.
        let insecure = is_insecure(name) && !(record_type == DS && UNSIGNED.contains(&name));
        // A span with opt-out proves nothing about the names in it (RFC 5155 section 9.2).
        let may_be_either = self.denial == Denial::OptOut && (referral || direct::is_opt_out(&ours));
        match verdict {
            Err(what) => told(&what),
            Ok(Verdict::Secure) if insecure => told("it cannot be secure"),
            Ok(Verdict::Insecure) if !insecure && !may_be_either => told("it is not secure"),
            Ok(_) => None,
        }
    }
}
