//! Health: asks the service addresses the way a resolver would, and says what the answers mean.
//!
//! In flow the zones that are served and the load of the serving threads ([`Load`]); out flow one
//! [`policy::Probe`] per service address and, for the operator, [`Statistics`], all without a lock ([`crate::handoff`]).
//!
//! ```text
//!     zones ---> rotation ---> exchange (UDP, TCP) ---> message (right or wrong?)
//!                                   |                        |
//!     load -> evidence ---> overload?     Outcome  <---------+
//!         (per address and          \      /
//!          transport)                \    /
//!                                    track (per address and transport, pure)
//!                                      |
//!                                   policy::Probe per address
//! ```
//!
//! One task runs the rounds ([`Monitor::run`]), again after a panic; every round it spawns at most [`MAX_ADDRESSES`] short tasks, one per address.
//! Never asks from a service address (the answer would reach another POP; loopback is the exception, because it has no
//! other POP), never decides about a route, never touches the query path.
//!
//! [`Load`]: crate::telemetry::Load
//! [`policy::Probe`]: crate::policy::Probe

mod evidence;
mod exchange;
mod message;
mod monitor;
mod rotation;
mod round;
mod self_test;
mod settings;
mod statistics;
mod track;

#[cfg(test)]
#[path = "../../tests/unit/health/responder.rs"]
mod responder;

pub use message::AnswerFault;
pub use monitor::{Health, LoadSource, Monitor, Verdicts, prepare};
pub use rotation::ServedZones;
pub use self_test::IdentityQuery;
pub use settings::{MAX_ADDRESSES, MAX_REFERENCES, MAX_ROUNDS, Settings, SettingsError};
pub use statistics::{ProbeTransport, RecentLosses, Statistics, ZoneFault};
