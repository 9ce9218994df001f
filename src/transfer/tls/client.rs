//! The side of the secondary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE64;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;

use super::ALPN;
use super::pem::{TlsError, authorities, chain, private_key};
use super::verifier::{ByKey, Pin};
use crate::telemetry::CertificateValidity;

/// How a primary proves who it is (RFC 9103 section 9.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Strict: its certificate has this name and comes from an authority in this file.
    Authority {
        /// PEM certificates.
        file: PathBuf,
        /// The name in the certificate.
        name: String,
    },
    /// Strict: its public key is one of these, by SHA-256 in base 64; during a rollover the old one and the new one.
    Pins(Vec<String>),
    /// Opportunistic: not at all. Protects from who only listens.
    Opportunistic,
}

/// How the primary is known, without the names of files.
fn way(authentication: &Authentication) -> String {
    match authentication {
        Authentication::Authority { name, .. } => format!("authority {name:?}"),
        Authentication::Pins(pins) => format!("pins {pins:?}"),
        Authentication::Opportunistic => "opportunistic".to_owned(),
    }
}

/// A configuration for connections to one primary.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// SHA-256 of what it was made of.
    made_of: [u8; 32],
    /// When the certificate that it shows is valid, if it shows one and as far as that can be read.
    validity: Option<CertificateValidity>,
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TlsClient({:?})", self.name)
    }
}

impl TlsClient {
    /// Whether both come of the same configuration: what one has shaken hands over, the other may use.
    pub(in crate::transfer) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }

    /// A client that shows this certificate and its key, if there are any (mutual TLS, RFC 9103 section 9.3.3).
    ///
    /// # Errors
    /// A file, a name or a pin that cannot be used.
    pub fn new(
        authentication: &Authentication,
        certificate: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let mut made_of = Sha256::new();
        made_of.update(way(authentication));
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[&TLS13]).map_err(TlsError::Tls)?;
        let by_key = |pins| Arc::new(ByKey { pins, algorithms });
        // Without a name of its own a certificate is not asked for by name.
        let any = || ServerName::try_from("primary.invalid").map_err(|_| TlsError::ServerName(String::new()));
        let (builder, name) = match authentication {
            Authentication::Authority { file, name } => {
                let named = ServerName::try_from(name.trim_end_matches('.').to_owned());
                let named = named.map_err(|_| TlsError::ServerName(name.clone()))?;
                let certificates = chain(file)?;
                certificates.iter().for_each(|authority| made_of.update(authority));
                (builder.with_root_certificates(authorities(file, certificates)?), named)
            }
            Authentication::Pins(pins) => {
                let pins = pins.iter().map(|pin| read_pin(pin)).collect::<Result<Vec<_>, _>>()?;
                if pins.is_empty() {
                    return Err(TlsError::Pin(String::new()));
                }
                (builder.dangerous().with_custom_certificate_verifier(by_key(pins)), any()?)
            }
            Authentication::Opportunistic => {
                (builder.dangerous().with_custom_certificate_verifier(by_key(Vec::new())), any()?)
            }
        };
        let mut validity = None;
        let mut config = match certificate {
            Some((certificate, key)) => {
                let (chain, key) = (chain(certificate)?, private_key(key)?);
                validity = CertificateValidity::of(&chain);
                chain.iter().for_each(|certificate| made_of.update(certificate));
                made_of.update(key.secret_der());
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Tls)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), name, made_of: made_of.finalize().into(), validity })
    }

    /// The same for another protocol (RFC 7301) than zone transfer.
    #[must_use]
    pub fn speaking(mut self, protocol: &[u8]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.to_vec()];
        self
    }

    /// When the certificate that it shows is valid, if it shows one and as far as that can be read.
    #[must_use]
    pub fn validity(&self) -> Option<CertificateValidity> {
        self.validity
    }

    /// What makes connections, and the name to ask for.
    #[must_use]
    pub fn connector(&self) -> (TlsConnector, ServerName<'static>) {
        (TlsConnector::from(self.config.clone()), self.name.clone())
    }
}

impl PartialEq for TlsClient {
    /// Whether both are made of the same: the same way to know the primary, the same certificates and keys, whatever their files are.
    fn eq(&self, other: &Self) -> bool {
        self.made_of == other.made_of && self.config.alpn_protocols == other.config.alpn_protocols
    }
}

fn read_pin(text: &str) -> Result<Pin, TlsError> {
    let octets = BASE64.decode(text.trim().as_bytes()).ok();
    octets.and_then(|octets| octets.try_into().ok()).ok_or_else(|| TlsError::Pin(text.into()))
}
