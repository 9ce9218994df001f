//! The same zones and the same queries to anyns, NSD, Knot DNS, BIND 9 and PowerDNS; every difference is fixed, or
//! listed in `allowed.toml` with the RFC section that makes anyns right.
//!
//! ```text
//!   plan: seeds -> generate -> zones -> sign -> servers (one namespace, five daemons)
//!                     |                            |
//!                     +-> questions -> ask (UDP, what was truncated again over TCP) -> message
//!                            |                                                           |
//!                          model: what the question meets (tags)                      compare -> allowed -> report
//! ```
//!
//! Two seeds a run: a fixed one and one of the day, which is printed; each gives unsigned and signed zones. Repeat a
//! day, or several, with `ANYNS_DIFF_SEED=20778,20779`.

// A helper that cannot go on fails the test; clippy's leave for tests does not reach helpers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

mod allowed;
mod ask;
mod compare;
mod generate;
mod message;
mod model;
mod name;
mod plan;
mod questions;
mod report;
mod run;
mod servers;
mod sign;
mod vocabulary;
mod zone;

#[path = "../support/mod.rs"]
mod support;
