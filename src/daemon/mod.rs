//! Puts the parts together: build, then spawn, then wait.
//!
//! ```text
//!   build   admin socket, service addresses, sockets, zones, speaker, probes   (each may refuse, nothing is announced)
//!   spawn   main        signals, the service manager's watchdog, the ordered stop
//!           decide      1x thread   facts -> policy -> decision, a lease; orders
//!           speaker     1x thread   gate, BGP: one task per neighbor
//!           watchdog    1x thread   ends the BGP connections of a speaker that does not run
//!           health      1x thread   probes
//!           host        1x thread   addresses and routes of this host
//!           catalogs    1x thread   who is a member of which catalog
//!           canaries    1x thread   which secondary may have which version
//!           publisher   1x thread   zones in, and its own threads
//!           control     1x thread   the admin socket, the status, metrics
//!           web         1x thread   the page and the API, if configured
//!           dnstap      1x thread   samples of messages out and counted, if asked for
//!           rssac002    1x thread   daily statistics out, if asked for
//!           log         1x thread   log records out
//!           otlp        1x thread   log records and spans to a receiver, if asked for
//!           serve-N     Nx threads  queries in, responses out
//!   wait    a signal: drain in order, then everything closes in the order opposite to its opening
//! ```
//!
//! No two of these share a runtime or a blocking write, and those that supervise each other share no lock. Who supervises whom:
//! the watchdog the speaker, the speaker the deciding task (the lease), the deciding task every fact, the status every task, the
//! service manager the deciding task and the speaker.
//!
//! | folder | may name |
//! | --- | --- |
//! | `canaries` | (nothing) |
//! | `catalogs` | (nothing) |
//! | `status` | `canaries` `catalogs` |

mod build;
mod canaries;
mod catalogs;
mod controller;
mod decide;
mod drain;
mod drain_file;
mod export;
mod facts;
mod history;
mod live;
mod order;
mod orders;
mod parts;
mod reload;
mod reloads;
mod reporting;
mod required;
mod response;
mod self_test;
mod sent_zones;
mod service_manager;
mod signals;
mod sources;
mod statistics;
mod status;
mod stop;
mod supervisor;
mod thread;
mod transfers;
mod updates;
mod versions;
mod web;

use std::path::PathBuf;

use crate::config::Config;
use crate::control::ControlError;
use crate::host::AddressError;
use crate::otlp::{self, Export, ExportLayer};
use crate::serve::ServeError;
use crate::telemetry::{ExportedLogs, Logging};
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

/// How long the last log records may take to leave.
const LOG_PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// What is logged, and what of it is exported.
struct Logged {
    logging: Logging,
    export: Option<Export>,
}

impl Logged {
    fn start(config: &Config) -> Result<Self, DaemonError> {
        let export = config.otlp.as_ref().map(otlp::start).transpose();
        let failed = |source| DaemonError::Thread { name: "otlp", source };
        let (export, layer) = export.map_err(failed)?.unzip();
        let exported = layer.map(|layer: ExportLayer| -> ExportedLogs { Box::new(layer) });
        Ok(Self { logging: telemetry::start_logs(&config.log, exported)?, export })
    }

    /// The last records leave.
    fn finish(self) {
        if let Some(export) = self.export {
            export.finish(LOG_PATIENCE);
        }
        self.logging.logs.finish(LOG_PATIENCE);
    }
}

/// Runs until a signal ends it, and returns after everything is closed in order. `file` is read again at a reload.
pub fn run(config: Config, file: Option<PathBuf>) -> Result<(), DaemonError> {
    let logged = Logged::start(&config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DaemonError::Runtime)?;
    let outcome = runtime.block_on(async {
        let signals = signals::Signals::new().map_err(DaemonError::Signals)?;
        let parts = build::build(config, file, &logged).await?;
        stop::after_a_signal(parts, signals).await;
        Ok(())
    });
    runtime.shutdown_background();
    logged.finish();
    outcome
}
