//! The seam: whether a new version of a zone may replace the one that is served.
//!
//! A [`Candidate`] flows in from any source of whole versions (files now, transfers later), an [`Accepted`] version or a
//! named reason flows out; a difference is judged by [`judge_difference`]. Pure: no I/O, no clock, no log. Nothing gets into
//! service but through here.
//!
//! A version that came by a difference has no digest: over 2.6 million records that takes a second, a difference a
//! millisecond. It is made when a file comes that may have the same content, by who judges. (A sum of a hash for each record
//! could be kept up to date, but every load would pay for it, and equal sums are within reach of who writes the records.)

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::wire::{Name, RecordType, Serial};
use crate::zone::signatures::SignatureFault;
use crate::zone::{DigestFault, Zone};

use crate::publish::SerialRule;
use crate::publish::settings::Settings;
use crate::publish::validate::fault::ProgramFault;

/// SHA-256 over a zone's records without the SOA serial: equal exactly when the content is.
pub type Digest = [u8; 32];

/// Stands for the primary of a version that was made here and is in no file: a catalog.
pub const MADE_HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Where a version came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A zone file.
    File {
        /// The configured source: the directory, or the file of a zone named one by one.
        root: Arc<Path>,
        /// The file.
        path: Arc<Path>,
        /// SHA-256 over its octets as they were read; `None` if they do not say all, because it includes other files.
        octets: Option<Digest>,
    },
    /// A transfer of the whole zone, or a difference that came after it.
    Transfer {
        /// The primary that gave the whole zone.
        primary: SocketAddr,
    },
}

impl Provenance {
    /// The same, but for the octets of the file: with others it may say the same.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { root, path, .. }, Self::File { root: other_root, path: other_path, .. }) => {
                root == other_root && path == other_path
            }
            (Self::Transfer { .. }, Self::Transfer { .. }) => true,
            (Self::File { .. }, Self::Transfer { .. }) | (Self::Transfer { .. }, Self::File { .. }) => false,
        }
    }
}

/// A version of a zone that wants to be served: read whole and compiled.
#[derive(Debug)]
pub struct Candidate {
    /// The compiled zone, with the source's serial.
    pub zone: Zone,
    /// Its content.
    pub digest: Digest,
    /// Where it came from.
    pub provenance: Provenance,
}

/// What is known of the version in service (or in the state directory): enough to judge its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The serial that is served.
    pub serial: Serial,
    /// The serial of the whole version that the source gave last; differs from `serial` after a bump or a difference.
    pub source_serial: Serial,
    /// The content of the whole version that the source gave last: by it a source that did not change is known, whatever
    /// differences came after it.
    pub source_digest: Digest,
    /// The content; `None` if it came by a difference and nobody has needed to know.
    pub digest: Option<Digest>,
    /// How many records.
    pub records: usize,
    /// Whether the SOA record is signed (RFC 4035 section 2.2).
    pub signed: bool,
}

impl Standing {
    /// Whether differences led on from what the source gave last, so that the source again, unchanged, is
    /// [`Accepted::Outdated`] unless an operator forces it, or has the same content.
    pub(super) fn has_differences(&self) -> bool {
        self.digest != Some(self.source_digest)
    }

    /// The serial that the source gave last, if it is not the one that is served: it was raised here, or differences led on from it.
    pub(super) fn other_source_serial(&self) -> Option<Serial> {
        Some(self.source_serial).filter(|serial| *serial != self.serial)
    }
}

/// Whether a version of a primary is wanted whatever its serial, and why.
///
/// The later one asks less of a version than the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// It is not: it must come after what is served.
    #[default]
    No,
    /// The serial of the primary went backwards, so that what is served is not in its history: its version may have the serial that is
    /// served, with other content. Everything else is asked of it.
    Forked,
    /// The zone was out of service, and is listed again: it may be another one. What is asked of a first version is asked of it.
    Anew,
    /// An operator has ordered it: then nothing but a broken zone is refused.
    Order,
}

/// The rules one candidate is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What to do with other content under the same serial.
    pub serial: SerialRule,
    /// By how many percent it may shrink.
    pub shrink_limit_percent: u8,
    /// Whether what is served does not count: an operator named exactly this version, and then nothing but a broken zone is refused, or
    /// it is the first one of another zone.
    pub forced: bool,
    /// Whether it is that: then what is asked of a first version counts.
    pub is_anew: bool,
    /// Whether what is served is not in the history of its source, so that it may have the same serial with other content.
    pub is_forked: bool,
    /// By how much the serial of a first version is raised that is not signed: what was served before it is lost, and it must come
    /// after that; less than 2^31.
    pub raise: u32,
}

/// A candidate that passed.
#[derive(Debug)]
pub enum Accepted {
    /// It is what is served already.
    Unchanged {
        /// The zone, with the served serial in it.
        zone: Zone,
        /// What its successor will be judged by: the source's serial may be another one now.
        standing: Standing,
    },
    /// It is what the source gave last, and differences have led on from it: what is served stays.
    Outdated,
    /// It is new.
    New {
        /// The zone to serve, with the serial to serve.
        zone: Zone,
        /// What its successor will be judged by.
        standing: Standing,
    },
}

