//! Zones from and to other servers.

pub(in crate::daemon) mod sent_zones;
pub(in crate::daemon) mod transferring;
pub(in crate::daemon) mod updates;
