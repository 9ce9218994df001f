//! The zone snapshot: what the query path reads.
//!
//! ```text
//! RecordBatch --> ZoneBuilder --> Zone --> Snapshot --> Published --> workers
//!      |           check, placement: what no zone may hold  |
//!      |           compile: a node for each name            ahead: what a batch will read
//!      |           link: NSEC and NSEC3 chains, checked whole
//!      |           ordered: all of it while the records come, if they come in canonical order
//!      |
//!      +--> redeploy --+--> amend: edit, relink --> the next Zone, sharing what stays
//!      +--> change  ---+                                |
//!                                                       effect: what it differs in, exactly
//!
//! content: the digest of all records (RFC 8976)
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
//!
//! | folder | may name |
//! | --- | --- |
//! | `record` | (nothing) |
//! | `store` | `record` |
//! | `read` | `record` `store` |
//! | `snapshot` | `store` |
//! | `compile` | `record` `store` |
//! | `content` | `record` `store` |
//! | `denial` | `compile` `read` `record` `store` |
//! | `version` | `compile` `denial` `record` `signatures` `store` |
//! | `signatures` | `read` `record` `store` |

mod compile;
mod content;
mod denial;
mod read;
mod record;
pub mod signatures;
mod snapshot;
mod store;
#[cfg(test)]
#[path = "../../tests/unit/zone/mod.rs"]
mod tests;
mod version;

pub use compile::batch::RecordBatch;
pub use compile::missing_dot::repeated_origin;
pub use content::{DigestCheck, DigestFault};
pub use read::ahead::Ahead;
pub use read::denial::{Collision, Denies};
pub use read::lookup::Lookup;
pub use record::fault::ZoneFault;
pub use record::misplacement::Misplacement;
pub use record::raw::{Place, Record};
pub use record::warning::ZoneWarning;
pub use snapshot::absent::Absence;
pub use snapshot::expiry::Expiry;
pub use snapshot::zones::{Published, PublishedRef, Snapshot};
pub use store::compiled::{NodeRef, RrSet, Zone, apex_key};
pub use store::digest::ContentDigest;
pub use version::builder::ZoneBuilder;
pub use version::effect::Owners;
pub use version::exact::{ExactDifference, ExactRecord};
pub use version::redeploy::ServedVersion;
