//! The publisher: from sources of zone versions to the snapshot that is served.
//!
//! ```text
//!   directories, files --> scan ----> crew: read -----> accept -----> launch ----> zone::Published
//!     notifications -----> watch            text        the seam:     batches            ^
//!     commands ----------> publisher        no writer,  may it           |               |
//!     the clock                             unchanging  replace?      keeper ---+        |
//!                                                                               v        |
//!   differences ---------> publisher -> apply --------------------> journal: state directory
//!     (RFC 1995)                        the difference alone        on the disk, then served
//! ```
//!
//! Zone files, notifications of changes, commands and differences flow in; zones into [`Published`](crate::zone::Published),
//! and a [`Report`] through a watch channel, flow out. Files are the first source of whole versions; transfers will hand
//! their [`Candidate`]s to the same [`accept`], and incremental ones their [`Difference`]s to [`PublisherHandle::apply`].
//!
//! One task (1x) owns everything and never blocks the runtime: a look at the sources runs on a blocking thread, with
//! one thread for each core (Nx) that reads and compiles. The watcher has a thread of its own (1x) and only says that
//! something changed; what changed is found by comparing files with what was read before, so that a lost notification
//! costs time, never truth. The keeper's thread (1x) writes the state directory behind all that: a version of a zone
//! file is on disk already when it is served, and is kept right after. A version that is in no file is kept first; if it
//! came by a difference, as that difference in the zone's journal, which the task itself appends to. What the state
//! directory holds, and how it survives a crash at any moment: `store`, `journal`, `journal_file`.
//!
//! A zone may have a file and take differences. The file as it was when it was last taken says nothing new; once it
//! changes it is judged like any other version, against what the differences led to.
//!
//! Never serves a version that is not accepted, never replaces a served version by a worse one, never removes a zone
//! that nobody said to remove, never reads a file that is being written.
//!
//! The process must not let SIGIO end it: see [`crate::sys`]' lease; a handler is put in place at the first reading
//! unless there is one.

mod accept;
mod apply;
mod check;
mod core;
mod crew;
mod debounce;
mod entry;
mod error;
mod fault;
mod journal;
mod journal_file;
mod journal_replay;
mod keeper;
mod launch;
mod meter;
mod publisher;
mod read;
mod report;
mod scan;
mod settings;
mod state_file;
mod store;
pub mod text;
mod visit;
mod watch;
mod watch_set;

pub use accept::{Accepted, Candidate, Digest, Provenance, Refused, Standing, Terms, accept};
pub use apply::{Applied, Difference};
pub use check::{CheckReport, CheckedZone, check};
pub use error::{AcceptError, ApplyError, PublishError, ReconfigureError, RemoveError, StoreError};
pub use fault::{Fault, SourceFault};
pub use publisher::{Publisher, PublisherHandle};
pub use report::{Progress, Report, WatchState, ZoneReport, ZoneState};
pub use settings::{SerialRule, Settings, SingleZone};
