//! Threads that do not come back, more than there may be, and that come back.

use super::*;
use crate::publish::Settings;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::Task;
use crate::zone::Published;

fn running(lane: Lane) -> Running {
    Running { ticket: 0, key: SourceKey::None, lane, seat: 1, slot: None }
}

#[tokio::test]
async fn a_lane_that_lost_its_threads_gets_them_back_when_others_end() {
    let (wake, pulse) = (Arc::<Notify>::default(), Arc::new(Pulse::new(8)));
    let mut pool = Pool::start(wake.clone(), pulse.clone()).unwrap();
    // Each takes the place of the one before, until there may be no more.
    let mut thread = 0;
    while pool.missing.is_empty() {
        pool.give_up(thread, running(Lane::Survey));
        thread += 1;
    }
    assert_eq!(pool.count(Lane::Survey), 0);
    assert!(!pool.has_room(Lane::Survey) && !pool.may_probe(&SourceKey::None));
    pool.refill();
    assert_eq!(pool.count(Lane::Survey), 0, "none has ended yet");
    // A thread that was given up ends with its next job.
    let core = Core::open(Settings::default(), Arc::<Published>::default(), wake, pulse);
    let context = core.unwrap().context();
    let deadline = Instant::now() + Duration::from_secs(20);
    while pool.count(Lane::Survey) == 0 && Instant::now() < deadline {
        let (key, lane, task) = (SourceKey::None, Lane::Survey, Task::Unclear(Vec::new()));
        pool.give(lane, Job { ticket: 0, key, lane, context: context.clone(), task });
        pool.refill();
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.count(Lane::Survey), 1);
}

/// One that wakes up for nothing takes the lock that all need, and may lose its core with it: some have a low priority.
#[tokio::test]
async fn a_job_wakes_no_thread_of_another_lane() {
    const JOBS: u64 = 200;
    let pulse = Arc::new(Pulse::new(places()));
    let pool = Pool::start(Arc::default(), pulse.clone()).unwrap();
    let core = Core::open(Settings::default(), Arc::default(), Arc::default(), Arc::new(Pulse::new(8)));
    let context = core.unwrap().context();
    while pulse.shown().flatten().any(|shown| shown.is_starting) {
        tokio::task::yield_now().await;
    }
    let steps = || pulse.shown().flatten().map(|shown| shown.steps).collect::<Vec<_>>();
    let (before, begun) = (steps(), Instant::now());
    for ticket in 0..JOBS {
        let (key, lane, task) = (SourceKey::None, Lane::Small, Task::Unclear(Vec::new()));
        pool.give(lane, Job { ticket, key, lane, context: context.clone(), task });
        while pool.results().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let of_idle = begun.elapsed().div_duration_f64(IDLE) as u64 + 3;
    let more = steps().into_iter().zip(before).map(|(after, before)| after - before);
    let woken = more.filter(|more| *more > of_idle).count();
    assert!(
        (1..=SMALL_THREADS).contains(&woken),
        "{woken} threads were woken, {of_idle} steps are of idle ones"
    );
}

/// Once the first load is over: what was heard of is found before large zones go on, and small zones come before both.
#[cfg(native)]
#[tokio::test]
async fn looks_at_sources_go_before_large_zones() {
    let pulse = Arc::new(Pulse::new(places()));
    let pool = Pool::start(Arc::default(), pulse.clone()).unwrap();
    let core = Core::open(Settings::default(), Arc::default(), Arc::default(), Arc::new(Pulse::new(8)));
    let context = core.unwrap().context();
    pool.lower_priority();
    let mut nice_of = BTreeMap::new();
    for lane in [Lane::General, Lane::Small, Lane::Survey] {
        let (key, task) = (SourceKey::None, Task::Unclear(Vec::new()));
        pool.give(lane, Job { ticket: 0, key, lane, context: context.clone(), task });
        while pool.results().is_empty() {
            tokio::task::yield_now().await;
        }
        let threads = pulse.shown().flatten().filter_map(|shown| nice(shown.thread?));
        let of_lane = threads.filter(|(name, _)| {
            name.starts_with(match lane {
                Lane::General => "zones-",
                Lane::Small => "small-",
                Lane::Survey | Lane::Change => "survey-",
            })
        });
        nice_of.insert(lane, of_lane.map(|(_, nice)| nice).max());
    }
    let [general, small, survey] = [Lane::General, Lane::Small, Lane::Survey].map(|lane| nice_of[&lane]);
    assert!(small < survey && survey < general, "{nice_of:?}");
}

/// A thread's name and its nice value.
#[cfg(native)]
fn nice(thread: u32) -> Option<(String, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    let (name, fields) = stat.split_once('(')?.1.rsplit_once(')')?;
    Some((name.to_owned(), fields.split_whitespace().nth(16)?.parse().ok()?))
}
