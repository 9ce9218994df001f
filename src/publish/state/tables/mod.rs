//! Tables of the database with one short value for each zone, and what the values mean.

pub(in crate::publish) mod anew;
pub(in crate::publish) mod lost;
pub(in crate::publish) mod members;
pub(in crate::publish) mod rejected;
pub(in crate::publish) mod releases;
pub(in crate::publish) mod removed;
pub(in crate::publish) mod serial_runs;
pub(in crate::publish) mod serials;
pub(in crate::publish) mod timers;
