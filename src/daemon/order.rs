//! Orders of the main thread.

/// What the main thread tells the deciding task to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Read the configuration and the zones again (SIGHUP).
    Reload,
    /// Drain, because the process is about to stop.
    Stop,
}
