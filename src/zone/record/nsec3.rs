//! NSEC3 RDATA and the hash of owner names (RFC 5155 sections 3 to 5).

use data_encoding::BASE32_DNSSEC;
use sha1::{Digest, Sha1};

/// The one hash algorithm there is: SHA-1 (IANA "DNSSEC NSEC3 Hash Algorithms").
const SHA1: u8 = 1;
/// Octets of a hash.
pub(in crate::zone) const HASH: usize = 20;
/// The Opt-Out flag (RFC 5155 section 3.1.2.1).
const OPT_OUT: u8 = 1;
/// The most additional iterations of a chain that is served. Above this number validators have agreed since 2021 to
/// take the zone as unsigned or bogus (BIND, Unbound, Knot Resolver, PowerDNS; RFC 9276 section 3.2 lets them go down
/// to 0), so more would only cost time at every negative answer; it also bounds that time.
pub(in crate::zone) const MAX_ITERATIONS: u16 = 150;

/// A hashed owner name.
pub(in crate::zone) type Hash = [u8; HASH];

/// How the owner names of a chain are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::zone) struct Parameters {
    /// How often the hash is hashed again.
    pub(in crate::zone) iterations: u16,
    /// At most 255 octets.
    pub(in crate::zone) salt: Box<[u8]>,
}

impl Parameters {
    /// Reads NSEC3PARAM RDATA; `None` if a server must ignore it: another algorithm, or flags that are not 0
    /// (RFC 5155 sections 4.1.1 and 4.1.2).
    pub(in crate::zone) fn from_nsec3param(rdata: &[u8]) -> Option<Self> {
        match rdata {
            [SHA1, 0, high, low, length, salt @ ..] if salt.len() == usize::from(*length) => {
                Some(Self { iterations: u16::from_be_bytes([*high, *low]), salt: salt.into() })
            }
            _ => None,
        }
    }

    /// Whether NSEC3 RDATA belongs to this chain.
    pub(in crate::zone) fn has(&self, rdata: &[u8]) -> bool {
        Nsec3::read(rdata)
            .is_some_and(|nsec3| nsec3.iterations == self.iterations && nsec3.salt == &*self.salt)
    }

    /// The hash of a name in lower-case wire form (RFC 5155 section 5); never allocates, takes `iterations` + 1
    /// rounds of at most 510 octets.
    pub(in crate::zone) fn hash(&self, name: &[u8]) -> Hash {
        let mut digest = Sha1::new_with_prefix(name).chain_update(&self.salt).finalize();
        for _ in 0..self.iterations {
            digest = Sha1::new_with_prefix(digest).chain_update(&self.salt).finalize();
        }
        digest.into()
    }
}

/// NSEC3 RDATA (RFC 5155 section 3.2) of an algorithm we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zone) struct Nsec3<'a> {
    pub(in crate::zone) opt_out: bool,
    pub(in crate::zone) iterations: u16,
    pub(in crate::zone) salt: &'a [u8],
    /// The next hashed owner name, of any length.
    pub(in crate::zone) next: &'a [u8],
}

impl<'a> Nsec3<'a> {
    /// Reads it; `None` for another algorithm, and for flags that nobody knows, which say that we do not know what
    /// the record means (RFC 5155 section 8.2).
    pub(in crate::zone) fn read(rdata: &'a [u8]) -> Option<Self> {
        let [SHA1, flags @ (0 | OPT_OUT), high, low, salt_length, rest @ ..] = rdata else { return None };
        let (salt, rest) = rest.split_at_checked(usize::from(*salt_length))?;
        let (next_length, rest) = rest.split_first()?;
        let (next, _types) = rest.split_at_checked(usize::from(*next_length))?;
        Some(Self { opt_out: *flags == OPT_OUT, iterations: u16::from_be_bytes([*high, *low]), salt, next })
    }
}

/// The hash that the first label of a wire-form name spells (RFC 5155 section 3).
pub(in crate::zone) fn hash_of_owner(owner: &[u8]) -> Option<Hash> {
    let (length, rest) = owner.split_first()?;
    let mut label: [u8; 32] = rest.get(..usize::from(*length))?.try_into().ok()?;
    label.make_ascii_lowercase();
    BASE32_DNSSEC.decode(&label).ok()?.try_into().ok()
}

/// A hash as the label it makes.
pub(in crate::zone) fn label(hash: &[u8]) -> String {
    BASE32_DNSSEC.encode(hash)
}

/// What a chain's index knows a hash by.
pub(in crate::zone) fn tag(hash: &Hash) -> u32 {
    let [a, b, c, d, ..] = *hash;
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;

    #[test]
    fn hashes_are_those_of_rfc5155_appendix_a() {
        let parameters = Parameters::from_nsec3param(b"\x01\0\0\x0c\x04\xaa\xbb\xcc\xdd").unwrap();
        for (name, hash) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
            ("2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"),
        ] {
            let name: Name = name.parse().unwrap();
            assert_eq!(label(&parameters.hash(name.as_wire())), hash);
            let owner: Name = hash.to_uppercase().parse().unwrap();
            assert_eq!(hash_of_owner(owner.as_wire()), Some(parameters.hash(name.as_wire())));
        }
    }

    #[test]
    fn what_a_server_must_ignore_is_not_read() {
        assert!(Parameters::from_nsec3param(b"\x01\0\0\x0c\x01\xaa").is_some());
        for rdata in [&b"\x01\x01\0\x0c\x01\xaa"[..], b"\x02\0\0\x0c\x01\xaa", b"\x01\0\0\x0c\x02\xaa", b""] {
            assert_eq!(Parameters::from_nsec3param(rdata), None);
        }
        assert!(Nsec3::read(b"\x01\x01\0\x0c\x01\xaa\x02zz").unwrap().opt_out);
        for rdata in [&b"\x01\x02\0\x0c\x01\xaa\x02zz"[..], b"\x02\0\0\x0c\x01\xaa\x02zz", b"\x01\0\0\0\x01"]
        {
            assert_eq!(Nsec3::read(rdata), None);
        }
        assert_eq!(hash_of_owner(b"\x02zz\0"), None);
        assert_eq!(hash_of_owner(b"\0"), None);
    }
}
