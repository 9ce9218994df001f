//! Health: asks the service addresses the way a resolver would, and says what the answers mean.
//!
//! In flow the zones that are served (a `watch`) and the workers' [`Activity`]; out flow one [`policy::Probe`] per
//! service address (a `watch`) and, for the operator, [`Statistics`].
//!
//! ```text
//!     zones ---> rotation ---> exchange (UDP, TCP) ---> message (right or wrong?)
//!                                   |                        |
//!     activity ---> ledger ---> busy?     Outcome  <---------+
//!                                   \      /
//!                                    track (per address and transport, pure)
//!                                      |
//!                                   policy::Probe per address
//! ```
//!
//! One task runs the rounds ([`Monitor`]); every round it spawns at most [`MAX_ADDRESSES`] short tasks, one per address.
//! Never asks from a service address (the answer would reach another POP; loopback is the exception, for it has no
//! other POP), never decides about a route, never touches the query path.
//!
//! [`policy::Probe`]: crate::policy::Probe

mod activity;
mod exchange;
mod message;
mod monitor;
mod pending;
mod rotation;
mod round;
mod self_test;
mod settings;
mod statistics;
mod track;

#[cfg(test)]
mod responder;

pub use activity::Activity;
pub use message::Fault;
pub use monitor::{Health, Monitor, Verdicts, prepare};
pub use self_test::SelfTest;
pub use settings::{MAX_ADDRESSES, MAX_ROUNDS, Settings, SettingsError};
pub use statistics::{Statistics, Transport, ZoneFault};
