//! Serving over real sockets on loopback and in network namespaces: both engines, UDP and TCP.

// A helper that cannot go on fails the test; clippy's leave for tests does not reach helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod address;
mod affinity;
mod hickory;
mod load;
mod namespace;
mod route_back;
#[path = "../support/skip.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod skip;
mod support;
mod tcp;
mod udp;
