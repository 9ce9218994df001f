//! Runs rows, several worlds at once, prints what was seen, and fails at the end with all that was wrong.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::pop::{Pop, told, verdict};
use super::row::{Inner, Outer, Row};
use crate::measured;
use crate::support::faults::{InForce, StuckPipe};
use crate::support::table::tell;
use crate::support::threads::Frozen;
use crate::support::wait::looked_for;

/// Within this the status must tell of a part that does not run.
const ALARM: Duration = Duration::from_secs(5);
/// How long a route that must stay is watched after the fault.
const WATCHED: Duration = Duration::from_secs(3);
/// Within this after the end of all faults the route must be back and the status well.
const BACK: Duration = Duration::from_secs(30);
/// A row begins after a random number of answers up to this: at 300 a second, within 0.3 s.
const MOST_ANSWERS: u32 = 100;

/// The environment variable that holds the seed of the random instants.
const SEED: &str = "ANYNS_TEST_SEED";

/// What was seen of a row.
#[derive(Default)]
struct Seen {
    alarm: Option<Duration>,
    gone: Option<Duration>,
    back: Option<Duration>,
    told: String,
    warnings: Vec<String>,
    faults: Vec<String>,
}

/// Runs the rows in this many worlds at once.
pub(super) fn run(name: &str, worlds: usize, rows: Vec<Row>) {
    let _turn = measured();
    let (queue, failed) = (Mutex::new(VecDeque::from(rows)), Mutex::new(Vec::new()));
    let (begun, seed) = (Instant::now(), seed());
    println!("{name}: {worlds} worlds at once, seed {seed} (repeat it with {SEED}={seed})");
    std::thread::scope(|scope| {
        let (queue, failed) = (&queue, &failed);
        for world in 0..worlds {
            scope.spawn(move || {
                fastrand::seed(seed + world as u64);
                let mut pop = None;
                while let Some(row) = locked(queue).pop_front() {
                    let seen = run_in(&mut pop, row);
                    tell(&line(name, &row, &seen));
                    if !seen.faults.is_empty() {
                        // What one row has broken is no fault of the next.
                        pop = None;
                        locked(failed).push(line(name, &row, &seen));
                    }
                }
            });
        }
    });
    tell(&format!("{name}: took {:.1?}", begun.elapsed()));
    let failed = locked(&failed);
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n"));
}

/// The seed of the random instants.
fn seed() -> u64 {
    let given = std::env::var(SEED).ok();
    given.map_or_else(
        || fastrand::u64(..u64::from(u32::MAX)),
        |text| text.parse().expect("the seed is a number"),
    )
}

/// Runs a row in this world, or in a new one where there is none or the row needs its own.
fn run_in(pop: &mut Option<Pop>, row: Row) -> Seen {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let stuck = row.inner == Inner::StderrFull;
        if stuck || pop.as_ref().is_some_and(|pop| pop.stderr.is_some()) {
            *pop = None;
        }
        let pop = pop.get_or_insert_with(|| Pop::new(stuck));
        let mut seen = Seen::default();
        if let Err(fault) = attempt(pop, row, &mut seen) {
            seen.faults.push(fault);
        }
        seen
    }));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Seen { faults: vec![text.unwrap_or_else(|| "panicked".to_owned())], ..Seen::default() }
    })
}

/// The row itself. An error ends it early; what is noted in `seen.faults` does not.
fn attempt(pop: &mut Pop, row: Row, seen: &mut Seen) -> Result<(), String> {
    if !matches!(row.inner, Inner::Panics(_)) {
        is_well(pop, "before the fault")?;
    }
    let load = pop.load(row.stream);
    load.wait(fastrand::u32(1..=MOST_ANSWERS));
    let log_from = pop.log_length();

    let mut since = Instant::now();
    let held = make_inner(pop, row.inner, log_from)?;
    if row.alarms && row.outer != Outer::NewZone {
        alarms(pop, since, seen);
    }
    if row.outer != Outer::Nothing {
        since = Instant::now();
    }
    let outer = make_outer(pop, row.outer);
    if row.alarms && row.outer == Outer::NewZone {
        alarms(pop, since, seen);
    }
    match row.gone {
        Some(bound) => goes(pop, row, since, bound, seen),
        None => {
            let kept = looked_for(WATCHED, || (!pop.announced([true, true])).then_some(())).is_none();
            if !kept {
                seen.faults.push("the route did not stay".to_owned());
            }
        }
    }
    seen.told = told(pop.anyns.status_soon().as_ref());
    seen.warnings = pop.warnings(log_from);
    let ended = Instant::now();
    undo(pop, held, outer);
    wait_until_or("the route does not come back", || pop.announced([true, true]))?;
    seen.back = Some(ended.elapsed());
    drop(load);
    match row.inner {
        // The panic stays in the status for some minutes.
        Inner::Panics(_) => Ok(()),
        _ => is_well(pop, "after the fault"),
    }
}

