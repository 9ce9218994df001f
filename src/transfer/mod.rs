//! Zone transfer: what other servers and this one tell each other about zones.
//!
//! ```text
//! in:   NOTIFY ---> notify --> refresh (one state machine a zone) ---> secondary: SOA queries, AXFR, IXFR
//!                                                                         | message: what comes, read and judged
//!                                                                         v
//!                                                                       Sink: the publisher, or delay: versions wait
//! out:  AXFR, IXFR, SOA queries ---> primary ---> writer: a zone or differences as messages
//!       a new serial ---> notify ---> NOTIFY to the secondaries, again until they answer
//!       canary: which serial all secondaries may have, when some have it first
//!
//! tsig: all of it signed and verified where a key is configured; tls: transfers encrypted where that is configured
//! ```
//!
//! Zones flow in from primaries and out to secondaries. `tsig`, `message`, `writer`, `refresh`, `canary` and `notify` do no I/O
//! and take the time as an argument; `secondary` and `primary` hold the sockets, each with threads of its own, so that no query
//! waits for a transfer. Every outgoing socket binds a management address. Never decides whether a version may be served:
//! that is the publisher's.
//!
//! | folder | may name |
//! | --- | --- |
//! | `message` | (nothing) |
//! | `tsig` | (nothing) |
//! | `tls` | (nothing) |
//! | `writer` | `tsig` |
//! | `notify` | (nothing) |
//! | `canary` | (nothing) |
//! | `refresh` | `message` |
//! | `secondary` | `message` `notify` `refresh` `tls` `tsig` |
//! | `delay` | `refresh` `secondary` |
//! | `primary` | `notify` `secondary` `tls` `tsig` `writer` |
//! | `settings` | `delay` `notify` `primary` `secondary` `tls` `tsig` |

pub mod canary;
pub mod delay;
pub mod message;
pub mod notify;
pub mod primary;
pub mod refresh;
pub mod secondary;
pub mod settings;
pub mod tls;
pub mod tsig;
pub mod writer;

pub use crate::sys::files::{FileError, read as read_file};

#[cfg(test)]
#[path = "../../tests/unit/transfer/hub.rs"]
mod hub;
