//! Work that many threads share: a version whole, or what is new in it.

use std::collections::HashSet;

use crate::wire::{LookupName, RecordType};
use crate::zone::Zone;
use crate::zone::record::nsec3::Hash;
use crate::zone::store::blocks::NodeId;
use crate::zone::store::compiled::NodeRef;

use crate::zone::signatures::fault::SignatureFault;
use crate::zone::signatures::owner::{Findings, Verifier};
use crate::zone::signatures::parts::{OwnerId, Part, for_each_change};
use crate::zone::signatures::rrsig::Rrsig;
use crate::zone::signatures::types::map_of_nsec3;

/// Owners of one piece of what is new: some milliseconds.
const PIECE: usize = 64;

/// Owners to verify, in pieces that any thread may take.
#[derive(Debug)]
pub struct Pieces<'z> {
    zone: &'z Zone,
    verifier: Verifier,
    pieces: Vec<(Part, Vec<NodeId>)>,
    is_whole: bool,
}

impl<'z> Pieces<'z> {
    /// All owners of a version; `None` if it is not signed. `now` as in [`Verifier::new`].
    pub fn whole(zone: &'z Zone, now: Option<u64>) -> Option<Self> {
        let verifier = Verifier::new(zone, now)?;
        let leaves = |part: Part| part.order(zone).into_iter().flat_map(|order| order.leaves());
        let pieces =
            Part::ALL.into_iter().flat_map(|part| leaves(part).map(move |leaf| (part, leaf.to_vec())));
        Some(Self { zone, verifier, pieces: pieces.collect(), is_whole: true })
    }

    /// The owners whose records differ from `old`, and those whose signatures are by no key that both have; at most `most`
    /// owners. The time is left out. `None` if the version is not signed.
    pub fn changed(old: Option<&Zone>, zone: &'z Zone, most: usize) -> Option<Self> {
        let verifier = Verifier::new(zone, None)?;
        // Of a version that was not signed nothing stays right.
        let mut owners = match old.filter(|old| Verifier::new(old, None).is_some()) {
            None => all(zone).take(most.saturating_add(1)).collect(),
            Some(old) => affected(old, zone, &verifier, most.saturating_add(1)),
        };
        let is_whole = owners.len() <= most;
        owners.truncate(most);
        let pieces = owners.chunk_by(|a, b| a.0 == b.0).flat_map(|of_part| of_part.chunks(PIECE));
        let piece = |piece: &[(Part, NodeRef<'_>)]| {
            let part = piece.first().map_or(Part::Names, |(part, _)| *part);
            (part, piece.iter().map(|(_, node)| node.place).collect())
        };
        Some(Self { zone, pieces: pieces.map(piece).collect(), verifier, is_whole })
    }

    /// How many pieces.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// Whether nothing was left out.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Those of these faults that the signatures of another version have, too.
    pub fn faults_in(&self, other: &Zone, faults: &[SignatureFault]) -> Vec<SignatureFault> {
        let Some(verifier) = Verifier::new(other, None) else { return Vec::new() };
        let has = |fault: &&SignatureFault| {
            let named = LookupName::from(&fault.owner);
            let hashed = other.hash_of_owner(fault.owner.as_wire()).and_then(|hash| other.member(&hash));
            let owners = other.find(&named).map(|node| (Part::Names, node)).into_iter();
            owners.chain(hashed.map(|node| (Part::Members, node))).any(|(part, node)| {
                let mut found = Findings::default();
                verifier.check(part, node, &mut Vec::new(), &mut found);
                found.told(fault.level).contains(fault)
            })
        };
        faults.iter().filter(has).cloned().collect()
    }

    /// Verifies one piece; `step` is called before each owner.
    pub fn verify(&self, index: usize, mut step: impl FnMut()) -> Findings {
        let (mut found, mut scratch) = (Findings::default(), Vec::new());
        let Some((part, owners)) = self.pieces.get(index) else { return found };
        for place in owners {
            step();
            let node = self.zone.node(*place);
            self.verifier.check(*part, node, &mut scratch, &mut found);
        }
        found
    }
}

/// All owners of a version.
fn all(zone: &Zone) -> impl Iterator<Item = (Part, NodeRef<'_>)> {
    let order = |part: Part| part.order(zone).into_iter().flat_map(|order| order.iter());
    Part::ALL.into_iter().flat_map(move |part| order(part).map(move |place| (part, zone.node(place))))
}

/// What a change may have made wrong, or right; first what has other records.
fn affected<'z>(old: &'z Zone, zone: &'z Zone, verifier: &Verifier, most: usize) -> Vec<(Part, NodeRef<'z>)> {
    let (mut owners, mut seen) = (Vec::new(), HashSet::new());
    for_each_affected(old, zone, |part, node| {
        if owners.len() < most && seen.insert(node.place) {
            owners.push((part, node));
        }
    });
    let before = Verifier::new(old, None).map(|before| before.keys).unwrap_or_default();
    if verifier.keys.is_same(&before) {
        return owners;
    }
    let is_new = |(_, node): &(Part, NodeRef<'z>)| {
        !seen.contains(&node.place)
            && node.sets().filter(|set| set.record_type == RecordType::RRSIG).any(|set| {
                let by_kept = |rdata| {
                    Rrsig::read(rdata)
                        .is_some_and(|it| verifier.keys.share(&before, it.key_tag, it.algorithm))
                };
                !set.rdata().any(by_kept)
            })
    };
    let room = most.saturating_sub(owners.len());
    owners.extend(all(zone).filter(is_new).take(room));
    owners
}

/// Shows the owners of `zone` that have other records than in `old`, and those for which a change elsewhere counts: names that
/// ceased to be below a cut or came to be, and names whose NSEC3 record has another type bit map. Some may come twice. Changes of
/// keys do not count here.
pub(super) fn for_each_affected<'z>(old: &'z Zone, zone: &'z Zone, mut show: impl FnMut(Part, NodeRef<'z>)) {
    let (mut shown, mut hashes) = (HashSet::<Hash>::new(), HashSet::<Hash>::new());
    for_each_change(old, zone, |part, was, is| {
        let [covered, covers] = [was, is].map(|node| node.is_some_and(NodeRef::covers));
        if part == Part::Names
            && covered != covers
            && let Some(here) = is.or_else(|| was.and_then(|was| OwnerId::of(part, was).find(zone)))
        {
            zone.names_below(here).for_each(|below| show(Part::Names, below));
        }
        is.into_iter().for_each(|is| show(part, is));
        let own = [was, is].into_iter().flatten().filter_map(|node| node.node.hash());
        match part {
            Part::Names => shown.extend(own),
            Part::Members if map(was) != map(is) => hashes.extend(own),
            Part::Members | Part::Others => {}
        }
    });
    // A name that stays as it is beside another bit map, or none: only all names tell which one has the hash.
    hashes.retain(|hash| !shown.contains(hash));
    if hashes.is_empty() {
        return;
    }
    let is_of = |(part, node): &(Part, NodeRef<'_>)| {
        *part == Part::Names && node.node.hash().is_some_and(|hash| hashes.contains(hash))
    };
    all(zone).filter(is_of).for_each(|(part, node)| show(part, node));
    let was = all(old).filter(is_of).filter_map(|(part, was)| OwnerId::of(part, was).find(zone));
    was.for_each(|node| show(Part::Names, node));
}

/// The type bit map of an owner of an NSEC3 record.
fn map<'z>(node: Option<NodeRef<'z>>) -> Option<&'z [u8]> {
    map_of_nsec3(node?.set(RecordType::NSEC3)?.rdata().next()?)
}
