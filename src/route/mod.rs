//! Makes the routes what policy decided, and says what they are.
//!
//! ```text
//!   watch<Decision> --> gate --> watch<Wanted> --> driver (bgp: one task per neighbour | dry-run)
//!                        |                            |
//!   watch<RouteStatus> <-+------- watch<Observed> <---+
//! ```
//!
//! Policy alone decides; this module alone acts, and it reports what the driver *observes*, not what was asked for.
//! Effects follow the latest state of a `watch`; nothing queues. Never parses a route that a neighbour sends, never
//! installs one, and does nothing that would keep a session open when the process dies.

mod bgp;
mod driver;
mod dry_run;
mod gate;
mod service;
mod status;

pub use bgp::{
    Backoff, BgpDriver, BgpSettings, Deprefer, Mode, Neighbor, Password, Plan, PlannedAnnouncement,
    SettingsError, Ttl, Warning, plan,
};
pub use driver::{
    Driver, NeighborKey, NeighborObserved, Observed, Preference, RouteObserved, SessionState, Started, Wanted,
};
pub use dry_run::DryRun;
pub use gate::{Gate, spawn};
pub use service::{Community, CommunityError, LargeCommunity, Service};
pub use status::{NeighborStatus, PrefixStatus, RouteState, RouteStatus};
