//! Where names stand in RDATA, type by type: which may be compressed, which are lowered in canonical form.
//!
//! Zone compilation checks RDATA with it, the answer writer compresses with it. A type without an entry is opaque
//! (RFC 3597 section 3).

use std::cmp::Ordering;

use super::{RecordType, name_length};

/// One part of some RDATA, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// This many octets.
    Octets(usize),
    /// One character string: a length octet and that many octets (RFC 1035 section 3.3).
    Text,
    /// One character string or more, to the end.
    Texts,
    /// One uncompressed domain name.
    Name,
    /// Domain names to the end, or none.
    Names,
    /// IPSECKEY's and AMTRELAY's gateway; its kind is in the octet before `Octets(1)` or just before it.
    Gateway {
        /// How far back from here the octet stands that says the kind.
        back: usize,
    },
    /// HIP's two length fields, HIT and public key (RFC 8005 section 5).
    HostIdentity,
    /// At least this many octets, to the end.
    Rest(usize),
}

/// What is wrong with some RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RdataError {
    /// It ends before its fields do.
    #[error("the RDATA ends early")]
    Short,
    /// Octets are left after the last field.
    #[error("{0} octets are left after the last field of the RDATA")]
    Long(usize),
    /// An embedded name is compressed, too long, or ends early.
    #[error("the name at octet {0} of the RDATA is not one uncompressed domain name")]
    BadName(usize),
    /// IPSECKEY with a gateway kind that has no format.
    #[error("gateway type {0} is not known; 0 to 3 are")]
    BadGateway(u8),
    /// More than the 65,535 octets that RDLENGTH can say (RFC 1035 section 3.2.1).
    #[error("the RDATA has {0} octets; 65535 are the most")]
    TooBig(usize),
}

use Part::{Gateway, HostIdentity, Name, Names, Octets, Rest, Text, Texts};

/// The parts of a type's RDATA; unknown types are [`Part::Rest`].
pub fn layout(record_type: RecordType) -> &'static [Part] {
    match record_type {
        RecordType::A => &[Octets(4)],
        RecordType::L32 => &[Octets(6)],
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME: one name.
        RecordType(2 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 23 | 39) => &[Name],
        RecordType::SOA => &[Name, Name, Octets(20)],
        RecordType::HINFO => &[Text, Text],
        RecordType::X25 => &[Text],
        RecordType::GPOS => &[Text, Text, Text],
        RecordType::MINFO | RecordType::RP => &[Name, Name],
        RecordType::MX | RecordType::AFSDB | RecordType::RT | RecordType::KX | RecordType::LP => {
            &[Octets(2), Name]
        }
        // ISDN: its subaddress may be missing (RFC 1183 section 3.2).
        RecordType::ISDN
        | RecordType::TXT
        | RecordType::SPF
        | RecordType::AVC
        | RecordType::RESINFO
        | RecordType::WALLET => &[Texts],
        RecordType::SIG | RecordType::RRSIG => &[Octets(18), Name, Rest(1)],
        RecordType::PX => &[Octets(2), Name, Name],
        RecordType::AAAA => &[Octets(16)],
        RecordType::NXT => &[Name, Rest(1)],
        RecordType::SRV => &[Octets(6), Name],
        RecordType::NAPTR => &[Octets(4), Text, Text, Text, Name],
        RecordType::DS | RecordType::CDS | RecordType::TA | RecordType::DLV => &[Octets(4), Rest(1)],
        RecordType::SSHFP => &[Octets(2), Rest(1)],
        RecordType::IPSECKEY => &[Octets(3), Gateway { back: 2 }, Rest(0)],
        // An empty type bitmap: RFC 4034 section 4.1.2 has no such NSEC, RFC 5155 section 7.1 has such an NSEC3.
        RecordType::NSEC => &[Name, Rest(0)],
        RecordType::DNSKEY | RecordType::CDNSKEY | RecordType::KEY => &[Octets(4), Rest(0)],
        RecordType::NSEC3 => &[Octets(4), Text, Text, Rest(0)],
        RecordType::NSEC3PARAM => &[Octets(4), Text],
        RecordType::TLSA | RecordType::SMIMEA => &[Octets(3), Rest(1)],
        RecordType::HIP => &[HostIdentity, Names],
        RecordType::CSYNC => &[Octets(6), Rest(0)],
        RecordType::ZONEMD => &[Octets(6), Rest(12)],
        RecordType::SVCB | RecordType::HTTPS => &[Octets(2), Name, Rest(0)],
        RecordType::DSYNC => &[Octets(5), Name],
        RecordType::NID | RecordType::L64 => &[Octets(10)],
        RecordType::EUI48 => &[Octets(6)],
        RecordType::EUI64 => &[Octets(8)],
        RecordType::URI => &[Octets(4), Rest(1)],
        RecordType::CAA => &[Octets(1), Text, Rest(0)],
        RecordType::AMTRELAY => &[Octets(2), Gateway { back: 1 }],
        _ => &[Rest(0)],
    }
}