/// What must be undone by hand.
enum Held {
    Nothing,
    Frozen(Frozen),
    Full,
}

fn make_inner(pop: &mut Pop, inner: Inner, log_from: usize) -> Result<Held, String> {
    match inner {
        Inner::Nothing => Ok(Held::Nothing),
        Inner::Frozen(thread) => Frozen::by_name(pop.anyns.process().pid(), thread).map(Held::Frozen),
        Inner::StderrFull => {
            pop.stderr.as_ref().expect("the world was made with one").fill();
            Ok(Held::Full)
        }
        Inner::Panics(task) => {
            pop.anyns.panic_task(task)?;
            wait_until_or("no panic is logged", || {
                pop.warnings(log_from)
                    .iter()
                    .any(|line| line.contains("a task panicked") && line.contains(task))
            })?;
            Ok(Held::Nothing)
        }
    }
}

/// Makes the fault around the process.
fn make_outer(pop: &mut Pop, outer: Outer) -> Option<InForce> {
    match outer {
        Outer::Nothing => None,
        Outer::Fault(fault) => Some(fault.make(&pop.world.a)),
        Outer::NewZone => {
            pop.deploy();
            None
        }
    }
}

/// Ends the row's faults, and goes on reading what was stuck.
fn undo(pop: &mut Pop, held: Held, outer: Option<InForce>) {
    drop(outer);
    match held {
        Held::Nothing => {}
        Held::Frozen(frozen) => drop(frozen),
        Held::Full => drop(pop.stderr.take().map(StuckPipe::drain)),
    }
}

/// Notes when the status tells of a fault; the route must stay meanwhile.
fn alarms(pop: &Pop, since: Instant, seen: &mut Seen) {
    let alarm = || {
        if !pop.announced([true, true]) {
            return Some(false);
        }
        pop.anyns.status_soon().filter(|status| verdict(status) != "ok").map(|_| true)
    };
    match looked_for(ALARM.saturating_sub(since.elapsed()), alarm) {
        Some(true) => seen.alarm = Some(since.elapsed()),
        Some(false) => seen.faults.push("the route did not stay".to_owned()),
        None => seen.faults.push(format!("no alarm within {ALARM:?}")),
    }
}

/// Notes when the routes are gone.
fn goes(pop: &Pop, row: Row, since: Instant, bound: Duration, seen: &mut Seen) {
    // Watched for longer than allowed: how late it is tells more than that it is late.
    let watched = 2 * bound + WATCHED;
    seen.gone = looked_for(watched, || pop.gone(row.families()).then(|| since.elapsed()));
    match seen.gone {
        Some(gone) if gone <= bound => {}
        Some(gone) => seen.faults.push(format!("gone after {gone:.1?}, allowed are {bound:.1?}")),
        None => seen.faults.push(format!("not gone after {watched:.1?}, allowed are {bound:.1?}")),
    }
}

fn is_well(pop: &Pop, when: &str) -> Result<(), String> {
    let mut last = None;
    let well = looked_for(BACK, || {
        last = pop.anyns.status_soon();
        let well = last.as_ref().is_some_and(|status| verdict(status) == "ok");
        (well && pop.announced([true, true])).then_some(())
    });
    well.ok_or_else(|| format!("not well {when}: {}", told(last.as_ref())))
}

fn wait_until_or(fault: &str, holds: impl FnMut() -> bool) -> Result<(), String> {
    let mut holds = holds;
    looked_for(BACK, || holds().then_some(())).ok_or_else(|| format!("{fault} within {BACK:?}"))
}

/// A row as it is printed.
fn line(name: &str, row: &Row, seen: &Seen) -> String {
    let time =
        |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.2}s", time.as_secs_f64()));
    let allowed = row.gone.map_or("stays".to_owned(), |bound| format!("{:.1}s", bound.as_secs_f64()));
    let verdict = if seen.faults.is_empty() { "good" } else { "BAD " };
    let mut text = format!(
        "{verdict} {name:<12} {row:<48} alarm {:<6} gone {:<6} of {allowed:<6} back {:<6} status: {}",
        time(seen.alarm),
        time(seen.gone),
        time(seen.back),
        seen.told
    );
    for warning in seen.warnings.iter().take(2) {
        text.push_str(&format!("\n       log: {warning}"));
    }
    for fault in &seen.faults {
        text.push_str(&format!("\n       FAULT: {fault}"));
    }
    text
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
