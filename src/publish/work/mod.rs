//! The threads of the publisher and what they do to each zone, from its source into service.

pub(in crate::publish) mod apply;
mod board;
mod check_context;
pub(in crate::publish) mod core;
mod core_reports;
mod core_state;
mod delegations;
pub(in crate::publish) mod entry;
mod include_watch;
mod included;
mod job;
mod keeping;
pub(in crate::publish) mod kept_state;
#[cfg(test)]
#[path = "../../../tests/unit/publish/lanes.rs"]
mod lane_tests;
pub(in crate::publish) mod liveness;
mod member_list;
pub(in crate::publish) mod members;
mod notifications;
mod offers;
pub(in crate::publish) mod order;
mod orders;
pub(in crate::publish) mod orders_hold;
#[cfg(test)]
#[path = "../../../tests/unit/publish/overflow.rs"]
mod overflow_tests;
pub(in crate::publish) mod owner;
#[cfg(test)]
#[path = "../../../tests/unit/publish/panics.rs"]
mod panic_tests;
mod pool;
pub(in crate::publish) mod publication;
pub(in crate::publish) mod publisher;
mod queue;
mod removed;
pub(in crate::publish) mod removed_list;
mod reporting;
mod results;
mod rollbacks;
mod round;
mod rounds;
mod sources;
#[cfg(test)]
#[path = "../../../tests/unit/publish/unread.rs"]
mod unread_tests;
mod watching;
pub(in crate::publish) mod zone_check;
mod zone_includes;
pub(in crate::publish) mod zone_kept;
mod zone_steps;
mod zones_below;
