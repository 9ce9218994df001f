//! Puts the parts together: build, then spawn, then wait.
//!
//! ```text
//!   build   admin socket, service addresses, sockets, zones, probes, gate      (each may refuse, nothing is announced)
//!   spawn   serve      threads    queries in, responses out
//!           publisher  1x task    zones in
//!           health     1x task    probes
//!           gate       1x task    routes, one more per neighbour
//!           control    1x task    the admin socket
//!           pilot      1x task    facts -> policy -> decision; orders; status
//!   wait    a signal: the pilot drains in order, then everything closes in the order opposite to its opening
//! ```
//!
//! Every fact reaches the pilot through a `watch`; its decision reaches the gate through one. Nothing queues.

mod build;
mod drain;
mod facts;
mod orders;
mod pilot;
mod reload;
mod signals;
mod status;
mod stop;

use std::path::PathBuf;

use crate::config::Config;
use crate::control::ControlError;
use crate::host::AddressError;
use crate::serve::ServeError;
use crate::{admission, health, publish, route, telemetry};

/// Why anyns cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The runtime of the control plane does not start.
    #[error("cannot start the control plane's threads")]
    Runtime(#[source] std::io::Error),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
    /// Logs cannot begin.
    #[error(transparent)]
    Log(#[from] telemetry::LogError),
    /// The admin socket cannot be opened.
    #[error(transparent)]
    Control(#[from] ControlError),
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

/// Threads of the control plane's runtime: one may wait for a disk while the other beats.
const CONTROL_THREADS: usize = 2;

/// Runs until a signal ends it, and returns after everything is closed in order. `file` is read again at a reload.
pub fn run(config: Config, file: Option<PathBuf>) -> Result<(), DaemonError> {
    telemetry::start_logs(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("anyns-control")
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?;
    runtime.block_on(async {
        let signals = signals::Signals::new().map_err(DaemonError::Signals)?;
        let parts = build::build(config, file).await?;
        parts.run(signals).await;
        Ok(())
    })
}
