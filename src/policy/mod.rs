//! Facts in, a decision per prefix out. Pure: no I/O, no clock; `now` is an argument.
//!
//! ```text
//!   Facts ---> fitness (per prefix: fault | degraded | not ready | pressure | good) ---> damping (down fast, up slowly)
//!                                                                                   |
//!   operator's order -------------------------------------------------> the lesser of the two ---> Decision
//! ```
//!
//! The operator's order is kept apart from health: an order is not a fault, costs no hold, and what health says goes
//! on being followed under it.
//!
//! A decision is made by one POP alone, without the others, so only hard reasons withdraw: a soft one (a required zone that
//! goes missing later), which all POPs may have at once, lowers the preference.

mod damping;
mod decide;
mod decision;
mod facts;
mod fitness;
mod reason;
mod settings;
#[cfg(test)]
#[path = "../../tests/unit/policy.rs"]
mod tests;

pub use decide::Policy;
pub use decision::{Decision, Intent, PrefixDecision};
pub use facts::{Facts, Family, NoRouteBack, Operator, Probe, StaleFact};
pub use reason::Reason;
pub use settings::{OneTransportDead, Settings, SettingsError};
