//! The log and its export, from the first record to the last.

use crate::config::Config;
use crate::daemon::error::DaemonError;
use crate::otlp::{self, Export, ExportLayer};
use crate::telemetry::{self, ExportedLogs, Logging};

/// How long the last log records may take to leave.
const LOG_PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// What is logged, and what of it is exported.
pub(in crate::daemon) struct Logged {
    pub(in crate::daemon) logging: Logging,
    pub(in crate::daemon) export: Option<Export>,
}

impl Logged {
    pub(in crate::daemon) fn start(config: &Config) -> Result<Self, DaemonError> {
        let export = config.otlp.as_ref().map(otlp::start).transpose();
        let failed = |source| DaemonError::Thread { name: "otlp", source };
        let (export, layer) = export.map_err(failed)?.unzip();
        let exported = layer.map(|layer: ExportLayer| -> ExportedLogs { Box::new(layer) });
        Ok(Self { logging: telemetry::start_logs(&config.log, exported)?, export })
    }

    /// The last records leave.
    pub(in crate::daemon) fn finish(self) {
        if let Some(export) = self.export {
            export.finish(LOG_PATIENCE);
        }
        self.logging.logs.finish(LOG_PATIENCE);
    }
}
