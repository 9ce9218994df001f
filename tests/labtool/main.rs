//! The lab tool: an anycast DNS service of three POPs on one machine, and everything that can happen to it.
//!
//! An example of the crate, not a program of its own: it is for those who evaluate, rehearse and test, it needs crates that the
//! server does not (namespaces, YAML), and `cargo install` must not put it into a POP. `cargo run --example lab -- help`;
//! deploy/containerlab/README.md shows how it is used.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool that people run in a terminal")]
// The shared support of the tests stops at faults of the machine itself.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "the support of the tests"
)]

#[path = "../support/tool.rs"]
mod support;
mod tool;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    ExitCode::from(tool::orders::run(&tool::orders::Arguments::parse()))
}
