//! The admin socket: a Unix stream socket, one JSON object per line, a [`Request`] up, a [`Response`] down.
//!
//! The server answers `status` itself ([`Answers`]) and never waits for the task that decides; orders go to it through a bounded
//! queue, and its answer comes back within a limit, or an error names who did not answer. [`Status`] is the whole state as a
//! document; [`Memory::settle`] says whether it is healthy and since when, [`render`] makes it readable. Only who may open the
//! socket file may ask: that is its whole protection. Never decides anything, never waits without a limit.
//!
//! ```text
//!     anyns status ---> socket ---> connection task (at most 16) ---> Answers (the status task, same thread)
//!     anyns drain  --->                                          ---> queue (at most 16) ---> daemon
//!                  <---        <---                              <--- Reply             <---
//! ```

mod canary;
mod catchment;
mod client;
mod document;
mod feed;
mod history;
mod message;
mod order;
mod overall;
mod render;
mod selection;
mod server;
mod since;
mod socket;
mod status;
mod text;
mod transfer;
mod verdict;

pub use canary::{CanarySecondaryStatus, CanaryStatus, ZoneCanaryStatus};
pub use catchment::{CatchmentFamily, CatchmentPrefix, CatchmentStatus, render_catchment};
pub use client::{call, call_and_tell};
pub use feed::{CONTENT_OCTETS, FEED_ZONES, Feed, Given, Inquiry, InquiryError, ServedZone, Wanted, inquire};
pub use history::{
    DifferenceStatus, HistoryStatus, StepRecords, StepStatus, render_difference, render_history,
};
pub use message::{ControlError, Request, Response};
pub use order::{Answers, Call, Reply};
pub use overall::overall;
pub use render::{aligned, render, render_zone};
pub use selection::{Selection, ZoneFilter};
pub use server::{Server, open};
pub use since::Memory;
pub use socket::{Settings, check_place, may_be_taken};
pub use status::{
    Alarm, CatalogStatus, Cause, FactStatus, ListenerStatus, NeighborStatus, OperatorStatus, Overall,
    PrefixStatus, ProbeStatus, RateLimitStatus, ReloadStatus, RouteState, ServeStatus, SignatureStatus,
    Status, TaskState, TaskStatus, WorkerStatus, ZoneCounts, ZoneGroup, ZoneState, ZoneStatus,
};
pub use text::{MOST_CHARACTERS, one_line, printable, printable_lines, without_numbers};
pub use transfer::{
    ContradictionStatus, DivergedStatus, LastTransferStatus, NotifyStatus, PrimaryStatus, SecondaryStatus,
    TransferStatus, WaitingStatus,
};
pub use verdict::{MAX_REASONS, Verdict};
