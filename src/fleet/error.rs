//! Why a POP gave no answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::transfer::FileError;
use crate::transfer::tls::TlsError;

/// Why a POP gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The token file cannot be used.
    #[error("the token file cannot be used")]
    TokenFile(#[source] FileError),
    /// What the token file holds is no field of a request.
    #[error("{} holds no token", path.display())]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// Certificates cannot be used.
    #[error("the certificates for this POP cannot be used")]
    Tls(#[source] TlsError),
    /// The name has no address.
    #[error("{host} has no address")]
    Name {
        /// The host of the URL.
        host: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No connection.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// No agreement on TLS.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// HTTP broke.
    #[error("the answer broke off")]
    Http(#[source] hyper::Error),
    /// An answer that is none.
    #[error("answered with HTTP status {status}{}", hint(*status))]
    Status {
        /// The status.
        status: u16,
    },
    /// It is longer than any such answer.
    #[error("the answer has more than {most} octets")]
    TooLong {
        /// How many it may have.
        most: usize,
    },
    /// It is no document of anyns.
    #[error("the answer is no document of anyns")]
    Document(#[source] serde_json::Error),
    /// Nothing in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Another POP answers at this URL.
    #[error("the POP {found:?} answers there")]
    OtherPop {
        /// Its name.
        found: String,
    },
    /// The runtime does not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
}

/// What to do about it.
fn hint(status: u16) -> &'static str {
    match status {
        401 => ": it wants another token (token-file)",
        404 => ": no anyns of this version",
        421 => ": it listens on loopback without credentials and answers to names of its host alone",
        503 => ": it is busy, or its own status is old",
        _ => "",
    }
}
