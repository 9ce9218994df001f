//! RRSIG RDATA (RFC 4034 section 3.1).

use std::fmt;

use crate::wire::name_length;

/// Octets in front of the signer's name.
const HEAD: usize = 18;

/// A DNSSEC algorithm number (IANA "DNS Security Algorithm Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Algorithm(pub u8);

/// One RRSIG record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rrsig<'z> {
    pub(super) algorithm: Algorithm,
    pub(super) labels: u8,
    pub(super) original_ttl: u32,
    /// In seconds since 1970, of which the lower 32 bits.
    pub(super) expiration: u32,
    pub(super) inception: u32,
    pub(super) key_tag: u16,
    /// The signer's name in wire form, in any case.
    pub(super) signer: &'z [u8],
    pub(super) signature: &'z [u8],
    /// The fields before the signer's name: part of what is signed.
    pub(super) head: &'z [u8; HEAD],
}

impl<'z> Rrsig<'z> {
    /// Reads it; `None` if a field is missing.
    pub(super) fn read(rdata: &'z [u8]) -> Option<Self> {
        let (head, rest) = rdata.split_first_chunk::<HEAD>()?;
        let (signer, signature) = rest.split_at_checked(name_length(rest).ok()?)?;
        let [_, _, algorithm, labels, o0, o1, o2, o3, e0, e1, e2, e3, i0, i1, i2, i3, k0, k1] = *head;
        Some(Self {
            algorithm: Algorithm(algorithm),
            labels,
            original_ttl: u32::from_be_bytes([o0, o1, o2, o3]),
            expiration: u32::from_be_bytes([e0, e1, e2, e3]),
            inception: u32::from_be_bytes([i0, i1, i2, i3]),
            key_tag: u16::from_be_bytes([k0, k1]),
            signer,
            signature,
            head,
        })
    }
}

/// The moment of 32 bits that is nearest to `now`, in seconds since 1970 (RFC 4034 section 3.1.5: serial number arithmetic).
pub(super) fn moment(seconds: u32, now: u64) -> u64 {
    let ahead = seconds.wrapping_sub(now as u32) as i32;
    now.saturating_add_signed(i64::from(ahead))
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mnemonic = match self.0 {
            1 => "RSAMD5",
            2 => "DH",
            3 => "DSA",
            5 => "RSASHA1",
            6 => "DSA-NSEC3-SHA1",
            7 => "RSASHA1-NSEC3-SHA1",
            8 => "RSASHA256",
            10 => "RSASHA512",
            12 => "ECC-GOST",
            13 => "ECDSAP256SHA256",
            14 => "ECDSAP384SHA384",
            15 => "ED25519",
            16 => "ED448",
            17 => "SM2SM3",
            23 => "ECC-GOST12",
            252 => "INDIRECT",
            253 => "PRIVATEDNS",
            254 => "PRIVATEOID",
            other => return write!(formatter, "algorithm {other}"),
        };
        formatter.write_str(mnemonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_the_nearest_to_now() {
        const WRAP: u64 = 1 << 32;
        for (seconds, now, expected) in [
            (100, 200, 100),
            (0xffff_ff00, 0xffff_fff0, 0xffff_ff00),
            (16, 0xffff_fff0, WRAP + 16),
            (0xffff_fff0, WRAP + 16, 0xffff_fff0),
            // Before 1970 counts as 1970.
            (0xffff_fff0, 16, 0),
        ] {
            assert_eq!(moment(seconds, now), expected, "{seconds} {now}");
        }
    }

    #[test]
    fn fields_that_are_missing_are_no_signature() {
        let mut rdata = vec![0, 1, 13, 2, 0, 0, 0, 60, 0, 0, 0, 9, 0, 0, 0, 8, 0, 7];
        assert!(Rrsig::read(&rdata).is_none());
        rdata.extend(b"\x01a\0sig");
        let read = Rrsig::read(&rdata).unwrap();
        assert_eq!((read.algorithm, read.labels), (Algorithm(13), 2));
        assert_eq!((read.original_ttl, read.expiration, read.inception, read.key_tag), (60, 9, 8, 7));
        assert_eq!((read.signer, read.signature), (&b"\x01a\0"[..], &b"sig"[..]));
        assert!(Rrsig::read(&rdata[..17]).is_none());
    }
}
