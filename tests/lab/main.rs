//! Labs with the real BIRD in network namespaces: what must hold of a POP, end to end.
//!
//! Each test builds a world of its own. Those that load the machine hold [`TURNS`] alone; those that measure times, and wait most
//! of the time, hold it together.

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
mod daemon;
mod faults;
mod flood;
mod frozen;
mod itself;
mod pauses;
mod sources;
mod two_pops;
mod ways;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static TURNS: RwLock<()> = RwLock::new(());

/// Waits until no other test measures or loads the machine; another test's failure does not matter.
fn timed() -> RwLockWriteGuard<'static, ()> {
    TURNS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no other test loads the machine; runs beside others that measure.
fn measured() -> RwLockReadGuard<'static, ()> {
    TURNS.read().unwrap_or_else(PoisonError::into_inner)
}
