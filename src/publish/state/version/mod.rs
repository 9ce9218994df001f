//! What is kept of the versions of a zone, and of the steps between them, as octets of the database.

pub(in crate::publish) mod header;
pub(in crate::publish) mod record;
pub(in crate::publish) mod replay;
pub(in crate::publish) mod step;
pub(in crate::publish) mod step_source;
pub(in crate::publish) mod tail;
