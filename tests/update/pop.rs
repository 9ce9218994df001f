//! A hub that takes updates, and a POP that has the zone from it.

use std::time::Duration;

use crate::client::{Client, zone};
use crate::hub::{HUB, PORT, ZONE, hub_with};
use crate::support::anyns::{Anyns, BOUND};
use crate::support::pop::{ZONE as OTHER, add_service_addresses, base_config, deploy};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const POP: &str = "198.19.0.2";
/// Updates that go through.
const UPDATES: u32 = 20;

#[test]
fn updates_reach_the_pops_which_take_none_themselves() {
    if !has_programs("updates of a hub and a POP", &["nsupdate", "dig"]) {
        return;
    }
    let (mut hub, _) = hub_with(&format!("notify = [{{ address = \"{POP}:{PORT}\" }}]"));
    let space = hub.lab.space("pop");
    hub.lab.link(
        (&hub.space, "wan", &["198.19.0.1/24", "2001:db8:2::1/64"]),
        (&space, "wan", &["198.19.0.2/24", "2001:db8:2::2/64"]),
    );
    space.ip(&["route", "add", &format!("{HUB}/32"), "via", "198.19.0.1"]);
    add_service_addresses(&space);
    deploy(&hub.lab.subdirectory("zones-pop"), OTHER, 1);
    let config = base_config(&hub.lab, "pop", [POP, "2001:db8:2::2"], "dry-run", "");
    let config = format!(
        "{config}\n[transfer]\nlisten = [\"{POP}:{PORT}\"]\nallow = [{{ from = \"198.19.0.0/24\" }}]\n\n[[zone]]\nname = \"{ZONE}\"\n\
         primaries = [{{ address = \"{HUB}:{PORT}\" }}]\n"
    );
    let mut pop = Anyns::new(&hub.lab, &space, "pop", &config);
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(1));
    pop.start(&hub.lab);
    pop.wait_zone(ZONE, "served", Some(1));
    let mut times: Vec<Duration> = Vec::new();
    for number in 1..=UPDATES {
        let text = format!("update delete same.{ZONE}.\nupdate add same.{ZONE}. 60 TXT \"{number}\"");
        let said = Client::Nsupdate.send(&hub.space, (HUB, PORT), Some("hmac-sha256"), &text);
        assert_eq!(said, "NOERROR", "{number}");
        let at_hub = zone(&hub.space, (HUB, PORT));
        assert_eq!(at_hub.0, Some(number + 1));
        let what = format!("the POP has update {number}");
        times.push(wait_until(&what, BOUND, || zone(&space, (POP, PORT)) == at_hub));
    }
    let told = hub.anyns.must(&["zone", "history", ZONE]);
    assert!(told.contains("1 -> 2  update (key hmac-sha256.), "), "{told}");
    let told = pop.must(&["zone", "history", ZONE]);
    assert!(told.contains(&format!("difference (primary {HUB}:{PORT}), ")), "{told}");
    times.sort();
    println!("from the hub to the POP, after the hub was asked: longest {:?}", times[times.len() - 1]);
    // What reaches a POP is refused, and its log says where it belongs, also where the POP does not have the key of the client.
    let text = format!("update add new.{ZONE}. 60 TXT x");
    let refused = |key| Client::Nsupdate.send(&space, (POP, PORT), key, &text);
    let mut named =
        || pop.process().output().matches(&format!("send the update there, to {HUB}:{PORT}")).count();
    assert!(refused(Some("hmac-sha256")).contains("NOTAUTH"));
    wait_until("the log names the hub", BOUND, || named() == 1);
    assert_eq!(refused(None), "REFUSED");
    wait_until("the log names the hub again", BOUND, || named() == 2);
    // A restart of the hub: the next update goes on from the last.
    hub.anyns.kill();
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(u64::from(UPDATES) + 1));
    let text = format!("update add after.{ZONE}. 60 TXT x");
    assert_eq!(Client::Nsupdate.send(&hub.space, (HUB, PORT), Some("hmac-sha256"), &text), "NOERROR");
    let at_hub = zone(&hub.space, (HUB, PORT));
    wait_until("the POP has the update after the restart", BOUND, || zone(&space, (POP, PORT)) == at_hub);
}
