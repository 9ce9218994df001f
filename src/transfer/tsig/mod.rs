//! Transaction signatures (RFC 8945): requests, responses and streams of responses, signed and verified.
//!
//! ```text
//! client:  Exchange::sign(request) ---> Exchange::verify(response), again for each envelope ---> Exchange::finish
//! server:  verify_request(request) ---> Replies::sign(response), again for each envelope
//!                  '--> Refusal: the response that says BADKEY, BADSIG, BADTIME or BADTRUNC
//! ```
//!
//! Octets and the time in, octets and verdicts out. Never does I/O and never reads a clock. A message is read where it lies; only
//! what is appended is written.

mod algorithm;
mod counts;
mod exchange;
mod fault;
mod key;
mod mac;
mod record;
mod replies;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/tsig.rs"]
mod tests;

pub use algorithm::Algorithm;
pub use counts::TsigCounts;
pub use exchange::Exchange;
pub use fault::{PeerError, TsigFault};
pub use key::{Key, KeyFault, Keys};
pub use replies::{Refusal, Replies, verify_request};

/// The seconds that two clocks may differ (RFC 8945 section 10 recommends 300).
pub const FUDGE: u16 = 300;
/// Unsigned messages between two signed ones of a stream at most (RFC 8945 section 5.3.1: every hundredth is signed).
pub const MOST_UNSIGNED: usize = 99;
