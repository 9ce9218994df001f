//! A zone from all of its records.

use crate::wire::Name;

use crate::zone::compile::batch::RecordBatch;
use crate::zone::compile::check::Checks;
use crate::zone::compile::nodes::compile;
use crate::zone::denial::link::{choose, link};
use crate::zone::record::entry::sorted;
use crate::zone::record::fault::ZoneFault;
use crate::zone::store::blocks::Exhausted;
use crate::zone::store::compiled::Zone;

/// Checks and compiles; on error every fault that was found. What the batches know of their records is in `checks` already.
pub(in crate::zone) fn compile_whole(
    origin: Name,
    batches: &[RecordBatch],
    mut checks: Checks,
) -> Result<Zone, Vec<ZoneFault>> {
    let mut entries = Vec::with_capacity(batches.iter().map(RecordBatch::record_count).sum());
    entries.extend(batches.iter().flat_map(RecordBatch::entries));
    let entries = sorted(entries);
    let hashed = sorted(batches.iter().flat_map(RecordBatch::hashed).collect());
    checks.zone(&origin, &entries);
    let mut checks = checks.passed()?;
    let chosen = choose(&origin, &entries, &hashed, &mut checks);
    let mut zone = compile(origin.clone(), &entries, chosen.is_some()).map_err(|fault| vec![fault])?;
    link(&mut zone, chosen, &entries, &hashed, &mut checks)
        .map_err(|Exhausted| vec![ZoneFault::TooLarge { origin }])?;
    let warnings = checks.finish()?;
    Ok(zone.closed(entries.len() + hashed.len(), warnings))
}
