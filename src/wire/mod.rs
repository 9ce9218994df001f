//! DNS wire format (RFC 1035 section 4): names, types, the query parser and the answer writer.
//!
//! Bytes and plain values in, bytes and plain values out. Never does I/O; the parser and the writer never allocate
//! and never panic, whatever the bytes. Owned values ([`Name`]) are for the control plane and the compiled zone.

mod name;
mod rtype;
mod serial;

pub use name::{Name, NameError};
pub use rtype::RecordType;
pub use serial::Serial;
