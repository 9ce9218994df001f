//! When a secondary zone asks which primary, and for what (RFC 1035 section 3.3.13, RFC 1996, RFC 5936 section 6).
//!
//! ```text
//!          due, NOTIFY, order                 a newer serial
//!   Idle ---------------------> Asking ---------------------> Transferring
//!    ^ ^                          |      NOTIFY that names a       |  |
//!    | '------ nothing newer -----'      newer serial: at once     |  '- IXFR that does not fit: AXFR from the same primary
//!    '-------------- in service, or every primary failed ----------'     failed: the next primary by freshness
//! ```
//!
//! A NOTIFY has one primary asked alone. If that brings nothing, the others are asked in the same round, so that no round fails and no
//! primary is behind before all were asked. Who is asked alone, or fails after a NOTIFY, never makes the timer later: a NOTIFY may be
//! spoofed, and a primary may be wrong.
//!
//! The answer of a primary that has at least the served version puts off the expiry of it, also where that version was refused: RFC 1034
//! section 4.3.5 has a copy end when no serial check is possible, and what is refused is no reason to serve nothing. The answer of one
//! that lags behind does not: it does not know what is served. A newer version that does not come does not put it off either, also where
//! the primary that told of it then sends the one that is served.
//!
//! A primary that has the zone from another one may say how long its own copy may be served (RFC 7314). Then its answer puts the expiry off so
//! far and no farther: of a chain of servers each serves what the origin has confirmed for EXPIRE since then, and not since the one
//! before it has.
//!
//! A NOTIFY that finds nothing newer although it says so has all primaries asked once more a little later: a cache before a primary may
//! not know yet. After a start every zone asks, because NOTIFYs may have come while nobody listened.
//!
//! Once it is proven that a primary has an older version than the one that is served, that is not in its history, whatever serials follow
//! there: its next version with the serial that is served, or a later one, is transferred whole. Differences to a serial that is
//! another version there would make a mixture of both.
//!
//! Differences are taken only from a primary that is proven to have what is served: it gave that, or was compared with it. Of equal
//! serials such a one is preferred, and waited for a little; from any other one a newer version comes whole. Which primary is to be
//! compared next is a fact beside the rounds ([`Refresh::comparison`]), whose result is told to [`Refresh::compared`].
//!
//! Events and the time flow in, an [`Action`] flows out: at most one, and none while one is under way. No I/O, no clock of its own;
//! the jitter comes from a generator that a test seeds. A serial, an age and an expiry are facts that it tells
//! ([`Refresh::status`]); it never takes a zone out of service.

#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_accepted.rs"]
mod accepted_tests;
mod again;
mod ages;
mod another;
mod asking;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_comparisons.rs"]
mod comparisons_tests;
mod confirmation;
mod differences;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_expire.rs"]
mod expire_tests;
mod facts;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_forked.rs"]
mod forked_tests;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_hints.rs"]
mod hints_tests;
mod lineage;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_lineage.rs"]
mod lineage_tests;
mod machine;
mod refused;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh_rounds.rs"]
mod rounds_tests;
mod settings;
mod status;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refresh.rs"]
mod tests;
mod told;

use std::time::{Instant, SystemTime};

use crate::publish::Force;
use crate::wire::Serial;

use super::message::Soa;

pub use crate::publish::ZoneTimers as Saved;
pub use lineage::{Comparison, Contradiction, DueComparison};
pub use machine::Refresh;
pub use settings::Bounds;
pub use status::{Behind, Phase, Status};

/// The time: for timers, and for what is shown and kept over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For timers.
    pub instant: Instant,
    /// For people, and for the next process.
    pub wall: SystemTime,
}

/// What is to be done; its result comes back as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask these primaries, by their index, for the SOA record; [`Refresh::answered`] takes each result.
    AskSoa(Vec<usize>),
    /// Transfer from this primary: differences from `from` on, or the whole zone. [`Refresh::transferred`] takes the result.
    Transfer {
        /// Its index.
        primary: usize,
        /// The version that is served here, for IXFR; `None` for AXFR.
        from: Option<Serial>,
        /// Whether the version is wanted whatever its serial.
        force: Force,
    },
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transferred {
    /// The version is in service.
    Served(Soa),
    /// The primary serves this version, which is not newer.
    NotNewer(Soa),
    /// The primary has no differences, or they do not fit what is served.
    AskWhole,
    /// The primary sent what it must not, or too much, or too slowly.
    Faulty,
    /// No connection, or it broke.
    Unreachable,
    /// It was not begun, because its primary is left alone for a while.
    NotBegun,
    /// The publisher refuses the version with this serial.
    Refused(Serial),
    /// What came under this serial is no zone: it is refused, and there is nothing that somebody could accept.
    NoZone(Serial),
    /// It came, and could not be put into service, which is no fault of the primary.
    NotKept,
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask the primaries now.
    Refresh,
    /// Transfer the whole zone from the freshest primary, whatever its serial: the way back after a serial went backwards.
    Retransfer,
}
