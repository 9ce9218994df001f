//! Why logging cannot begin, or be changed.

use std::io;

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level cannot be understood.
    #[error(
        "the log level `{level}` is none: use error, warn, info, debug or trace, or `info,anyns::health=debug`"
    )]
    Level {
        /// What was given.
        level: String,
        /// What is wrong about it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// A word that is no level.
    #[error(
        "the log level {word:?} is none: use error, warn, info, debug, trace or off, or `info,anyns::health=debug`"
    )]
    Word {
        /// What was given.
        word: String,
    },
    /// The thread that writes them cannot be started.
    #[error("cannot start the thread that writes the log")]
    Thread {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Logging has begun before.
    #[error("logging has begun before")]
    PendingAnswer {
        /// What the subscriber says.
        #[source]
        source: tracing::subscriber::SetGlobalDefaultError,
    },
}