/// Names that may be compressed: after `before` octets stand `names` names, what follows is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compressible {
    /// Octets before the first name.
    pub before: usize,
    /// How many names follow each other.
    pub names: usize,
}

/// Where a type's RDATA may be compressed: only in the types of RFC 1035 (RFC 3597 section 4).
pub fn compressible(record_type: RecordType) -> Option<Compressible> {
    match record_type {
        RecordType(2 | 3 | 4 | 5 | 7 | 8 | 9 | 12) => Some(Compressible { before: 0, names: 1 }),
        RecordType::SOA | RecordType::MINFO => Some(Compressible { before: 0, names: 2 }),
        RecordType::MX => Some(Compressible { before: 2, names: 1 }),
        _ => None,
    }
}

/// Whether the names of this type's RDATA are lowered in canonical form (RFC 4034 section 6.2, RFC 6840
/// section 5.1).
pub fn lowers_names(record_type: RecordType) -> bool {
    matches!(
        record_type.0,
        2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 12 | 14 | 15 | 17 | 18 | 21 | 24 | 26 | 30 | 33 | 35 | 36 | 39 | 46
    )
}

/// Checks that RDATA has the parts its type asks for.
pub fn check_rdata(record_type: RecordType, rdata: &[u8]) -> Result<(), RdataError> {
    walk(record_type, rdata, |_, _| ())
}

/// The canonical form of checked RDATA (RFC 4034 section 6.2): `None` if it is that already.
pub fn canonical_rdata(record_type: RecordType, rdata: &[u8]) -> Option<Box<[u8]>> {
    if !lowers_names(record_type) || !rdata.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut canonical: Box<[u8]> = rdata.into();
    // A fault ends the walk; the names before it are lowered all the same.
    let _ = walk(record_type, rdata, |start, end| {
        if let Some(name) = canonical.get_mut(start..end) {
            name.make_ascii_lowercase();
        }
    });
    (canonical.as_ref().cmp(rdata) != Ordering::Equal).then_some(canonical)
}

/// Goes through the parts and shows where each name stands, as `start..end`.
fn walk(
    record_type: RecordType,
    rdata: &[u8],
    mut name_at: impl FnMut(usize, usize),
) -> Result<(), RdataError> {
    if rdata.len() > usize::from(u16::MAX) {
        return Err(RdataError::TooBig(rdata.len()));
    }
    let mut position = 0;
    let mut name = |position: usize| {
        let length =
            name_length(rdata.get(position..).unwrap_or(&[])).map_err(|_| RdataError::BadName(position))?;
        name_at(position, position + length);
        Ok::<usize, RdataError>(position + length)
    };
    for part in layout(record_type) {
        position = match *part {
            Octets(count) => position + count,
            Text => after_text(rdata, position)?,
            Texts => {
                let mut next = after_text(rdata, position)?;
                while next < rdata.len() {
                    next = after_text(rdata, next)?;
                }
                next
            }
            Name => name(position)?,
            Names => {
                let mut next = position;
                while next < rdata.len() {
                    next = name(next)?;
                }
                next
            }
            Gateway { back } => match octet(rdata, position.saturating_sub(back))? & 0x7f {
                0 => position,
                1 => position + 4,
                2 => position + 16,
                3 => name(position)?,
                // RFC 8777 section 4.2.3 leaves records with other types to be passed over.
                _ if record_type == RecordType::AMTRELAY => rdata.len(),
                other => return Err(RdataError::BadGateway(other)),
            },
            HostIdentity => {
                let key =
                    usize::from(octet(rdata, position + 2)?) << 8 | usize::from(octet(rdata, position + 3)?);
                position + 4 + usize::from(octet(rdata, position)?) + key
            }
            Rest(least) => rdata.len().max(position + least),
        };
        if position > rdata.len() {
            return Err(RdataError::Short);
        }
    }
    match rdata.len() - position {
        0 => Ok(()),
        left => Err(RdataError::Long(left)),
    }
}

