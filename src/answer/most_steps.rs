//! The most steps that an answer takes, whatever the query and the zones: what its loops are bounded by.
//!
//! Never part of an answer: the fuzz targets compare it with what [`steps`](crate::wire::steps) counted. Beside the
//! steps, a query is read once, octet by octet, and a name's RRsets are looked through for each one that is wanted.

use crate::wire::steps::Steps;

use super::additional::MAX_TARGETS;
use super::chain::MAX_ALIASES;
use super::chain::MAX_PROOFS;

/// The least octets of a record: a root owner, the fixed fields, no RDATA (RFC 1035 section 3.2.1).
const MIN_RECORD: u64 = 11;
/// An answer is full twice at most: what is too large for it is rolled back and ends it, or is additional data and ends
/// that; OPT comes behind both.
const FULL: u64 = 2;
/// Searches for one name of the chain: the zone, for DS the one above, the name.
const SEARCHES_BY_NAME: u64 = 3;
/// Searches for one name of the additional section: the zone, the name, its glue.
const SEARCHES_BY_TARGET: u64 = 3;
/// Comparisons for each octet written. A label takes two octets at least, and is compared with 64 suffixes; those as
/// long as what is left of its name are compared label by label, 64 suffixes of one label each or one of 64 labels. A
/// pointer takes two octets too.
const COMPARISONS_BY_OCTET: u64 = 96;
/// Labels and pointers of one name (`wire::Writer::name_at_is`).
const NAME_PARTS: u64 = 256;

/// The most steps of an answer that may have `limit` octets; it does not depend on the zones.
///
/// - Searches: the chain, its proofs, and the additional section.
/// - Glue: one for each NS record that fits.
/// - Hashes: each makes a proof.
/// - Records: as many as fit, and what was rolled back.
/// - Comparisons: the names that are written, and each name of the chain with the aliases and DNAMEs before it.
pub fn most_steps(limit: usize) -> Steps {
    let octets = FULL * limit as u64;
    let (aliases, proofs) = (MAX_ALIASES as u64, MAX_PROOFS as u64);
    let records = octets / MIN_RECORD + 1;
    let names_of_chain = aliases + 1;
    Steps {
        searches: names_of_chain * SEARCHES_BY_NAME + proofs + MAX_TARGETS as u64 * SEARCHES_BY_TARGET,
        glue: limit as u64 / MIN_RECORD,
        hashes: proofs,
        records,
        // A DNAME is looked for among those before it twice, a target among the aliases once.
        comparisons: octets * COMPARISONS_BY_OCTET + 3 * names_of_chain * aliases * NAME_PARTS,
    }
}
