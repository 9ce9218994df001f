//! The memory of a zone: nodes in blocks, their order, the table of their names; what versions share of them.
//!
//! Never checks whether a zone is sound.

pub(in crate::zone) mod blocks;
pub(in crate::zone) mod compiled;
pub(in crate::zone) mod digest;
pub(in crate::zone) mod hash;
pub(in crate::zone) mod index;
pub(in crate::zone) mod node;
pub(in crate::zone) mod order;
