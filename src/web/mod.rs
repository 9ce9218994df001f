//! The listener for operators: a page, an API, health checks, over HTTP/1.1.
//!
//! ```text
//!   Feed (control, twice a second) ----> samples, timeline --+
//!   inquiries about zones <--------------------------------- + ---> router ---> one task per connection ---> browser, scraper,
//!   the other POPs (fleet), only while somebody looks -----> +                  (caps, time limits)          anyns fleet
//! ```
//!
//! Everything runs on the thread `web`, which no other part waits for: what is wrong here (a full table of connections, a port that is
//! taken, a panic) is an alarm, and never touches zones, answers or routes. Reads only: no request changes anything. Without credentials
//! it listens on loopback alone and answers only to names of this host, so that no other site's page can read it by DNS rebinding; with
//! them (bearer tokens, mutual TLS) each request but the health checks must show them.

mod access;
mod api;
mod assets;
mod caps;
mod credentials;
mod error;
mod events;
mod fleet_watch;
mod guest;
mod listen;
mod payload;
mod router;
mod samples;
mod settings;
mod slow;
mod state;
mod timeline;

pub use caps::Refusals;
pub use credentials::Credentials;
pub use error::WebError;
pub use fleet_watch::FleetList;
pub use listen::{Sources, WebServer};
pub use settings::{Settings, WebTls};
pub use state::HistoryLookup;
