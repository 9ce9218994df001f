//! Who may ask: bearer tokens and certificates, read from their files again and again, so that they can be replaced.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_rustls::TlsAcceptor;

use super::error::WebError;
use super::settings::Settings;
use crate::telemetry::CertificateValidity;
use crate::transfer::read_file;
use crate::transfer::tls::TlsServer;

/// Octets of a token at least: 64 bits, if each character is a hexadecimal digit.
const MIN_TOKEN_OCTETS: usize = 16;
/// Octets of a token at most: any that is made by a machine.
const MAX_TOKEN_OCTETS: usize = 512;
/// Octets of a token file at most: a token, and white space around it.
const MOST_FILE: u64 = 1024;

/// Octets of a file of certificates at most: all public authorities together are a quarter of it.
const MOST_CERTIFICATES: u64 = 1 << 20;

/// The protocol of the connections (RFC 7301): HTTP/2 is not spoken.
const HTTP: &[u8] = b"http/1.1";

/// The digest of a token or a certificate (SHA-256).
pub(super) type Sha = [u8; 32];

/// The certificates of the authorities of clients.
pub(super) type Authorities = Arc<BTreeSet<Sha>>;

/// What clients must show.
#[derive(Clone)]
pub struct Credentials {
    /// Digests: two tokens are compared in the same time, whatever their lengths.
    tokens: Vec<Sha>,
    tls: Option<TlsAcceptor>,
    /// Who vouches for the certificates of clients, which must show one then.
    authorities: Option<Authorities>,
    /// When the certificate is valid, as far as that can be read.
    validity: Option<CertificateValidity>,
}

/// No token and no key is shown.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, is_encrypted, is_mutual) = (self.tokens.len(), self.tls.is_some(), self.is_mutual());
        write!(formatter, "Credentials({count} tokens, TLS {is_encrypted}, mutual {is_mutual})")
    }
}

impl Credentials {
    /// Reads the files. Blocks for as long as files do.
    ///
    /// # Errors
    /// A file that cannot be used, or that others can read.
    pub fn load(settings: &Settings) -> Result<Self, WebError> {
        let tokens = settings.tokens.iter().map(|path| token(path)).collect::<Result<_, _>>()?;
        // Read first: what replaces it meanwhile is another file at the next look.
        let authorities = settings.tls.as_ref().and_then(|tls| tls.client_ca.as_deref());
        let authorities = authorities.map(|path| read_file(path, MOST_CERTIFICATES, false)).transpose();
        let authorities = authorities.map_err(WebError::AuthorityFile)?.map(|octets| digests(&octets));
        let tls = settings.tls.as_ref().map(|tls| {
            let server = TlsServer::new(&tls.certificate, &tls.key, tls.client_ca.as_deref());
            server.map(|server| server.speaking(HTTP).acceptor()).map_err(WebError::Tls)
        });
        let tls = tls.transpose()?;
        let validity = settings.tls.as_ref().and_then(|tls| validity(&tls.certificate));
        Ok(Self { tokens, tls, authorities, validity })
    }

    /// What is wrong with the dates of the certificate at this moment, in words.
    #[must_use]
    pub fn certificate_warning(&self, now: SystemTime) -> Option<String> {
        self.validity?.warning(now)
    }

    /// When the certificate is valid.
    pub(super) fn certificate_validity(&self) -> Option<CertificateValidity> {
        self.validity
    }

    /// What encrypts connections, if they are to be.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    /// Whether clients must prove who they are.
    pub(super) fn authenticates(&self) -> bool {
        self.is_mutual() || self.has_tokens()
    }

    /// Whether each client must show a certificate.
    pub(super) fn is_mutual(&self) -> bool {
        self.authorities.is_some()
    }

    /// Whether each request must show a token. Without tokens the handshake has decided.
    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Who vouches for the certificates of clients.
    pub(super) fn authorities(&self) -> Option<Authorities> {
        self.authorities.clone()
    }

    /// Whether all of these authorities still vouch for clients; which one has vouched for a client is not known.
    pub(super) fn has_authorities(&self, all: &Authorities) -> bool {
        self.authorities.as_ref().is_some_and(|now| all.is_subset(now))
    }

