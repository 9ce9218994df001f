//! In what two whole versions of a zone differ, exactly: for the history of a zone that was deployed anew.
//!
//! Two versions flow in, records flow out. What both share in memory is skipped, so that a difference between versions
//! that share costs what it changes; between others it costs one walk over both.

use std::collections::BTreeSet;

use crate::wire::{Name, RecordType};

use crate::zone::signatures::parts::for_each_change;
use crate::zone::store::compiled::{NodeRef, Zone};

/// Owner in wire form, type, TTL, RDATA.
pub type ExactRecord = (Vec<u8>, RecordType, u32, Vec<u8>);

/// What was deleted and what was added, each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactDifference {
    /// Records of the older version that the newer one has not.
    pub deleted: BTreeSet<ExactRecord>,
    /// Records of the newer version that the older one had not.
    pub added: BTreeSet<ExactRecord>,
}

impl ExactDifference {
    /// Whether both versions have the same records.
    pub fn is_empty(&self) -> bool {
        self.deleted.is_empty() && self.added.is_empty()
    }
}

impl Zone {
    /// In what this version differs from `before`: every record of the one side is in the one version and not in the
    /// other, owner, TTL and RDATA octet by octet. `None` if that is more than so many octets of owners and RDATA.
    pub fn exact_difference(&self, before: &Self, most_octets: usize) -> Option<ExactDifference> {
        let mut found = ExactDifference::default();
        let mut octets = 0;
        for_each_change(before, self, |_, was, is| {
            if octets > most_octets {
                return;
            }
            let before: BTreeSet<ExactRecord> = was.map(records).unwrap_or_default();
            let after: BTreeSet<ExactRecord> = is.map(records).unwrap_or_default();
            let size = |it: &ExactRecord| it.0.len() + it.3.len();
            octets += before.symmetric_difference(&after).map(size).sum::<usize>();
            found.deleted.extend(before.difference(&after).cloned());
            found.added.extend(after.difference(&before).cloned());
        });
        if octets > most_octets {
            return None;
        }
        // The owner of an NSEC3 record may stand in another chain now.
        let both: Vec<ExactRecord> = found.deleted.intersection(&found.added).cloned().collect();
        for record in both {
            found.deleted.remove(&record);
            found.added.remove(&record);
        }
        Some(found)
    }
}

fn records(node: NodeRef<'_>) -> BTreeSet<ExactRecord> {
    let mut buffer = [0; Name::MAX_OCTETS];
    let owner = node.owner_into(&mut buffer);
    let of_set = |set: crate::zone::RrSet<'_>| {
        let records: Vec<ExactRecord> =
            set.rdata().map(|rdata| (owner.to_vec(), set.record_type, set.ttl, rdata.to_vec())).collect();
        records
    };
    node.sets().flat_map(of_set).collect()
}
