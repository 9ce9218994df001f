//! The side of the primary.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use tokio_rustls::TlsAcceptor;

use super::ALPN;
use super::pem::{TlsError, authorities, chain, private_key};

/// A configuration for connections of secondaries.
#[derive(Clone)]
pub struct TlsServer(Arc<ServerConfig>);

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TlsServer(..)")
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
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let roots = Arc::new(authorities(file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.map_err(TlsError::Verifier)?)
            }
        };
        let config = builder.with_single_cert(chain(certificate)?, private_key(key)?);
        let mut config = config.map_err(TlsError::Tls)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// The same for another protocol (RFC 7301) than zone transfer.
    #[must_use]
    pub fn speaking(mut self, protocol: &[u8]) -> Self {
        Arc::make_mut(&mut self.0).alpn_protocols = vec![protocol.to_vec()];
        self
    }

    /// What takes connections.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.clone())
    }
}
