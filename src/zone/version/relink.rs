//! The NSEC3 chain of the next version, from what an amendment has of it (RFC 5155).
//!
//! Puts and removes NSEC3 records, then looks at what that can have made wrong: the links at and before the changed
//! hashes, and the names that were touched, with those above them. Says only whether all is well; what is wrong with a chain
//! that is not, is said by [`crate::zone::denial::link`], which sees all of it.

use std::collections::BTreeSet;

use crate::wire::{Name, RecordType};

use crate::zone::denial::link::may_be_left_out;
use crate::zone::record::entry::Entry;
use crate::zone::record::nsec3::{Hash, Nsec3};
use crate::zone::store::blocks::Exhausted;
use crate::zone::store::compiled::{Chain, Denial, NodeRef, Zone};
use crate::zone::version::amendment::Amendment;
use crate::zone::version::edit::Editor;

/// Owners without the apex, in lower case.
type OwnerSet = BTreeSet<Box<[u8]>>;

/// Changes the chain of a version whose names are changed already, `touched` among them; says whether it is whole.
pub(in crate::zone) fn relink(
    editor: &mut Editor,
    before: &Zone,
    amendment: &Amendment<'_>,
    touched: &OwnerSet,
) -> Result<bool, Exhausted> {
    let mut put = Vec::new();
    for records in amendment.hashed.chunk_by(Entry::is_beside) {
        let Some(hash) = before.hash_of(&records[0]).filter(|_| before.is_of_chain(records)) else {
            return Ok(false);
        };
        editor.put_hashed(&hash, records)?;
        put.push(hash);
    }
    for hash in &amendment.hashed_gone {
        editor.remove_hashed(hash);
    }
    let zone = editor.zone();
    let changed = put.iter().chain(&amendment.hashed_gone);
    if !changed.clone().all(|hash| zone.links_hold_at(hash)) || opt_out_ends(before, zone, changed.clone()) {
        return Ok(false);
    }
    let names = with_related(zone, before, touched);
    let Some(matched) = belonging(editor, &names)? else { return Ok(false) };
    // Each record that came, went or may have lost its name must be that of a name which was looked at: only then is
    // nothing to be said of the other names, and no record is that of none.
    let had: BTreeSet<&Hash> = names.iter().filter_map(|owner| before.relative(owner)?.node.hash()).collect();
    let zone = editor.zone();
    let come = put.iter().filter(|hash| before.member(hash).is_none()).all(|hash| matched.contains(hash));
    let gone = amendment.hashed_gone.iter().all(|hash| had.contains(hash));
    let left = had.iter().all(|hash| matched.contains(*hash) || zone.member(hash).is_none());
    Ok(come && gone && left)
}

impl Zone {
    /// The NSEC3 node with this hash, of the chain that is served.
    pub(in crate::zone) fn member(&self, hash: &Hash) -> Option<NodeRef<'_>> {
        let Denial::Nsec3(chain) = &self.denial else { return None };
        self.member_of(chain, hash)
    }

    /// Whether the records of a hashed owner are one NSEC3 record of the chain that is served, and its signatures.
    fn is_of_chain(&self, records: &[Entry<'_>]) -> bool {
        let Denial::Nsec3(chain) = &self.denial else { return false };
        let mut nsec3 = records.iter().filter(|entry| entry.record_type == RecordType::NSEC3);
        nsec3.next().is_some_and(|entry| chain.parameters.has(entry.rdata())) && nsec3.next().is_none()
    }

    /// Whether the record with this hash names the next one, and the record before it what then comes.
    fn links_hold_at(&self, hash: &Hash) -> bool {
        let Denial::Nsec3(chain) = &self.denial else { return false };
        let at = self.position_at_or_before(chain, hash);
        let own = at.filter(|at| self.hash_at(chain, *at) == Some(hash));
        let before = match own {
            Some(own) => chain.order.before(own),
            None => at,
        };
        let link = |at| {
            let next =
                chain.order.after(at).or(chain.order.first()).and_then(|next| self.hash_at(chain, next));
            let nsec3 = chain.order.get(at).and_then(|place| nsec3_at(self.node(place)));
            nsec3.zip(next).is_some_and(|(nsec3, next)| nsec3.next == next)
        };
        before.or(chain.order.last()).is_some_and(link) && own.is_none_or(link)
    }

    /// The node of a name that is given without the apex and in lower case.
    pub(in crate::zone) fn relative(&self, owner: &[u8]) -> Option<NodeRef<'_>> {
        self.at(self.apex_hash.below_all(owner), owner)
    }
}

/// Whether names that opt-out left out may need a record now: one with opt-out went, one without came.
fn opt_out_ends<'h>(before: &Zone, zone: &Zone, mut changed: impl Iterator<Item = &'h Hash> + Clone) -> bool {
    let opts_out = |zone: &Zone, hash| zone.member(hash).and_then(nsec3_at).map(|nsec3| nsec3.opt_out);
    changed.clone().any(|hash| opts_out(before, hash) == Some(true))
        && changed.any(|hash| opts_out(zone, hash) == Some(false))
}

/// Names, those above them, which may be empty now or no longer, and those below them, if they came to be part of the
/// zone or ceased to be.
fn with_related(zone: &Zone, before: &Zone, touched: &OwnerSet) -> OwnerSet {
    let mut names = touched.clone();
    for owner in touched {
        let mut above = &**owner;
        while let Some(length) = above.first() {
            above = above.get(1 + usize::from(*length)..).unwrap_or(&[]);
            if !names.insert(above.into()) {
                break;
            }
        }
        names.extend(
            zone.uncovered_or_covered(before, owner)
                .map(|node| node.node.owner().to_ascii_lowercase().into()),
        );
    }
    names
}

/// Notes for each of these names whether it has an NSEC3 record. `None` if one that must have one has not; else the hashes of
/// those that have one.
fn belonging(editor: &mut Editor, names: &OwnerSet) -> Result<Option<BTreeSet<Hash>>, Exhausted> {
    let mut matched = BTreeSet::new();
    for owner in names {
        let zone = editor.zone();
        let (Some(node), Denial::Nsec3(chain)) = (zone.relative(owner), &zone.denial) else { continue };
        if zone.cover(node).is_some_and(|cover| !cover.is_same(node)) {
            editor.set_hash(node.place, None)?;
            continue;
        }
        let mut buffer = [0; Name::MAX_OCTETS];
        let length = node.owner_into(&mut buffer).len();
        buffer.make_ascii_lowercase();
        let hash = chain.parameters.hash(buffer.get(..length).unwrap_or(&[0]));
        let belongs = zone.member_of(chain, &hash).is_some();
        let is_left_out = || may_be_left_out(node) && covered_by_opt_out(zone, chain, &hash);
        if !belongs && !is_left_out() {
            return Ok(None);
        }
        editor.set_hash(node.place, belongs.then_some(&hash))?;
        if belongs {
            matched.insert(hash);
        }
    }
    Ok(Some(matched))
}

fn covered_by_opt_out(zone: &Zone, chain: &Chain, hash: &Hash) -> bool {
    let covering = zone.nsec3_at_or_before(chain, hash).and_then(|(node, _)| nsec3_at(node));
    covering.is_some_and(|nsec3| nsec3.opt_out)
}

fn nsec3_at(node: NodeRef<'_>) -> Option<Nsec3<'_>> {
    node.set(RecordType::NSEC3)?.rdata().next().and_then(Nsec3::read)
}
