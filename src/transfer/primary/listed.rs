//! Which sources the lists of secondaries name: unlisted sources must not take what those need.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::settings::PrimarySettings;

/// The sources that some list names, for whatever zone and with whatever key. A prefix of length 0 names nobody.
#[derive(Debug, Default)]
pub(super) struct ListedSources {
    addresses: HashSet<IpAddr>,
    prefixes: Vec<IpNet>,
}

impl ListedSources {
    /// Those who may transfer a zone, and those who are told of changes.
    pub(super) fn new(settings: &PrimarySettings) -> Self {
        let PrimarySettings { allowed, zones, notify, notify_zones, .. } = settings;
        let targets = notify.iter().chain(notify_zones.values().flatten());
        let mut addresses: HashSet<IpAddr> =
            targets.map(|target| target.address.ip().to_canonical()).collect();
        let mut prefixes = HashSet::new();
        for entry in zones.values().chain([allowed]).flat_map(|allowed| &allowed.0) {
            match entry.prefix.prefix_len() {
                0 => {}
                length if length == entry.prefix.max_prefix_len() => {
                    addresses.insert(entry.prefix.addr());
                }
                _ => drop(prefixes.insert(entry.prefix.trunc())),
            }
        }
        Self { addresses, prefixes: prefixes.into_iter().collect() }
    }

    /// Whether a list names this source.
    pub(super) fn names(&self, source: IpAddr) -> bool {
        self.addresses.contains(&source) || self.prefixes.iter().any(|prefix| prefix.contains(&source))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::transfer::notify::{Allowed, AllowedSource, Target};

    #[test]
    fn addresses_prefixes_and_targets_are_named_and_everybody_is_nobody() {
        let allowed = |prefix: &str| {
            Allowed(vec![AllowedSource {
                prefix: prefix.parse().unwrap(),
                keys: Vec::new(),
                encrypted: false,
            }])
        };
        let target = Target { address: "192.0.2.9:53".parse().unwrap(), key: None };
        let zone = |name: &str| name.parse().unwrap();
        let settings = PrimarySettings {
            allowed: allowed("0.0.0.0/0"),
            zones: HashMap::from([
                (zone("a."), allowed("192.0.2.1/32")),
                (zone("b."), allowed("2001:db8:1::/48")),
            ]),
            notify: vec![target],
            ..PrimarySettings::default()
        };
        let listed = ListedSources::new(&settings);
        let names = |source: &str| listed.names(source.parse().unwrap());
        assert!(["192.0.2.1", "192.0.2.9", "2001:db8:1::7"].into_iter().all(names));
        assert!(!["192.0.2.2", "203.0.113.1", "2001:db8:2::7"].into_iter().any(names));
    }
}
