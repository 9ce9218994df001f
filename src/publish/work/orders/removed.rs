//! Zones that left the configuration: what is kept of them stays for a time, out of service and out of the report.
//!
//! Zones that go flow in, entries for those that come back flow out, which begin with what is kept. So a `[[zone]]` that is missing in one
//! reload, or a directory that is mistyped, costs neither the only copy of a zone that takes updates nor the serials that were served.

use crate::clock::Moment;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::core::Core;
use crate::publish::work::zone::entry::Entry;
use crate::wire::Name;

impl Core {
    /// The entry of a zone, which is made if there is none.
    pub(in crate::publish) fn entry_or_new(&mut self, zone: &Name) -> &mut Entry {
        if !self.zones.contains_key(zone) {
            let entry = self.keeping.new_entry(zone);
            self.zones.insert(zone.clone(), entry);
        }
        self.zones.entry(zone.clone()).or_default()
    }

    /// Tells the state directory what is new of these zones, and forgets the data of those whose time is over.
    pub(in crate::publish) fn keep_removed(&mut self) {
        let state = self.keeping.state.clone();
        let Some(writer) = state.writer() else { return };
        for zone in self.keeping.removed.take_old(Moment::now()) {
            if !self.zones.contains_key(&zone) && !self.keeping.members.all.contains_key(&zone) {
                tracing::info!(%zone, "the zone left the configuration long ago: what was kept of it is forgotten");
                self.keeping.forget_soon(&zone);
            }
        }
        let changed = std::mem::take(&mut self.keeping.removed.changed);
        if !changed.is_empty() {
            writer.keep_rows_soon(ZoneRows::Removed(changed.into_iter().collect()));
        }
    }
}
