//! A serving thread or task goes on after a panic: the panic is logged and counted, and after a pause the same work runs again on the
//! same sockets. While the pause is long the heartbeat is stale, and whoever observes it sees that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use crate::telemetry::{Beat, Pause, note_panic};

use super::shared::{Phase, Shared};

/// How often a thread that pauses looks whether it shall stop: a stop waits for no pause.
const LOOK: Duration = Duration::from_millis(20);

/// Runs the work of a thread until it returns. `state` must be good after a panic at any point; `mend` makes it so.
pub(super) fn keep_serving<T>(
    beat: &Beat,
    shared: &Shared,
    state: &mut T,
    run: impl Fn(&mut T),
    mend: impl Fn(&mut T),
) {
    let mut pause = Pause::default();
    loop {
        let begun = Instant::now();
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(state))) else { return };
        let pause = pause.next(begun.elapsed());
        note_panic(beat, panic.as_ref(), pause);
        mend(state);
        let end = Instant::now() + pause;
        while shared.phase() == Phase::Serve && Instant::now() < end {
            std::thread::park_timeout(LOOK);
        }
        if shared.phase() == Phase::Quit {
            return;
        }
    }
}

/// Runs the work of a task until it returns.
pub(super) async fn keep_going<T>(beat: &Beat, mut run: impl AsyncFnMut() -> T) -> T {
    let mut pause = Pause::default();
    loop {
        let begun = Instant::now();
        match AssertUnwindSafe(run()).catch_unwind().await {
            Ok(done) => return done,
            Err(panic) => {
                let pause = pause.next(begun.elapsed());
                note_panic(beat, panic.as_ref(), pause);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Beats as long as the thread's runtime runs its tasks.
pub(super) async fn keep_beating(beat: Beat) {
    keep_going(&beat, async || beat.keep_beating().await).await;
}
