//! Facts in, a decision per prefix out. Pure: no I/O, no clock; `now` is an argument.
//!
//! ```text
//!   Facts ---> verdict (per prefix: fault | degraded | not ready | pressure | good) ---> damping (down fast, up slowly)
//!                                                                                   |
//!   operator's order -------------------------------------------------> the lesser of the two ---> Decision
//! ```
//!
//! The operator's order is kept apart from health: an order is not a fault, costs no hold, and what health says goes
//! on being followed under it.
//!
//! Not there yet: the fleet's withdrawal budget ("never all at once"). A decision here is
//! made by one POP alone, so the only reasons that withdraw are the hard ones, which the budget does not cover.
//! What is soft (a required zone that goes missing later) lowers the preference instead.

mod damping;
mod decide;
mod decision;
mod facts;
mod reason;
mod settings;
#[cfg(test)]
#[path = "../../tests/unit/policy.rs"]
mod tests;
mod verdict;

pub use decide::Policy;
pub use decision::{Decision, Intent, PrefixDecision};
pub use facts::{Facts, Family, NoRouteBack, Operator, Probe, StaleFact};
pub use reason::Reason;
pub use settings::{OneTransportDead, Settings, SettingsError};
