//! Faults inside the process, alone and together with faults around it: the route must say the truth whatever fails.
//!
//! Each scenario is a row of a table: a new fault is one line. A row says what fails inside (a thread stands still, a task
//! panics, standard error is full), what then fails around the process, and what must become of the route. Rows run in several
//! worlds at once, each with a real BIRD as the upstream, under a stream of queries, with debug logs on; a row begins at a random
//! instant. Per row it is printed when the route was gone, when it was back, and what the status and the log said.

mod matrix;
mod pop;
mod row;
mod run;

use std::time::Duration;

use crate::support::faults::Fault;
use crate::support::threads::threads;
use pop::Pop;
use row::{Inner, Outer, Row, Stream};
use run::run;

/// `policy.lease`, by its default.
const LEASE: Duration = Duration::from_secs(2);
/// The interval and the time limit of probes in these labs, and how many in a row must fail.
const INTERVAL: Duration = Duration::from_millis(300);
const FALL: u32 = 3;
/// What the issue allows beyond the lease and the probes.
const SLACK: Duration = Duration::from_secs(1);
/// A thread that serves and stands still.
const WORKER: Duration = Duration::from_secs(2);
/// A fault that looks like overload: some more rounds may pass until the evidence is clear.
const NOT_OVERLOAD: Duration = Duration::from_secs(10);
/// In the long run: at how many instants a thread is frozen, and how often a task panics.
const INSTANTS: usize = 50;
const PANICS: usize = 10;

/// Within this the route must be gone, whichever single thread stands still.
fn any_single() -> Duration {
    LEASE + FALL * INTERVAL + SLACK
}

const ONLY_IPV4: [bool; 2] = [true, false];
const ONLY_IPV6: [bool; 2] = [false, true];
const BOTH: [bool; 2] = [true, true];
const ONLY_UDP: [bool; 2] = [true, false];
const ONLY_TCP: [bool; 2] = [false, true];

const fn dropped(families: [bool; 2], transports: [bool; 2]) -> Outer {
    Outer::Fault(Fault::Dropped { families, transports })
}

/// Threads that take no part in the decision about the route: it stays while one of them stands still, and the status says so.
const ASIDE: [&str; 7] = ["publisher", "log", "verify", "transfer", "web", "catalogs", "canaries"];
/// Threads that have something to do only when a zone changes: then the status says so. The last one is `notify`'s, its name cut
/// short by the kernel; without it a change is found by the next scan.
const ZONES: [&str; 9] = [
    "zones-0",
    "zones-1",
    "zones-2",
    "small-1",
    "small-2",
    "survey-1",
    "state-writer",
    "changes-1",
    "notify-rs inoti",
];
/// Threads that do take part, the main one, and the control server: with one of them frozen, a fault around the process must still
/// take the route away.
const DECIDING: [&str; 6] = ["anyns", "decide", "health", "host", "watchdog", "control"];
/// Threads whose freeze must take the route away by itself, and within what time.
const SERVING: [(&str, Duration); 3] =
    [("speaker", LEASE.saturating_add(SLACK)), ("serve-0", WORKER), ("serve-1", WORKER)];
/// Tasks of which none may take the truth with it when it panics.
const TASKS: [&str; 17] = [
    "decide",
    "health",
    "addresses",
    "gate",
    "bgp",
    "neighbor 198.18.1.1:179",
    "publisher",
    "transfer",
    "control",
    "status",
    "log",
    "watchdog",
    "serve-0",
    "host",
    "web",
    "catalogs",
    "canaries",
];

/// The rows of the issue, and others of the same kinds.
#[test]
fn faults_that_must_not_look_like_overload() {
    run(
        "not overload",
        3,
        vec![
            Row::outer(dropped(ONLY_IPV4, BOTH), NOT_OVERLOAD).under(Stream::Udp(1, 200)),
            Row::outer(dropped(ONLY_IPV6, BOTH), NOT_OVERLOAD).under(Stream::Udp(0, 200)),
            Row::outer(dropped(BOTH, ONLY_UDP), NOT_OVERLOAD).under(Stream::Tcp(0, 20)),
            Row::outer(dropped(ONLY_IPV6, ONLY_UDP), NOT_OVERLOAD).under(Stream::Tcp(1, 20)),
            Row::outer(dropped(BOTH, ONLY_TCP), NOT_OVERLOAD).under(Stream::Udp(0, 200)),
            Row::outer(dropped(ONLY_IPV4, ONLY_TCP), NOT_OVERLOAD).under(Stream::Udp(1, 200)),
            Row::outer(Outer::Fault(Fault::NoDefaultRoute), NOT_OVERLOAD).under(Stream::UdpAndTcp(0, 200, 5)),
        ],
    );
}

/// Each thread frozen, then the service address deleted or port 53 dropped.
#[test]
fn a_frozen_thread() {
    let mut rows = Vec::new();
    for (number, thread) in DECIDING.into_iter().chain(ZONES).enumerate() {
        rows.extend(matrix::with_outers(number, Row::inner(Inner::Frozen(thread))));
    }
    for (number, thread) in ASIDE.into_iter().enumerate() {
        rows.extend(matrix::with_outers(number, Row::inner(Inner::Frozen(thread)).alarms()));
    }
    for thread in ["zones-0", "state-writer"] {
        rows.push(Row::inner(Inner::Frozen(thread)).alarms().then(Outer::NewZone));
    }
    for (thread, bound) in SERVING {
        rows.push(Row::inner(Inner::Frozen(thread)).gone(bound));
    }
    run("frozen", matrix::worlds(), matrix::repeated(rows, INSTANTS));
}

/// Threads of which several are alike: those that read zones, one for each core, and those that apply differences.
fn is_alike(name: &str) -> bool {
    name.starts_with("zones-") || name.starts_with("changes-")
}

/// A new thread needs a row above.
#[test]
fn every_thread_is_in_the_tables() {
    let mut pop = Pop::new(false);
    pop.world.wait_leads_to(&pop.world.a);
    let rows: Vec<&str> =
        DECIDING.into_iter().chain(ZONES).chain(ASIDE).chain(SERVING.map(|(name, _)| name)).collect();
    let threads = threads(pop.anyns.process().pid());
    let unknown: Vec<&str> = threads
        .iter()
        .map(|thread| thread.name.as_str())
        .filter(|name| !rows.contains(name) && !is_alike(name))
        .collect();
    assert!(unknown.is_empty(), "no row freezes the threads {unknown:?}");
}

/// Each supervised task made to panic, then the service address deleted or port 53 dropped.
#[test]
fn a_task_that_panics() {
    let rows = TASKS.into_iter().enumerate();
    let rows = rows.flat_map(|(number, task)| matrix::with_outers(number, Row::inner(Inner::Panics(task))));
    run("panic", matrix::worlds(), matrix::repeated(rows.collect(), PANICS));
}

/// Standard error is a pipe that nobody reads, as with a journald that hangs.
#[test]
fn a_log_that_nobody_reads() {
    let rows = matrix::with_outers(0, Row::inner(Inner::StderrFull));
    run("stderr", 1, rows);
}
