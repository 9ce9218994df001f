//! The key of QUIC's stateless resets (RFC 9000 section 10.3): a file in, the part of an endpoint's settings that depends on it out.
//!
//! A server that has lost its connections, because it was started again, ends those that clients still hold by a reset that only
//! the same key can make; without it they wait for their idle timeout. Without a file the key is random, so nobody ever makes the
//! resets of this process, itself after a restart included. The file must not be shared where a connection can be alive at
//! another server: RFC 9000 section 21.11.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use quinn_proto::InvalidCid;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};

use crate::sys::files::{FileError, read};
use crate::telemetry::with_causes;

/// Octets of the file.
const LENGTH: usize = 32;
/// Octets of the longest file read; one that is longer than a key is told with its length.
const MOST_OCTETS: u64 = 4096;
/// Separate the two keys that are derived from the file.
const TOKENS: &[u8] = b"anyns QUIC reset tokens 1";
/// See [`TOKENS`].
const IDS: &[u8] = b"anyns QUIC connection IDs 1";

/// Why the key of stateless resets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResetKeyError {
    /// The file cannot be read, or others can use it.
    #[error("{}", with_causes(.0))]
    File(FileError),
    /// The file has not the length of a key.
    #[error("{} has {octets} octets; it must have {LENGTH} random ones: openssl rand {LENGTH}", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// How many octets it has.
        octets: usize,
    },
}

/// Octets of the random part of a connection ID, and of the part that proves it: no ID is used twice in the life of a key (RFC 9000
/// section 10.3.1), and a datagram that is no QUIC draws no reset.
const ID_PARTS: [usize; 2] = [8, 8];

/// The key. Never shown.
#[derive(Clone)]
pub struct ResetKey {
    tokens: hmac::Key,
    ids: hmac::Key,
}

impl ResetKey {
    /// Reads the file. Blocks for as long as files do.
    ///
    /// # Errors
    /// It cannot be read, others can use it, or it has another length.
    pub fn load(path: &Path) -> Result<Self, ResetKeyError> {
        let octets = read(path, MOST_OCTETS, true).map_err(ResetKeyError::File)?;
        let wrong = || ResetKeyError::Length { path: path.to_owned(), octets: octets.len() };
        let secret = <&[u8; LENGTH]>::try_from(&octets[..]).map_err(|_| wrong())?;
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
        // Both fail only for outputs longer than 255 hashes.
        let key = |purpose| derived.expand(&[purpose], hmac::HMAC_SHA256).map(hmac::Key::from);
        let (tokens, ids) = (key(TOKENS).map_err(|_| wrong())?, key(IDS).map_err(|_| wrong())?);
        Ok(Self { tokens, ids })
    }

    /// The settings of an endpoint whose tokens are of this key, and which knows the connection IDs of all that have it.
    pub(super) fn endpoint(&self) -> EndpointConfig {
        let mut config = EndpointConfig::new(Arc::new(self.tokens.clone()));
        let ids = self.ids.clone();
        config.cid_generator(move || Box::new(Ids(ids.clone())));
        config
    }
}

impl fmt::Debug for ResetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ResetKey(not shown)")
    }
}

/// Connection IDs that a server with the same key knows: random octets, then a part of their HMAC.
struct Ids(hmac::Key);

impl Ids {
    fn id(&self, random: &[u8]) -> Vec<u8> {
        let proof = hmac::sign(&self.0, random);
        let proof = proof.as_ref().get(..ID_PARTS[1]).unwrap_or_default();
        [random, proof].concat()
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut random = [0; ID_PARTS[0]];
        // Where the system has no random octets no handshake succeeds anyway.
        let _ = SystemRandom::new().fill(&mut random);
        ConnectionId::new(&self.id(&random))
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let random = id.get(..ID_PARTS[0]).ok_or(InvalidCid)?;
        match self.id(random)[..] == id[..] {
            true => Ok(()),
            false => Err(InvalidCid),
        }
    }

    fn cid_len(&self) -> usize {
        ID_PARTS.iter().sum()
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reset.key");
        let load = |octets: &[u8], mode: u32| {
            write(&path, octets).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            ResetKey::load(&path)
        };
        let (one, again, other) =
            (load(&[1; 32], 0o600).unwrap(), load(&[1; 32], 0o640).unwrap(), load(&[2; 32], 0o600).unwrap());
        let id = Ids(one.ids.clone()).generate_cid();
        assert_ne!(id, Ids(one.ids.clone()).generate_cid());
        assert!(Ids(again.ids.clone()).validate(&id).is_ok());
        assert!(Ids(other.ids.clone()).validate(&id).is_err());
        assert!(Ids(one.ids.clone()).validate(&ConnectionId::new(&[1; 16])).is_err());
        let token = |key: &ResetKey| hmac::sign(&key.tokens, b"a connection ID").as_ref().to_vec();
        assert_eq!(token(&one), token(&again));
        assert_ne!(token(&one), token(&other));
        for (octets, mode, words) in [
            (&[1; 31][..], 0o600, "reset.key has 31 octets; it must have 32"),
            (&[1; 33], 0o600, "reset.key has 33 octets"),
            (&[1; 32], 0o644, "reset.key has mode 644"),
            (&[1; 32], 0o660, "reset.key has mode 660; its group may read it at most"),
        ] {
            let error = load(octets, mode).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} in {error}");
        }
        let error = ResetKey::load(&directory.path().join("missing")).unwrap_err().to_string();
        assert!(error.contains("missing cannot be read: No such file"), "{error}");
    }
}
