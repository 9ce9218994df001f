//! A test of the lab itself, with stand-ins: NSD serves, GoBGP speaks, and the lab must see what happens to them.
//!
//! A server that dies while its route stays is the black hole that anyns exists to prevent: the stream must see it.

use std::process::Command;
use std::time::Duration;

use crate::support::dns::TXT;
use crate::support::lab::{Lab, Space};
use crate::support::process::{Process, must};
use crate::support::skip::has_programs;
use crate::support::stream::{PATIENCE, Stream, ask_udp};
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

/// An answer that a resolver would not have waited for is lost, also when it comes while the stream goes on.
#[test]
fn the_lab_counts_late_answers_as_lost() {
    if !has_programs("the lab's test of its streams", &["nsd", "ip"]) {
        return;
    }
    let mut lab = Lab::new();
    let space = lab.space("late");
    for address in SERVICE {
        space.ip(&["address", "add", address, "dev", "lo"]);
    }
    let _server = name_server(&lab, &space, "late");
    let answers = || space.inside(|| ask_udp(Site::service(0), "version.example.org", TXT).is_some());
    wait_until("the server answers", BOUND, answers);
    let stream = Stream::start(&space, service(0), 50, zones::questions("example.org"));
    stream.wait_answers(20, BOUND);
    signal_all(&space, "STOP");
    let before = stream.answered();
    // What was under way is answered; then nothing is, for longer than a query may wait. The queries stay in the server's socket.
    let silence = PATIENCE + Duration::from_millis(500);
    holds_for("the server is silent", silence, || stream.answered().wrapping_sub(before) < 3);
    signal_all(&space, "CONT");
    stream.wait_answers(20, BOUND);
    let record = stream.stop();
    println!("{}", record.summary());
    assert!(
        record.late > 0 && record.lost() == record.late,
        "the first of the silence: {}",
        record.summary()
    );
    let slowest = record.asked.iter().filter_map(|asked| asked.answer.as_ref().map(|(took, _)| *took)).max();
    assert!(slowest.is_some_and(|took| took <= PATIENCE), "{slowest:?}");
    assert!(record.strays.is_empty(), "{:?}", record.strays);
}

/// Sends a signal to each process of a namespace.
fn signal_all(space: &Space, signal: &str) {
    let processes = must(Command::new("ip").args(["netns", "pids", space.name()]));
    must(Command::new("kill").arg(format!("-{signal}")).args(processes.split_whitespace()));
}

fn stand_in(lab: &Lab, site: &Site) -> StandIn {
    let server = name_server(lab, &site.space, site.name);
    let speaker = gobgp(lab, site);
    StandIn { server, speaker }
}

/// NSD at both service addresses, with the name as its NSID.
fn name_server(lab: &Lab, space: &Space, name: &str) -> Process {
    let directory = lab.subdirectory(&format!("nsd-{name}"));
    std::fs::write(directory.join("example.org.zone"), zones::versioned("example.org", 1)).expect("written");
    let [four, six] = SERVICE;
    let nsid: String = name.bytes().map(|octet| format!("{octet:02x}")).collect();
    let place = directory.display();
    let config = format!(
        "server:\n  ip-address: {four}\n  ip-address: {six}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{place}\"\n\
         \x20 database: \"\"\n  pidfile: \"{place}/pid\"\n  xfrdfile: \"{place}/xfrd\"\n  zonelistfile: \"{place}/list\"\n\
         \x20 nsid: {nsid}\n  server-count: 1\nremote-control:\n  control-enable: no\n\
         zone:\n  name: example.org\n  zonefile: example.org.zone\n"
    );
    let file = directory.join("nsd.conf");
    std::fs::write(&file, config).expect("written");
    lab.start(space, &format!("nsd-{name}"), "nsd", &["-d", "-c", &file.display().to_string()])
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
