//! What an operator orders over the admin socket.

pub(in crate::daemon) mod blocking;
pub(in crate::daemon) mod export;
pub(in crate::daemon) mod history;
pub(in crate::daemon) mod obey;
pub(in crate::daemon) mod versions;
