//! The state directory: keeps accepted versions, and the differences that led from each to the next.
//!
//! Accepted versions and differences flow in through [`writer`], durable when they are acknowledged; restored versions flow
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
//! | `held-zones` | the zones that an operator holds: [`files::holds`] |
//! | `held-zones.damaged` | one that could not be read |
//! | `refused/ZONE.zone` | a version that was refused and is in no other file: [`files::refused`] |
//! | `lock/anyns` | locked by the process that uses the directory (flock) |
//!
//! Never decides what is served. Never maps a file: an I/O error is an error, not a signal.
//!
//! | folder | may name |
//! | --- | --- |
//! | `database` | (nothing) |
//! | `version` | `database` |
//! | `tables` | `database` |
//! | `files` | (nothing) |
//! | `store` | `database` `files` `tables` `version` |
//! | `writer` | `database` `files` `store` `tables` `version` |

pub(in crate::publish) mod database;
pub(in crate::publish) mod directory;
pub(in crate::publish) mod files;
pub(in crate::publish) mod opener;
pub(in crate::publish) mod store;
pub(in crate::publish) mod tables;
pub(in crate::publish) mod version;
pub(in crate::publish) mod writer;
