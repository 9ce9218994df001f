//! Why serving could not start.

use std::io;
use std::net::SocketAddr;

use super::encrypted::{CertificateError, ResetKeyError, TicketKeyError};
use super::settings::Settings;
use super::transport::Transport;

/// Why serving could not start. Nothing runs and nothing is bound then.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No address to listen on, or too many of them.
    #[error("{0} listen addresses; 1 to {max} are allowed", max = Settings::MAX_LISTEN)]
    ListenCount(usize),
    /// The same address twice.
    #[error("the listen address {0} is there twice")]
    ListenTwice(SocketAddr),
    /// Fewer sets of counters than [`Settings::counter_sets`].
    #[error("{given} sets of counters; these settings need {needed}")]
    CounterSets {
        /// How many there were.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// The native engine where there is no Linux.
    #[error("the engine \"native\" runs on Linux only; use \"hickory\" or \"auto\"")]
    NativeElsewhere,
    /// A wildcard with the hickory engine.
    #[error(
        "the engine \"hickory\" cannot listen on {0}: it cannot choose the address that a reply leaves from; \
         list each address of the host"
    )]
    Wildcard(SocketAddr),
    /// An address cannot be bound.
    #[error("cannot listen on {address}/{transport}: {}", bind_cause(.source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The transport.
        transport: Transport,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate of encrypted transports cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The keys of session tickets cannot be used.
    #[error("tls.ticket-keys: {0}")]
    TicketKeys(#[from] TicketKeyError),
    /// The key of QUIC's stateless resets cannot be used.
    #[error("tls.quic-reset-key: {0}")]
    ResetKey(#[from] ResetKeyError),
    /// No thread, or no runtime for one.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl ServeError {
    /// Whether another socket has the port.
    pub(super) fn is_port_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

fn bind_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("another process has this port ({error})"),
        io::ErrorKind::AddrNotAvailable => format!("the address is not on this host ({error})"),
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need root or CAP_NET_BIND_SERVICE ({error})")
        }
        _ => error.to_string(),
    }
}
