//! What fields of RDATA say about each other: lengths that follow from a number, keys that must be there.
//!
//! Looks at octets that have the layout of their type already, whether they came as text or as RFC 3597 has it, and
//! allocates nothing. Where the RFC of a type assigns a length to a number, another length can never be right; numbers that
//! no RFC assigns are allowed with any length.

use crate::wire::RecordType;

use crate::zonefile::rdata::key_material::{self, Material};
use crate::zonefile::rdata::naptr;
use crate::zonefile::rdata::wire::Wire;
use crate::zonefile::value_fault::{ValueFault, at_least, exact, form};

/// Checks RDATA that has the layout of its type.
pub(super) fn check(record_type: RecordType, rdata: &[u8]) -> Result<(), ValueFault> {
    use RecordType as T;
    match record_type {
        T::DS | T::DLV | T::TA => digest(rdata),
        T::CDS => delegation_signer(rdata),
        T::SSHFP => fingerprint(rdata),
        T::TLSA | T::SMIMEA => association(rdata),
        T::ZONEMD => zone_digest(rdata),
        T::KEY => old_key(rdata),
        T::DNSKEY => dnskey(rdata),
        T::CDNSKEY => delegation_key(rdata),
        T::RRSIG | T::SIG => signature(rdata),
        T::NSEC3 => next_hash(rdata),
        T::CERT => certificate(rdata),
        T::IPSECKEY => ipseckey(rdata),
        T::DHCID => dhcid(rdata),
        T::URI if rdata.len() == 4 => form("an empty target", "at least one octet (RFC 7553 section 4.4)"),
        T::X25 => psdn_address(rdata),
        T::NAPTR => naptr::check(rdata),
        T::GPOS => position(rdata),
        _ => Ok(()),
    }
}

/// DS: key tag, algorithm, digest type, digest (RFC 4034 section 5.1).
fn digest(rdata: &[u8]) -> Result<(), ValueFault> {
    let [_, _, _, number, digest @ ..] = rdata else { return Ok(()) };
    // RFC 4034 appendix A.2, RFC 4509, RFC 5933, RFC 6605, RFC 9558, RFC 9563.
    let expected = match number {
        1 => 20,
        2 | 3 | 5 | 6 => 32,
        4 => 48,
        _ => return Ok(()),
    };
    exact("a digest", digest, expected, "digest type", *number)
}

/// CDS is DS; with algorithm 0 it asks for the removal of the DS records and has one form (RFC 8078 section 4).
fn delegation_signer(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        [0, 0, 0, 0, 0] => Ok(()),
        [_, _, 0, ..] => form("algorithm 0 beside other values", "`0 0 0 00` (RFC 8078 section 4)"),
        _ => digest(rdata),
    }
}

/// SSHFP: algorithm, fingerprint type, fingerprint (RFC 4255 section 3.1.3, RFC 6594 section 4).
fn fingerprint(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        [_, number @ 1, fingerprint @ ..] => {
            exact("a fingerprint", fingerprint, 20, "fingerprint type", *number)
        }
        [_, number @ 2, fingerprint @ ..] => {
            exact("a fingerprint", fingerprint, 32, "fingerprint type", *number)
        }
        _ => Ok(()),
    }
}

/// TLSA: usage, selector, matching type, association data (RFC 6698 section 2.1.3).
fn association(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        [_, _, number @ 1, hash @ ..] => exact("a hash", hash, 32, "matching type", *number),
        [_, _, number @ 2, hash @ ..] => exact("a hash", hash, 64, "matching type", *number),
        _ => Ok(()),
    }
}

/// ZONEMD: serial, scheme, hash algorithm, digest (RFC 8976 sections 2.2.3 and 2.2.4).
fn zone_digest(rdata: &[u8]) -> Result<(), ValueFault> {
    let [_, _, _, _, _, number, digest @ ..] = rdata else { return Ok(()) };
    match number {
        1 => exact("a digest", digest, 48, "hash algorithm", 1),
        2 => exact("a digest", digest, 64, "hash algorithm", 2),
        _ => at_least("a digest", digest, 12, "RFC 8976 section 2.2.4"),
    }
}

/// KEY: flags, protocol, algorithm, key; both type bits set say that there is no key (RFC 2535 section 3.1.2).
fn old_key(rdata: &[u8]) -> Result<(), ValueFault> {
    let [flags, _, _, algorithm, key @ ..] = rdata else { return Ok(()) };
    match (flags & 0xc0 == 0xc0, key.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => form(
            "a key, though flags 0xc000 say that there is none",
            "the record to end after the algorithm (RFC 2535 section 3.1.2)",
        ),
        (false, true) => {
            form("no key", "a key, or flags 0xc000 to say that there is none (RFC 2535 section 3.1.2)")
        }
        (false, false) => key_material::check(Material::PublicKey, *algorithm, key),
    }
}

/// DNSKEY: flags, protocol, algorithm, key (RFC 4034 section 2.1).
fn dnskey(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        [_, _, 3, algorithm, key @ ..] => key_material::check(Material::PublicKey, *algorithm, key),
        [_, _, _, _, ..] => form("a protocol other than 3", "3 (RFC 4034 section 2.1.2)"),
        _ => Ok(()),
    }
}

/// CDNSKEY is DNSKEY; with algorithm 0 it asks for the removal of the DS records and has one form (RFC 8078 section 4).
fn delegation_key(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        [0, 0, 3, 0, 0] => Ok(()),
        [_, _, _, 0, ..] => form("algorithm 0 beside other values", "`0 3 0 AA==` (RFC 8078 section 4)"),
        _ => dnskey(rdata),
    }
}

