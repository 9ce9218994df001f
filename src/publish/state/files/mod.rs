//! What the state directory holds beside the database: its lock, the zones that are held, versions that were refused, damaged files.

pub(in crate::publish::state) mod aside;
pub(in crate::publish) mod holds;
pub(in crate::publish) mod lock;
pub(in crate::publish) mod refused;
