//! Where versions come from: finds, watches and reads zone files.
//!
//! Paths and notifications flow in, zones and named faults flow out. Never judges a version and never serves one.

pub(in crate::publish) mod canary;
pub(in crate::publish) mod debounce;
pub(in crate::publish) mod directories;
pub(in crate::publish) mod key;
pub(in crate::publish) mod links;
pub(in crate::publish) mod mounts;
pub(in crate::publish) mod read;
pub(in crate::publish) mod scan;
pub(in crate::publish) mod survey;
pub(in crate::publish) mod unseen;
pub(in crate::publish) mod watch;
pub(in crate::publish) mod watch_set;

pub(in crate::publish) use key::{SourceKey, ZoneSource};
