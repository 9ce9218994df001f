//! The lab of several POPs: what the lab tool does, as a library for it and for `tests/multipop`.
//!
//! In flows one topology file, the one that containerlab reads; out come running nodes, faults in them, and timelines of what the
//! clients and the routers saw. The nodes are network namespaces that this module builds, or containers that containerlab has
//! built; the rest is the same for both. It never touches what it did not start, and drives the server from outside: of its code the
//! tool has no more than the reader of zone files.

#![allow(dead_code, unreachable_pub, reason = "the tool and the test each use their own part")]

pub mod catchment;
pub mod ecmp;
pub mod error;
pub mod faults;
pub mod flows;
pub mod interrupt;
pub mod latency;
pub mod namespaces;
pub mod nodes;
pub mod observe;
pub mod orders;
pub mod result;
pub mod routes;
pub mod scenario;
pub mod sessions;
pub mod stack;
pub mod steps;
pub mod svg;
pub mod timeline;
pub mod topology;
pub mod zone;
