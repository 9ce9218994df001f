//! What an operator orders over the admin socket.

pub(in crate::daemon) mod blocking;
pub(in crate::daemon) mod export;
pub(in crate::daemon) mod from_primaries;
pub(in crate::daemon) mod history;
pub(in crate::daemon) mod obey;
pub(in crate::daemon) mod order_state;
pub(in crate::daemon) mod versions;
