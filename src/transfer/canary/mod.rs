//! Canaries: a new version of a zone goes to a group of secondaries first, and to the others when the group has served it.
//!
//! ```text
//! a new version, answers to SOA queries, how well the group is,
//! orders, the time ------------------------------------------> CanaryZone (one state machine a zone) --> release this serial, or stop
//!
//!             a new version        all of the group serve it for `time`, an order, or `patience` is over (release)
//!   Released ---------------> Trial -----------------------------------------------------------------> Released
//!                             |  ^ a newer version begins anew
//!        patience is over (hold) | the group serves it        an order to halt, at any time; one of the group
//!                             v  |                            becomes unhealthy in Trial or Overdue
//!                            Overdue                         -----------------------------------------> Halted (until an order)
//! ```
//!
//! One that was unhealthy before a version came proves nothing of it, and stops nothing: the version waits until it is healthy.
//!
//! A serial alone tells a version only if it is after all that the group was to have before. Behind a way back it may be that of an earlier
//! version, which a secondary keeps: one that tells it proves nothing until it has told another serial since.
//!
//! Serials, answers and the time flow in; whom to ask and what to release flow out. No I/O. Never decides who gets which version: that
//! is who asks it.

mod machine;
mod rules;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/canary_serials.rs"]
mod serial_tests;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/canary.rs"]
mod tests;

pub use machine::{
    CanaryOutcome, CanaryPast, CanaryState, CanaryVersion, CanaryZone, MemberAnswer, MemberHealth, Release,
    ReleaseReason,
};
pub use rules::{CanaryRules, WhenUnreachable};
