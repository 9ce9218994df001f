//! A reload: what of a new configuration goes live, and what needs a restart.

pub(in crate::daemon) mod configured;
pub(in crate::daemon) mod live;
pub(in crate::daemon) mod reloading;
pub(in crate::daemon) mod reloads;
pub(in crate::daemon) mod self_test;
