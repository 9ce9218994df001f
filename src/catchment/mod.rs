//! Which client prefixes reach this POP, counted from samples of queries in fixed memory.
//!
//! ```text
//!   samples (thread dnstap) --> Recorder --> Window: Sketch of IPv4 /24, Sketch of IPv6 /48 --> Latest<Catchment> --> control, web
//!                                            (the one that fills, and the last whole one)
//! ```
//!
//! The workers know nothing of it: they give one message in some to a tap ([`telemetry::Tap`](crate::telemetry::Tap)), and the thread
//! that empties the taps counts here. A [`Sketch`] holds a fixed number of prefixes, however many there are; it is wrong by a known amount,
//! and says by how much. Sources over UDP may be spoofed: what is counted is what the queries claim. No I/O, no lock.

mod recorder;
mod sketch;

pub use recorder::{Catchment, FamilyCatchment, PrefixCount, Recorder};
pub use sketch::{Estimate, Sketch};
