//! The zone snapshot: what the query path reads.
//!
//! Records flow in through [`ZoneBuilder`], which refuses what no zone may hold and compiles the rest into an
//! immutable [`Zone`]; zones make up an immutable [`Snapshot`]; [`Published`] is the one place where a new snapshot
//! replaces the old one, at once and whole. Never does I/O, never locks a reader, never changes what was published.

mod builder;
mod record;
mod snapshot;

pub use builder::{Zone, ZoneBuilder, ZoneFault};
pub use record::{Place, Record};
pub use snapshot::{Published, PublishedRef, Snapshot};
