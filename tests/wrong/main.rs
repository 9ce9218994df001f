//! Wrong on purpose: broken zones, configs and hosts. Each has an effect that is asserted from outside (an answer over
//! DNS, an exit code, a field of the status), and a message that names the key or the file and what is right.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

#[path = "../support/mod.rs"]
mod support;

mod config;
mod host;
mod neighbors;
mod verdicts;
mod zone_files;
