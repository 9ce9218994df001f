//! Whether the signatures of a version let it replace what is served, where the operator wants wrong ones refused.
//!
//! What is verified before a version is published: the owners whose records changed, and, if there are other keys, those whose
//! signatures are by no key that stayed. Signatures by keys that stayed verify as they did. Without a version that is served that is
//! the whole zone. At most [`MAX_OWNERS`] owners; the others are verified behind the publishing, as with `warn`.

use crate::zone::Zone;
use crate::zone::signatures::{Level, Pieces, SignatureFault};

use crate::publish::accept::Refused;
use crate::publish::verify::parallel::verify;

/// Owners that are verified before a version is published: with two signatures each of ECDSA P-256 some ten seconds of two cores.
const MAX_OWNERS: usize = 100_000;

/// Why the version may not be published; `None` if it may, or is not signed.
pub(in crate::publish) fn refused(old: Option<&Zone>, zone: &Zone) -> Option<Refused> {
    let pieces = Pieces::changed(old, zone, MAX_OWNERS)?;
    let found = verify(&pieces, |_| {});
    let told = found.told(Level::Wrong);
    // What was wrong before, and stays so, is no fault of this version.
    let known: Vec<SignatureFault> = old.map_or_else(Vec::new, |old| pieces.faults_in(old, told));
    let mut new = told.iter().filter(|fault| !known.contains(fault));
    let first = new.next()?.clone();
    let wrong = found.count(Level::Wrong) - known.len() as u64;
    Some(Refused::Signatures { wrong, first: Box::new(first) })
}
