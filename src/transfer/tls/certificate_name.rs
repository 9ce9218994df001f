//! What a client is called by the certificate that it shows: for the operator, never to decide what it may do.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Octets of the longest name: that of a host.
const MOST_OCTETS: usize = 255;

/// The first DNS name in a certificate, or the common name where it has none, if that is printable and not longer than the name of a host.
pub fn certificate_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let dns = alternative.as_ref().and_then(|it| {
        it.value.general_names.iter().find_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        })
    });
    let common = || certificate.subject().iter_common_name().next()?.as_str().ok();
    let name = dns.or_else(common)?;
    let is_plain = !name.is_empty() && name.len() <= MOST_OCTETS && !name.chars().any(char::is_control);
    is_plain.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_the_name_of_a_host_or_a_common_name() {
        let named = |names: &[&str], common: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut parameters = rcgen::CertificateParams::new(names).unwrap();
            parameters.distinguished_name.push(rcgen::DnType::CommonName, common);
            let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            certificate_name(certificate.der())
        };
        assert_eq!(named(&["pop1.example", "other.example"], "a POP").as_deref(), Some("pop1.example"));
        assert_eq!(named(&[], "a POP").as_deref(), Some("a POP"));
        // An address is no name of a host.
        assert_eq!(named(&["192.0.2.1"], "a POP").as_deref(), Some("a POP"));
        assert_eq!(named(&[], "two\nlines"), None);
        assert_eq!(named(&[], &"x".repeat(300)), None);
        assert_eq!(certificate_name(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
