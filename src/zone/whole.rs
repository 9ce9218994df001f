//! A zone from all of its records.

use crate::wire::Name;

use super::batch::RecordBatch;
use super::check::Checks;
use super::compile::compile;
use super::compiled::Zone;
use super::entry::sorted;
use super::fault::ZoneFault;
use super::link::{choose, link};
use super::store::Exhausted;

/// Checks and compiles; on error every fault that was found. What the batches know of their records is in `checks` already.
pub(super) fn compile_whole(
    origin: Name,
    batches: &[RecordBatch],
    mut checks: Checks,
) -> Result<Zone, Vec<ZoneFault>> {
    let entries = sorted(batches.iter().flat_map(RecordBatch::entries).collect());
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
