//! The set of zones that is served, and those that are configured and not served.

pub(in crate::zone) mod absent;
pub(in crate::zone) mod expiry;
pub(in crate::zone) mod zones;
