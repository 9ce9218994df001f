//! The configuration in force, and what a reload changes besides zones and routes.

use std::path::PathBuf;
use std::sync::Arc;

use crate::admission::Limits;
use crate::config::Config;
use crate::fleet;
use crate::handoff::Latest;
use crate::serve;
use crate::telemetry::LogLevel;

use crate::daemon::reload::reloads::Reloads;
use crate::daemon::status::Reload;

/// What is configured, and the reloads that change it.
pub(in crate::daemon) struct Configured {
    pub(in crate::daemon) config: Config,
    /// The configuration file, if there is one.
    pub(in crate::daemon) file: Option<PathBuf>,
    /// How the last reload went, for the status.
    pub(in crate::daemon) reload: Arc<Latest<Reload>>,
    /// The reloads that are on their way.
    pub(in crate::daemon) reloads: Reloads,
    /// The sections that have changed where only a restart takes them over.
    pub(in crate::daemon) restart: Vec<&'static str>,
    /// The certificate and the ticket keys of the encrypted transports, if there are any.
    pub(in crate::daemon) tls_files: Option<serve::TlsFiles>,
    /// The rate limits in force.
    pub(in crate::daemon) limits: Arc<Limits>,
    pub(in crate::daemon) log_level: LogLevel,
    /// The other POPs, for the page.
    pub(in crate::daemon) fleet: Arc<fleet::Settings>,
}
