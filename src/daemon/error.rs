//! Errors of the start.

use crate::control::ControlError;
use crate::host::AddressError;
use crate::serve::ServeError;
use crate::{admission, health, publish, route, telemetry, web as pages};

/// Why anyns cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The runtime of the control plane does not start.
    #[error("cannot start the control plane's threads")]
    Runtime(#[source] std::io::Error),
    /// A thread of the control plane does not start.
    #[error("cannot start the thread {name}")]
    Thread {
        /// Which.
        name: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Zones cannot be transferred.
    #[error("cannot transfer zones")]
    Transfer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The speaker does not start.
    #[error(transparent)]
    Speaker(#[from] route::SpeakerError),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
    /// Logs cannot begin.
    #[error(transparent)]
    Log(#[from] telemetry::LogError),
    /// The admin socket cannot be opened.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The page cannot be served with these credentials.
    #[error("[web] cannot work")]
    Web(#[from] pages::WebError),
    /// A service address is not on the host.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The limiter cannot be made.
    #[error(transparent)]
    Limiter(#[from] admission::SettingsError),
    /// A socket cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The zones cannot be looked after.
    #[error(transparent)]
    Publish(#[from] publish::PublishError),
    /// Probes cannot work.
    #[error(transparent)]
    Health(#[from] health::SettingsError),
    /// The speaker cannot work with these settings.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Route(Vec<route::SettingsError>),
}