/// Why a candidate may not replace what is served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Other content under the serial that is served; secondaries and caches would never notice.
    #[error(
        "the content changed but the serial is still {serial}: raise the serial, or say serial = \"bump\""
    )]
    SameSerial {
        /// The serial.
        serial: Serial,
    },
    /// The serial does not come after the served one (RFC 1982 section 3.2).
    #[error("serial {offered} does not come after the served {served} (RFC 1982): raise it")]
    WentBack {
        /// The candidate's serial.
        offered: Serial,
        /// The serial in service.
        served: Serial,
    },
    /// The zone lost more of its records than the limit allows.
    #[error("shrank from {from} to {to} records, more than {limit_percent} %: a truncated export?")]
    Shrank {
        /// Records in service.
        from: usize,
        /// Records of the candidate.
        to: usize,
        /// The limit.
        limit_percent: u8,
    },
    /// The served version is signed, this one is not: validating resolvers would call it bogus while a DS is out.
    #[error("the served version is signed, this one is not: sign it, unless the DS is gone")]
    SignaturesLost,
    /// A bump would change the SOA of a signed zone, which breaks its signature.
    #[error(
        "the content changed under serial {serial} and the zone is signed, so the serial cannot be bumped: sign it \
         with a new serial"
    )]
    BumpOfSigned {
        /// The serial.
        serial: Serial,
    },
    /// Signatures do not verify, and the operator wants that refused.
    #[error("{}", wrong_signatures(*.wrong, .first))]
    Signatures {
        /// How many are wrong.
        wrong: u64,
        /// The first of them.
        first: Box<SignatureFault>,
    },
    /// Records that the operator wants in every version are not there.
    #[error("has no {record_type} record at {owner}, which must-have of its [[zone]] asks for")]
    LacksRecord {
        /// Where.
        owner: Name,
        /// Of which type.
        record_type: RecordType,
    },
    /// The zone's own digest is that of another content (RFC 8976).
    #[error(transparent)]
    Zonemd(DigestFault),
    /// An operator went back from a version with this content, and the serial does not tell that it is another one.
    #[error("has the content that a rollback rejected")]
    Rejected,
    /// The operator's program refuses it.
    #[error(transparent)]
    Program(ProgramFault),
    /// What was kept of a zone that takes updates is damaged, and its file is older.
    #[error(
        "what was kept of the zone, its updates among it, is damaged and set aside in the state directory; the file is the seed, and older; \
         accepted, it gets a serial after all that were served"
    )]
    StateLost,
    /// The operator holds the zone at the version that is served.
    #[error("{zone} is held at the version that is served{reason}; to let new ones pass: anyns zone unhold {zone}", reason = shown_reason(.reason))]
    Held {
        /// The zone.
        zone: Name,
        /// Why; empty if nobody said.
        reason: String,
    },
    /// The zone did not compile again after its serial was changed.
    #[error("cannot give the zone the serial {serial}: its SOA record is malformed")]
    Uncompilable {
        /// The serial to give.
        serial: Serial,
    },
}

/// A reason, if there is one.
fn shown_reason(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// How many signatures are wrong, and the first of them.
pub(super) fn wrong_signatures(wrong: u64, first: &SignatureFault) -> String {
    match wrong {
        0 | 1 => format!("a signature is wrong: {first}"),
        _ => format!("{wrong} signatures are wrong, the first: {first}"),
    }
}

/// Judges one candidate against what stands, if anything does.
pub fn accept(candidate: Candidate, standing: Option<&Standing>, terms: Terms) -> Result<Accepted, Refused> {
    let Candidate { zone, digest, provenance: _ } = candidate;
    let offered = Standing {
        serial: zone.serial(),
        source_serial: zone.serial(),
        source_digest: digest,
        digest: Some(digest),
        records: zone.record_count(),
        signed: is_signed(&zone),
    };
    match judge(&offered, standing, terms)? {
        Verdict::Outdated => Ok(Accepted::Outdated),
        Verdict::Unchanged(serial) => {
            let zone = with_serial(zone, serial)?;
            Ok(Accepted::Unchanged { zone, standing: Standing { serial, ..offered } })
        }
        Verdict::Serve(serial) => {
            let zone = with_serial(zone, serial)?;
            Ok(Accepted::New { zone, standing: Standing { serial, ..offered } })
        }
    }
}

/// What to do with a version, and the serial it is served with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Outdated,
    Unchanged(Serial),
    Serve(Serial),
}

/// Whether the judgement depends on the content of what stands, which is not known.
pub(super) fn needs_digest(offered: Serial, standing: &Standing, terms: Terms) -> bool {
    let by_content = terms.serial == SerialRule::Bump || offered == standing.serial;
    standing.digest.is_none() && by_content && !terms.forced
}

