//! Keys: a name, an algorithm and a secret that two servers share.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64;
use ring::hmac;

use crate::wire::Name;
use crate::wire::octets::RECORD_FIXED;

use super::algorithm::Algorithm;

/// The shortest MAC that is accepted where a key says nothing else: 128 bits. RFC 8945 section 5.2.2.1 allows 80 for SHA-1.
const LEAST_MAC: usize = 16;
/// The longest secret: HMAC hashes a longer one than its block first, so more octets are no more secret.
const MOST_SECRET: usize = 512;

/// A shared key. Never shows its secret.
#[derive(Clone)]
pub struct Key {
    name: Name,
    algorithm: Algorithm,
    secret: hmac::Key,
    secret_octets: usize,
    sent_octets: usize,
    least_octets: usize,
}

/// Why a key is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The secret is not base 64.
    #[error("the secret of the key {name} is not base64")]
    NotBase64 {
        /// The key.
        name: Name,
    },
    /// The secret is empty or too long.
    #[error("the secret of the key {name} has {octets} octets; 1 to {MOST_SECRET} are possible")]
    Length {
        /// The key.
        name: Name,
        /// How many.
        octets: usize,
    },
    /// A length of MACs that the RFC does not allow.
    #[error(
        "MACs of {octets} octets are not possible with {algorithm}: {least} to {most} are (RFC 8945 section 5.2.2.1)"
    )]
    MacLength {
        /// The algorithm.
        algorithm: Algorithm,
        /// The length asked for.
        octets: usize,
        /// The shortest.
        least: usize,
        /// The longest.
        most: usize,
    },
    /// Two keys of one name.
    #[error("the key {name} is defined more than once; give the new one another name for a rollover")]
    Twice {
        /// The name.
        name: Name,
    },
}

impl Key {
    /// A key with the secret's octets.
    ///
    /// # Errors
    /// The secret is empty or too long.
    pub fn new(name: Name, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyFault> {
        if secret.is_empty() || secret.len() > MOST_SECRET {
            return Err(KeyFault::Length { name, octets: secret.len() });
        }
        let secret_octets = secret.len();
        let secret = hmac::Key::new(algorithm.hmac(), secret);
        let least_octets = algorithm.least_octets().max(LEAST_MAC);
        Ok(Self {
            name: name.to_lowercase(),
            algorithm,
            secret,
            secret_octets,
            sent_octets: algorithm.octets(),
            least_octets,
        })
    }

    /// A key with the secret in base 64, as key files have it; white space around it does not count.
    ///
    /// # Errors
    /// The secret is not base 64, empty, or too long.
    pub fn from_base64(name: Name, algorithm: Algorithm, secret: &str) -> Result<Self, KeyFault> {
        let octets = BASE64.decode(secret.trim().as_bytes());
        let octets = octets.map_err(|_| KeyFault::NotBase64 { name: name.clone() })?;
        Self::new(name, algorithm, &octets)
    }

    /// The same key for a peer that truncates MACs: ours are sent with this many octets, and none shorter is accepted.
    ///
    /// # Errors
    /// The RFC does not allow that length.
    pub fn truncated(self, octets: usize) -> Result<Self, KeyFault> {
        let (least, most) = (self.algorithm.least_octets(), self.algorithm.octets());
        if !(least..=most).contains(&octets) {
            return Err(KeyFault::MacLength { algorithm: self.algorithm, octets, least, most });
        }
        Ok(Self { sent_octets: octets, least_octets: octets, ..self })
    }

    /// Its name, in lower case.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Octets that a TSIG record of this key takes at most: what a writer leaves room for.
    pub fn record_octets(&self) -> usize {
        // Time, fudge, MAC size; ID, error, other length; a time of 6 octets.
        let fixed = RECORD_FIXED + 10 + 6 + 6;
        self.name.as_wire().len() + self.algorithm.as_wire().len() + fixed + self.algorithm.octets()
    }

    /// How many octets its secret has, if that is less than half of the hash: then the secret is guessed before the hash is broken (RFC 2104
    /// section 3 wants as many octets as the hash has).
    pub fn short_secret(&self) -> Option<usize> {
        Some(self.secret_octets).filter(|octets| *octets < self.algorithm.octets() / 2)
    }

    pub(super) fn context(&self) -> hmac::Context {
        hmac::Context::with_key(&self.secret)
    }

    pub(super) fn sent_octets(&self) -> usize {
        self.sent_octets
    }

    pub(super) fn least_octets(&self) -> usize {
        self.least_octets
    }
}

impl PartialEq for Key {
    /// Whether a peer cannot tell them apart.
    fn eq(&self, other: &Self) -> bool {
        let facts = |key: &Self| (key.algorithm, key.sent_octets, key.least_octets);
        let mac = |key: &Self| hmac::sign(&key.secret, b"");
        self.name == other.name && facts(self) == facts(other) && mac(self).as_ref() == mac(other).as_ref()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({} {}, secret not shown)", self.name, self.algorithm)
    }
}

/// All keys, by name. During a rollover the old key and the new one are both here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keys(HashMap<Name, Arc<Key>>);

impl Keys {
    /// These keys.
    ///
    /// # Errors
    /// Two have one name.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyFault> {
        let mut all = Self::default();
        keys.into_iter().try_for_each(|key| all.add(key))?;
        Ok(all)
    }

    /// Adds a key.
    ///
    /// # Errors
    /// There is one of its name, which stays.
    pub fn add(&mut self, key: Key) -> Result<(), KeyFault> {
        match self.0.entry(key.name.clone()) {
            Entry::Occupied(known) => Err(KeyFault::Twice { name: known.key().clone() }),
            Entry::Vacant(place) => {
                place.insert(Arc::new(key));
                Ok(())
            }
        }
    }

    /// The key of this name.
    pub fn get(&self, name: &Name) -> Option<&Arc<Key>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        let mut all: Vec<&Key> = self.0.values().map(Arc::as_ref).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter()
    }

    /// The names of keys that `before` did not have so.
    pub fn changed_since(&self, before: &Self) -> HashSet<Name> {
        let is_known = |key: &Arc<Key>| before.get(&key.name) == Some(key);
        self.0.values().filter(|key| !is_known(key)).map(|key| key.name.clone()).collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
