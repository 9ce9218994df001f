//! The side of the primary.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::ALPN;
use super::pem::{TlsError, authorities, chain, private_key};
use crate::telemetry::CertificateValidity;

/// A configuration for connections of secondaries.
#[derive(Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    /// SHA-256 of what it was made of.
    made_of: [u8; 32],
    /// SHA-256 of each authority of clients; `None` if clients need no certificate.
    clients: Option<BTreeSet<[u8; 32]>>,
    /// When the certificate is valid, as far as that can be read.
    validity: Option<CertificateValidity>,
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TlsServer(..)")
    }
}

impl PartialEq for TlsServer {
    /// Whether both are made of the same certificates and keys, whatever their files are.
    fn eq(&self, other: &Self) -> bool {
        self.made_of == other.made_of && self.config.alpn_protocols == other.config.alpn_protocols
    }
}

impl TlsServer {
    /// A server with this certificate and its key. With authorities of clients, each client must show a certificate that comes
    /// from one of them (mutual TLS, RFC 9103 section 9.3.3).
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(certificate: &Path, key: &Path, clients: Option<&Path>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(&[&TLS13]).map_err(TlsError::Tls)?;
        let mut made_of = Sha256::new();
        let mut vouching = None;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let certificates = chain(file)?;
                vouching =
                    Some(certificates.iter().map(|authority| Sha256::digest(authority).into()).collect());
                made_of.update("clients");
                certificates.iter().for_each(|authority| made_of.update(authority));
                let roots = Arc::new(authorities(file, certificates)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.map_err(TlsError::Verifier)?)
            }
        };
        let (chain, key) = (chain(certificate)?, private_key(key)?);
        made_of.update("server");
        chain.iter().for_each(|certificate| made_of.update(certificate));
        made_of.update(key.secret_der());
        let validity = CertificateValidity::of(&chain);
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Tls)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        let made_of = made_of.finalize().into();
        Ok(Self { config: Arc::new(config), made_of, clients: vouching, validity })
    }

    /// Whether each client that `earlier` let in would be let in: no certificate is asked for, or all authorities of then still vouch for
    /// clients. Which of them vouched for a client is not known.
    #[must_use]
    pub fn still_admits_clients_of(&self, earlier: &Self) -> bool {
        let Some(now) = &self.clients else { return true };
        earlier.clients.as_ref().is_some_and(|then| then.is_subset(now))
    }

    /// The same for another protocol (RFC 7301) than zone transfer.
    #[must_use]
    pub fn speaking(mut self, protocol: &[u8]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.to_vec()];
        self
    }

    /// When the certificate that it shows is valid, as far as that can be read.
    #[must_use]
    pub fn validity(&self) -> Option<CertificateValidity> {
        self.validity
    }

    /// What takes connections.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}
