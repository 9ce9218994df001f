//! Data at a name.

use crate::wire::{Full, RecordType};
use crate::zone::{NodeRef, RrSet};

use super::chain::Chain;

/// Writes what the name has of QTYPE; says whether it has any.
pub(super) fn write<'a>(chain: &mut Chain<'a, '_>, node: NodeRef<'a>) -> Result<bool, Full> {
    match chain.record_type {
        RecordType::ANY => any(chain, node),
        RecordType::RRSIG => {
            let mut found = false;
            for set in node.sets().filter(|set| set.record_type == RecordType::RRSIG) {
                chain.write_answer(node, set)?;
                found = true;
            }
            Ok(found)
        }
        wanted => {
            let Some(set) = node.set(wanted) else { return Ok(false) };
            chain.write_answer(node, set)?;
            chain.found = Some(set);
            Ok(true)
        }
    }
}

/// ANY: one RRset (RFC 8482 section 4.1), the first by type that is not there for DNSSEC alone.
///
/// The same over every transport, as NSD 4.6 and Knot DNS 3.2 answer it: as small as can be, and still something
/// true for a person who debugs. HINFO (section 4.2) would invent a record that the zone does not have.
fn any<'a>(chain: &mut Chain<'a, '_>, node: NodeRef<'a>) -> Result<bool, Full> {
    let plain = |set: &RrSet<'_>| !matches!(set.record_type, RecordType::RRSIG | RecordType::NSEC);
    let Some(set) = node.sets().find(plain).or_else(|| node.sets().next()) else { return Ok(false) };
    chain.write_answer(node, set)?;
    chain.found = Some(set);
    Ok(true)
}
