//! DNS wire format (RFC 1035 section 4): names, types, the query parser and the answer writer.
//!
//! Bytes and plain values in, bytes and plain values out. Never does I/O; the parser and the writer never allocate
//! and never panic, whatever the bytes. Owned values ([`Name`]) are for the control plane and the compiled zone.

pub mod flag;
mod layout;
mod lookup_name;
mod name;
pub mod octets;
pub mod opcode;
mod plain_opt;
mod prepared;
mod query;
pub mod rcode;
mod rtype;
mod serial;
pub mod soa;
pub mod steps;
mod writer;

pub use layout::{
    Compressible, Part, RdataError, canonical_rdata, check_rdata, compressible, layout, lowers_names,
};
pub use lookup_name::{LookupName, name_length};
pub use name::{Name, NameError};
pub use plain_opt::{
    OPTION_HEADER, PLAIN_OPT, UPPER_RCODE, append_opt, append_opt_with, edns_version, option_of,
};
pub use prepared::Prepared;
pub use query::{Edns, Header, Query, QueryFault, Question, option};
pub use rtype::{CLASS_ANY, CLASS_CH, CLASS_IN, RecordType};
pub use serial::Serial;
pub use writer::{Full, Mark, Opt, Owner, Section, Writer};