    /// The token of a request with this Authorization field, if it is one that is good now: `Bearer TOKEN` (RFC 6750), or `Basic` with
    /// the token as the password (RFC 7617), for which browsers ask.
    pub(super) fn token_in(&self, authorization: &str) -> Option<Sha> {
        shown_token(authorization).filter(|token| self.has_token(token))
    }

    /// Whether this token is good now. All are compared, so that the time does not tell which one it was.
    pub(super) fn has_token(&self, token: &Sha) -> bool {
        let same = self.tokens.iter().map(|known| known.ct_eq(token));
        same.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }
}

/// The digest of the token that an Authorization field shows.
fn shown_token(field: &str) -> Option<Sha> {
    let (scheme, value) = field.split_once(' ')?;
    let shown = if scheme.eq_ignore_ascii_case("bearer") {
        value.trim().as_bytes().to_vec()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64.decode(value.trim().as_bytes()).ok()?;
        let colon = pair.iter().position(|octet| *octet == b':')?;
        pair.get(colon + 1..).unwrap_or_default().to_vec()
    } else {
        return None;
    };
    Some(Sha256::digest(shown).into())
}

/// The digests of the certificates in a file. What is none is left out here: the listener refuses the file then.
fn digests(file: &[u8]) -> Authorities {
    let certificates = CertificateDer::pem_slice_iter(file).filter_map(Result::ok);
    Arc::new(certificates.map(|certificate| Sha256::digest(certificate).into()).collect())
}

/// When the certificates in a file are valid.
fn validity(path: &Path) -> Option<CertificateValidity> {
    let octets = read_file(path, MOST_CERTIFICATES, false).ok()?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&octets).collect::<Result<_, _>>().ok()?;
    if chain.is_empty() { None } else { CertificateValidity::of(&chain) }
}

/// The digest of the token in a file.
fn token(path: &Path) -> Result<Sha, WebError> {
    let octets = read_file(path, MOST_FILE, true).map_err(WebError::TokenFile)?;
    let token = octets.trim_ascii();
    let is_token = (MIN_TOKEN_OCTETS..=MAX_TOKEN_OCTETS).contains(&token.len())
        && token.iter().all(u8::is_ascii_graphic);
    match is_token {
        true => Ok(Sha256::digest(token).into()),
        false => {
            Err(WebError::Token { path: path.to_owned(), least: MIN_TOKEN_OCTETS, most: MAX_TOKEN_OCTETS })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn tokens_are_read_from_private_files_and_compared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let settings =
            Settings { listen: vec![Settings::DEFAULT_LISTEN], tokens: vec![path.clone()], tls: None };
        let load = |text: &str, mode: u32| {
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Credentials::load(&settings).map_err(|error| format!("{error} {:?}", error.source()))
        };
        use std::error::Error;
        let credentials = load("0123456789abcdef\n", 0o640).unwrap();
        let basic = |pair: &str| format!("basic {}", BASE64.encode(pair.as_bytes()));
        for (field, good) in [
            (Some("Bearer 0123456789abcdef".to_owned()), true),
            (Some("bearer  0123456789abcdef ".to_owned()), true),
            (Some(basic("anyone:0123456789abcdef")), true),
            (Some(basic("0123456789abcdef:")), false),
            (Some(basic("0123456789abcdef")), false),
            (Some("Bearer 0123456789abcdee".to_owned()), false),
            (Some("Bearer".to_owned()), false),
            (Some("Basic !".to_owned()), false),
            (Some("Digest 0123456789abcdef".to_owned()), false),
            (None, false),
        ] {
            let admits = field.as_deref().is_some_and(|field| credentials.token_in(field).is_some());
            assert_eq!(admits, good, "{field:?}");
        }
        assert!(!format!("{credentials:?}").contains("0123"));
        assert!(load("0123456789abcdef", 0o644).unwrap_err().contains("Mode"));
        for text in ["", "short", "0123456789 abcdef", "0123456789abcdef\nmore", "é123456789abcdefgh"] {
            assert!(load(text, 0o600).unwrap_err().contains("holds no token"), "{text:?}");
        }
    }
}
