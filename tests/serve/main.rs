//! Serving over real sockets on loopback and in network namespaces: both engines, UDP and TCP.

// A helper that cannot go on fails the test; clippy's leave for tests does not reach helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod address;
mod hickory;
mod namespace;
mod support;
mod tcp;
mod udp;
