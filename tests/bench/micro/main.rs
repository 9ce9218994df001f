//! The parts of the query path, of loading and of reporting, each alone, on the zones that `peers` uses. One process, one thread: for
//! comparing two versions of a part, not for saying what a query costs.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark stops at the first fault"
)]

mod load;
mod material;
mod path;
#[allow(dead_code, reason = "each benchmark uses its own part of this module")]
#[path = "../queries.rs"]
mod queries;
mod report;
#[path = "../reports.rs"]
mod reports;
#[allow(dead_code, reason = "each benchmark uses its own part of this module")]
#[path = "../zones.rs"]
mod zones;

/// Allocations are counted: the query path must show none.
#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
