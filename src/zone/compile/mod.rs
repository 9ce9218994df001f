//! Sorted records in, a compiled zone out, checked for what no zone may hold.
//!
//! Records in a batch flow in; nodes in a store and named faults flow out. Never reads a file.

pub(in crate::zone) mod batch;
pub(in crate::zone) mod check;
pub(in crate::zone) mod missing_dot;
pub(in crate::zone) mod nodes;
pub(in crate::zone) mod placement;
pub(in crate::zone) mod places;