/// RRSIG: 18 octets with the algorithm in the third, the signer's name, the signature (RFC 4034 section 3.1).
fn signature(rdata: &[u8]) -> Result<(), ValueFault> {
    let Some((fixed, rest)) = rdata.split_at_checked(18) else { return Ok(()) };
    let mut wire = Wire { rest };
    match (fixed.get(2), wire.name()) {
        (Some(algorithm), Some(_)) => key_material::check(Material::Signature, *algorithm, wire.all()),
        _ => Ok(()),
    }
}

/// NSEC3: algorithm, flags, iterations, salt, next hashed owner name, types (RFC 5155 section 3.2): SHA-1 has 20 octets.
fn next_hash(rdata: &[u8]) -> Result<(), ValueFault> {
    let Some((fixed, rest)) = rdata.split_at_checked(4) else { return Ok(()) };
    let mut wire = Wire { rest };
    match (fixed.first(), wire.counted().and_then(|_| wire.counted())) {
        (Some(1), Some(hash)) => exact("a next hashed owner name", hash, 20, "hash algorithm", 1),
        _ => Ok(()),
    }
}

/// CERT: type, key tag, algorithm, certificate (RFC 4398 section 2.1); what the certificate begins with follows from the
/// type.
fn certificate(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        // IPGP: the length of the fingerprint, the fingerprint, a URL (RFC 4398 section 2.3).
        [0, 6, _, _, _, length, rest @ ..] if usize::from(*length) > rest.len() => form(
            "a fingerprint that ends early",
            "as many octets as its first one says (RFC 4398 section 2.3)",
        ),
        [0, 253, _, _, _, rest @ ..] if rest.first() == Some(&0) || !rest.contains(&0) => {
            form("no URI", "a URI that ends with a zero octet in front of the data (RFC 4398 section 2.1)")
        }
        [0, 254, _, _, _, length, rest @ ..] if *length == 0 || usize::from(*length) > rest.len() => {
            form("no OID", "the length of an OID and the OID in front of the data (RFC 4398 section 2.1)")
        }
        _ => Ok(()),
    }
}

/// IPSECKEY: precedence, gateway type, algorithm, gateway, key: algorithm 0 says that there is none (RFC 4025 sections 2.4
/// and 2.6).
fn ipseckey(rdata: &[u8]) -> Result<(), ValueFault> {
    let [_, kind, algorithm, rest @ ..] = rdata else { return Ok(()) };
    let mut wire = Wire { rest };
    let gateway = match kind {
        1 => wire.take(4),
        2 => wire.take(16),
        3 => wire.name(),
        _ => Some(&[][..]),
    };
    match (gateway, algorithm, wire.all()) {
        (None, ..) | (_, 0, []) => Ok(()),
        (_, 0, _) => form("a key beside algorithm 0", "no key (RFC 4025 section 2.4)"),
        (_, _, []) => {
            form("no key", "a key, or algorithm 0 to say that there is none (RFC 4025 section 2.4)")
        }
        // The formats of RFC 2536 and RFC 3110 (RFC 4025 section 2.6).
        (_, 1, key) => key_material::check(Material::PublicKey, 3, key),
        (_, 2, key) => key_material::check(Material::PublicKey, 5, key),
        _ => Ok(()),
    }
}

/// DHCID: identifier type, digest type, digest (RFC 4701 section 3.3).
fn dhcid(rdata: &[u8]) -> Result<(), ValueFault> {
    match rdata {
        [_, _, number @ 1, digest @ ..] => exact("a digest", digest, 32, "digest type", *number),
        _ => at_least("RDATA", rdata, 4, "RFC 4701 section 3.1"),
    }
}

/// X25: a PSDN address of at least four digits (RFC 1183 section 3.1).
fn psdn_address(rdata: &[u8]) -> Result<(), ValueFault> {
    let address = rdata.get(1..).unwrap_or_default();
    if address.len() >= 4 && address.iter().all(u8::is_ascii_digit) {
        return Ok(());
    }
    form("no PSDN address", "four or more digits (RFC 1183 section 3.1)")
}

/// GPOS: longitude, latitude, altitude as decimal numbers (RFC 1712 section 3). That section gives longitude the range of a
/// latitude and the other way round, so each may be in the wider one.
fn position(rdata: &[u8]) -> Result<(), ValueFault> {
    let mut wire = Wire { rest: rdata };
    let numbers = [wire.counted(), wire.counted(), wire.counted()].map(|text| text.and_then(real_number));
    match numbers {
        [Some(longitude), Some(latitude), Some(_)] if longitude.abs() <= 180.0 && latitude.abs() <= 180.0 => {
            Ok(())
        }
        [Some(_), Some(_), Some(_)] => {
            form("a coordinate out of range", "degrees from -180 to 180 (RFC 1712 section 3)")
        }
        _ => form(
            "no position",
            "longitude, latitude and altitude as numbers such as -32.6882 (RFC 1712 section 3)",
        ),
    }
}

/// A number in digits with a sign or a point, without an exponent.
fn real_number(text: &[u8]) -> Option<f64> {
    let is_part = |octet: &u8| octet.is_ascii_digit() || matches!(octet, b'+' | b'-' | b'.');
    text.iter().all(is_part).then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}
