//! Zone transfer over TLS (XoT, RFC 9103): the configurations of both sides.
//!
//! ```text
//! ca-file | pins | nothing --> TlsClient --> secondary: strict by name, strict by key, opportunistic
//! certificate, key, client CA --> TlsServer --> primary: with client certificates (mutual TLS) or without
//! ```
//!
//! Files flow in, configurations flow out. TLS 1.3 alone (section 7.1 of the RFC), ALPN `dot` alone. Opens no socket.

mod certificate_name;
mod client;
mod pem;
mod server;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/tls.rs"]
mod tests;
mod verifier;

pub use certificate_name::certificate_name;
pub use client::{Authentication, TlsClient};
pub use pem::TlsError;
pub use server::TlsServer;
pub use verifier::any_key;

/// The protocol that both sides must agree on (RFC 9103 section 7.1, RFC 7858).
const ALPN: &[u8] = b"dot";
