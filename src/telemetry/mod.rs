//! What can be seen from outside: counters, logs, and whether each task runs.
//!
//! A worker adds to its own [`WorkerCounters`] with relaxed atomic operations on cache lines that no other worker
//! writes; a scraper reads them. The query path never logs. One message in some leaves it whole, by a worker's [`Tap`].
//!
//! A task of the control plane says by its [`Beat`] that it runs; supervisors measure ages in their own [`RunTime`], and
//! [`keep_running`] starts a task again that panicked.

mod beat;
mod busiest;
mod causes;
mod certificate_validity;
mod counted;
mod counters;
mod counting;
mod daily_statistics;
mod json_text;
mod latency;
mod level;
mod list;
mod load;
mod lock;
mod log_error;
mod log_limit;
mod log_writer;
mod logs;
mod panic_log;
pub mod pulse;
mod query_types;
mod slots;
mod source_limits;
mod source_registers;
mod supervise;
mod taps;
mod zone_buckets;

pub use beat::{Beat, Freshness, RunTime};
pub use busiest::BusyZones;
pub use causes::with_causes;
pub use certificate_validity::{CertificateValidity, ExpiryStage};
pub use counted::counted;
pub use counters::{Counters, WorkerCounters};
pub use counting::{count, count_many};
pub use daily_statistics::{DailyStatistics, SIZE_RANGE, SizeHistogram};
pub use json_text::escape_controls;
pub use latency::{LatencyHistogram, LatencyTotals};
pub use level::{LogLevel, check_level};
pub use list::List;
pub use load::{BacklogLoad, ListenerLoad, Load, Sends};
pub use lock::locked;
pub use log_error::LogError;
pub use log_limit::LogLimit;
pub use log_writer::Logs;
pub use logs::{ExportedLogs, LogFormat, LogSettings, Logging, start_logs};
pub use panic_log::message as panic_message;
pub use query_types::{QUERY_TYPES, slot_of_type, type_of_slot};
pub use slots::Slots;
pub use source_limits::{SourceLimits, network_of};
pub use source_registers::{MOST_RANK, SOURCE_REGISTERS, SourceRegisters};
pub use supervise::{
    Pause, keep_beating, keep_going, keep_running, keep_thread_going, keep_thread_running, note_panic,
};
pub use taps::{SampledMessage, Tap, TapTransport};
pub use zone_buckets::{BUCKETS, ContentSums, ContentTable, bucket, serial_digest};
