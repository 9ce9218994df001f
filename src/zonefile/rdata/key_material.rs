//! Public keys and signatures of DNSSEC: which lengths each algorithm gives them (IANA "DNS Security Algorithm Numbers").

use crate::zonefile::rdata::wire::Wire;
use crate::zonefile::value_fault::{ValueFault, exact, form};

/// What an algorithm number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Material {
    /// The key of a DNSKEY.
    PublicKey,
    /// The signature of an RRSIG.
    Signature,
}

/// Checks a key or a signature; those of algorithms that no RFC assigns may have any length.
pub(super) fn check(material: Material, algorithm: u8, octets: &[u8]) -> Result<(), ValueFault> {
    match (algorithm, material) {
        // RSA signatures are as long as the modulus, which the key says.
        (1 | 5 | 7 | 8 | 10, Material::PublicKey) => rsa_key(octets),
        (3 | 6, Material::PublicKey) => dsa_key(octets),
        (3 | 6, Material::Signature) => exact("a signature", octets, 41, "algorithm", algorithm),
        (253, _) => private_name(octets),
        (254, _) => private_oid(octets),
        _ => match (lengths(algorithm), material) {
            (Some((key, _)), Material::PublicKey) => exact("a key", octets, key, "algorithm", algorithm),
            (Some((_, signature)), Material::Signature) => {
                exact("a signature", octets, signature, "algorithm", algorithm)
            }
            (None, _) => Ok(()),
        },
    }
}

/// The octets of a key and of a signature.
fn lengths(algorithm: u8) -> Option<(usize, usize)> {
    match algorithm {
        // RFC 5933, RFC 6605 section 4, RFC 9563, RFC 9558.
        12 | 13 | 17 | 23 => Some((64, 64)),
        14 => Some((96, 96)),
        // RFC 8080 sections 3 and 4.
        15 => Some((32, 64)),
        16 => Some((57, 114)),
        _ => None,
    }
}

/// The length of the exponent in one octet, or in two behind a zero; the exponent; the modulus (RFC 3110 section 2).
fn rsa_key(key: &[u8]) -> Result<(), ValueFault> {
    let (length, rest) = match key {
        [0, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        [0, ..] => (0, &[][..]),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => (0, &[][..]),
    };
    if length == 0 || length >= rest.len() {
        return form(
            "an RSA key without exponent or modulus",
            "the exponent's length, the exponent and the modulus (RFC 3110 section 2)",
        );
    }
    Ok(())
}

/// T, Q of 20 octets, and P, G and Y of 64 + 8 T octets each; T is 8 at most (RFC 2536 section 2).
fn dsa_key(key: &[u8]) -> Result<(), ValueFault> {
    match key {
        [size @ 0..=8, rest @ ..] if rest.len() == 20 + 3 * (64 + 8 * usize::from(*size)) => Ok(()),
        _ => form("a malformed DSA key", "T from 0 to 8, and 212 + 24 T octets (RFC 2536 section 2)"),
    }
}

/// A name in wire form in front tells what the rest is (RFC 4034 appendix A.1.1).
fn private_name(octets: &[u8]) -> Result<(), ValueFault> {
    match (Wire { rest: octets }).name() {
        Some(_) => Ok(()),
        None => form(
            "no name in front of the data",
            "an uncompressed domain name, because the algorithm is 253 (RFC 4034 appendix A.1.1)",
        ),
    }
}

/// The length of an OID and the OID in front tell what the rest is (RFC 4034 appendix A.1.1).
fn private_oid(octets: &[u8]) -> Result<(), ValueFault> {
    match octets {
        [length, rest @ ..] if *length > 0 && usize::from(*length) <= rest.len() => Ok(()),
        _ => form(
            "no OID in front of the data",
            "the length of an OID and the OID, because the algorithm is 254 (RFC 4034 appendix A.1.1)",
        ),
    }
}
