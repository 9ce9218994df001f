//! What can be seen from outside: counters and logs.
//!
//! A worker adds to its own [`WorkerCounters`] with relaxed atomic operations on cache lines that no other worker
//! writes; whoever scrapes reads them. Never on the query path: logs.

mod counters;
mod logs;

pub use counters::{Counters, WorkerCounters, count, count_many};
pub use logs::{LogError, LogFormat, LogSettings, start_logs};
