//! The state directory: keeps accepted versions, and the differences that led on from them.
//!
//! Never decides what is served.

pub(in crate::publish) mod directory;
pub(in crate::publish) mod journal;
pub(in crate::publish) mod journal_file;
pub(in crate::publish) mod journal_replay;
pub(in crate::publish) mod journals;
pub(in crate::publish) mod keeper;
pub(in crate::publish) mod state_file;
pub(in crate::publish) mod store;
