//! The state of this process, told to the service manager (sd_notify(3)). Without a service manager, and elsewhere than on
//! Linux, nothing is told. Never waits.

/// What the service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum ServiceState {
    /// Everything is started.
    Ready,
    /// The tasks that decide and announce run.
    Watchdog,
    /// A planned stop has begun.
    Stopping,
}

/// Tells the service manager.
#[cfg(native)]
pub(in crate::daemon) fn notify(state: ServiceState) {
    let state = match state {
        ServiceState::Ready => sd_notify::NotifyState::Ready,
        ServiceState::Watchdog => sd_notify::NotifyState::Watchdog,
        ServiceState::Stopping => sd_notify::NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// There is no service manager to tell.
#[cfg(not(native))]
pub(in crate::daemon) fn notify(_: ServiceState) {}
