//! Responses to AXFR (RFC 5936) and IXFR (RFC 1995), read as they come.
//!
//! ```text
//! message --> TransferReader::feed --> more | Outcome: the whole zone, differences, up to date, "ask for the whole zone"
//!                 |
//!                 '-- TransferFault: what the primary did wrong
//! ```
//!
//! Beside it what an SOA query is answered, and how long the version of a primary may be served ([`TimeLeft`]).
//! Messages flow in, in the order of the stream and already verified ([`crate::transfer::tsig`]); batches of records flow out.
//! Never does I/O, never keeps more than [`Limits`] allow, never decides whether the version may be served. What is wrong with
//! records in relation to each other is found when the zone is compiled, a deleted record that is not there when the differences
//! are applied.

mod axfr;
mod expire;
mod fault;
mod ixfr;
mod limits;
mod query;
mod reader;
mod records;
mod soa;
mod soa_answer;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/message.rs"]
mod tests;

pub use crate::wire::octets::BadName;
pub use expire::TimeLeft;
pub use fault::TransferFault;
pub use limits::Limits;
pub use query::Asked;
pub use reader::{Outcome, Progress, TransferReader, WhyWhole};
pub use soa::Soa;
pub use soa_answer::{SoaAnswer, read_soa_answer};
