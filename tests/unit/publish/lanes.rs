//! Which thread a small zone is given to while others are at work that may take long.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::publish::Settings;
use crate::publish::source::SourceKey;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::Task;
use crate::publish::work::jobs::pool::general_threads;
use crate::publish::work::queue::{Lane, Size, Work};
use crate::telemetry::pulse::Pulse;
use crate::wire::Name;
use crate::zone::Published;

#[tokio::test]
async fn a_small_zone_is_not_given_where_it_would_wait_for_something_slow() {
    let pulse = Arc::new(Pulse::new(8));
    let mut core =
        Core::open(Settings::default(), Arc::<Published>::default(), Arc::<Notify>::default(), pulse)
            .unwrap();
    let (context, key) = (core.context(), SourceKey::None);
    let small: Name = "small.example.".parse().unwrap();
    let work = || Some(Work::Zones(SourceKey::None, vec!["small.example.".parse().unwrap()]));
    core.board.queue.push(&key, small.clone(), Size::Small);
    // Until their end is taken, the threads count as being at these.
    for _ in 0..general_threads() {
        core.board.give((Lane::General, key.clone()), context.clone(), Task::Unclear(Vec::new()));
    }
    assert_eq!(core.board.next(Lane::General), None);
    assert_eq!(core.board.next(Lane::Small), work());
    core.board.queue.push(&key, small, Size::Small);
    assert_eq!(core.board.next(Lane::Small), None, "one thread of that lane is at the source");
    assert_eq!(core.board.next(Lane::General), None);
    core.board.ended(1, &key, Lane::General);
    assert_eq!(core.board.next(Lane::General), work());
}
