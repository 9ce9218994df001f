//! Service addresses are for answering: nothing that anyns sends by itself comes from one (the answer would reach another
//! POP). The kernel counts, in the POP's namespace, what leaves a service address from another port than 53.

use crate::support::lab::Space;
use crate::support::pop;
use crate::support::process::must;
use crate::support::wait::{holds_for, wait_until};
use crate::support::world::{BOUND, Route, World};

#[test]
fn nothing_leaves_from_a_service_address_but_answers() {
    let world = World::new(Route::Direct, 9);
    let space = &world.a.space;
    let rules = "add table inet sources
        add chain inet sources output { type filter hook output priority 0; }
        add rule inet sources output ip saddr 192.0.2.53 udp sport != 53 counter
        add rule inet sources output ip saddr 192.0.2.53 tcp sport != 53 counter
        add rule inet sources output ip6 saddr 2001:db8:53::53 udp sport != 53 counter
        add rule inet sources output ip6 saddr 2001:db8:53::53 tcp sport != 53 counter";
    let file = world.lab.directory().join("sources.nft");
    std::fs::write(&file, rules).expect("written");
    must(space.command("nft").arg("-f").arg(&file));

    // Probes over UDP and TCP, and the BGP session, begin and go on.
    let mut a = pop::at_site(&world, &world.a, Route::Direct, "");
    a.start(&world.lab);
    world.wait_leads_to(&world.a);
    let queries =
        || a.status().and_then(|status| status["serve"]["counters"]["udp_queries"].as_u64()).unwrap_or(0);
    let before = queries();
    wait_until("some rounds of probes", BOUND, || queries() > before + 20);
    holds_for("nothing counted", std::time::Duration::from_millis(500), || counted(space) == 0);

    // The counters can count.
    let _ = space
        .command("dig")
        .args(["-b", "192.0.2.53", "@198.18.1.1", "+tries=1", "+timeout=1", "x"])
        .output();
    assert!(counted(space) > 0, "a query from a service address is seen");
}

/// Packets that all rules together have counted.
fn counted(space: &Space) -> u64 {
    let text = must(space.command("nft").args(["list", "table", "inet", "sources"]));
    let counts =
        text.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    counts.sum()
}
