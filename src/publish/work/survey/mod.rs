//! When the sources are looked at, and what was found.

pub(in crate::publish) mod away;
pub(in crate::publish) mod included;
pub(in crate::publish) mod notifications;
pub(in crate::publish) mod results;
pub(in crate::publish) mod round;
pub(in crate::publish) mod rounds;
pub(in crate::publish) mod sources;
pub(in crate::publish) mod watching;
