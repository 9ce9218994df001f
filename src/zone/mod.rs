//! The zone snapshot: what the query path reads.
//!
//! ```text
//! RecordBatch --> ZoneBuilder --> Zone --> Snapshot --> Published --> workers
//!      |           check, placement: what no zone may hold  |
//!      |           compile: a node for each name            ahead: what a batch will read
//!      |           link: NSEC and NSEC3 chains, checked whole
//!      |
//!      +--> redeploy --+--> amend: edit, relink --> the next Zone, sharing what stays
//!      +--> change  ---+                                |
//!                                                       effect: what it differs in, exactly
//!
//! signatures: DNSSEC signatures verified, whole or what changed, and when they expire
//!
//! Zone = store (nodes in blocks) + index (hash to node) + order (canonical order) + chain
//! ```
//!
//! Records flow in, packed in [`RecordBatch`]es; [`ZoneBuilder`] refuses what no zone may hold and compiles the rest into
//! an immutable [`Zone`]. The next version comes from a difference ([`Zone::with_changes`]) or from a whole zone again
//! ([`ZoneBuilder::after`]), and shares what stays. Zones make up an immutable [`Snapshot`]; [`Published`] is the one
//! place where a new snapshot replaces the old one, at once and whole. Never does I/O, never locks a reader, never changes
//! what was published.

mod absent;
mod ahead;
mod amend;
mod amendment;
mod batch;
mod builder;
mod change;
mod check;
mod compile;
mod compiled;
mod denial;
mod edit;
mod effect;
mod entry;
mod fault;
mod hash;
mod index;
mod key;
mod link;
mod lookup;
mod misplacement;
mod node;
mod nsec;
mod nsec3;
mod order;
mod placement;
mod places;
mod record;
mod redeploy;
mod relink;
pub mod signatures;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod walk;
mod warning;
mod whole;

pub use absent::Absence;
pub use ahead::Ahead;
pub use batch::RecordBatch;
pub use builder::ZoneBuilder;
pub use compiled::{NodeRef, RrSet, Zone};
pub use denial::{Collision, Denies};
pub use effect::Owners;
pub use fault::ZoneFault;
pub use lookup::Lookup;
pub use misplacement::Misplacement;
pub use record::{Place, Record};
pub use redeploy::Standing;
pub use snapshot::{Published, PublishedRef, Snapshot};
pub use warning::ZoneWarning;
