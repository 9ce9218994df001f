//! Pauses of the whole process (a snapshot of the virtual machine, CPU time that the hypervisor takes): shorter than the hold time,
//! they are no fault. No withdrawal follows, and no damping.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::measured;
use crate::support::anyns::every_intent;
use crate::support::pop::{self, RATE, ZONE};
use crate::support::skip::is_full_run;
use crate::support::stream::Stream;
use crate::support::table::tell;
use crate::support::wait::holds_for;
use crate::support::world::{BOUND, PREFIXES, Route, World, service};
use crate::support::zones;

/// Pauses of the quick run and of the long one, per hold time.
const QUICK: u32 = 3;
const FULL: u32 = 50;
/// The shortest pause.
const SHORTEST: Duration = Duration::from_millis(500);
/// How long the process runs between two pauses: whatever a pause leads to would show by then.
const BETWEEN: Duration = Duration::from_millis(1500);

/// A keepalive may be a second old when a pause begins, and BIRD's hold timer goes off up to a quarter early, at random: from 2.25 s
/// on. FRR and GoBGP, whose timers are exact, are asked with pauses of up to 1.8 s (`tests/route`).
#[test]
fn pauses_at_a_hold_time_of_3_seconds() {
    pauses(3, Duration::from_millis(1150));
}

#[test]
fn pauses_at_a_hold_time_of_9_seconds() {
    pauses(9, Duration::from_millis(2500));
}

fn pauses(hold: u32, longest: Duration) {
    let _turn = measured();
    let world = World::new(Route::Direct, 9);
    let mut a = pop::at_site_with_hold(&world, &world.a, Route::Direct, "[log]\nlevel = \"debug\"\n", hold);
    a.start(&world.lab);
    world.wait_leads_to(&world.a);
    let stream = Stream::start(&world.client, service(0), RATE, zones::questions(ZONE));
    let (changes, withdrawals) = (world.route_changes().len(), world.upstream.withdrawals("a"));
    let announced = || PREFIXES.iter().all(|prefix| world.led_to(prefix, &world.a));
    let count = if is_full_run() { FULL } else { QUICK };
    for number in 0..count {
        stream.wait_answers(fastrand::u32(1..RATE / 2), BOUND);
        let pause = SHORTEST + (longest - SHORTEST).mul_f64(fastrand::f64());
        let what = format!("pause {number} of {pause:.2?} at a hold time of {hold} s: a route is gone");
        a.signal(Signal::SIGSTOP);
        holds_for(&what, pause, announced);
        a.signal(Signal::SIGCONT);
        stream.wait_answers(1, BOUND);
        holds_for(&what, BETWEEN, announced);
        let status = a.status().expect("the status comes");
        assert!(every_intent(&status, "announce"), "{what}: {status:#}");
        tell(&format!(
            "hold time {hold} s: pause of {pause:.2?}: no withdrawal; status {}",
            status["overall"]
        ));
    }
    drop(stream);
    assert_eq!(world.upstream.withdrawals("a"), withdrawals, "the upstream received a withdrawal");
    assert_eq!(world.route_changes().len(), changes, "{:?}", world.route_changes());
    let log = a.process().output();
    assert!(!log.contains("route withdrawn"), "the log tells of a withdrawal");
}
