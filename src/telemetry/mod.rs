//! What can be seen from outside: counters, logs, and whether each task runs.
//!
//! A worker adds to its own [`WorkerCounters`] with relaxed atomic operations on cache lines that no other worker
//! writes; a scraper reads them. The query path never logs.
//!
//! A task of the control plane says by its [`Beat`] that it runs; supervisors measure ages in their own [`RunTime`], and
//! [`keep_running`] starts a task again that panicked.

mod beat;
mod counters;
mod level;
mod list;
mod load;
mod lock;
mod log_error;
mod log_writer;
mod logs;
mod panic_log;
pub mod pulse;
mod supervise;

pub use beat::{Beat, Freshness, RunTime};
pub use counters::{Counters, WorkerCounters, count, count_many};
pub use level::{LogLevel, check_level};
pub use list::List;
pub use load::{BacklogLoad, ListenerLoad, Load, Sends};
pub use lock::locked;
pub use log_error::LogError;
pub use log_writer::Logs;
pub use logs::{LogFormat, LogSettings, Logging, start_logs};
pub use panic_log::message as panic_message;
pub use supervise::{
    Pause, keep_beating, keep_going, keep_running, keep_thread_going, keep_thread_running, note_panic,
};
