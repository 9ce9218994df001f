//! The publisher: from sources of zone versions to the snapshot that is served.
//!
//! ```text
//!   notifications --> zones-0: WorkQueue --> zones-N, small-N: survey a source, read, compile, accept a zone
//!   commands              ^     no zone        |                (the seam: may it replace what is served?)
//!   the clock             |     waits for      |
//!   differences           +---- another -------+
//!   (RFC 1995)            |
//!                         +--> Publication --> zone::Published
//!                         +--> state-writer: state directory, history
//! ```
//!
//! Zone files, notifications of changes, commands, versions and differences flow in; zones into [`Published`](crate::zone::Published),
//! and a [`Report`], flow out.
//!
//! A source of a zone is not called by the publisher; it offers, and the offers of one zone are judged in order, each by the same
//! [`accept`]. So there is no trait of sources: what they have in common is the queue of a zone and [`Provenance`].
//!
//! | source | offers | is asked to check by |
//! | --- | --- | --- |
//! | zone file | whole versions, found and read by the threads below | a notification, the clock, `reload` |
//! | primary (`transfer`) | whole versions ([`PublisherHandle::offer`]), differences ([`PublisherHandle::apply_from`]) | NOTIFY, its timers, `zone refresh` |
//! | dynamic update (`update`) | differences ([`PublisherHandle::apply_from`]) | each UPDATE |
//! | bump of the serial (a transform, at the origin only) | the version under the serial that is served | each version of a file |
//!
//! | thread | does |
//! | --- | --- |
//! | `publisher` (1x) | waits for commands, notifications and the clock, on a runtime of its own; never for a disk or a lock |
//! | `zones-0` (1x) | owns everything; decides what is done next, publishes, obeys commands; waits for no source; for the state directory 5 s at a time at most, for an order and for the members of catalogs, and a second to open one that could not be written |
//! | `zones-1` ... (Nx, one for each core) | look at sources, read and compile zones; also the pieces of a large file |
//! | `small-1`, `small-2` | read and compile small zones, so that a large one delays none of them |
//! | `survey-1` | looks at sources, so that a large zone delays no new folder |
//! | `changes-1` to `changes-4` | apply differences and judge small versions of primaries, one of a zone after the other: wait for the state directory |
//! | `state-writer` (1x) | writes the state directory |
//! | `state-opener` (1x while it is opened) | opens the state directory, whose disk may not answer; a start waits for it, 10 s of silence at most |
//! | `verify` (1x) | verifies the signatures of what is served and makes the digests of its content, when no other thread wants the core |
//! | `notify-rs inotify loop` (1x) | is told by the system that something changed |
//!
//! A notification about one file leads to a check of that zone; what is not clear, and the clock, lead to a look at everything,
//! which finds what changed by comparing files with what was read before: a lost notification costs time, never truth. A source
//! that does not answer (a hung mount) is given up with the threads that wait for it, and looked at when it answers; what is served of
//! it stays.
//!
//! A version of a zone file is on disk already when it is served, and is kept right after. A version that is in no file is
//! kept first; if it came by a difference, as that difference, behind the version that it continues. The exact difference of each step is kept, too ([`History`]). What
//! the state directory holds, and how it survives a crash at any moment: `state`.
//!
//! A panic is caught where it costs least: at the zone that was checked, at the survey or the command, at the loop. Whichever
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
//! | `state` | `source` |
//! | `validate` | (nothing) |
//! | `verify` | (nothing) |
//! | `work` | `source` `state` `validate` `verify` |
//!
//! The process must not let SIGIO end it: see [`crate::sys`]' lease; a handler is put in place at the first reading
//! unless there is one.

mod accept;
mod check;
mod difference;
mod error;
mod fault;
mod report;
mod rollback;
mod settings;
mod source;
mod state;
mod validate;
mod verify;
mod work;

pub use accept::{
    Accepted, Candidate, Digest, Force, MADE_HERE, Provenance, Refused, Standing, Terms, accept,
};
pub use check::{CheckReport, CheckedZone, check, check_signatures, finds_no_zone, no_zone_file};
pub use difference::{Applied, Difference};
pub use error::{
    AcceptError, ApplyError, HoldError, OfferError, PublishError, ReconfigureError, RemoveError, StoreError,
};
pub use fault::{Fault, SourceFault, SourceWarning};
pub use report::{FilePresence, Progress, Report, ReportedZones, WatchState, ZoneReport, ZoneState};
pub use rollback::{RollbackError, earlier, returned_to, reverse};
pub use settings::{Deploy, Dnssec, HistoryBounds, SerialRule, Settings, SingleZone};
pub use state::files::refused::path_of as refused_path;
pub use state::store::history::{History, HistoryError, StepInfo, ZoneHistory};
pub use state::tables::members::KeptMember;
pub use state::tables::releases::{KeptRelease, KeptReleases, MissingReleases};
pub use state::tables::timers::{KeptDivergence, KeptGiver, KeptLineage, KeptStanding, ZoneTimers};
pub use state::version::step::StepOrigin;
pub use state::version::step_source::StepSource;
pub use state::version::tail::{Began, BeganReason};
pub use validate::{NeededRecord, NeededRecordFault, ProgramFault, ZoneChecks, Zonemd};
pub use verify::Signatures;
pub use work::kept::kept_state::KeptState;
pub use work::kept::removed_list::KEPT as KEPT_ASIDE;
pub use work::liveness::{Liveness, Stall};
pub use work::orders::hold::{HoldZones, HoldsSet, NamePredicate};
pub use work::orders::members::MemberChanges;
pub use work::publisher::{Publisher, PublisherHandle};
pub use work::zone::file_away::FILE_GONE;
