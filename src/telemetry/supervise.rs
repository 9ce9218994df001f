//! Keeps a task running: a panic is logged with the task's name, counted, and the task runs again after a pause.
//!
//! The task's state lives outside of its future and survives the panic. A task that panics again and again pauses longer and
//! longer; its [`Beat`] shows others that it does not run.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::beat::Beat;
use super::panic_log::{as_task, message};

/// The pause after the first panic.
const SHORTEST: Duration = Duration::from_millis(100);
/// What doubling never exceeds.
const LONGEST: Duration = Duration::from_secs(10);
/// A task that ran for so long has recovered: the next pause is the shortest again.
const RECOVERED: Duration = Duration::from_secs(60);

/// How long a task pauses after a panic. Pure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    panics: u32,
}

impl Pause {
    /// The pause after a panic of a task that had run for this long.
    pub fn next(&mut self, ran: Duration) -> Duration {
        if ran >= RECOVERED {
            self.panics = 0;
        }
        let pause = SHORTEST.saturating_mul(1 << self.panics.min(16)).min(LONGEST);
        self.panics = self.panics.saturating_add(1);
        pause
    }
}

/// Runs the task until it returns. After a panic it is run again, on the same state, whose every value must be a good one.
pub async fn keep_running<T>(beat: &Beat, task: &mut T, mut run: impl AsyncFnMut(&mut T)) {
    let mut pause = Pause::default();
    loop {
        let start = Instant::now();
        match named(beat, AssertUnwindSafe(run(task)).catch_unwind()).await {
            Ok(()) => return beat.end(),
            Err(panic) => after(panic, beat, &mut pause, start).await,
        }
    }
}

/// Runs a part of a task until it returns, again after a panic. The beat goes on: it belongs to the whole task.
pub async fn keep_going<T>(beat: &Beat, mut run: impl AsyncFnMut() -> T) -> T {
    let mut pause = Pause::default();
    loop {
        let start = Instant::now();
        match named(beat, AssertUnwindSafe(run()).catch_unwind()).await {
            Ok(done) => return done,
            Err(panic) => after(panic, beat, &mut pause, start).await,
        }
    }
}

async fn after(panic: Box<dyn Any + Send>, beat: &Beat, pause: &mut Pause, start: Instant) {
    let pause = pause.next(start.elapsed());
    note_panic(beat, panic.as_ref(), pause);
    tokio::time::sleep(pause).await;
}

/// Beats as long as the runtime of this thread runs its tasks.
pub async fn keep_beating(beat: Beat) {
    keep_going(&beat, async || beat.keep_beating().await).await;
}

/// Runs the work of a thread of its own until it returns, again after a panic.
pub fn keep_thread_running(beat: &Beat, mut work: impl FnMut()) {
    let pause = |_: &mut _, pause| {
        std::thread::park_timeout(pause);
        true
    };
    keep_thread_going(beat, &mut work, |work| work(), pause);
    beat.end();
}

/// Runs the work of a thread until it returns. After a panic `mend` makes the state good and pauses for the time that it is given;
/// then the work runs again, if it returns true.
pub fn keep_thread_going<T>(
    beat: &Beat,
    state: &mut T,
    mut run: impl FnMut(&mut T),
    mut mend: impl FnMut(&mut T, Duration) -> bool,
) {
    let mut pause = Pause::default();
    loop {
        let start = Instant::now();
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| as_task(beat, || run(state)))) else { return };
        let pause = pause.next(start.elapsed());
        note_panic(beat, panic.as_ref(), pause);
        if !mend(state, pause) {
            return;
        }
    }
}

/// Counts a panic. The panic hook has logged it; this says what follows.
pub fn note_panic(beat: &Beat, panic: &(dyn Any + Send), pause: Duration) {
    beat.panicked();
    let (task, panics, again_in_ms) = (beat.name(), beat.panics(), pause.as_millis() as u64);
    tracing::debug!(task, panics, again_in_ms, reason = message(panic), "the task is started again");
}

/// Polls a future as this task.
async fn named<T>(task: &Beat, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    std::future::poll_fn(|context| as_task(task, || future.as_mut().poll(context))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_start_over_after_recovery() {
        let mut pause = Pause::default();
        let brief = Duration::from_secs(1);
        let pauses: Vec<u128> = (0..9).map(|_| pause.next(brief).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(pause.next(RECOVERED), SHORTEST);
    }

    #[test]
    fn a_thread_goes_on_after_a_panic() {
        let (beat, mut turns) = (Beat::new("thread"), 0);
        keep_thread_running(&beat, || {
            turns += 1;
            assert!(turns >= 2, "turn {turns}");
        });
        assert_eq!((turns, beat.panics(), beat.has_ended()), (2, 1, true));
    }

    #[tokio::test]
    async fn a_task_goes_on_with_its_state_after_a_panic() {
        let (beat, mut turns) = (Beat::new("task"), 0);
        let run = async |turns: &mut u32| {
            *turns += 1;
            assert!(*turns >= 3, "turn {turns}");
        };
        keep_running(&beat, &mut turns, run).await;
        assert_eq!((turns, beat.panics(), beat.has_ended()), (3, 2, true));
    }
}
