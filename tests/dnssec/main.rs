//! Pre-signed zones: signed by `ldns-signzone` and `dnssec-signzone`, served by anyns, judged by Unbound, and by BIND's
//! `delv` where Unbound cannot, validators that are not ours.
//!
//! Needs root (a network namespace, so that name servers and resolver have port 53) and the Debian packages ldnsutils,
//! bind9-utils, bind9-dnsutils and unbound, which `tests/run` installs.

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

mod authority;
mod delv;
mod direct;
mod names;
mod resolver;
mod sign;
mod validated;
mod wire;
