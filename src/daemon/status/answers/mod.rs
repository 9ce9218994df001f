//! What the status task answers with: the document, the metrics, the client prefixes that reach this POP.

pub(in crate::daemon::status) mod catchment;
pub(in crate::daemon::status) mod document;
pub(in crate::daemon::status) mod metric_sources;
pub(in crate::daemon::status) mod metrics;
mod routes;
