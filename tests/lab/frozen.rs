//! A frozen process (SIGSTOP) keeps its sockets open: the hold time must take its route away.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::pop::{self, RATE, ZONE};
use crate::support::stream::Stream;
use crate::support::world::{BOUND, Route, World, service};
use crate::support::zones;
use crate::timed;

/// The hold time that the labs' speakers offer.
const HOLD: Duration = Duration::from_secs(3);
/// The neighbor counts from the last KEEPALIVE it read; its own timers and a busy machine add to that. Generous: the
/// printed time tells, the bound only catches a route that stays.
const SLACK: Duration = Duration::from_secs(6);

#[test]
fn frozen_through_bird() {
    frozen(Route::ThroughBird);
}

#[test]
fn frozen_towards_the_upstream() {
    frozen(Route::Direct);
}

fn frozen(route: Route) {
    let _turn = timed();
    let world = World::new(route, 9);
    let mut a = pop::at_site(&world, &world.a, route, "");
    let mut b = pop::at_site(&world, &world.b, route, "");
    a.start(&world.lab);
    b.start(&world.lab);
    world.wait_offered(&world.b);
    world.wait_leads_to(&world.a);
    let stream = Stream::start(&world.client, service(0), RATE, zones::questions(ZONE));
    stream.wait_instance("a", BOUND);
    a.signal(Signal::SIGSTOP);
    let moved = world.wait_leads_to(&world.b);
    stream.wait_instance("b", BOUND);
    stream.wait_answers(RATE, BOUND);
    let record = stream.stop();
    println!("{route:?}: SIGSTOP, hold time {HOLD:?}: routes moved after {moved:.1?}; {}", record.summary());
    assert!(moved < HOLD + SLACK, "the routes moved after {moved:?}");
    // It thaws: its session is new, its probes pass, the client comes back.
    a.signal(Signal::SIGCONT);
    let back = world.wait_leads_to(&world.a);
    println!("{route:?}: SIGCONT: back after {back:.1?}");
}
