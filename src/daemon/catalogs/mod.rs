//! Catalogs (RFC 9432) that are followed, and catalogs that are made here: the thread `catalogs` (1x).
//!
//! ```text
//!   report, snapshot ---> a version of a followed catalog ---> Following (Membership) --> publisher: members, durable first
//!        |                                                                          '--> secondary: zones from primaries
//!        '------------> zones that are served here ---> Producing ----------------------> publisher: a version of the catalog
//!   config, orders --> CatalogTask --> CatalogFacts: for policy (may the first announcement begin?) and for the status
//! ```
//!
//! Versions of catalogs and zones that are served flow in; members flow to the publisher and to the transfers, versions of catalogs
//! that are made here flow to the publisher, facts flow out. A followed catalog is transferred like any secondary zone and is judged
//! by the publisher first; one that is broken changes nothing. Waits for the publisher and for the transfers, so it shares no thread
//! with them. Never transfers anything itself, never deletes data.

mod facts;
mod files;
mod following;
mod producing;
mod ready;
mod task;
#[cfg(test)]
#[path = "../../../tests/unit/daemon/catalogs.rs"]
mod tests;

pub(super) use facts::{CatalogFact, CatalogFacts, HeldRemovals};
pub(super) use task::{CatalogContext, CatalogControl, start};
