//! A test of the lab itself, with stand-ins: NSD serves, GoBGP speaks, and the lab must see what happens to them.
//!
//! A server that dies while its route stays is the black hole that anyns exists to prevent: the stream must see it.

use std::time::Duration;

use crate::support::dns::TXT;
use crate::support::lab::Lab;
use crate::support::process::{Process, must};
use crate::support::skip::has_programs;
use crate::support::stream::{Stream, ask_udp};
use crate::support::wait::{holds_for, wait_until};
use crate::support::world::{BOUND, PREFIXES, Route, SERVICE, Site, World, service};
use crate::support::zones;

/// How long the black hole is watched.
const BLACK_HOLE: Duration = Duration::from_millis(300);

/// NSD and GoBGP in a POP.
struct StandIn {
    server: Process,
    speaker: Process,
}

#[test]
fn the_lab_sees_a_move_and_a_black_hole() {
    if !has_programs("the lab's test of itself", &["nsd", "gobgpd", "bird", "ip"]) {
        return;
    }
    let world = World::new(Route::ThroughBird, 9);
    let mut a = stand_in(&world.lab, &world.a);
    let _b = stand_in(&world.lab, &world.b);
    world.wait_offered(&world.a);
    world.wait_offered(&world.b);
    world.wait_leads_to(&world.a);
    for family in [0, 1] {
        let stream = Stream::start(&world.client, service(family), 200, zones::questions("example.org"));
        stream.wait_instance("a", BOUND);
        stream.wait_answers(50, BOUND);
        let record = stream.stop();
        println!("{}: {}", SERVICE[family], record.summary());
        assert_eq!(record.instances().keys().collect::<Vec<_>>(), ["a"]);
        assert!(record.answers().all(|answer| zones::one_version(answer) == Ok(1)), "{record:?}");
    }

    // The server dies alone: nobody withdraws, and the stream must see nothing but loss.
    let stream = Stream::start(&world.client, service(0), 200, zones::questions("example.org"));
    stream.wait_answers(50, BOUND);
    a.server.kill();
    let dead = || world.client.inside(|| ask_udp(Site::service(0), "version.example.org", TXT).is_none());
    wait_until("a's server is silent", BOUND, dead);
    assert!(PREFIXES.iter().all(|prefix| world.leads_to(prefix, &world.a)), "nobody was there to withdraw");
    holds_for("the black hole lasts", BLACK_HOLE, || world.leads_to(PREFIXES[0], &world.a));
    // The speaker dies too: now the route goes and b answers.
    a.speaker.kill();
    let moved = world.wait_leads_to(&world.b);
    stream.wait_instance("b", BOUND);
    let record = stream.stop();
    println!("the speaker killed: routes moved after {moved:.1?}; {}", record.summary());
    assert!(record.lost() > 0 && record.longest_gap() > BLACK_HOLE, "the gap must be seen");
    assert!(record.instances().contains_key("b"));
    assert!(world.route_changes().len() >= 2 * PREFIXES.len(), "{:?}", world.route_changes());
}

fn stand_in(lab: &Lab, site: &Site) -> StandIn {
    let directory = lab.subdirectory(&format!("nsd-{}", site.name));
    std::fs::write(directory.join("example.org.zone"), zones::versioned("example.org", 1)).expect("written");
    let [four, six] = SERVICE;
    let nsid: String = site.name.bytes().map(|octet| format!("{octet:02x}")).collect();
    let place = directory.display();
    let config = format!(
        "server:\n  ip-address: {four}\n  ip-address: {six}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{place}\"\n\
         \x20 database: \"\"\n  pidfile: \"{place}/pid\"\n  xfrdfile: \"{place}/xfrd\"\n  zonelistfile: \"{place}/list\"\n\
         \x20 nsid: {nsid}\n  server-count: 1\nremote-control:\n  control-enable: no\n\
         zone:\n  name: example.org\n  zonefile: example.org.zone\n"
    );
    let file = directory.join("nsd.conf");
    std::fs::write(&file, config).expect("written");
    let server = lab.start(
        &site.space,
        &format!("nsd-{}", site.name),
        "nsd",
        &["-d", "-c", &file.display().to_string()],
    );
    let speaker = gobgp(lab, site);
    StandIn { server, speaker }
}

/// GoBGP as the loopback iBGP peer that anyns will be, announcing both prefixes.
fn gobgp(lab: &Lab, site: &Site) -> Process {
    let neighbor = "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"127.0.0.1\"\npeer-as = 65001\n\
         [neighbors.transport.config]\nlocal-address = \"127.0.0.2\"\n[neighbors.timers.config]\nconnect-retry = 1\n\
         idle-hold-time-after-reset = 1\n\
         [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv4-unicast\"\n\
         [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv6-unicast\"\n";
    let id = site.router_id();
    let config = format!("[global.config]\nas = 65001\nrouter-id = \"{id}\"\nport = -1\n{neighbor}");
    let file = lab.directory().join(format!("gobgp-{}.toml", site.name));
    std::fs::write(&file, config).expect("written");
    let name = format!("gobgp-{}", site.name);
    let speaker = lab.start(&site.space, &name, "gobgpd", &["-f", &file.display().to_string()]);
    wait_until("gobgp answers", BOUND, || {
        site.space.command("gobgp").args(["neighbor"]).output().is_ok_and(|output| output.status.success())
    });
    let [four, six] = PREFIXES;
    must(site.space.command("gobgp").args(["global", "rib", "add", four, "nexthop", "127.0.0.2"]));
    must(site.space.command("gobgp").args([
        "global",
        "rib",
        "add",
        "-a",
        "ipv6",
        six,
        "nexthop",
        site.management[1],
    ]));
    speaker
}
