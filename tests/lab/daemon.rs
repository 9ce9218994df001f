//! The routing daemon between anyns and the router stands still: the status must not say "announced" for long, and the route must
//! come back soon after.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::measured;
use crate::support::pop;
use crate::support::table::tell;
use crate::support::wait::{holds_for, wait_until};
use crate::support::world::{BOUND, PREFIXES, Route, World};

/// How long the daemon stands still: longer than every hold time of the lab.
const FROZEN: Duration = Duration::from_secs(12);
/// The hold time of the session with the daemon is 3 s; a timer and the status may be late.
const TOLD: Duration = Duration::from_secs(5);
/// Both sessions wait two seconds at most after an error before they connect again.
const BACK: Duration = Duration::from_secs(10);

#[test]
fn the_local_daemon_is_frozen() {
    let _turn = measured();
    let mut world = World::new(Route::ThroughBird, 9);
    let mut a = pop::at_site(&world, &world.a, Route::ThroughBird, "");
    a.start(&world.lab);
    world.wait_leads_to(&world.a);
    a.wait_status("is healthy", |status| status["overall"]["verdict"] == "ok");
    let begun = Instant::now();
    signal(&mut world, Signal::SIGSTOP);
    wait_until("the status tells that the daemon does not answer", TOLD, || {
        a.status_soon().is_some_and(|status| status["overall"]["verdict"] != "ok")
    });
    let (told, status) = (begun.elapsed(), a.status().expect("the status comes"));
    tell(&format!("the local BIRD frozen: told after {told:.1?}: {}", status["overall"]["reasons"]));
    holds_for("the status says that all is well", FROZEN.saturating_sub(begun.elapsed()), || {
        a.status_soon().is_some_and(|status| status["overall"]["verdict"] != "ok")
    });
    wait_until("the upstream's routes are gone", BOUND, || {
        PREFIXES.iter().all(|prefix| !world.led_to(prefix, &world.a))
    });
    tell(&format!("the local BIRD frozen: the upstream's routes are gone after {:.1?}", begun.elapsed()));
    let thawed = Instant::now();
    signal(&mut world, Signal::SIGCONT);
    wait_until("the routes are back", BACK, || PREFIXES.iter().all(|prefix| world.led_to(prefix, &world.a)));
    tell(&format!("the local BIRD thawed: the routes are back after {:.1?}", thawed.elapsed()));
    a.wait_status("is healthy again", |status| status["overall"]["verdict"] == "ok");
}

fn signal(world: &mut World, signal: Signal) {
    world.a.bird.as_mut().expect("the POP runs a BIRD").process().signal(signal);
}
