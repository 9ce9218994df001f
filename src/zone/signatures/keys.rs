//! The DNSKEY RRset of a zone and what its keys verify (RFC 4034 section 2, RFC 8624).
//!
//! Verification itself is *ring*'s. What a key says is not trusted: lengths are checked before any arithmetic, and of keys with
//! the same tag and algorithm only the first few are tried (CVE-2023-50387, "KeyTrap").

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::wire::RecordType;
use crate::zone::Zone;

use crate::zone::signatures::rrsig::Algorithm;

/// Bits of the RSA moduli that are verified: what is in use (1024 and more), and the most that costs no more than milliseconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// The most octets of an RSA exponent that are verified: *ring* takes 33 bits. All in use are 3 or 65537.
const MOST_EXPONENT: usize = 4;
/// Keys with one tag and algorithm that are tried: collisions are rare, and each costs a verification.
const MOST_COLLIDING: usize = 4;
/// Keys that are read; the rest is left out. Zones have two to six.
const MOST_KEYS: usize = 256;

/// DNSKEY flags (RFC 4034 section 2.1.1, RFC 5011 section 7).
const ZONE_KEY: u16 = 0x0100;
const REVOKED: u16 = 0x0080;
/// The one protocol (RFC 4034 section 2.1.2).
const PROTOCOL: u8 = 3;

/// The keys of a zone.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    keys: Vec<DnsKey>,
}

/// One key.
#[derive(Clone, Debug)]
pub(super) struct DnsKey {
    pub(super) tag: u16,
    pub(super) algorithm: Algorithm,
    flags: u16,
    protocol: u8,
    public: Public,
    rdata: Box<[u8]>,
}

/// What verifies.
#[derive(Clone, Debug)]
enum Public {
    Rsa { parameters: &'static RsaParameters, exponent: Box<[u8]>, modulus: Box<[u8]> },
    Curve { algorithm: &'static dyn VerificationAlgorithm, point: Box<[u8]> },
    Unusable(Unusable),
}

/// Why nothing can be verified with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unusable {
    /// The algorithm is one that this build does not verify; validators that do not know it take the zone as unsigned.
    #[error("the algorithm is not supported")]
    Algorithm,
    /// An RSA modulus outside of 1024 to 8192 bits.
    #[error("the RSA modulus has {0} bits; 1024 to 8192 are supported")]
    Modulus(usize),
    /// An RSA exponent of more than 32 bits.
    #[error("the RSA exponent has more than 32 bits, which is not supported")]
    Exponent,
    /// The public key is not of its algorithm's form.
    #[error("the public key is malformed")]
    Malformed,
}

/// What trying a signature came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Verified,
    Mismatch,
    Unusable(Unusable),
    /// The key may sign the DNSKEY RRset alone (RFC 5011 section 2.1).
    Revoked,
    /// No zone key has this tag and algorithm.
    NoKey,
}

impl Unusable {
    /// Whether another validator may be able to use the key.
    pub(super) fn is_unsupported(self) -> bool {
        self != Self::Malformed
    }
}

/// Whether signatures of an algorithm are verified here: all that RFC 8624 section 3.1 asks validators for, and Ed25519.
pub(super) fn is_supported(algorithm: Algorithm) -> bool {
    matches!(algorithm.0, 5 | 7 | 8 | 10 | 13 | 14 | 15)
}

impl Keys {
    /// The keys at the apex.
    pub(super) fn of(zone: &Zone) -> Self {
        let set = zone.apex().set(RecordType::DNSKEY).into_iter();
        Self { keys: set.flat_map(|set| set.rdata()).filter_map(DnsKey::read).take(MOST_KEYS).collect() }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &DnsKey> {
        self.keys.iter()
    }

    /// Whether both are the same keys.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.keys.iter().map(|key| &key.rdata).eq(other.keys.iter().map(|key| &key.rdata))
    }

    /// Whether a key that both have verifies signatures with this tag and algorithm.
    pub(super) fn share(&self, other: &Self, tag: u16, algorithm: Algorithm) -> bool {
        let mut own = self.keys.iter().filter(|key| (key.tag, key.algorithm) == (tag, algorithm));
        own.any(|key| other.keys.iter().any(|other| other.rdata == key.rdata))
    }

