//! DNSSEC signatures of a zone: whether they are right, as a validator would say, and when they expire.
//!
//! ```text
//!   Pieces::whole ---> many threads ---> Findings           zone check, a first version
//!   Pieces::changed -> many threads ---> Findings           before a version is published, where that is asked for
//!   Following -------> one thread -----> SignatureVerdict            behind the publishing, from version to version
//!                          |
//!                       owner: every RRset of one owner -- keys: ring --> fault
//! ```
//!
//! The canonical form is that of RFC 4034 section 6, the checks those of RFC 4035 section 5.3 and RFC 6840. The data of a signed
//! zone is authoritative data: not glue, not the NS records of a delegation. The chains of NSEC and NSEC3 records are checked when
//! a zone is compiled; here their type bit maps are.
//!
//! Does no I/O and knows no clock: `now` is an argument, in seconds since 1970. What is hostile is bounded: keys with one tag,
//! signatures of one RRset, faults that are told.

mod fault;
mod follow;
mod keys;
mod owner;
pub(in crate::zone) mod parts;
mod pieces;
mod rrsig;
mod span;
#[cfg(test)]
#[path = "../../../tests/unit/zone/signatures.rs"]
mod tests;
mod types;

pub use fault::{Level, Problem, SignatureFault};
pub use follow::{Following, SignatureVerdict, validity};
pub use keys::Unusable;
pub use owner::{Findings, Verifier};
pub use pieces::Pieces;
pub use rrsig::Algorithm;
pub use span::{Stage, Validity};
