//! Primaries that are known by their key, or not at all.

use std::sync::Arc;

use data_encoding::BASE64;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// SHA-256 over a public key (SubjectPublicKeyInfo, as RFC 7858 section 4.2 has it).
pub(super) type Pin = [u8; 32];

/// A certificate whose key none of the pins is of.
#[derive(Debug, thiserror::Error)]
#[error("the key of the certificate is none of the pins; its pin is {}", BASE64.encode(.0))]
struct OtherKey(Pin);

/// Accepts a certificate by its key. That the other side has the key is verified in the handshake, as always.
#[derive(Debug)]
pub(super) struct ByKey {
    /// Which keys; empty accepts all.
    pub(super) pins: Vec<Pin>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// Accepts every certificate whose key the other side has: for a client that is not to judge who answers.
pub fn any_key(algorithms: WebPkiSupportedAlgorithms) -> Arc<dyn ServerCertVerifier> {
    Arc::new(ByKey { pins: Vec::new(), algorithms })
}

impl ServerCertVerifier for ByKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unreadable = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
        let (_, certificate) = X509Certificate::from_der(end_entity).map_err(unreadable)?;
        let pin: Pin = Sha256::digest(certificate.tbs_certificate.subject_pki.raw).into();
        match self.pins.is_empty() || self.pins.contains(&pin) {
            true => Ok(ServerCertVerified::assertion()),
            // Of an error inside of `InvalidCertificate` rustls tells the form and not the text.
            false => Err(Error::Other(OtherError(Arc::new(OtherKey(pin))))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
