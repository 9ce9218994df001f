//! TLS of a client that asks who is there and trusts nothing that it hears: the certificate is not judged, because it does not tell who
//! answers at an anycast address. That the other side has its key is verified, as always.

use std::sync::Arc;

use rustls::{ClientConfig, Error};

use crate::transfer::tls::any_key;

/// What the client speaks: one protocol (ALPN, RFC 7301).
pub(super) fn client(protocol: &str) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = any_key(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    Ok(Arc::new(config))
}
