//! Why the operator's program does not accept a version.

use std::time::Duration;

/// Octets that the program may print at all: more is a program gone wild, and would fill the disk.
pub(super) const MOST_PRINTED: u64 = 1 << 20;

/// Why a program does not accept a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramFault {
    /// It could not be run, or not be given the zone.
    #[error("{program}, which validate names, cannot judge it: {error}")]
    Failed {
        /// The program.
        program: String,
        /// What the system said.
        error: String,
    },
    /// It refuses the version.
    #[error("{program}, which validate names, says no ({status}): {text}")]
    SaysNo {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// What it printed first.
        text: String,
    },
    /// It took too long.
    #[error("{program}, which validate names, has not answered within {limit:?} and was ended")]
    TooLong {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// It printed too much.
    #[error("{program}, which validate names, has printed more than {MOST_PRINTED} octets and was ended")]
    TooMuch {
        /// The program.
        program: String,
    },
}
