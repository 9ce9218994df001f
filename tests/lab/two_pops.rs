//! Two POPs announce the same prefixes: the client is moved when one dies, drains or stops, and moved back when it is healthy.

use std::time::Duration;

use crate::support::anyns::Anyns;
use crate::support::pop::{self, RATE, ZONE};
use crate::support::process::must;
use crate::support::stream::{Record, Stream, ask_tcp, ask_udp};
use crate::support::wait::holds_for;
use crate::support::world::{BOUND, Route, SERVICE, Site, World, service};
use crate::support::{dns, zones};
use crate::timed;

/// How long a POP that is not ready is watched for staying away: many probe intervals and connection attempts.
const AWAY: Duration = Duration::from_secs(3);
/// The longest that a route may take to move after `kill -9`; milliseconds are usual, the machine may be busy.
const KILLED: Duration = Duration::from_secs(2);

#[test]
fn two_pops_through_their_bird() {
    let _turn = timed();
    all_moves(Route::ThroughBird);
}

#[test]
fn two_pops_that_speak_with_the_upstream() {
    let _turn = timed();
    all_moves(Route::Direct);
}

fn all_moves(route: Route) {
    let world = World::new(route, 9);
    let mut a = pop::at_site(&world, &world.a, route, "");
    let mut b = pop::at_site(&world, &world.b, route, "");
    a.start(&world.lab);
    b.start(&world.lab);
    world.wait_offered(&world.a);
    world.wait_offered(&world.b);
    world.wait_leads_to(&world.a);
    asks_reach(&world, "a");
    killed(&world, &mut a, route);
    returns_when_ready(&world, &mut a);
    drained(&world, &a, route);
    stopped(&world, &mut a, route);
}

/// `dig` as an operator would use it, over both families and transports: the instance is told three ways.
fn asks_reach(world: &World, instance: &str) {
    for (family, address) in SERVICE.into_iter().enumerate() {
        let server = format!("@{address}");
        let dig = |arguments: &[&str]| must(world.client.command("dig").arg(&server).args(arguments));
        let text = dig(&["+nsid", &format!("version.{ZONE}"), "TXT"]);
        assert!(text.contains(&format!("(\"{instance}\")")), "NSID says {instance} (RFC 5001): {text}");
        let name = format!("\"{instance}\"");
        assert_eq!(dig(&["+short", "CH", "TXT", "id.server"]).trim(), name, "RFC 4892");
        assert_eq!(dig(&["+short", "+tcp", "CH", "TXT", "hostname.bind"]).trim(), name);
        let answer =
            world.client.inside(|| ask_tcp(Site::service(family), &format!("version.{ZONE}"), dns::TXT));
        let answer = answer.expect("an answer over TCP");
        assert_eq!((answer.instance.as_str(), zones::one_version(&answer)), (instance, Ok(1)));
    }
}

fn killed(world: &World, a: &mut Anyns, route: Route) {
    let streams = streams(world);
    a.kill();
    let moved = world.wait_leads_to(&world.b);
    for (address, record) in streams_end(streams, "b") {
        println!("{route:?}: kill -9, {address}: routes moved after {moved:.1?}; {}", record.summary());
    }
    assert!(moved < KILLED, "the routes moved after {moved:?}");
    asks_reach(world, "b");
}

/// A's required zone is held back: it must stay away although it runs and serves another zone.
fn returns_when_ready(world: &World, a: &mut Anyns) {
    let zones = pop::zone_directory(world, &world.a);
    std::fs::remove_file(zones.join(format!("{ZONE}.zone"))).expect("held back");
    let state = pop::state_directory(&world.lab, world.a.name);
    std::fs::remove_dir_all(&state).and_then(|()| std::fs::create_dir(&state)).expect("no earlier version");
    pop::deploy(&zones, "other.example", 1);
    a.start(&world.lab);
    a.wait_zone("other.example", "served", Some(1));
    holds_for("a announces without its required zone", AWAY, || !world.offers_any(&world.a));
    let status = a.status().expect("a status");
    assert!(status["prefixes"].to_string().contains(ZONE), "it says which zone is missing: {status:#}");
    pop::deploy(&zones, ZONE, 1);
    let back = world.wait_leads_to(&world.a);
    let probes = a.status().expect("a status")["probes"].clone();
    println!("back {back:.1?} after its zone came; probes {probes}");
    asks_reach(world, "a");
}

fn drained(world: &World, a: &Anyns, route: Route) {
    let streams = streams(world);
    a.must(&["drain", "--reason", "the lab drains it"]);
    let moved = world.wait_leads_to(&world.b);
    let what = "the drained routes are withdrawn";
    crate::support::wait::wait_until(what, BOUND, || !world.offers_any(&world.a));
    for (address, record) in streams_end(streams, "b") {
        println!("{route:?}: drain, {address}: routes moved after {moved:.1?}; {}", record.summary());
        none_lost(&record);
    }
    let streams = streams_of(world, "b");
    a.must(&["undrain"]);
    let moved = world.wait_leads_to(&world.a);
    for (address, record) in streams_end(streams, "a") {
        println!("{route:?}: undrain, {address}: routes moved after {moved:.1?}; {}", record.summary());
        none_lost(&record);
    }
}

/// SIGTERM drains in order: prefer less, wait, withdraw, wait until the queries stop, then close.
fn stopped(world: &World, a: &mut Anyns, route: Route) {
    let streams = streams(world);
    a.signal(nix::sys::signal::Signal::SIGTERM);
    world.wait_leads_to(&world.b);
    let status = a.process().wait_end(BOUND);
    assert!(status.success(), "a planned stop ends well: {status}");
    for (address, record) in streams_end(streams, "b") {
        println!("{route:?}: SIGTERM, {address}: {}", record.summary());
        none_lost(&record);
    }
    let silent = world.a.space.inside(|| ask_udp(Site::service(0), &format!("version.{ZONE}"), dns::TXT));
    assert_eq!(silent, None, "nobody serves at a any more");
}

/// A stream for each family, each answered by a.
fn streams(world: &World) -> Vec<Stream> {
    streams_of(world, "a")
}

fn streams_of(world: &World, instance: &str) -> Vec<Stream> {
    let start = |family| Stream::start(&world.client, service(family), RATE, zones::questions(ZONE));
    let streams: Vec<Stream> = [0, 1].map(start).into();
    for stream in &streams {
        stream.wait_instance(instance, BOUND);
    }
    streams
}

/// Waits until `instance` answers each stream for a while, and ends them. Whatever was answered must be whole.
fn streams_end(streams: Vec<Stream>, instance: &str) -> Vec<(&'static str, Record)> {
    let end = |(address, stream): (&'static str, Stream)| {
        stream.wait_instance(instance, BOUND);
        stream.wait_answers(RATE, BOUND);
        let record = stream.stop();
        record.answers().for_each(|answer| assert_eq!(zones::one_version(answer), Ok(1)));
        (address, record)
    };
    SERVICE.into_iter().zip(streams).map(end).collect()
}

fn none_lost(record: &Record) {
    assert_eq!(record.lost(), 0, "queries were lost: {}", record.summary());
    assert!(record.strays.is_empty(), "{:?}", record.strays);
    assert_eq!(record.instances().len(), 2, "both POPs answered: {}", record.summary());
}
