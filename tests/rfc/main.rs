//! Answers, one module per RFC; every question is asked in every way there is, and every answer is decoded by
//! hickory-proto, a codec that is not ours.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod differences;
mod engines;
mod hostile;
mod index;
mod rfc1034;
mod rfc1035;
mod rfc2181;
mod rfc2308;
mod rfc3597;
mod rfc4035;
mod rfc4343;
mod rfc4592;
mod rfc4892;
mod rfc5001;
mod rfc5155;
mod rfc6672;
mod rfc6891;
mod rfc7766;
mod rfc8020;
mod rfc8482;
mod rfc8945;
mod rfc9276;
mod rfc9471;
mod rfc9619;
mod signed;
mod sockets;
mod world;
