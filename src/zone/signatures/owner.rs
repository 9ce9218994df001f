//! The signatures of one owner: every RRset that must be signed, each signature tried as a validator would.
//!
//! Names and signatures flow in, [`Findings`] flow out. Never allocates much: one message at a time.

use crate::wire::{CLASS_IN, Name, RecordType, canonical_rdata};
use crate::zone::store::compiled::{NodeRef, RrSet};
use crate::zone::{Denies, Zone};

use crate::zone::signatures::fault::{Level, Problem, SignatureFault};
use crate::zone::signatures::keys::{Keys, Tried, is_supported};
use crate::zone::signatures::parts::{Part, is_hidden};
use crate::zone::signatures::rrsig::{Algorithm, Rrsig, moment};
use crate::zone::signatures::types;

/// Signatures of one RRset that are tried: one for each key of a zone in the middle of a rollover of all of them.
const MOST_SIGNATURES: usize = 16;
/// Faults of each level that are told; the others are counted.
const MOST_TOLD: usize = 20;

/// Verifies the signatures of a zone.
#[derive(Clone, Debug)]
pub struct Verifier {
    pub(super) keys: Keys,
    algorithms: Vec<Algorithm>,
    /// In lower case.
    origin: Name,
    /// `None` leaves the time out.
    now: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// How many signatures were verified or found to be wrong.
    pub signatures: u64,
    /// How many faults, by level.
    counts: [u64; 3],
    /// The first of each level.
    told: [Vec<SignatureFault>; 3],
}

/// Room for what is signed.
pub(super) type Scratch = Vec<u8>;

impl Findings {
    /// How many faults of this level.
    pub fn count(&self, level: Level) -> u64 {
        self.counts.get(level as usize).copied().unwrap_or(0)
    }

    /// The first faults of this level.
    pub fn told(&self, level: Level) -> &[SignatureFault] {
        self.told.get(level as usize).map_or(&[], Vec::as_slice)
    }

    /// Adds what was found behind these.
    pub fn merge(&mut self, other: Self) {
        self.signatures += other.signatures;
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        for (told, more) in self.told.iter_mut().zip(other.told) {
            let room = MOST_TOLD.saturating_sub(told.len());
            told.extend(more.into_iter().take(room));
        }
    }

    fn add(&mut self, node: NodeRef<'_>, record_type: RecordType, level: Level, problem: Problem) {
        let (Some(count), Some(told)) =
            (self.counts.get_mut(level as usize), self.told.get_mut(level as usize))
        else {
            return;
        };
        *count += 1;
        if told.len() < MOST_TOLD {
            told.push(SignatureFault { owner: node.owner(), record_type, problem, level });
        }
    }
}

/// One signature, and what it came to.
struct Outcome<'z> {
    signature: Rrsig<'z>,
    tried: Result<Tried, Problem>,
}

impl Verifier {
    /// For a zone that is signed: `None` for one without an RRSIG at its apex. `now` is in seconds since 1970; without it the time
    /// is left out.
    pub fn new(zone: &Zone, now: Option<u64>) -> Option<Self> {
        zone.apex().set(RecordType::RRSIG)?;
        let keys = Keys::of(zone);
        Some(Self { algorithms: keys.algorithms(), keys, origin: zone.origin().to_lowercase(), now })
    }

    /// Verifies what one owner of this part of the zone has.
    pub(super) fn check(&self, part: Part, node: NodeRef<'_>, scratch: &mut Scratch, found: &mut Findings) {
        let is_hidden = is_hidden(part, node);
        for set in node.sets() {
            if set.record_type == RecordType::RRSIG {
                let is_there = set.covered != RecordType::RRSIG && node.set(set.covered).is_some();
                if !is_there || !is_signed(node, is_hidden, set.covered) {
                    found.add(node, set.covered, Level::Note, Problem::Orphan);
                }
            } else if is_signed(node, is_hidden, set.record_type) {
                self.rrset(node, set, scratch, found);
            }
        }
        // A type bit map is of the name whose hash the owner of an NSEC3 record is.
        if is_hidden || part != Part::Names {
            return;
        }
        let denial = match node.zone().denies() {
            Denies::WithNothing => return,
            Denies::WithNsec => RecordType::NSEC,
            Denies::WithNsec3 => RecordType::NSEC3,
        };
        for problem in types::faults(node, denial) {
            found.add(node, denial, Level::Wrong, problem);
        }
        if node.is_same(node.zone().apex()) {
            self.keys_of(node, found);
        }
    }

