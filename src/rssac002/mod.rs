//! Daily statistics as operators of root and AS112 nodes publish them: RSSAC002 (ICANN's Root Server System Advisory Committee,
//! "Measurements of the Root Server System"), version 5.
//!
//! ```text
//!   counters of the workers --> Writer (1x, thread "rssac002", each minute and at midnight UTC)
//!   versions of a zone -------/    --> DIRECTORY/YYYY/MM/METRIC/INSTANCE-YYYYMMDD-METRIC.yaml, renamed into place
//! ```
//!
//! Its metrics are `traffic-volume`, `traffic-sizes`, `rcode-volume`, `unique-sources` and, for one zone, `load-time` and `zone-size`. The
//! number of sources is an estimate from registers in fixed memory; they are kept in a file beside the document. The files of a day are
//! whole after its end; that of today grows each minute, and a process that starts goes on from it, so that a restart loses no count and
//! a crash the last minute at most. Every instance writes files of its own; the operator adds up those of the instances of a service, and
//! merges the registers. Reads counters and empties registers; no worker waits for it.

mod counts;
mod day;
mod document;
mod settings;
mod sources;
mod versions;
mod writer;

pub use settings::Settings;
pub use versions::{LoadedVersion, ZoneFacts};
pub use writer::Writer;
