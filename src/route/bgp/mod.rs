//! The embedded announce-only BGP speaker (RFC 4271).
//!
//! ```text
//!   watch<Wanted> ---> neighbor (1 task each) <---> connection: outgoing        (framing, timers, session FSM)
//!                          ^           |      <---> connection: incoming, until collision is settled
//!                          |           +----> watch<Observed> (one for all)
//!                      listener (1 task per local address; only configured neighbors)
//!   BgpControl ---> manager (1 task): starts, changes and ends all of these
//! ```
//!
//! Announces IPv4 and IPv6 unicast in one session. Never parses, keeps or installs a route that a neighbor sends.
//! Never advertises graceful restart (RFC 4724): when the process dies, the kernel closes the connection and the
//! neighbor drops the routes at once. Sockets are close-on-exec; no helper process holds them.
//!
//! The codec and the session's state machine are `rustbgpd-wire` and `rustbgpd-fsm`, named nowhere else. Ours are:
//! timers with jitter, reconnecting with back-off, connection collision, passive mode, the send-hold timer
//! (RFC 9687), framing that skips UPDATE bodies, and the choice of attributes.

mod attributes;
mod backoff;
mod change;
mod check;
mod connection;
mod driver;
mod error;
mod framer;
mod listener;
mod manager;
mod neighbor;
mod observe;
mod plan;
mod rib_out;
mod sessions;
mod settings;
mod socket;
#[cfg(test)]
#[path = "../../../tests/unit/route/bgp/mod.rs"]
mod tests;
mod timers;

pub use backoff::Backoff;
pub use change::BgpChanges;
pub use driver::{BgpControl, BgpDriver};
pub use plan::{Plan, PlannedAnnouncement, Warning, plan};
pub use sessions::Sessions;
pub use settings::{BgpSettings, Deprefer, Mode, Neighbor, Password, SettingsError, Ttl};
