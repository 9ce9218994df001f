//! Announces and withdraws the routes as policy decided, and reports what is announced.
//!
//! ```text
//!   decision --> gate (lease) --> watch<Wanted> --> driver (bgp: one task per neighbor | dry-run)
//!                 |                                   |                       all on the thread "speaker"
//!   status <------+------------ watch<Observed> <-----+
//!
//!   watchdog: no heartbeat of the speaker --> shutdown(2) of every BGP connection       the thread "watchdog"
//! ```
//!
//! An announcement is a lease: [`start`] says who renews it and what follows when it is not renewed. [`GateControl`] and [`BgpControl`]
//! change the settings of the gate, the watchdog and the driver while these run: they publish a value that the others read, so no task waits.
//!
//! Policy alone decides; this module alone acts, and it reports what the driver *observes*, not what was asked for.
//! Effects follow the latest state of a `watch`; nothing queues. Never parses a route that a neighbor sends, never
//! installs one, and does nothing that would keep a session open when the process dies.

mod bgp;
mod driver;
mod dry_run;
mod gate;
mod lease;
mod self_test;
mod service;
mod speaker;
mod status;
#[cfg(test)]
#[path = "../../tests/unit/route.rs"]
mod tests;
mod watchdog;

pub use bgp::{
    Backoff, BgpChanges, BgpControl, BgpDriver, BgpSettings, Deprefer, Mode, Neighbor, Password, Plan,
    PlannedAnnouncement, Sessions, SettingsError, Ttl, Warning, plan,
};
pub use driver::{
    Driver, NeighborKey, NeighborObserved, Observed, Preference, RouteObserved, SessionState, Started, Wanted,
};
pub use dry_run::DryRun;
pub use gate::{GateControl, GateSettings, LeaseTime};
pub use self_test::SelfTest;
pub use service::{Community, CommunityError, LargeCommunity, Service};
pub use speaker::{Speaker, SpeakerError, start};
pub use status::{LeaseStatus, NeighborStatus, PrefixStatus, RouteState, RouteStatus};
