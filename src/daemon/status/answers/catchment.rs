//! The document of the client prefixes that reach this POP.

use crate::catchment::FamilyCatchment;
use crate::control::{CatchmentFamily, CatchmentPrefix, CatchmentStatus};

use crate::daemon::status::State;

impl State {
    /// The newest counts, with at most so many prefixes of each family; `None` if nobody counts.
    pub(in crate::daemon::status) fn catchment(&mut self, most: usize) -> Option<CatchmentStatus> {
        let catchment = self.sources.catchment.as_ref()?.load();
        let clock = self.anchor.clock();
        let settings = &self.sources.settings;
        Some(CatchmentStatus {
            pop: settings.pop.clone(),
            instance: settings.instance.clone(),
            now: clock.unix(),
            since: clock.of(catchment.since),
            one_in: catchment.one_in,
            ipv4: family(&catchment.ipv4, most),
            ipv6: family(&catchment.ipv6, most),
        })
    }
}

fn family(family: &FamilyCatchment, most: usize) -> CatchmentFamily {
    let prefixes = family.prefixes.iter().take(most);
    let prefixes = prefixes.map(|one| CatchmentPrefix {
        prefix: one.prefix.to_string(),
        samples: one.samples,
        missed: one.missed,
    });
    CatchmentFamily { samples: family.samples, prefixes: prefixes.collect() }
}
