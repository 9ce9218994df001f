//! Zones and queries in memory, made once for each size.

use std::path::PathBuf;
use std::sync::Arc;

use anyns::wire::{LookupName, Name};
use anyns::zone::{Snapshot, Zone};
use anyns::zonefile::{Limits, read_zone};

use crate::queries::{Blend, pick};
use crate::zones::{self, World};

/// Queries that a benchmark goes round: more than the caches of a core hold, so that a large zone is not always warm.
const QUERIES: usize = 1 << 14;

/// The seed of all names.
const SEED: u64 = 1;

/// A zone in every form that is measured.
pub(crate) struct Material {
    /// Its file; the directory goes when this is dropped.
    pub(crate) file: PathBuf,
    /// Its name.
    pub(crate) origin: Name,
    /// Compiled.
    pub(crate) zone: Arc<Zone>,
    /// Alone in a snapshot.
    pub(crate) snapshot: Snapshot,
    world: World,
    _directory: tempfile::TempDir,
}

impl Material {
    /// A zone for this blend of about so many records.
    pub(crate) fn new(blend: Blend, records: u32) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
        let world = match blend {
            // 2.6 records for a delegation.
            Blend::Referral => zones::delegations(directory.path(), records * 5 / 13, SEED),
            _ => zones::mixed(directory.path(), records, SEED),
        };
        let file = world.zones.first().expect("a world has a zone").path.clone();
        let origin: Name = world.origin().parse().expect("the origin is a name");
        let zone = Arc::new(read_zone(&file, &origin, &Limits::default()).expect("the zone is right").zone);
        let snapshot = Snapshot::default().with_changes([Arc::clone(&zone)], &[]).completed();
        Self { file, origin, zone, snapshot, world, _directory: directory }
    }

    /// Queries as they come from the socket, without EDNS.
    pub(crate) fn queries(&self, blend: Blend) -> Vec<Vec<u8>> {
        let mut random = fastrand::Rng::with_seed(SEED);
        (0..QUERIES).map(|_| pick(blend, &self.world, &mut random).encode(0)).collect()
    }

    /// Their names.
    pub(crate) fn names(&self, blend: Blend) -> Vec<LookupName> {
        let name = |query: &Vec<u8>| {
            LookupName::from_wire_prefix(query.get(12..).unwrap_or_default())
                .expect("a name follows the header")
        };
        self.queries(blend).iter().map(name).collect()
    }
}
