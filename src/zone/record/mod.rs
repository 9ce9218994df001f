//! Records on their way into a zone: their order, their faults, what they must hold.
//!
//! Knows nothing of nodes, stores or versions.

pub(in crate::zone) mod entry;
pub(in crate::zone) mod fault;
pub(in crate::zone) mod key;
pub(in crate::zone) mod misplacement;
pub(in crate::zone) mod nsec3;
pub(in crate::zone) mod raw;
pub(in crate::zone) mod warning;
