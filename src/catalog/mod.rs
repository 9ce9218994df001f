//! Catalog zones (RFC 9432, version 2): the list of zones that a fleet serves, as a zone.
//!
//! ```text
//! a zone --> read: CatalogZone (members, groups, change of ownership) --> Membership: who owns which member --> MembershipChanges
//! names of zones --> produce: the records of a catalog zone
//! ```
//!
//! Versions of catalog zones flow in; which member zones come, go, and change flows out, and a list of zones becomes a catalog zone. No
//! I/O and no clock. A catalog that is broken is refused whole, so its members stay as they were; a zone in two catalogs stays with
//! the one whose version was taken first; many removals at once are held until an operator wants them. Never serves, transfers or
//! removes a zone itself.

mod membership;
mod produce;
mod read;
mod recent;
#[cfg(test)]
#[path = "../../tests/unit/catalog/mod.rs"]
mod tests;

pub use membership::{Conflict, Held, LEFT, Member, Membership, MembershipChanges, RemovalLimit};
pub use produce::{
    ListedMember, accepted_into, catalog_records, label_of, member_into, removed_into, soa_into, waits_into,
};
pub use read::{CatalogFault, CatalogMember, CatalogZone};
pub use recent::RecentRemovals;
