//! A last-resort POP: versions of zones from primaries are fetched at once and served later.
//!
//! ```text
//!   secondary --- versions ---> DelayedVersions: a queue a zone --- when its time has come ---> Sink: the publisher
//!                                   |      ^                                                      |
//!                                   |      '-- holds, expiry of signatures --- Report <-----------'
//!                                   '--> waiting-versions: when each was first seen, over restarts
//! ```
//!
//! A bad version that reached every other POP has not reached this one yet, so an operator can still hold it. Versions flow in from
//! `secondary`, for which the newest version that waits is the one it has: so it asks for differences to that one. They flow out to
//! the sink behind, in order. Two things end a wait early: a version with other DNSSEC keys waits only as long as a signer leaves
//! room for, and the signatures of what is served must not expire. After a restart the versions are fetched again; when each was first seen is
//! kept. Never judges a version: the publisher does, when its time has come.

mod kept;
mod machine;
mod queue;
mod settings;
mod sink;
mod task;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/delay.rs"]
mod tests;

pub use machine::{DelayedZone, Facts, Insertion, NextRelease, Remembered, Why};
pub use settings::{DelayRules, DelaySettings};
pub use sink::{CaughtUp, DelayedVersions, Waiting};
pub use task::DelayTask;
