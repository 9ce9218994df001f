//! Admission: may this source be answered?
//!
//! A source address and the time flow in, an [`Admission`] flows out. Sources are counted by prefix (a /24, a /56), because
//! an attacker who can spoof one address can spoof the addresses around it. Every query of a prefix counts, not one kind of answer
//! as in response rate limiting. Queries over TCP are not counted here: their source cannot be spoofed, and
//! connections have caps of their own (`serve`). Never allocates, locks, logs or reads a clock per check; memory is
//! fixed at the start, whatever is spoofed.

mod limiter;
mod limits;
mod prefix;
mod settings;
mod table;

pub use limiter::{Admission, Limiter, WorkerLimiter};
pub use limits::{Limits, WorkerLimits};
pub use prefix::Prefixes;
pub use settings::{Mode, Settings, SettingsError};
