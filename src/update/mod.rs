//! Dynamic update (RFC 2136, RFC 3007): what clients ask to be changed in a zone.
//!
//! ```text
//! transfer listeners --> service: signature, one outcome a message, one update of a zone at a time
//!                           |  message:      the octets, read
//!                           |  prerequisite: what must hold in the version that is served (section 3.2)
//!                           |  prescan:      whether all of it can be meant, and the key may ask for it (sections 3.3, 3.4.1)
//!                           |  draft:        the version as it will be, then the difference to it (section 3.4.2)
//!                           v
//!                        UpdateSink: the publisher, which makes the difference durable and serves it
//! ```
//!
//! Messages flow in, differences flow to the publisher, responses flow out when the new version is durable and served. All but
//! `service` does no I/O, reads no clock and knows one version of a zone; it costs time and memory of the message, not of the
//! zone. Never changes a zone itself, never takes an update without a signature, never changes a signed zone (nothing here
//! could sign the change), and never forwards an update: a secondary refuses it (section 6 leaves forwarding open).

mod counts;
mod draft;
mod fault;
mod message;
mod outcomes;
mod policy;
mod prerequisite;
mod prescan;
mod service;
mod settings;
#[cfg(test)]
#[path = "../../tests/unit/update/mod.rs"]
mod tests;

pub use counts::UpdateCounts;
pub use draft::change;
pub use fault::UpdateFault;
pub use message::{MessageFault, Section, UpdateMessage, UpdateRecord};
pub use policy::{Grant, NamePattern, Policy, Types};
pub use prerequisite::check_prerequisites;
pub use prescan::{is_signed, prescan};
pub use service::{UpdateService, UpdateSink};
pub use settings::{GrantSpec, PolicyFault, UpdateSettings, policy};
