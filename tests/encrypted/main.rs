//! DNS over TLS, HTTPS and QUIC: the same answers as over TCP, to real clients, under bad ones; the certificate; session
//! tickets; the PROXY protocol.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test stops at the first fault"
)]

#[path = "../support/encrypted.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod clients;
#[path = "../support/skip.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod skip;
#[path = "../support/wait.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod wait;

mod certificate;
mod client;
mod doh;
mod doq;
mod equal;
mod hostile;
mod programs;
mod proxy;
mod reset;
mod server;
mod tickets;
