//! The threads of the publisher and what they do to each zone, from its source into service.

pub(in crate::publish) mod apply;
pub(in crate::publish) mod core;
pub(in crate::publish) mod core_state;
pub(in crate::publish) mod crew;
pub(in crate::publish) mod entry;
pub(in crate::publish) mod launch;
pub(in crate::publish) mod liveness;
pub(in crate::publish) mod looker;
pub(in crate::publish) mod orders;
#[cfg(test)]
#[path = "../../../tests/unit/publish/panics.rs"]
mod panic_tests;
pub(in crate::publish) mod publisher;
pub(in crate::publish) mod visit;