    /// The algorithms that the RRset says the zone is signed with (RFC 4035 section 2.2), each once.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let signing = self.keys.iter().filter(|key| key.is_zone_key() && !key.is_revoked());
        let mut algorithms: Vec<Algorithm> = signing.map(|key| key.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }

    /// Tries a signature over `message` with the keys that it names.
    pub(super) fn verify(
        &self,
        (tag, algorithm): (u16, Algorithm),
        covered: RecordType,
        message: &[u8],
        signature: &[u8],
    ) -> Tried {
        let named = |key: &&DnsKey| (key.tag, key.algorithm) == (tag, algorithm) && key.is_zone_key();
        let mut result = Tried::NoKey;
        for key in self.keys.iter().filter(named).take(MOST_COLLIDING) {
            result = match &key.public {
                _ if key.is_revoked() && covered != RecordType::DNSKEY => Tried::Revoked,
                Public::Unusable(reason) => Tried::Unusable(*reason),
                public if public.verifies(message, signature) => return Tried::Verified,
                _ => Tried::Mismatch,
            };
        }
        result
    }
}

impl DnsKey {
    fn read(rdata: &[u8]) -> Option<Self> {
        let [f0, f1, protocol, algorithm, octets @ ..] = rdata else { return None };
        let algorithm = Algorithm(*algorithm);
        Some(Self {
            tag: tag(rdata),
            algorithm,
            flags: u16::from_be_bytes([*f0, *f1]),
            protocol: *protocol,
            public: Public::read(algorithm, octets),
            rdata: rdata.into(),
        })
    }

    /// Whether it may sign the zone.
    pub(super) fn is_zone_key(&self) -> bool {
        self.flags & ZONE_KEY != 0 && self.protocol == PROTOCOL
    }

    /// Whether it is revoked (RFC 5011).
    pub(super) fn is_revoked(&self) -> bool {
        self.flags & REVOKED != 0
    }

    /// Why nothing can be verified with it.
    pub(super) fn unusable(&self) -> Option<Unusable> {
        match self.public {
            Public::Unusable(reason) => Some(reason),
            Public::Rsa { .. } | Public::Curve { .. } => None,
        }
    }
}

impl Public {
    fn read(algorithm: Algorithm, octets: &[u8]) -> Self {
        let read = match algorithm.0 {
            5 | 7 => Self::rsa(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, octets),
            8 => Self::rsa(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, octets),
            10 => Self::rsa(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, octets),
            // RFC 6605 section 4 leaves out the octet that says "not compressed".
            13 => Self::curve(&ECDSA_P256_SHA256_FIXED, &[4], 64, octets),
            14 => Self::curve(&ECDSA_P384_SHA384_FIXED, &[4], 96, octets),
            15 => Self::curve(&ED25519, &[], 32, octets),
            _ => Err(Unusable::Algorithm),
        };
        read.unwrap_or_else(Self::Unusable)
    }

    /// RFC 3110 section 2.
    fn rsa(parameters: &'static RsaParameters, octets: &[u8]) -> Result<Self, Unusable> {
        let (length, rest) = match octets {
            [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            [length, rest @ ..] => (usize::from(*length), rest),
            [] => return Err(Unusable::Malformed),
        };
        let (exponent, modulus) = rest.split_at_checked(length).ok_or(Unusable::Malformed)?;
        let (exponent, modulus) = (without_zeros(exponent), without_zeros(modulus));
        let (Some(_), Some(first)) = (exponent.first(), modulus.first()) else {
            return Err(Unusable::Malformed);
        };
        let bits = modulus.len() * 8 - first.leading_zeros() as usize;
        if !RSA_BITS.contains(&bits) {
            return Err(Unusable::Modulus(bits));
        }
        if exponent.len() > MOST_EXPONENT {
            return Err(Unusable::Exponent);
        }
        Ok(Self::Rsa { parameters, exponent: exponent.into(), modulus: modulus.into() })
    }

    fn curve(
        algorithm: &'static dyn VerificationAlgorithm,
        before: &[u8],
        length: usize,
        octets: &[u8],
    ) -> Result<Self, Unusable> {
        if octets.len() != length {
            return Err(Unusable::Malformed);
        }
        Ok(Self::Curve { algorithm, point: [before, octets].concat().into() })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { parameters, exponent, modulus } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, message, signature).is_ok()
            }
            Self::Curve { algorithm, point } => {
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature).is_ok()
            }
            Self::Unusable(_) => false,
        }
    }
}

