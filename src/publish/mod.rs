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
//! | thread | does |
//! | --- | --- |
//! | `publisher` (1x) | waits for commands, notifications and the clock, on a runtime of its own; never for a disk or a lock |
//! | `zones-0` (1x) | owns everything; looks at the sources, obeys commands, applies differences |
//! | `zones-1` ... (Nx, one for each core, while it looks) | read and compile, one zone at a time; also the pieces of a large file |
//! | `keeper` (1x) | writes the state directory |
//! | `verify` (1x) | verifies the signatures of what is served, when no other thread wants the core |
//! | `notify-rs inotify loop` (1x) | is told by the system that something changed |
//!
//! What changed is found by comparing files with what was read before, so that a lost notification costs time, never truth.
//! A version of a zone file is on disk already when it is served, and is kept right after. A version that is in no file is
//! kept first; if it came by a difference, as that difference in the zone's journal, which `zones-0` itself appends to. What
//! the state directory holds, and how it survives a crash at any moment: `store`, `journal`, `journal_file`. Where it cannot
//! be written: `state`.
//!
//! A panic is caught where it costs least: at the zone that was visited, at the look or the command, at the loop. Whichever
//! thread hangs, [`Liveness`] says so to an observer.
//!
//! A zone may have a file and take differences. The file as it was when it was last taken says nothing new; once it
//! changes it is judged like any other version, against what the differences led to.
//!
//! Never serves a version that is not accepted, never replaces a served version by a worse one, never removes a zone
//! that nobody said to remove, never reads a file that is being written.
//!
//! | folder | may name |
//! | --- | --- |
//! | `source` | (nothing) |
//! | `state` | (nothing) |
//! | `verify` | (nothing) |
//! | `work` | `source` `state` `verify` |
//!
//! The process must not let SIGIO end it: see [`crate::sys`]' lease; a handler is put in place at the first reading
//! unless there is one.

mod accept;
mod check;
mod error;
mod fault;
mod report;
mod settings;
mod source;
mod state;
mod verify;
mod work;

pub use accept::{Accepted, Candidate, Digest, Provenance, Refused, Standing, Terms, accept};
pub use check::{CheckReport, CheckedZone, check, check_signatures};
pub use error::{AcceptError, ApplyError, PublishError, ReconfigureError, RemoveError, StoreError};
pub use fault::{Fault, SourceFault, SourceWarning};
pub use report::{Progress, Report, WatchState, ZoneReport, ZoneState};
pub use settings::{Deploy, Dnssec, SerialRule, Settings, SingleZone};
pub use verify::Signatures;
pub use work::apply::{Applied, Difference};
pub use work::liveness::{Liveness, Stall};
pub use work::publisher::{Publisher, PublisherHandle};
