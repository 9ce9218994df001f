//! Daily statistics as operators of root and AS112 nodes publish them: RSSAC002 (ICANN's Root Server System Advisory Committee,
//! "Measurements of the Root Server System"), version 5.
//!
//! ```text
//!   counters of the workers --> Writer (1x, thread "rssac002", each minute and at midnight UTC)
//!                                  --> DIRECTORY/YYYY/MM/METRIC/INSTANCE-YYYYMMDD-METRIC.yaml, renamed into place
//! ```
//!
//! Three of its metrics: `traffic-volume`, `traffic-sizes` and `rcode-volume`. The files of a day are whole after its end; that of today grows each minute, and a
//! process that starts goes on from it, so that a restart loses no count and a crash the last minute at most. Every instance writes files
//! of its own; the operator adds up those of the instances of a service. Reads counters alone: no worker knows of it.

mod counts;
mod day;
mod document;
mod settings;
mod writer;

pub use settings::Settings;
pub use writer::Writer;
