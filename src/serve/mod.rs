//! Serving: queries in from sockets, responses out.
//!
//! ```text
//! start ── bind every address, or fail by name before anything runs
//!   ├── workers × n       one thread each, pinned: an epoll loop over                    (engine "native", Linux)
//!   │     ├── UDP sockets       recvmmsg, admission, answer, sendmmsg
//!   │     └── TCP listeners     accept; connection × m, m bounded: read, answer, write   (RFC 7766)
//!   ├── hickory × 1       one thread with a runtime of its own: UDP                      (engine "hickory")
//!   ├── TCP × 1           one thread with a runtime of its own: RFC 7766                 (engine "hickory")
//!   │     └── connection × m, m bounded
//!   └── encrypted × 1     one thread with a runtime of its own: DoT, DoH, DoQ, if asked for (both engines)
//! ```
//!
//! The zone snapshot, the answer settings and the limiter flow in; responses and counters flow out. An observer reads
//! heartbeats and lost sockets ([`ServeWatch`]), and the load ([`LoadReader`]). A thread that panics is run again on the same
//! sockets: a query that makes it panic costs its batch.
//!
//! | folder | may name |
//! | --- | --- |
//! | `encrypted` | (nothing) |
//! | `worker` | (nothing) |
//!
//! A worker never locks, allocates, logs or panics per query. Nothing here knows routes or policy.

mod accept;
#[cfg(native)]
mod affinity;
mod bind;
mod caps;
mod clients;
mod context;
mod encrypted;
mod error;
pub mod hickory;
mod intake;
mod listeners;
mod load;
mod message_stream;
mod proxy;
mod respond;
mod settings;
mod shared;
mod start;
mod task_connection;
mod task_tcp;
mod tcp_settings;
mod traffic;
mod transport;
mod watch;
#[cfg(native)]
mod worker;

pub use bind::taken;
pub use encrypted::{
    CertificateError, Certificates, ResetKey, ResetKeyError, TicketKeyError, TicketKeyFact, TicketKeys,
    TlsFiles, TlsSettings,
};
pub use error::ServeError;
pub use intake::Intake;
pub use listeners::OwnSocket;
pub use load::LoadReader;
pub use settings::{Engine, Settings};
pub use shared::LostListener;
pub use start::{Serving, start};
pub use tcp_settings::TcpSettings;
pub use transport::Transport;
pub use watch::{Facts, ServeWatch};
