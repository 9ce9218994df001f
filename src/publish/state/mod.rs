//! The state directory: keeps accepted versions, and the differences that led from each to the next.
//!
//! Accepted versions and differences flow in through [`state_writer`], durable when they are acknowledged; restored versions flow
//! out at the next start, and the history of a zone at any time, to any thread.
//!
//! ```text
//!   publisher --> state-writer (1x) --> store --> database (redb: one file, copy-on-write, one sync for each commit)
//!                                   ^          |
//!   state of format 4 --> format4 --+          +--> history (any thread, beside a commit, also one that hangs)
//! ```
//!
//! | file | is |
//! | --- | --- |
//! | `zones.redb` | everything: [`store`] says which tables |
//! | `zones.redb.damaged` | one that could not be read |
//! | `NAME.damaged` | what was kept of one zone and did not match its hash |
//! | `held-zones` | the zones that an operator holds: [`holds`] |
//! | `held-zones.damaged` | one that could not be read |
//! | `refused/ZONE.zone` | a version that was refused and is in no other file: [`refused`] |
//! | `lock/anyns` | locked by the process that uses the directory (flock) |
//!
//! Never decides what is served. Never maps a file: an I/O error is an error, not a signal.

mod aside;
pub(in crate::publish) mod database;
pub(in crate::publish) mod directory;
pub(in crate::publish) mod fields;
pub(in crate::publish) mod format4;
pub(in crate::publish) mod header;
pub(in crate::publish) mod history;
pub(in crate::publish) mod holds;
pub(in crate::publish) mod lock;
pub(in crate::publish) mod lost;
pub(in crate::publish) mod members;
pub(in crate::publish) mod opener;
pub(in crate::publish) mod overlay;
pub(in crate::publish) mod peek;
pub(in crate::publish) mod reading;
pub(in crate::publish) mod ready;
pub(in crate::publish) mod record;
pub(in crate::publish) mod refused;
pub(in crate::publish) mod rejected;
pub(in crate::publish) mod releases;
pub(in crate::publish) mod removed;
pub(in crate::publish) mod replay;
pub(in crate::publish) mod rows;
pub(in crate::publish) mod state_writer;
pub(in crate::publish) mod step;
pub(in crate::publish) mod step_source;
pub(in crate::publish) mod store;
pub(in crate::publish) mod tail;
pub(in crate::publish) mod timers;
pub(in crate::publish) mod urgent;
pub(in crate::publish) mod waiting;
pub(in crate::publish) mod writing;
pub(in crate::publish) mod zone_table;