    /// What is odd about the keys.
    fn keys_of(&self, apex: NodeRef<'_>, found: &mut Findings) {
        for key in self.keys.iter() {
            let (key_tag, algorithm) = (key.tag, key.algorithm);
            let problem = match key.unusable() {
                _ if !key.is_zone_key() => Problem::NoZoneKey { key_tag, algorithm },
                _ if key.is_revoked() => Problem::RevokedKey { key_tag, algorithm },
                Some(reason) => Problem::UnusableKey { key_tag, algorithm, reason },
                None if matches!(algorithm.0, 5 | 7) => Problem::Deprecated { key_tag, algorithm },
                None => continue,
            };
            found.add(apex, RecordType::DNSKEY, Level::Note, problem);
        }
    }

    fn rrset(&self, node: NodeRef<'_>, set: RrSet<'_>, scratch: &mut Scratch, found: &mut Findings) {
        let Some(signatures) = node.signatures(set.record_type) else {
            return found.add(node, set.record_type, Level::Wrong, Problem::Unsigned);
        };
        let mut outcomes: Vec<Outcome<'_>> = Vec::new();
        for rdata in signatures.rdata().take(MOST_SIGNATURES) {
            let Some(signature) = Rrsig::read(rdata) else {
                found.add(node, set.record_type, Level::Wrong, Problem::Malformed);
                continue;
            };
            found.signatures += 1;
            let tried = self.signature(node, set, &signature, scratch, found);
            outcomes.push(Outcome { signature, tried });
        }
        let count = signatures.rdata().count();
        if count > MOST_SIGNATURES {
            let problem = Problem::TooMany { count, verified: MOST_SIGNATURES };
            found.add(node, set.record_type, Level::Note, problem);
        }
        self.judge(node, set.record_type, &outcomes, found);
        for algorithm in &self.algorithms {
            if !outcomes.iter().any(|one| one.signature.algorithm == *algorithm) {
                found.add(node, set.record_type, Level::Note, Problem::NoSignatureBy(*algorithm));
            }
        }
    }

    /// Says what is wrong; how bad that is depends on whether another signature of the RRset is good.
    fn judge(
        &self,
        node: NodeRef<'_>,
        record_type: RecordType,
        outcomes: &[Outcome<'_>],
        found: &mut Findings,
    ) {
        let is_verified = |one: &&Outcome<'_>| matches!(one.tried, Ok(Tried::Verified));
        let is_open = |one: &Outcome<'_>| match one.tried {
            Ok(Tried::Unusable(reason)) => reason.is_unsupported(),
            _ => false,
        };
        let is_in_time = outcomes.iter().filter(is_verified).any(|one| self.late(&one.signature).is_none());
        let is_excused = outcomes.iter().any(|one| is_verified(&one) || is_open(one));
        for Outcome { signature, tried } in outcomes {
            let (key_tag, algorithm) = (signature.key_tag, signature.algorithm);
            let harmless = if is_excused { Level::Note } else { Level::Wrong };
            let (level, problem) = match tried {
                Err(problem) => (Level::Wrong, problem.clone()),
                Ok(Tried::Mismatch) => (Level::Wrong, Problem::Mismatch { key_tag, algorithm }),
                Ok(Tried::NoKey) => (harmless, Problem::NoKey { key_tag, algorithm }),
                Ok(Tried::Revoked) => (harmless, Problem::Revoked { key_tag, algorithm }),
                Ok(Tried::Unusable(reason)) => {
                    let problem = Problem::Unusable { key_tag, algorithm, reason: *reason };
                    (if reason.is_unsupported() { Level::Note } else { harmless }, problem)
                }
                Ok(Tried::Verified) => match self.late(signature) {
                    None => continue,
                    Some(problem) => (if is_in_time { Level::Note } else { Level::Time }, problem),
                },
            };
            found.add(node, record_type, level, problem);
        }
    }

