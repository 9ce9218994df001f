//! A panic is one log record: which task, on which thread, where, why. Nothing is written to standard error directly, because
//! its reader may have stopped reading.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;

use super::beat::Beat;

thread_local! {
    /// The supervised task that runs on this thread now.
    static TASK: RefCell<Option<Beat>> = const { RefCell::new(None) };
}

/// Replaces the hook that prints to standard error.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(log));
}

fn log(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let task = TASK.try_with(|task| task.try_borrow().ok().and_then(|task| task.clone())).ok().flatten();
    let task = task.as_ref().map_or(thread, Beat::name);
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(task, thread, location, reason = message(info.payload()), "a task panicked");
}

/// What a panic said.
pub fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it gave no reason")
}

/// Runs `work` as this task, so that a panic in it is logged under the task's name.
pub(super) fn as_task<T>(task: &Beat, work: impl FnOnce() -> T) -> T {
    struct Reset(Option<Beat>);
    impl Drop for Reset {
        fn drop(&mut self) {
            let before = self.0.take();
            let _ = TASK.try_with(|task| task.try_borrow_mut().map(|mut task| *task = before));
        }
    }
    let before = TASK.with(|running| running.borrow_mut().replace(task.clone()));
    let _reset = Reset(before);
    work()
}
