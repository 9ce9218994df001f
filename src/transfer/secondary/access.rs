//! Which NOTIFY may be taken, and what is taken: looked up without allocating, because messages come from anywhere.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rpds::HashTrieMapSync;

use crate::transfer::tsig::Keys;
use crate::wire::octets::FlatName;
use crate::wire::{LookupName, Name, Serial};

use crate::transfer::secondary::settings::{MemberZones, SecondarySettings, SecondaryZone};

/// One zone, and who may tell of it.
#[derive(Debug)]
pub(super) struct ZoneAccess {
    pub(super) settings: SecondaryZone,
}

/// All of them, as the configuration is now.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    pub(super) keys: Arc<Keys>,
    /// By the apex's wire form in lower case.
    zones: Arc<HashMap<Box<[u8]>, Arc<ZoneAccess>>>,
    /// The same of zones that catalogs list: a change shares what stays.
    members: HashTrieMapSync<Box<[u8]>, Arc<ZoneAccess>>,
    addresses: HashSet<IpAddr>,
    prefixes: Vec<IpNet>,
}

/// What came to a service address, for the coordinator.
#[derive(Debug)]
pub(super) enum AtService {
    /// A NOTIFY that is accepted.
    Notified { zone: Arc<ZoneAccess>, source: IpAddr, hint: Option<Serial> },
    /// An UPDATE that was refused.
    Update { zone: Arc<ZoneAccess>, source: IpAddr },
}

impl Access {
    pub(super) fn new(settings: &SecondarySettings) -> Self {
        let mut access = Self { keys: settings.keys.clone(), ..Self::default() };
        let (mut prefixes, mut zones) = (HashSet::new(), HashMap::new());
        for zone in &settings.zones {
            access.addresses.extend(zone.primaries.iter().map(|primary| primary.address.ip()));
            prefixes.extend(zone.notify.0.iter().map(|entry| entry.prefix));
            let key = zone.name.as_wire().to_ascii_lowercase().into();
            zones.insert(key, Arc::new(ZoneAccess { settings: zone.clone() }));
        }
        access.zones = Arc::new(zones);
        access.prefixes.extend(prefixes);
        access
    }

    /// With the zones that catalogs list, as they were in another one. Sources that no zone lists any more are asked for their zone.
    pub(super) fn with_members_of(mut self, other: &Self) -> Self {
        self.members = other.members.clone();
        for zone in self.members.values() {
            self.addresses.extend(zone.settings.primaries.iter().map(|primary| primary.address.ip()));
            add_prefixes(&mut self.prefixes, &zone.settings);
        }
        self
    }

    /// With other zones that catalogs list.
    pub(super) fn change_members(&self, changes: &MemberZones) -> Self {
        let mut access = self.clone();
        let key = |name: &Name| -> Box<[u8]> { name.as_wire().to_ascii_lowercase().into() };
        for name in &changes.removed {
            access.members.remove_mut(&key(name));
        }
        for zone in &changes.set {
            access.addresses.extend(zone.primaries.iter().map(|primary| primary.address.ip()));
            add_prefixes(&mut access.prefixes, zone);
            access.members.insert_mut(key(&zone.name), Arc::new(ZoneAccess { settings: zone.clone() }));
        }
        access
    }

    /// Whether a list names this source: a prefix that takes every address names nobody.
    pub(super) fn names(&self, source: IpAddr) -> bool {
        let mut prefixes = self.prefixes.iter().filter(|prefix| prefix.prefix_len() > 0);
        self.addresses.contains(&source) || prefixes.any(|prefix| prefix.contains(&source))
    }

    /// Whether anything that comes from there may be taken.
    pub(super) fn is_listed(&self, source: IpAddr) -> bool {
        self.addresses.contains(&source) || self.prefixes.iter().any(|prefix| prefix.contains(&source))
    }

    /// The zone with this apex.
    pub(super) fn zone(&self, name: &Name) -> Option<&Arc<ZoneAccess>> {
        let name = LookupName::from(name);
        let key = name.ancestor(0);
        self.zones.get(key).or_else(|| self.members.get(key))
    }

    /// The zone with the apex that was read from a message.
    pub(super) fn zone_at(&self, name: &FlatName) -> Option<&Arc<ZoneAccess>> {
        let name = name.lower();
        self.zones.get(name.as_wire()).or_else(|| self.members.get(name.as_wire()))
    }
}

/// The zones of a catalog have the same few prefixes.
fn add_prefixes(prefixes: &mut Vec<IpNet>, zone: &SecondaryZone) {
    for entry in &zone.notify.0 {
        if !prefixes.contains(&entry.prefix) {
            prefixes.push(entry.prefix);
        }
    }
}

impl ZoneAccess {
    /// Whether a NOTIFY of this source, signed with this known key or not, is taken. A primary with a key must sign: with any key that is
    /// known, because during a rollover it may have begun with the new one, or still have the old one.
    pub(super) fn allows(&self, source: IpAddr, key: Option<&Name>) -> bool {
        let of_source = || self.settings.primaries.iter().filter(|it| it.address.ip() == source);
        of_source().any(|primary| primary.key.is_none() || key.is_some())
            || self.settings.notify.allows(source, key, false)
    }
}
