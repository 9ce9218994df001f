//! What the tests that need a network share: labs of network namespaces, real programs in them, query streams.
//!
//! Everything here drives the programs from outside, as an operator or a resolver would: command lines, files,
//! sockets. Nothing here names the crate `anyns`, so a fault of the server cannot hide in its own test.
//! Needs root (network namespaces) and the Debian packages that `tests/run` installs.

// Each test crate uses its own part of this module.
#![allow(dead_code, unreachable_pub)]

pub mod anyns;
pub mod bird;
pub mod blaster;
pub mod dns;
pub mod encrypted;
pub mod faults;
pub mod fuse;
pub mod lab;
pub mod load;
pub mod pop;
pub mod process;
pub mod skip;
pub mod stream;
pub mod table;
pub mod threads;
pub mod wait;
pub mod wire;
pub mod world;
pub mod zones;
