//! The answer: query bytes and facts about the transport in, answer bytes out.
//!
//! A query passes the stages in a fixed order, one file each: header and question, EDNS, opcode and class, the
//! zone, the lookup, the sections, truncation. Never does I/O, never allocates, never locks, never panics.

mod settings;

pub use settings::{Identity, Settings};

use crate::zone::Snapshot;

/// What may differ between transports; everything else of an answer is the same on all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP: limited by the requestor's payload size and our ceiling, truncated with TC.
    Udp,
    /// TCP: limited by 65,535 octets.
    Tcp,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first `length` octets of the output are the response.
    Reply {
        /// Octets of the response.
        length: usize,
        /// The RCODE, extended bits included (RFC 6891 section 6.1.3).
        rcode: u16,
        /// Whether TC is set.
        truncated: bool,
    },
    /// No response: shorter than a header, or itself a response (QR = 1).
    Ignore,
}

/// Answers one query. `output` holds at least 65,535 octets; what is in it before does not matter.
pub fn answer(
    query: &[u8],
    transport: Transport,
    snapshot: &Snapshot,
    settings: &Settings,
    output: &mut [u8],
) -> Outcome {
    let _ = (query, transport, snapshot, settings, output);
    Outcome::Ignore
}

/// The empty answer with TC set that the rate limiter lets slip, so that a real resolver comes back over TCP.
pub fn truncated(query: &[u8], settings: &Settings, output: &mut [u8]) -> Outcome {
    let _ = (query, settings, output);
    Outcome::Ignore
}
