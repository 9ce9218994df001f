//! Wrong on purpose: broken zones, configs and hosts.

#[path = "../support/mod.rs"]
mod support;