fn without_zeros(octets: &[u8]) -> &[u8] {
    let start = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
    octets.get(start..).unwrap_or(&[])
}

/// The key tag of DNSKEY RDATA (RFC 4034 appendix B; the one of RSA/MD5 is not needed: nothing is verified with it).
fn tag(rdata: &[u8]) -> u16 {
    let sum = rdata.chunks(2).fold(0_u32, |sum, pair| {
        let [high, low] = [pair.first(), pair.get(1)].map(|octet| u32::from(octet.copied().unwrap_or(0)));
        // 65,535 octets sum up to less than 2^31.
        sum.wrapping_add(high << 8 | low)
    });
    (sum.wrapping_add(sum >> 16) & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
        let length = u8::try_from(exponent.len()).unwrap();
        [&[1, 0, 3, 8, length][..], exponent, modulus].concat()
    }

    #[test]
    fn what_a_key_says_is_checked() {
        let unusable = |rdata: &[u8]| DnsKey::read(rdata).unwrap().unusable();
        let modulus = |bits: usize| {
            let mut octets = vec![0xff; bits.div_ceil(8)];
            octets[0] >>= octets.len() * 8 - bits;
            octets
        };
        for (rdata, expected) in [
            (rsa(&[1, 0, 1], &modulus(1024)), None),
            (rsa(&[3], &modulus(8192)), None),
            (rsa(&[0, 0, 3], &[&[0, 0][..], &modulus(2048)].concat()), None),
            (rsa(&[3], &modulus(1023)), Some(Unusable::Modulus(1023))),
            (rsa(&[3], &modulus(8193)), Some(Unusable::Modulus(8193))),
            (rsa(&[3; 5], &modulus(1024)), Some(Unusable::Exponent)),
            (rsa(&[], &modulus(1024)), Some(Unusable::Malformed)),
            (rsa(&[3], &[]), Some(Unusable::Malformed)),
            (rsa(&[3], &[0; 200]), Some(Unusable::Malformed)),
            (vec![1, 0, 3, 8], Some(Unusable::Malformed)),
            (vec![1, 0, 3, 8, 0, 255, 255, 1], Some(Unusable::Malformed)),
            ([&[1, 0, 3, 13][..], &[7; 64]].concat(), None),
            ([&[1, 0, 3, 13][..], &[7; 65]].concat(), Some(Unusable::Malformed)),
            ([&[1, 0, 3, 14][..], &[7; 96]].concat(), None),
            ([&[1, 0, 3, 15][..], &[7; 32]].concat(), None),
            ([&[1, 0, 3, 15][..], &[7; 31]].concat(), Some(Unusable::Malformed)),
            ([&[1, 0, 3, 16][..], &[7; 57]].concat(), Some(Unusable::Algorithm)),
            (vec![1, 0, 3, 3], Some(Unusable::Algorithm)),
        ] {
            assert_eq!(unusable(&rdata), expected, "{rdata:?}");
        }
        assert!(DnsKey::read(&[1, 0, 3]).is_none());
    }

    /// RFC 4034 section 5.4 has a key and its tag; RFC 6605 section 6.1 another one.
    #[test]
    fn tags_are_those_of_the_rfcs() {
        let key = "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
        let octets = data_encoding::BASE64.decode(key.as_bytes()).unwrap();
        assert_eq!(tag(&[&[1, 0, 3, 5][..], &octets].concat()), 60_485);
        let key = "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
        let octets = data_encoding::BASE64.decode(key.as_bytes()).unwrap();
        assert_eq!(tag(&[&[1, 1, 3, 13][..], &octets].concat()), 55_648);
    }
}
