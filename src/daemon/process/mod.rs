//! The process: its parts are built, supervised and stopped.

pub(in crate::daemon) mod build;
pub(in crate::daemon) mod logged;
pub(in crate::daemon) mod parts;
pub(in crate::daemon) mod reporting;
pub(in crate::daemon) mod service_manager;
pub(in crate::daemon) mod signals;
pub(in crate::daemon) mod statistics;
pub(in crate::daemon) mod stop;
pub(in crate::daemon) mod supervisor;
