//! Who may ask: bearer tokens and certificates, read from their files again and again, so that they can be replaced.

use std::path::Path;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_rustls::TlsAcceptor;

use super::error::WebError;
use super::settings::Settings;
use crate::transfer::read_file;
use crate::transfer::tls::TlsServer;

/// Octets of a token at least: 64 bits, if each character is a hexadecimal digit.
const MIN_TOKEN_OCTETS: usize = 16;
/// Octets of a token at most: any that is made by a machine.
const MAX_TOKEN_OCTETS: usize = 512;
/// Octets of a token file at most: a token, and white space around it.
const MOST_FILE: u64 = 1024;

/// The protocol of the connections (RFC 7301): HTTP/2 is not spoken.
const HTTP: &[u8] = b"http/1.1";

/// What clients must show.
#[derive(Clone)]
pub struct Credentials {
    /// Digests: two tokens are compared in the same time, whatever their lengths.
    tokens: Vec<[u8; 32]>,
    tls: Option<TlsAcceptor>,
    is_mutual: bool,
}

/// No token and no key is shown.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tokens, tls, is_mutual } = self;
        write!(formatter, "Credentials({} tokens, TLS {}, mutual {is_mutual})", tokens.len(), tls.is_some())
    }
}

impl Credentials {
    /// Reads the files. Blocks for as long as files do.
    ///
    /// # Errors
    /// A file that cannot be used, or that others can read.
    pub fn load(settings: &Settings) -> Result<Self, WebError> {
        let tokens = settings.tokens.iter().map(|path| token(path)).collect::<Result<_, _>>()?;
        let tls = settings.tls.as_ref().map(|tls| {
            let server = TlsServer::new(&tls.certificate, &tls.key, tls.client_ca.as_deref());
            server.map(|server| server.speaking(HTTP).acceptor()).map_err(WebError::Tls)
        });
        let is_mutual = settings.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        Ok(Self { tokens, tls: tls.transpose()?, is_mutual })
    }

    /// What encrypts connections, if they are to be.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    /// Whether clients must prove who they are.
    pub(super) fn authenticates(&self) -> bool {
        self.is_mutual || !self.tokens.is_empty()
    }

    /// Whether a request with this Authorization field may be answered: `Bearer TOKEN` (RFC 6750), or `Basic` with the token as the
    /// password (RFC 7617), for which browsers ask. Without tokens the handshake has decided.
    pub(super) fn admits(&self, authorization: Option<&str>) -> bool {
        self.tokens.is_empty() || authorization.is_some_and(|field| self.is_token(field))
    }

    fn is_token(&self, field: &str) -> bool {
        let Some((scheme, value)) = field.split_once(' ') else { return false };
        let shown = if scheme.eq_ignore_ascii_case("bearer") {
            value.trim().as_bytes().to_vec()
        } else if scheme.eq_ignore_ascii_case("basic") {
            let Ok(pair) = BASE64.decode(value.trim().as_bytes()) else { return false };
            let Some(colon) = pair.iter().position(|octet| *octet == b':') else { return false };
            pair.get(colon + 1..).unwrap_or_default().to_vec()
        } else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(shown).into();
        // All are compared, so that the time does not tell which one it was.
        let same = self.tokens.iter().map(|token| token.ct_eq(&digest));
        same.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }
}

/// The digest of the token in a file.
fn token(path: &Path) -> Result<[u8; 32], WebError> {
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
            assert_eq!(credentials.admits(field.as_deref()), good, "{field:?}");
        }
        assert!(!format!("{credentials:?}").contains("0123"));
        assert!(load("0123456789abcdef", 0o644).unwrap_err().contains("Mode"));
        for text in ["", "short", "0123456789 abcdef", "0123456789abcdef\nmore", "é123456789abcdefgh"] {
            assert!(load(text, 0o600).unwrap_err().contains("holds no token"), "{text:?}");
        }
    }
}
