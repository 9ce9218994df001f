//! Dynamic update: nsupdate and knsupdate against anyns, and the same updates to anyns, BIND 9 and Knot DNS.
//!
//! ```text
//!   nsupdate, knsupdate --> anyns (a hub) --> kill -9, restart
//!                      \--> BIND, Knot        compared record by record after each update
//! ```

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

mod absent;
mod acme;
mod client;
mod clients;
mod crash;
mod edits;
mod fleet;
mod hub;
mod kills;
mod peers;
mod pop;
mod signed_rollback;
mod three;
mod versions;
mod whole_file;

#[path = "../support/mod.rs"]
mod support;
