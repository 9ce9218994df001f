//! Whether the zones of the followed catalogs have come or failed, so that a POP that begins with nothing may be announced. No I/O.

use crate::transfer::secondary::AwaitedZones;
use crate::zone::Snapshot;

use super::following::Following;

impl Following {
    /// Whether every catalog and every member has come or failed, or as many as the operator asks for. `awaited`: those that have not; to be
    /// read before `served`, because members of a catalog that is served, and was not looked at, are in neither count.
    pub(super) fn is_ready(&self, awaited: AwaitedZones, served: &Snapshot) -> bool {
        let versions = self.catalogs().iter().filter_map(|catalog| served.zone(&catalog.name));
        let has_news = versions.into_iter().any(|version| self.is_news(version));
        let percent = self.catalogs().iter().map(|catalog| usize::from(catalog.ready_percent)).max();
        let may_miss = self.owners().size() * (100 - percent.unwrap_or(0).min(100)) / 100;
        !has_news && awaited.catalogs == 0 && awaited.members <= may_miss
    }
}
