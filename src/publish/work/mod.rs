//! The threads of the publisher and what they do to each zone, from its source into service.
//!
//! | folder | may name |
//! | --- | --- |
//! | `zone` | (nothing) |
//! | `kept` | `zone` |
//! | `jobs` | `zone` |
//! | `orders` | `jobs` `zone` |
//! | `survey` | `jobs` `orders` `zone` |

mod begun_anew;
mod configured;
pub(in crate::publish) mod core;
mod core_reports;
mod core_state;
mod delegations;
pub(in crate::publish) mod jobs;
pub(in crate::publish) mod kept;
#[cfg(test)]
#[path = "../../../tests/unit/publish/lanes.rs"]
mod lane_tests;
pub(in crate::publish) mod liveness;
pub(in crate::publish) mod orders;
#[cfg(test)]
#[path = "../../../tests/unit/publish/overflow.rs"]
mod overflow_tests;
pub(in crate::publish) mod owner;
#[cfg(test)]
#[path = "../../../tests/unit/publish/panics.rs"]
mod panic_tests;
pub(in crate::publish) mod publication;
pub(in crate::publish) mod publisher;
mod queue;
#[cfg(test)]
#[path = "../../../tests/unit/publish/removal.rs"]
mod removal_tests;
mod reporting;
pub(in crate::publish) mod survey;
mod time_share;
#[cfg(test)]
#[path = "../../../tests/unit/publish/unread.rs"]
mod unread_tests;
pub(in crate::publish) mod zone;