    /// Why a signature is not valid at this moment.
    fn late(&self, signature: &Rrsig<'_>) -> Option<Problem> {
        let now = self.now?;
        let key_tag = signature.key_tag;
        let (expires, begins) = (moment(signature.expiration, now), moment(signature.inception, now));
        if expires < now {
            return Some(Problem::Expired { key_tag, at: expires });
        }
        (begins > now).then_some(Problem::Early { key_tag, at: begins })
    }

    /// Tries one signature; an error if its fields are wrong, whatever the keys.
    fn signature(
        &self,
        node: NodeRef<'_>,
        set: RrSet<'_>,
        signature: &Rrsig<'_>,
        scratch: &mut Scratch,
        found: &mut Findings,
    ) -> Result<Tried, Problem> {
        let key_tag = signature.key_tag;
        if !signature.signer.eq_ignore_ascii_case(self.origin.as_wire()) {
            let signer = Name::from_wire(signature.signer).unwrap_or_else(|_| Name::root());
            return Err(Problem::Signer { key_tag, signer });
        }
        let mut buffer = [0; Name::MAX_OCTETS];
        let length = node.owner_into(&mut buffer).len();
        buffer.make_ascii_lowercase();
        let owner = buffer.get(..length).unwrap_or(&[0]);
        let right = labels(owner);
        if signature.labels != right {
            return Err(Problem::Labels { key_tag, labels: signature.labels, right });
        }
        if signature.original_ttl != set.ttl {
            let problem = Problem::OriginalTtl { key_tag, original: signature.original_ttl, ttl: set.ttl };
            found.add(node, set.record_type, Level::Wrong, problem);
        }
        if !is_supported(signature.algorithm) {
            return Ok(Tried::Unusable(crate::zone::signatures::keys::Unusable::Algorithm));
        }
        write_message(scratch, owner, &self.origin, set, signature);
        let named = (key_tag, signature.algorithm);
        Ok(self.keys.verify(named, set.record_type, scratch, signature.signature))
    }
}

/// Whether an RRset is authoritative data of the zone, which is signed (RFC 4035 section 2.2).
fn is_signed(node: NodeRef<'_>, is_hidden: bool, record_type: RecordType) -> bool {
    let of_parent = matches!(record_type, RecordType::DS | RecordType::NSEC);
    !is_hidden && (!node.is_cut() || of_parent)
}

/// What the labels field must say of an owner in wire form (RFC 4034 section 3.1.3).
fn labels(owner: &[u8]) -> u8 {
    let (mut rest, mut count) = (owner, 0_u8);
    while let Some((&length @ 1.., after)) = rest.split_first() {
        rest = after.get(usize::from(length)..).unwrap_or(&[]);
        count = count.saturating_add(1);
    }
    count - u8::from(owner.starts_with(b"\x01*"))
}

/// What is signed (RFC 4034 section 3.1.8.1): the RRSIG's fields, then the RRset in canonical form and order, as it stands in the
/// zone.
fn write_message(message: &mut Scratch, owner: &[u8], signer: &Name, set: RrSet<'_>, signature: &Rrsig<'_>) {
    message.clear();
    message.extend_from_slice(signature.head);
    message.extend_from_slice(signer.as_wire());
    for rdata in set.rdata() {
        let lowered = canonical_rdata(set.record_type, rdata);
        let rdata = lowered.as_deref().unwrap_or(rdata);
        message.extend_from_slice(owner);
        message.extend_from_slice(&set.record_type.0.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        message.extend_from_slice(&signature.original_ttl.to_be_bytes());
        // RDLENGTH has 16 bits, and no RDATA is longer.
        message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        message.extend_from_slice(rdata);
    }
}