fn after_text(rdata: &[u8], position: usize) -> Result<usize, RdataError> {
    Ok(position + 1 + usize::from(octet(rdata, position)?))
}

fn octet(rdata: &[u8], position: usize) -> Result<u8, RdataError> {
    rdata.get(position).copied().ok_or(RdataError::Short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_have_their_names() {
        let cases: &[(RecordType, &[u8], Result<(), RdataError>)] = &[
            (RecordType::A, &[1, 2, 3, 4], Ok(())),
            (RecordType::A, &[1, 2, 3], Err(RdataError::Short)),
            (RecordType::A, &[1, 2, 3, 4, 5], Err(RdataError::Long(1))),
            (RecordType::NS, b"\x01a\0", Ok(())),
            (RecordType::NS, b"\x01a", Err(RdataError::BadName(0))),
            (RecordType::NS, b"\xc0\x0c", Err(RdataError::BadName(0))),
            (RecordType::MX, b"\0\x0a\x01a\0x", Err(RdataError::Long(1))),
            (RecordType::TXT, b"", Err(RdataError::Short)),
            (RecordType::TXT, b"\x01a\x02bc", Ok(())),
            (RecordType::TXT, b"\x01a\x02b", Err(RdataError::Short)),
            (RecordType::IPSECKEY, b"\x0a\x03\x02\x01a\0key", Ok(())),
            (RecordType::IPSECKEY, b"\x0a\x01\x02\xc0\0\x02\x01key", Ok(())),
            (RecordType::IPSECKEY, b"\x0a\x09\x02", Err(RdataError::BadGateway(9))),
            (RecordType(260), b"\x0a\x80", Ok(())),
            (RecordType(260), b"\x0a\x84anything", Ok(())),
            (RecordType(260), b"\x0a\x83\x01a\0", Ok(())),
            (RecordType::HIP, b"\x02\x02\0\x03hhkkk\x01a\0\x01b\0", Ok(())),
            (RecordType::HIP, b"\x02\x02\0\x03hhkkk\x01a", Err(RdataError::BadName(9))),
            (RecordType(65280), b"anything", Ok(())),
        ];
        for (record_type, rdata, expected) in cases {
            assert_eq!(check_rdata(*record_type, rdata), *expected, "{record_type} {rdata:?}");
        }
    }

    #[test]
    fn canonical_form_lowers_names_only() {
        assert_eq!(canonical_rdata(RecordType::MX, b"\0A\x01B\0").as_deref(), Some(&b"\0A\x01b\0"[..]));
        assert_eq!(canonical_rdata(RecordType::MX, b"\0A\x01b\0"), None);
        assert_eq!(canonical_rdata(RecordType::NSEC, b"\x01B\0\0\x01\x40"), None);
        assert_eq!(canonical_rdata(RecordType::TXT, b"\x01B"), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_taken_or_refused(number in 0..300_u16, rdata in prop::collection::vec(any::<u8>(), 0..80)) {
            let record_type = RecordType(number);
            let _ = check_rdata(record_type, &rdata);
            if let Some(canonical) = canonical_rdata(record_type, &rdata) {
                prop_assert!(canonical.eq_ignore_ascii_case(&rdata));
            }
        }
    }
}