/// Judges the version that a difference led to. Its serial is the source's: rules for files do not count here, and nobody
/// forces a difference, but the whole version.
pub(super) fn judge_difference(
    offered: &Standing,
    standing: &Standing,
    shrink_limit_percent: u8,
) -> Result<(), Refused> {
    if !offered.serial.is_after(standing.serial) {
        return Err(Refused::WentBack { offered: offered.serial, served: standing.serial });
    }
    judge_loss(offered, standing, shrink_limit_percent)
}

fn judge(offered: &Standing, standing: Option<&Standing>, terms: Terms) -> Result<Verdict, Refused> {
    let Some(standing) = standing else { return Ok(Verdict::Serve(first(offered, terms.raise))) };
    let same_content = standing.digest.is_some() && offered.digest == standing.digest;
    let same_source = offered.source_serial == standing.source_serial;
    if same_content && same_source {
        return Ok(Verdict::Unchanged(standing.serial));
    }
    if terms.forced {
        return Ok(force(offered, standing, (terms.serial, same_content)));
    }
    if same_source && offered.source_digest == standing.source_digest {
        return Ok(Verdict::Outdated);
    }
    let verdict = match terms.serial {
        SerialRule::Strict if terms.is_forked && offered.serial == standing.serial => {
            Verdict::Serve(offered.serial)
        }
        SerialRule::Strict => strict(offered, standing, same_content)?,
        SerialRule::Bump => bump(offered, standing, same_content)?,
    };
    judge_loss(offered, standing, terms.shrink_limit_percent)?;
    Ok(verdict)
}

/// The serial of a version when nothing stands.
fn first(offered: &Standing, raise: u32) -> Serial {
    // The SOA record of a signed zone stays as it is signed, so it was served with its own serial before, too.
    if offered.signed { offered.serial } else { Serial(offered.serial.0.wrapping_add(raise)) }
}

/// An order names the version, so that it is served; the serial that is served goes on all the same where it is made here.
fn force(offered: &Standing, standing: &Standing, (rule, same_content): (SerialRule, bool)) -> Verdict {
    // The SOA record of a signed zone stays as it is signed.
    if rule == SerialRule::Strict || offered.signed || offered.serial.is_after(standing.serial) {
        return Verdict::Serve(offered.serial);
    }
    match same_content {
        true => Verdict::Unchanged(standing.serial),
        false => Verdict::Serve(standing.serial.next()),
    }
}

/// Refuses a version that lost too many records, or its signatures.
fn judge_loss(offered: &Standing, standing: &Standing, limit_percent: u8) -> Result<(), Refused> {
    let lost = standing.records.saturating_sub(offered.records);
    let most = standing.records.saturating_mul(usize::from(limit_percent.min(100))) / 100;
    if standing.records > Settings::SHRINK_FLOOR && lost > most {
        return Err(Refused::Shrank { from: standing.records, to: offered.records, limit_percent });
    }
    if standing.signed && !offered.signed {
        return Err(Refused::SignaturesLost);
    }
    Ok(())
}

/// The source's serial is served, so it must come after the served one.
fn strict(offered: &Standing, standing: &Standing, same_content: bool) -> Result<Verdict, Refused> {
    match offered.serial.compare(standing.serial) {
        Some(Ordering::Greater) => Ok(Verdict::Serve(offered.serial)),
        Some(Ordering::Equal) if same_content => Ok(Verdict::Unchanged(standing.serial)),
        Some(Ordering::Equal) => Err(Refused::SameSerial { serial: offered.serial }),
        _ => Err(Refused::WentBack { offered: offered.serial, served: standing.serial }),
    }
}

/// The source's serial must not go back from the source's last one; what is served always goes on.
fn bump(offered: &Standing, standing: &Standing, same_content: bool) -> Result<Verdict, Refused> {
    if !matches!(offered.serial.compare(standing.source_serial), Some(Ordering::Greater | Ordering::Equal)) {
        return Err(Refused::WentBack { offered: offered.serial, served: standing.source_serial });
    }
    if offered.serial.is_after(standing.serial) {
        return Ok(Verdict::Serve(offered.serial));
    }
    if same_content {
        return Ok(Verdict::Unchanged(standing.serial));
    }
    if offered.signed {
        return Err(Refused::BumpOfSigned { serial: offered.serial });
    }
    Ok(Verdict::Serve(standing.serial.next()))
}

/// Whether the SOA record carries a signature.
pub(super) fn is_signed(zone: &Zone) -> bool {
    // The apex comes first in canonical order.
    let covers_soa = |rdata: &[u8]| rdata.starts_with(&RecordType::SOA.0.to_be_bytes());
    zone.nodes().next().is_some_and(|apex| {
        let mut signatures = apex.sets().filter(|set| set.record_type == RecordType::RRSIG);
        signatures.any(|set| set.rdata().any(covers_soa))
    })
}

/// The zone with another serial in its SOA record; the very same zone if it has that serial.
pub(super) fn with_serial(zone: Zone, serial: Serial) -> Result<Zone, Refused> {
    if zone.serial() == serial {
        return Ok(zone);
    }
    zone.with_serial(serial).map_err(|_| Refused::Uncompilable { serial })
}

#[cfg(test)]
#[path = "../../tests/unit/publish/accept.rs"]
mod tests;
