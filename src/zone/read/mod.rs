//! Reads a version: where a name is, which names follow, what proves that a name is not there.
//!
//! On the query path: never allocates, never locks.

pub(in crate::zone) mod ahead;
pub(in crate::zone) mod denial;
pub(in crate::zone) mod lookup;
pub(in crate::zone) mod walk;
