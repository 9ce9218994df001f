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
