//! One message in some, to a collector, to the log and to a count: dnstap over Frame Streams, a query log, the prefixes of clients.
//!
//! ```text
//!   workers --> taps (bounded, never wait) --> DnstapWriter (1x, thread "dnstap") --> Unix socket or TCP, Frame Streams
//!                                                                               \--> log records of queries
//!                                                                               \--> the catchment: a count of client prefixes
//! ```
//!
//! A collector that is slow, stuck or gone costs its own messages alone: they are counted as dropped, and the connection is made anew
//! with a growing pause. Of what a collector says it takes the handshake, the end of the connection and, at a stop, that it has everything. Never holds up a worker.
//!
//! The encoder is written here: fourteen fields and two control frames are less code than what would fit a blocking writer (`framestream`,
//! `dnstap`) into an asynchronous task, and protobuf with a generated schema needs `protoc` at build time.

mod frames;
mod message;
mod query_log;
mod settings;
mod writer;

pub use settings::{Settings, Target, TargetError};
pub use writer::{DnstapCounts, DnstapWriter};
