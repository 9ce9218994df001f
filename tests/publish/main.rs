//! The publisher against the real filesystem: ways to deploy, differences, wrong input, restarts.
//!
//! Waits for reports, never for time. Every test has its own temporary directory.

// A test fails by a panic; the lints' own exception covers only functions marked `#[test]`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod accepted_offer;
mod another;
mod away;
mod deploy;
mod difference;
mod earlier_serials;
mod format4;
#[cfg(native)]
mod frozen;
#[cfg(native)]
#[path = "../support/fuse.rs"]
#[allow(unreachable_pub, reason = "other tests share it")]
mod fuse;
#[cfg(native)]
mod hanging;
mod history;
mod journal;
#[cfg(native)]
mod late;
mod lost;
#[cfg(native)]
mod mounted;
mod reader;
mod received;
mod refuse;
mod replaced;
mod restart;
mod signature_faults;
mod signatures;
mod signed;
#[cfg(native)]
mod silent;
#[path = "../support/skip.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod skip;
mod support;
mod unchanged;
mod unwritable;
mod upgrade;
mod validate;
#[path = "../support/wait.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod wait;
mod wrong;
