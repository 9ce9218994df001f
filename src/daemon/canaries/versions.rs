//! Which version of a zone each secondary may have. One thread writes, any thread reads, without a lock.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rpds::RedBlackTreeMapSync;

use crate::config::CanaryGroup;
use crate::transfer::primary::NoVersion;
use crate::wire::{Name, Serial};
use crate::zone::Zone;

/// See the module.
#[derive(Debug)]
pub(in crate::daemon) struct ReleasedVersions(ArcSwap<Released>);

/// The groups, and of each zone that one of them covers the version that all secondaries may have.
#[derive(Clone, Debug, Default)]
pub(super) struct Released {
    pub(super) groups: Arc<[CanaryGroup]>,
    pub(super) zones: RedBlackTreeMapSync<Name, Arc<Zone>>,
}

impl ReleasedVersions {
    /// Zones of these groups go to no other secondary until a version is known to be released.
    pub(in crate::daemon) fn new(groups: &[CanaryGroup]) -> Self {
        Self(ArcSwap::from_pointee(Released { groups: groups.into(), ..Released::default() }))
    }

    /// The version of the zone that a secondary may have, where `served` is the newest.
    pub(in crate::daemon) fn version_for(
        &self,
        served: Arc<Zone>,
        client: IpAddr,
    ) -> Result<Arc<Zone>, NoVersion> {
        let released = self.0.load();
        if released.groups.is_empty() {
            return Ok(served);
        }
        let name = served.origin().to_string();
        match released.groups.iter().find(|group| group.covers(&name)) {
            Some(group) if !group.has(client) => {
                released.zones.get(served.origin()).cloned().ok_or(NoVersion::Withheld)
            }
            _ => Ok(served),
        }
    }

    /// The serial of the version that all secondaries may have, if there is one; `None` where no group covers the zone.
    pub(super) fn released(&self, name: &Name) -> Option<Option<Serial>> {
        let released = self.0.load();
        let text = name.to_string();
        let is_covered = released.groups.iter().any(|group| group.covers(&text));
        is_covered.then(|| released.zones.get(name).map(|zone| zone.serial()))
    }

    /// Whether the version that all secondaries may have is this one.
    pub(super) fn has(&self, name: &Name, serial: Serial) -> bool {
        self.0.load().zones.get(name).is_some_and(|zone| zone.serial() == serial)
    }

    /// The version that all secondaries may have, if it is there.
    pub(super) fn zone(&self, name: &Name) -> Option<Arc<Zone>> {
        self.0.load().zones.get(name).cloned()
    }

    /// Changes what all secondaries may have. Of the writing thread alone.
    pub(super) fn change(&self, change: impl FnOnce(&mut Released)) {
        let mut released = Released::clone(&self.0.load());
        change(&mut released);
        self.0.store(Arc::new(released));
    }

    /// Lets all secondaries have this version.
    pub(super) fn put(&self, zone: Arc<Zone>) {
        self.change(|released| released.zones.insert_mut(zone.origin().clone(), zone));
    }
}
