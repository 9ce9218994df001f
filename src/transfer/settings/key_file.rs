//! `[[key]]`: the secrets that are shared with peers.

use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use serde::Deserialize;

use crate::sys::files::{FileError, read};
use crate::transfer::tsig::{Algorithm, Key, KeyFault, Keys};
use crate::wire::Name;

/// Octets of a key file at most: a secret of 512 octets in base 64 and white space.
const MOST_OCTETS: u64 = 4096;

/// One `[[key]]`.
///
/// ```toml
/// [[key]]
/// name = "hub-2026.example."
/// algorithm = "hmac-sha256"
/// secret-file = "/etc/anyns/hub-2026.key"
/// ```
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeySpec {
    /// Its name: the same at both ends. During a rollover the new key has another name, and both are there.
    pub name: String,
    /// `hmac-sha256`, `hmac-sha384`, `hmac-sha512`, or `hmac-sha1` for old peers.
    pub algorithm: String,
    /// The secret in base 64.
    pub secret: Option<String>,
    /// A file that holds the secret in base 64 and nothing else; readable by its owner and its group alone.
    pub secret_file: Option<PathBuf>,
    /// Octets of each MAC, for a peer that truncates them (RFC 8945 section 5.2.2.1).
    pub mac_octets: Option<usize>,
}

impl std::fmt::Debug for KeySpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeySpec({}, secret not shown)", self.name)
    }
}

/// Why a `[[key]]` is invalid.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The name is not a domain name.
    #[error("key.name {name:?} is not a domain name")]
    Name {
        /// What it says.
        name: String,
        /// Why.
        #[source]
        source: crate::wire::NameError,
    },
    /// An algorithm that this server does not have.
    #[error(
        "the key {name} has the algorithm {algorithm:?}; hmac-sha256, hmac-sha384, hmac-sha512 and hmac-sha1 are possible"
    )]
    Algorithm {
        /// The key.
        name: Name,
        /// What it says.
        algorithm: String,
    },
    /// No secret, or two.
    #[error("the key {name} needs either secret or secret-file")]
    Secret {
        /// The key.
        name: Name,
    },
    /// The file of the secret cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file of the secret is not text.
    #[error("the secret of the key {name} is not in base 64")]
    Text {
        /// The key.
        name: Name,
        /// Why.
        #[source]
        source: FromUtf8Error,
    },
    /// The secret is invalid.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// Reads all keys, and the files that hold their secrets.
///
/// # Errors
/// Every invalid key with its index, and each whose name another one has before it.
pub fn read_keys(specs: &[KeySpec]) -> Result<Keys, Vec<(usize, KeyFileError)>> {
    let (mut keys, mut faults) = (Keys::default(), Vec::new());
    for (index, spec) in specs.iter().enumerate() {
        let added = read_key(spec).and_then(|key| Ok(keys.add(key)?));
        faults.extend(added.err().map(|error| (index, error)));
    }
    if faults.is_empty() { Ok(keys) } else { Err(faults) }
}

fn read_key(spec: &KeySpec) -> Result<Key, KeyFileError> {
    let name: Name =
        spec.name.parse().map_err(|source| KeyFileError::Name { name: spec.name.clone(), source })?;
    let algorithm = Algorithm::from_text(&spec.algorithm)
        .ok_or_else(|| KeyFileError::Algorithm { name: name.clone(), algorithm: spec.algorithm.clone() })?;
    let secret = match (&spec.secret, &spec.secret_file) {
        (Some(secret), None) => secret.clone(),
        (None, Some(path)) => read_secret(&name, path)?,
        _ => return Err(KeyFileError::Secret { name }),
    };
    let key = Key::from_base64(name, algorithm, &secret)?;
    Ok(match spec.mac_octets {
        Some(octets) => key.truncated(octets)?,
        None => key,
    })
}

fn read_secret(name: &Name, path: &Path) -> Result<String, KeyFileError> {
    let octets = read(path, MOST_OCTETS, true)?;
    String::from_utf8(octets).map_err(|source| KeyFileError::Text { name: name.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn spec(secret: Option<&str>, file: Option<&Path>) -> KeySpec {
        KeySpec {
            name: "k.example".into(),
            algorithm: "HMAC-SHA256.".into(),
            secret: secret.map(Into::into),
            secret_file: file.map(Into::into),
            mac_octets: None,
        }
    }

    fn error(spec: KeySpec) -> String {
        let mut faults = read_keys(&[spec]).unwrap_err();
        assert_eq!(faults.len(), 1);
        faults.remove(0).1.to_string()
    }

    #[test]
    fn a_file_that_others_can_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k.key");
        fs::write(&path, "c2VjcmV0\n").unwrap();
        for (mode, good) in
            [(0o600, true), (0o640, true), (0o400, true), (0o644, false), (0o660, false), (0o601, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_keys(&[spec(None, Some(&path))]).is_ok(), good, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "A".repeat(5000)).unwrap();
        assert!(error(spec(None, Some(&path))).contains("more than 4096 octets"));
        assert!(error(spec(None, Some(&directory.path().join("none")))).contains("cannot be read"));
    }

    #[test]
    fn keys_that_cannot_be_meant_are_refused() {
        assert!(
            read_keys(&[spec(Some("c2VjcmV0"), None)]).unwrap().get(&"k.example.".parse().unwrap()).is_some()
        );
        assert!(error(spec(None, None)).contains("needs either secret or secret-file"));
        assert!(error(spec(Some("c2VjcmV0"), Some(Path::new("x")))).contains("needs either"));
        assert!(
            error(KeySpec { algorithm: "hmac-md5".into(), ..spec(Some("c2VjcmV0"), None) })
                .contains("hmac-md5")
        );
        assert!(error(KeySpec { name: "a..b".into(), ..spec(Some("c2VjcmV0"), None) }).contains("a..b"));
        assert!(error(KeySpec { mac_octets: Some(8), ..spec(Some("c2VjcmV0"), None) }).contains("16 to 32"));
        let twice = read_keys(&[spec(Some("c2VjcmV0"), None), spec(Some("b3RoZXI="), None)]);
        assert!(matches!(&twice.unwrap_err()[..], [(1, KeyFileError::Key(KeyFault::Twice { .. }))]));
        // All that are wrong, each by its place.
        let wrong = [spec(None, None), spec(Some("c2VjcmV0"), None), spec(Some("!"), None)];
        let places: Vec<usize> = read_keys(&wrong).unwrap_err().iter().map(|(index, _)| *index).collect();
        assert_eq!(places, [0, 2]);
        assert!(!format!("{:?}", spec(Some("c2VjcmV0"), None)).contains("c2Vj"));
    }
}
