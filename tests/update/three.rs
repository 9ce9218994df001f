//! The same updates to anyns, BIND and Knot: the same RCODE and the same zone after each.

use crate::client::{Client, zone};
use crate::hub::{HUB, PORT, ZONE, hub};
use crate::peers::{BIND, KNOT, start_bind, start_knot};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

/// The updates, as nsupdate takes them, each after a line that begins with `#` and names it, and notes about peers; `@` is the zone.
const UPDATES: &str = include_str!("updates.txt");

#[test]
fn anyns_bind_and_knot_do_the_same() {
    if !has_programs("updates beside BIND and Knot", &["nsupdate", "named", "knotd", "dig"]) {
        return;
    }
    let (mut hub, _) = hub();
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(1));
    for address in [BIND.0, KNOT.0] {
        hub.space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    let bind_process = start_bind(&hub.lab, &hub.space);
    let knot_process = start_knot(&hub.lab, &hub.space);
    let servers = [("anyns", (HUB, PORT)), ("bind", BIND), ("knot", KNOT)];
    for (name, server) in servers {
        let bound = crate::support::anyns::BOUND;
        wait_until(&format!("{name} serves"), bound, || zone(&hub.space, server).0 == Some(1));
    }
    let (mut differences, mut serials) = (Vec::new(), [1; 3]);
    let updates = updates();
    for update in &updates {
        let mut outcome = |at: usize| {
            let (name, server) = servers[at];
            let is_sent = !update.notes.iter().any(|note| note.starts_with(&format!("- {name}")));
            let rcode = is_sent
                .then(|| Client::Nsupdate.send(&hub.space, server, Some("hmac-sha256"), &update.commands));
            let (serial, lines) = zone(&hub.space, server);
            let before = std::mem::replace(&mut serials[at], serial.unwrap_or_default());
            let mut lines: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
            lines.sort();
            rcode.map(|rcode| (rcode, serials[at] > before, lines))
        };
        let ours = outcome(0).expect("everything is sent to anyns");
        for at in [1, 2] {
            let (name, title) = (servers[at].0, &update.title);
            let differs = outcome(at).filter(|other| *other != ours);
            let is_known = update.notes.iter().any(|note| note.starts_with(&format!("! {name}")));
            match differs {
                Some(other) if !is_known => {
                    differences.push(format!("{title}, {name}:\n{}", diff(&ours, &other)))
                }
                None if is_known => {
                    differences.push(format!("{title}: {name} does the same, so it needs no note"))
                }
                _ => {}
            }
        }
    }
    let done = updates.len();
    if std::env::var_os("ANYNS_INTEROP_LOG").is_some() {
        println!("{}\n{}", bind_process.output(), knot_process.output());
    }
    println!("{done} updates, {} differences", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(done >= 60, "{done}");
}

/// One update.
#[derive(Default)]
struct Update {
    title: String,
    /// `! PEER: why` for one that is known to do something else, `- PEER: why` for one that is not asked.
    notes: Vec<String>,
    commands: String,
}

fn updates() -> Vec<Update> {
    let mut all: Vec<Update> = Vec::new();
    for line in UPDATES.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            all.push(Update { title: title.to_owned(), ..Update::default() });
            continue;
        }
        let update = all.last_mut().expect("a title comes first");
        match line.starts_with(['!', '-']) {
            true => update.notes.push(line.to_owned()),
            false => update.commands.push_str(&(line.replace('@', &format!("{ZONE}.")) + "\n")),
        }
    }
    all
}

/// The RCODE, whether the serial was raised, the zone.
type Outcome = (String, bool, Vec<String>);

fn diff(ours: &Outcome, other: &Outcome) -> String {
    let (ours_zone, other_zone) = (&ours.2, &other.2);
    let only = |one: &[String], rest: &[String]| -> String {
        one.iter().filter(|line| !rest.contains(line)).map(|line| format!("  {line}\n")).collect()
    };
    format!(
        "RCODE {} and {}, serial raised: {} and {}\nonly anyns:\n{}only the other:\n{}",
        ours.0,
        other.0,
        ours.1,
        other.1,
        only(ours_zone, other_zone),
        only(other_zone, ours_zone)
    )
}
