//! An authority and one certificate for both ends, in files of the lab.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::support::lab::Lab;

/// The name of anyns in the certificate.
pub const ANYNS_NAME: &str = "anyns.test";
/// The name of the peer in the certificate.
pub const PEER_NAME: &str = "peer.test";

/// Makes them.
pub fn make(lab: &Lab) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    // OpenSSL takes a certificate with its issuer's name for self-signed.
    authority.distinguished_name.push(DnType::CommonName, "the authority of the test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec![ANYNS_NAME.to_owned(), PEER_NAME.to_owned()];
    let certificate = CertificateParams::new(names).expect("parameters").signed_by(&key, &issuer);
    let certificate = certificate.expect("a certificate");
    lab.subdirectory("tls");
    for (name, text) in
        [("ca.pem", issuer.pem()), ("certificate.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
    {
        std::fs::write(file(lab, name), text).expect("writable");
        std::fs::set_permissions(file(lab, name), std::fs::Permissions::from_mode(0o600)).expect("ours");
    }
}

/// `ca.pem`, `certificate.pem`, or `key.pem`.
pub fn file(lab: &Lab, name: &str) -> PathBuf {
    lab.directory().join("tls").join(name)
}
