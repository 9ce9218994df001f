//! Random edits of a zone file: what a POP has by differences in a row is what a transfer of the whole zone brings and what is in the
//! file, record by record in one form, with restarts on either side in between.

use std::collections::BTreeMap;

use crate::fleet::{FILES, Fleet, Place, one_form};
use crate::support::anyns::{BOUND, zone_status};
use crate::support::skip::{has_programs, is_full_run};
use crate::support::wait::wait_until;

/// Edits of the quick run, and of the long one.
const QUICK: u32 = 10;
const FULL: u32 = 600;
/// Names that edits choose from: few, so that they meet the same ones again.
const NAMES: u32 = 40;

/// The RRsets of a zone below its apex, by owner and type.
type Sets = BTreeMap<(String, &'static str), Vec<String>>;

/// One random change: a set more, other records in it, or a set less.
fn edit(sets: &mut Sets, rng: &mut fastrand::Rng) {
    let number = rng.u32(0..NAMES);
    // Some owners are empty non-terminals, or stand below others, or differ in case alone.
    let owner = match number % 5 {
        0 => format!("n{number}"),
        1 => format!("a.b.n{number}"),
        2 => format!("N{number}"),
        3 => format!("*.w{number}"),
        _ => format!("d{number}"),
    };
    if rng.u32(0..4) == 0 {
        sets.retain(|(of, _), _| *of != owner);
        return;
    }
    let mut rdata = |sets: usize, value: &mut dyn FnMut(&mut fastrand::Rng) -> String| {
        let mut values: Vec<String> = (0..rng.usize(1..=sets)).map(|_| value(rng)).collect();
        values.sort();
        values.dedup();
        values
    };
    let (kind, values) = match number % 7 {
        0 => ("A", rdata(4, &mut |rng| format!("192.0.2.{}", rng.u8(..)))),
        1 => ("AAAA", rdata(3, &mut |rng| format!("2001:db8::{:x}", rng.u16(1..)))),
        2 => ("TXT", rdata(3, &mut |rng| format!("\"{}\\\"; {}\"", rng.u32(..), rng.alphabetic()))),
        3 => ("MX", rdata(2, &mut |rng| format!("{} Mail{}.{FILES}.", rng.u8(..), rng.u8(0..3)))),
        4 => ("SRV", rdata(2, &mut |rng| format!("{} 0 {} t.{FILES}.", rng.u8(..), rng.u16(..)))),
        5 => ("CAA", rdata(2, &mut |rng| format!("0 issue \"ca{}.test\"", rng.u8(..)))),
        _ => ("TYPE65280", rdata(2, &mut |rng| format!("\\# 3 {:06x}", rng.u32(..1 << 24)))),
    };
    sets.insert((owner, kind), values);
}

fn text(serial: u32, sets: &Sets) -> String {
    let mut text = format!(
        "$ORIGIN {FILES}.\n@ 60 IN SOA ns1 host {serial} 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n"
    );
    // So many that a difference is smaller than the zone.
    (0..100).for_each(|it| text += &format!("fixed{it} 60 IN A 192.0.2.{it}\n"));
    for ((owner, kind), values) in sets {
        values.iter().for_each(|value| text += &format!("{owner} {} IN {kind} {value}\n", 60 + owner.len()));
    }
    text
}

/// The file as BIND reads it, in the form of [`Place::zone`].
fn of_file(fleet: &Fleet) -> Vec<String> {
    let file = fleet.file().display().to_string();
    let mut command = std::process::Command::new("named-compilezone");
    let output =
        command.args(["-q", "-i", "none", "-k", "ignore", "-s", "full", "-o", "-", FILES, &file]).output();
    let output = output.expect("named-compilezone runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(one_form).collect();
    lines.sort();
    lines
}

/// Owners in lower case: a name keeps the case of its first record, which may have gone (RFC 4343 section 4).
fn lower(lines: &[String]) -> Vec<String> {
    let lowered = |line: &String| {
        let (owner, rest) = line.split_once(' ').unwrap_or((line, ""));
        format!("{} {rest}", owner.to_ascii_lowercase())
    };
    let mut lines: Vec<String> = lines.iter().map(lowered).collect();
    lines.sort();
    lines
}

fn wait_same(what: &str, serial: u32, place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    wait_until(what, BOUND, || match place.zone(FILES) {
        Some((at, lines)) if at == serial => {
            found = lines;
            true
        }
        _ => false,
    });
    found
}

#[test]
fn differences_in_a_row_lead_to_what_the_file_says() {
    if !has_programs("random edits", &["dig", "named-compilezone"]) {
        return;
    }
    let rounds = if is_full_run() { FULL } else { QUICK };
    let mut rng = fastrand::Rng::with_seed(if is_full_run() { fastrand::u64(..) } else { 7 });
    println!("seed {}", rng.get_seed());
    let mut fleet = Fleet::new();
    let (mut sets, mut serial) = (Sets::new(), 1);
    fleet.deploy(&text(serial, &sets));
    fleet.start_hub();
    fleet.start_pop();
    let (hub, pop) = (fleet.at_hub(), fleet.at_pop());
    wait_same("the POP has the first version", serial, &pop);
    let (mut by_difference, mut restarts) = (0, 0);
    for round in 1..=rounds {
        // Sometimes several versions come at once, and serials leap.
        for _ in 0..rng.u32(1..4) {
            (0..rng.u32(1..6)).for_each(|_| edit(&mut sets, &mut rng));
            serial += rng.u32(1..1000);
            fleet.deploy(&text(serial, &sets));
            wait_same("the hub serves the version", serial, &hub);
        }
        if round % 5 == 0 {
            restarts += 1;
            match rng.bool() {
                true => {
                    fleet.hub.anyns.kill();
                    fleet.start_hub();
                }
                false => {
                    fleet.pop.kill();
                    fleet.start_pop();
                }
            }
            wait_until("both answer", BOUND, || hub.serial(FILES).is_some() && pop.serial(FILES).is_some());
            fleet.pop.command(&["zone", "refresh", FILES]);
        }
        let at_pop = wait_same("the POP has the version", serial, &pop);
        let at_hub = wait_same("the hub has it", serial, &hub);
        assert_eq!(lower(&at_pop), lower(&at_hub), "round {round}: the POP and the hub differ");
        assert_eq!(lower(&at_pop), lower(&of_file(&fleet)), "round {round}: the POP and the file differ");
        let status = fleet.pop.status().expect("the POP's status");
        let last = zone_status(&status, FILES).expect("the zone")["transfer"]["last_transfer"].clone();
        by_difference += u32::from(last["whole"] == false);
    }
    // The digests of the content are the same, made by each for itself.
    println!("{rounds} rounds of edits, {by_difference} of them by differences, {restarts} restarts");
    assert!(by_difference > rounds / 2, "most come by differences: {by_difference} of {rounds}");
    // The whole zone again is the same.
    let before = pop.zone(FILES);
    fleet.pop.must(&["zone", "retransfer", FILES]);
    fleet.pop.wait_status("it was transferred whole", |status| {
        zone_status(status, FILES).is_some_and(|zone| zone["transfer"]["last_transfer"]["whole"] == true)
    });
    let after = pop.zone(FILES);
    assert_eq!(before.map(|it| lower(&it.1)), after.map(|it| lower(&it.1)));
}
