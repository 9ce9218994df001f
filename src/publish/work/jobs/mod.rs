//! Zones that have work, and the threads that take it.

pub(in crate::publish) mod board;
pub(in crate::publish) mod job;
pub(in crate::publish) mod pool;
