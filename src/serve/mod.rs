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
//!   ├── encrypted × 1     one thread with a runtime of its own: DoT, DoH, DoQ, if asked for (both engines)
//!   └── monitor × 1       one thread: heartbeats and lost sockets become `Facts`
//! ```
//!
//! The zone snapshot, the answer settings and the limiter flow in; responses, counters and [`Facts`] flow out.
//! A worker never locks, allocates, logs or panics per query. Nothing here knows routes or policy.

mod accept;
#[cfg(target_os = "linux")]
mod affinity;
mod bind;
mod caps;
mod connection;
mod context;
mod encrypted;
pub mod hickory;
mod monitor;
mod proxy;
mod respond;
mod settings;
mod start;
mod tcp;
#[cfg(target_os = "linux")]
mod worker;

pub use bind::Transport;
pub use encrypted::{CertificateError, Certificates, TlsSettings};
pub use monitor::{Facts, LostListener};
pub use settings::{Engine, Settings, TcpSettings};
pub use start::{ServeError, Serving, start};
