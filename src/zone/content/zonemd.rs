//! ZONEMD records beside the content of their zone (RFC 8976 section 4).

use std::collections::BTreeSet;
use std::fmt;

use crate::wire::{RecordType, Serial};

use crate::zone::ContentDigest;
use crate::zone::content::simple;
use crate::zone::store::compiled::Zone;

/// Octets in front of the digest: serial, scheme, hash algorithm (RFC 8976 section 2.2).
const HEAD: usize = 6;
/// The scheme SIMPLE (section 5.2).
const SIMPLE: u8 = 1;
/// The hash algorithms (section 5.3).
const SHA384: u8 = 1;
const SHA512: u8 = 2;

/// What the ZONEMD records of a zone say of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestCheck {
    /// There are none.
    Absent,
    /// One fits the content.
    Fits,
    /// They are of schemes or hash algorithms that are not known here, so nothing can be said (RFC 8976 section 4, step 4).
    Unknown,
    /// None fits.
    Wrong(DigestFault),
}

/// Why a ZONEMD record does not fit its zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestFault {
    /// It is of another version.
    #[error(
        "the ZONEMD record is of serial {found}, the zone has {serial}: make the digest after the serial is raised"
    )]
    OtherSerial {
        /// The record's.
        found: Serial,
        /// The zone's.
        serial: Serial,
    },
    /// The content is another one.
    #[error(
        "the ZONEMD record says digest {said}..., but the content has {made}...: records were changed or lost on the way, or the digest was not \
         made again"
    )]
    Differs {
        /// The first octets of the record's digest, in hexadecimal.
        said: String,
        /// The first octets of the right one.
        made: String,
    },
    /// Two records of one scheme and hash algorithm: none of them counts (section 2.2).
    #[error(
        "the zone has several ZONEMD records of scheme {scheme} and hash algorithm {algorithm}: leave one"
    )]
    Several {
        /// The scheme.
        scheme: u8,
        /// The hash algorithm.
        algorithm: u8,
    },
}

/// One ZONEMD record.
struct ZonemdRecord<'z> {
    serial: Serial,
    scheme: u8,
    algorithm: u8,
    digest: &'z [u8],
}

impl Zone {
    /// Whether the zone's ZONEMD records fit its content. A pass over all records, unless there are no such records.
    pub fn check_digest(&self) -> DigestCheck {
        let Some(set) = self.apex().set(RecordType::ZONEMD) else { return DigestCheck::Absent };
        let records: Vec<ZonemdRecord<'_>> = set.rdata().filter_map(read).collect();
        let known = records
            .iter()
            .filter(|record| record.scheme == SIMPLE && matches!(record.algorithm, SHA384 | SHA512));
        let mut wrong = None;
        for record in known {
            match self.check_record(record, &records) {
                Ok(()) => return DigestCheck::Fits,
                Err(fault) => {
                    wrong.get_or_insert(fault);
                }
            }
        }
        wrong.map_or(DigestCheck::Unknown, DigestCheck::Wrong)
    }

    /// The RDATA that the zone's ZONEMD records must have for its serial and its content: one for each hash algorithm. `None` if one of them
    /// has a scheme or a hash algorithm that is not known here. A pass over all records for each.
    pub fn made_digests(&self) -> Option<Vec<Vec<u8>>> {
        let set = self.apex().set(RecordType::ZONEMD);
        let records = set.iter().flat_map(|set| set.rdata()).map(read).collect::<Option<Vec<_>>>()?;
        let algorithms: BTreeSet<(u8, u8)> =
            records.iter().map(|record| (record.scheme, record.algorithm)).collect();
        let rdata = |(scheme, algorithm): (u8, u8)| {
            let digest = self.made(algorithm).filter(|_| scheme == SIMPLE)?;
            Some([&self.serial().0.to_be_bytes()[..], &[scheme, algorithm], &digest].concat())
        };
        algorithms.into_iter().map(rdata).collect()
    }

    /// The digest of the content, if the hash algorithm is known.
    fn made(&self, algorithm: u8) -> Option<Vec<u8>> {
        match algorithm {
            SHA384 => self.make_digest(|| true).map(|digest: &ContentDigest| digest.to_vec()),
            SHA512 => simple::digest::<sha2::Sha512>(self, || true).map(|digest| digest.to_vec()),
            _ => None,
        }
    }

    fn check_record(&self, record: &ZonemdRecord<'_>, all: &[ZonemdRecord<'_>]) -> Result<(), DigestFault> {
        let ZonemdRecord { scheme, algorithm, serial: found, .. } = *record;
        if all.iter().filter(|other| other.scheme == scheme && other.algorithm == algorithm).count() > 1 {
            return Err(DigestFault::Several { scheme, algorithm });
        }
        if found != self.serial() {
            return Err(DigestFault::OtherSerial { found, serial: self.serial() });
        }
        let differs = |made: &[u8]| DigestFault::Differs {
            said: Hex(record.digest).to_string(),
            made: Hex(made).to_string(),
        };
        let made = self.made(algorithm).unwrap_or_default();
        if made == record.digest { Ok(()) } else { Err(differs(&made)) }
    }
}

fn read(rdata: &[u8]) -> Option<ZonemdRecord<'_>> {
    let (head, digest) = rdata.split_first_chunk::<HEAD>()?;
    let [a, b, c, d, scheme, algorithm] = *head;
    Some(ZonemdRecord { serial: Serial(u32::from_be_bytes([a, b, c, d])), scheme, algorithm, digest })
}

/// The first octets of a digest: enough to tell two apart.
struct Hex<'d>(&'d [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}
