//! Labs with the real BIRD in network namespaces: what must hold of a POP, end to end.
//!
//! Each test builds a world of its own. Those that measure times hold [`TIMED`], so that no two of them run at once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

#[path = "../support/mod.rs"]
mod support;

mod broken_zone;
mod flood;
mod frozen;
mod itself;
mod sources;
mod two_pops;
mod ways;

use std::sync::{Mutex, MutexGuard};

static TIMED: Mutex<()> = Mutex::new(());

/// Waits for its turn; another test's failure does not matter.
fn timed() -> MutexGuard<'static, ()> {
    TIMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
