//! Every answer and denial is validated.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyns::zone::Snapshot;

use crate::authority::{Family, ask, serve};
use crate::delv::{Delv, Verdict};
use crate::direct;
use crate::names::{TYPES, UNSIGNED, ZONES, is_insecure, questions};
use crate::resolver::{Client, Unbound};
use crate::sign::Denial;
use crate::support::lab::{Lab, Space};
use crate::support::skip::has_programs;
use crate::wire::query;

/// How many questions are under way at once: Unbound waits for our servers most of the time.
const CLIENTS: usize = 8;
/// Faults that are shown before the test gives up.
const SHOWN: usize = 10;
const DS: u16 = 43;

#[test]
fn every_answer_and_denial_validates() {
    if !has_programs("DNSSEC validation", &["ldns-signzone", "dnssec-signzone", "delv", "unbound"]) {
        return;
    }
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("seed {seed} (PROPTEST_RNG_SEED)");
    let mut lab = Lab::new();
    let space = lab.space("dnssec");
    for address in ["192.0.2.53/32", "192.0.2.54/32"] {
        space.ip(&["address", "add", address, "dev", "lo"]);
    }
    let families: Vec<Family> = ZONES
        .iter()
        .map(|(origin, signer, denial)| Family::new(lab.directory(), origin, *signer, *denial))
        .collect();
    let servers = space.inside(|| serve(&families));
    let unbound = Unbound::start(&lab, &space, &families);
    let delv = Delv::new(lab.directory(), &families);
    let asked = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let start = Instant::now();
    let mut faults = Vec::new();
    for (family, (origin, _, denial)) in families.iter().zip(ZONES) {
        let snapshot = Snapshot::default().with_changes([Arc::clone(&family.zone)], &[]).completed();
        let judge = Judge { space: &space, snapshot, origin, denial, delv: &delv, asked: &asked };
        let names = questions(&mut fastrand::Rng::with_seed(seed));
        let work: Vec<Question<'_>> =
            names.iter().flat_map(|name| TYPES.map(|record_type| (name.as_str(), record_type))).collect();
        faults.extend(judge.all(&work));
    }
    drop(servers);
    let [by_unbound, by_delv] = asked.map(AtomicUsize::into_inner);
    println!("Unbound {by_unbound} and delv {by_delv} questions in {:?}", start.elapsed());
    assert!(by_unbound > 20_000 && by_delv > 100, "too little was asked");
    if !faults.is_empty() {
        let log = unbound.log();
        let why: Vec<String> =
            log.lines().filter(|line| line.contains("failure")).map(str::to_owned).collect();
        let shown = |lines: &[String]| lines.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
        panic!("{} faults:\n{}\n{}", faults.len(), shown(&faults), shown(&why));
    }
}

/// A name relative to the zone, and a type.
type Question<'a> = (&'a str, u16);

/// What the answers of one zone are judged with.
struct Judge<'a> {
    space: &'a Space,
    snapshot: Snapshot,
    origin: &'a str,
    denial: Denial,
    delv: &'a Delv,
    /// How many questions Unbound and delv got.
    asked: &'a [AtomicUsize; 2],
}

impl Judge<'_> {
    /// The faults of all answers; gives up after some.
    fn all(&self, work: &[Question<'_>]) -> Vec<String> {
        let next = AtomicUsize::new(0);
        let some = || {
            self.space.enter();
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
            self.delv.ask(self.space, origin, &full, record_type)
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
