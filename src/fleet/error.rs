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
    #[error("the TLS handshake failed{}", handshake_hint(.0))]
    Handshake(#[source] io::Error),
    /// HTTP broke.
    #[error("the answer broke off")]
    Http(#[source] hyper::Error),
    /// An answer with an HTTP status that is no success.
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
    /// It is not a document of anyns.
    #[error("the answer is no document of anyns")]
    Document(#[source] serde_json::Error),
    /// Nothing in time.
    #[error("no answer within {:?}", Duration::from_millis((.0.as_secs_f64() * 1000.0).round() as u64))]
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

/// What to do about a certificate that is refused.
fn handshake_hint(error: &io::Error) -> &'static str {
    use rustls::{CertificateError, Error};
    let Some(Error::InvalidCertificate(fault)) = error.get_ref().and_then(|error| error.downcast_ref())
    else {
        return "";
    };
    match fault {
        CertificateError::UnknownIssuer => {
            " (no certificate of `ca-file` is its authority; one that is signed by itself is trusted by its key, in `pins`)"
        }
        // webpki tells it in words alone.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            " (it is the certificate of an authority, such as one that is signed by itself: name it in `pins`, in place of `ca-file`)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            " (`server-name` is the name in the certificate, by default the host of the URL)"
        }
        _ => "",
    }
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
