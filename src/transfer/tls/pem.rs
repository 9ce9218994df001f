//! Certificates and keys from PEM files.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::sys::files::{FileError, read};

/// Octets of the longest file read: a bundle of all public CAs has some 200,000.
const MOST_OCTETS: u64 = 1 << 20;

/// Why transfers over TLS are not possible.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No PEM, or not of the kind that is wanted.
    #[error("{}: {wanted} in PEM is expected", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// A certificate that is no authority, or none at all.
    #[error("{}: no certificate of an authority", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// A name that no certificate can have.
    #[error("{0:?} is not a name that a certificate can have")]
    ServerName(String),
    /// A pin that is not the SHA-256 of a key in base 64.
    #[error("{0:?} is not a pin: the base64 form of 32 octets is expected, the SHA-256 of the public key")]
    Pin(String),
    /// The TLS library refuses it.
    #[error("the certificate, its key or the authorities cannot be used")]
    Tls(#[source] rustls::Error),
    /// The authorities for client certificates cannot be used.
    #[error("the authorities of client certificates cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

/// The chain of a certificate, the certificate first.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { path: path.to_owned(), wanted: "a certificate", source };
    let octets = read(path, MOST_OCTETS, false)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&octets).collect::<Result<_, _>>().map_err(failed)?;
    match chain.is_empty() {
        true => Err(failed(pem::Error::NoItemsFound)),
        false => Ok(chain),
    }
}

/// A private key.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |source| TlsError::Pem { path: path.to_owned(), wanted: "a private key", source };
    PrivateKeyDer::from_pem_slice(&read(path, MOST_OCTETS, true)?).map_err(failed)
}

/// The authorities among the certificates of a file.
pub(super) fn authorities(
    path: &Path,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    match added {
        0 => Err(TlsError::NoAuthority { path: path.to_owned() }),
        _ => Ok(roots),
    }
}
