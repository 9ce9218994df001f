//! Why a transfer brought nothing.

use std::net::SocketAddr;
use std::time::Duration;

use crate::transfer::message::TransferFault;
use crate::transfer::tsig::TsigFault;
use crate::zone::ZoneFault;

use crate::transfer::secondary::net::NetError;
use crate::transfer::secondary::sink::SinkError;

/// Why a transfer brought nothing into service.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or it broke, or it was too slow.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The primary sent what it must not.
    #[error(transparent)]
    Fault(#[from] TransferFault),
    /// The signature is wrong, or ours is not accepted.
    #[error(transparent)]
    Tsig(#[from] TsigFault),
    /// The records are no zone.
    #[error("the records are no zone: {}", first_fault(.0))]
    NoZone(Vec<ZoneFault>),
    /// The publisher refused the version.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The primary has no differences.
    #[error("the primary sends no differences, so the whole zone is asked for")]
    NoDifferences,
    /// The zone comes from primaries no more, or begins anew.
    #[error("the zone was removed, or begins anew")]
    ZoneGone,
    /// The primary was silent of late, so this transfer was not begun.
    #[error("{address} gave no transfer of late: it is asked for the next one in {} s", .left.as_secs().max(1))]
    Paused {
        /// The primary.
        address: SocketAddr,
        /// How long it is left alone still.
        left: Duration,
    },
    /// All transfers together would take too much memory.
    #[error(
        "the transfers would take {} MiB of memory together, and {} MiB are allowed: see transfer.most-memory", all >> 20, most >> 20
    )]
    Memory {
        /// Octets that all would take.
        all: u64,
        /// Octets that they may take.
        most: u64,
        /// Whether this one alone would take more than that.
        is_alone: bool,
    },
    /// The thread that puts versions into service has panicked.
    #[error("the thread that puts the version into service has failed")]
    Thread,
}

fn first_fault(faults: &[ZoneFault]) -> String {
    let more = faults.len().saturating_sub(1);
    match (faults.first(), more) {
        (None, _) => "no fault is told".to_owned(),
        (Some(first), 0) => first.to_string(),
        (Some(first), more) => format!("{first}, and {more} more"),
    }
}
