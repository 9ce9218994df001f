//! What a worker does with a batch before it answers: see [`crate::zone::Ahead`].

use crate::wire::name_length;
use crate::zone::{Ahead, Snapshot};

/// Octets of a header, behind which QNAME stands.
const HEADER: usize = 12;

/// Asks the cache for what the answer to this query will look at first; call [`Ahead::follow`] once the whole batch has
/// asked. `None` for what cannot be read, and where nothing is gained. Changes nothing.
pub fn ahead<'s>(query: &[u8], snapshot: &'s Snapshot) -> Option<Ahead<'s>> {
    let name = query.get(HEADER..)?;
    snapshot.ahead(name.get(..name_length(name).ok()?)?)
}
