//! Canaries: some secondaries have each version of a zone before all others: the thread `canaries` (1x).
//!
//! ```text
//!   report, snapshot --> a new version of a zone --> CanaryZone (one a zone) --> SOA queries to the group (Nx tasks, paced)
//!   config, orders ----> CanaryTask                      |      <---------------- serials
//!   HTTP (1x a POP) ---> HealthChecks: how it is --------'-----> halted: a canary became unhealthy
//!                                                        '--> released: durable first --> ReleasedVersions --> the transfers out
//!                                                                                    '--> NOTIFY to the others
//! ```
//!
//! Versions that are served and answers of secondaries flow in; which version each secondary may have flows out, to what answers
//! its requests, on any thread. The group has what is served; the others have the version that was released last, which is kept in
//! memory for them until then: one older version a zone. What was released is known over a restart, and the version is made again from
//! the history. Facts flow to the status. Never changes what is served here, never serves anything itself.

mod away;
mod control;
mod coverage;
mod entries;
mod error_share;
mod facts;
mod health;
mod known;
mod late;
mod orders;
mod queries;
mod restore;
mod restoring;
mod task;
#[cfg(test)]
#[path = "../../../tests/unit/daemon/canaries.rs"]
mod tests;
mod versions;
mod zones;

pub(super) use control::CanaryControl;
pub(super) use facts::{CanaryFact, CanaryFacts, CanaryHealth, CanarySecondary, HealthFact};
pub(super) use task::{CanaryContext, start};
pub(super) use versions::ReleasedVersions;
