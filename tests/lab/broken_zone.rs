//! One broken zone among a hundred, at start and at reload: the other ninety-nine are served, the POP announces.

use crate::support::anyns::zone_status;
use crate::support::pop::{self, Alone};
use crate::support::stream::ask_udp;
use crate::support::world::{BOUND, Route, Site, World};
use crate::support::{dns, zones};

const ZONES: u32 = 100;
/// Broken at start, whole at the reload.
const BROKEN_FIRST: u32 = 50;
/// Whole at start, broken at the reload.
const BROKEN_LATER: u32 = 7;
/// What no zone file may hold, in its line 11.
const BROKEN_LINE: &str = "broken IN A not-an-address\n";

#[test]
fn one_broken_zone_of_a_hundred() {
    let world = World::new(Route::Direct, 9);
    let mut a = pop::at_site(&world, &world.a, Route::Direct, "");
    let directory = pop::zone_directory(&world, &world.a);
    let write = |version: u32, broken: u32| {
        for number in 0..ZONES {
            let zone = name(number);
            let mut text = zones::versioned(&zone, version);
            if number == broken {
                text.push_str(BROKEN_LINE);
            }
            pop::replace(&directory.join(format!("{zone}.zone")), &text);
        }
    };
    write(1, BROKEN_FIRST);
    a.start(&world.lab);
    world.wait_leads_to(&world.a);
    let refused = a.wait_zone(&name(BROKEN_FIRST), "refused", None);
    shows_place(&refused, &name(BROKEN_FIRST));
    (0..ZONES).for_each(|number| {
        let expected = (number != BROKEN_FIRST).then_some(1);
        assert_eq!(served(&world, number), expected, "zone {number} after the start");
    });
    let changes = world.route_changes().len();

    write(2, BROKEN_LATER);
    a.must(&["reload"]);
    (0..ZONES).filter(|number| *number != BROKEN_LATER).for_each(|number| {
        a.wait_zone(&name(number), "served", Some(2));
    });
    let kept = a.wait_zone(&name(BROKEN_LATER), "kept", Some(1));
    shows_place(&kept, &name(BROKEN_LATER));
    (0..ZONES).for_each(|number| {
        let expected = if number == BROKEN_LATER { 1 } else { 2 };
        assert_eq!(served(&world, number), Some(expected), "zone {number} after the reload");
    });
    assert!(world.offers(&world.a), "the POP announces");
    assert_eq!(world.route_changes().len(), changes, "no route moved: {:?}", world.route_changes());
}

/// Without a route and without a state directory it is the same.
#[test]
fn the_status_is_degraded_and_says_why() {
    let alone = Alone::running("");
    std::fs::write(alone.zones.join("broken.example.zone"), "nonsense\n").expect("written");
    alone.anyns.wait_zone("broken.example", "refused", None);
    let said = alone.anyns.command(&["status"]);
    assert_eq!(said.code, 1, "degraded: {}", said.text);
    assert!(said.text.contains("broken.example"), "{}", said.text);
}

fn name(number: u32) -> String {
    format!("z{number}.example")
}

/// The version that a query from the client gets; `None` when the zone is not served.
fn served(world: &World, number: u32) -> Option<u32> {
    let ask = || ask_udp(Site::service(0), &format!("version.{}", name(number)), dns::TXT);
    let (answer, _) =
        crate::support::wait::wait_for("an answer, of whatever kind", BOUND, || world.client.inside(ask));
    // SERVFAIL: the zone is of this server, which has no version of it.
    assert!(matches!((answer.rcode, answer.texts.is_empty()), (0, false) | (2, true)), "{answer:?}");
    zones::one_version(&answer).ok()
}

fn shows_place(status: &serde_json::Value, zone: &str) {
    let faults = zone_status(status, zone).expect("the zone")["faults"].to_string();
    assert!(faults.contains(&format!("{zone}.zone:12:")), "file and line of the fault: {faults}");
}
