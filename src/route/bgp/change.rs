//! What changed settings mean for the established sessions. Pure.
//!
//! | changed | the session |
//! | --- | --- |
//! | `local-as`, `router-id`, `hold-time`; of a neighbor `remote-as`, `local-address`, `password` | is reset: they are in the OPEN, or in every segment (RFC 2385) |
//! | address or port of a neighbor | another neighbor: the old one is removed, the new one added |
//! | services, next hops, `deprefer-*` | goes on; an UPDATE announces what differs |
//! | `mode`, `multihop`, `ttl-security`, `send-hold-time`, `listen-port` | goes on |

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::attributes::Route;
use super::settings::{BgpSettings, Neighbor};
use crate::route::driver::Preference;
use crate::route::service::Service;

/// The configuration of the speaker; replaced as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BgpConfig {
    pub(super) settings: Arc<BgpSettings>,
    pub(super) services: Arc<[Service]>,
}

/// The configuration of one neighbor's task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NeighborConfig {
    pub(super) settings: Arc<BgpSettings>,
    pub(super) services: Arc<[Service]>,
    pub(super) neighbor: Neighbor,
}

/// What a change of settings does to the sessions and the routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BgpChanges {
    /// Neighbors that get a session from now on.
    pub added: Vec<SocketAddr>,
    /// Neighbors whose sessions are closed (RFC 4486: Peer De-configured).
    pub removed: Vec<SocketAddr>,
    /// Neighbors whose sessions are closed and opened again (RFC 4486: Other Configuration Change), and the keys that need it.
    pub reset: Vec<(SocketAddr, Vec<&'static str>)>,
    /// Prefixes that a session which goes on is announced with other attributes.
    pub reannounced: BTreeSet<IpNet>,
    /// Whether no neighbor is left.
    pub is_nobody_left: bool,
}

impl BgpConfig {
    /// What of this configuration is for `neighbor`.
    pub(super) fn of(&self, neighbor: &Neighbor) -> NeighborConfig {
        let (settings, services) = (Arc::clone(&self.settings), Arc::clone(&self.services));
        NeighborConfig { settings, services, neighbor: neighbor.clone() }
    }

    /// What changes when `new` replaces this configuration.
    pub(super) fn changes(&self, new: &Self) -> BgpChanges {
        let mut changes =
            BgpChanges { is_nobody_left: new.settings.neighbors.is_empty(), ..BgpChanges::default() };
        for neighbor in &new.settings.neighbors {
            let name = neighbor.socket_address();
            let Some(old) = self.settings.neighbors.iter().find(|old| old.socket_address() == name) else {
                changes.added.push(name);
                continue;
            };
            let (old, new) = (self.of(old), new.of(neighbor));
            let keys = reset_keys(&old, &new);
            match keys.is_empty() {
                true => changes.reannounced.extend(reannounced(&old, &new)),
                false => changes.reset.push((name, keys)),
            }
        }
        let stays = |name: SocketAddr| new.settings.neighbors.iter().any(|one| one.socket_address() == name);
        let names = self.settings.neighbors.iter().map(Neighbor::socket_address);
        changes.removed = names.filter(|name| !stays(*name)).collect();
        changes
    }
}

/// The keys whose change resets a session.
pub(super) fn reset_keys(old: &NeighborConfig, new: &NeighborConfig) -> Vec<&'static str> {
    let differs = [
        ("local-as", old.settings.local_as != new.settings.local_as),
        ("router-id", old.settings.router_id != new.settings.router_id),
        ("hold-time", old.settings.hold_time != new.settings.hold_time),
        ("remote-as", old.neighbor.remote_as != new.neighbor.remote_as),
        ("local-address", old.neighbor.local_address != new.neighbor.local_address),
        ("password", old.neighbor.password != new.neighbor.password),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

/// The prefixes in both whose routes differ.
fn reannounced(old: &NeighborConfig, new: &NeighborConfig) -> Vec<IpNet> {
    let route = |config: &NeighborConfig, service: &Service, preference| {
        Route::new(&config.settings, &config.neighbor, service, preference)
    };
    let differs = |before: &Service, service: &Service| {
        [Preference::Normal, Preference::Depreferred]
            .into_iter()
            .any(|preference| route(old, before, preference) != route(new, service, preference))
    };
    let before = |service: &Service| old.services.iter().find(|before| before.prefix == service.prefix);
    let changed =
        new.services.iter().filter(|service| before(service).is_some_and(|before| differs(before, service)));
    changed.map(|service| service.prefix).collect()
}

impl fmt::Display for BgpChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.added.iter().map(|name| format!("neighbor {name} is added")));
        parts.extend(self.removed.iter().map(|name| format!("neighbor {name} is removed")));
        let reset = |(name, keys): &(SocketAddr, Vec<&str>)| {
            format!("the session with {name} is reset ({})", keys.join(", "))
        };
        parts.extend(self.reset.iter().map(reset));
        parts.extend(
            self.reannounced.iter().map(|prefix| format!("{prefix} is announced with other attributes")),
        );
        if self.is_nobody_left {
            parts.push("no neighbor is left: nothing is announced".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut BgpSettings, &mut Vec<Service>)) -> BgpConfig {
        let address = |text: &str| text.parse().unwrap();
        let neighbor = |text| Neighbor::new(65_000, address("198.51.100.10"), address(text), 65_001);
        let mut settings = BgpSettings {
            local_as: 65_000,
            router_id: "198.51.100.10".parse().unwrap(),
            hold_time: BgpSettings::DEFAULT_HOLD_TIME,
            send_hold_time: None,
            listen_port: 179,
            deprefer: super::super::Deprefer::default(),
            shutdown_text: String::new(),
            neighbors: vec![neighbor("198.51.100.1"), neighbor("198.51.100.2")],
        };
        let mut services = vec![Service::new("192.0.2.0/24".parse().unwrap())];
        change(&mut settings, &mut services);
        BgpConfig { settings: Arc::new(settings), services: services.into() }
    }

    #[test]
    fn only_what_is_in_the_open_or_in_every_segment_resets_a_session() {
        use super::super::{Mode, Password, Ttl};
        type Change = fn(&mut BgpSettings, &mut Vec<Service>);
        let table: [(Change, &str); 16] = [
            (|_, _| {}, ""),
            (|settings, _| settings.listen_port = 1179, ""),
            (|settings, _| settings.send_hold_time = Some(std::time::Duration::from_secs(100)), ""),
            (|settings, _| settings.neighbors[0].mode = Mode::Both, ""),
            (|settings, _| settings.neighbors[0].ttl = Ttl::Security(1), ""),
            (|settings, _| settings.deprefer.prepend = 3, "192.0.2.0/24 is announced with other attributes"),
            (|_, services| services[0].med = Some(7), "192.0.2.0/24 is announced with other attributes"),
            (
                |settings, _| settings.neighbors[0].next_hop_ipv4 = Some("198.51.100.9".parse().unwrap()),
                "192.0.2.0/24 is announced with other attributes",
            ),
            (
                |settings, _| settings.hold_time *= 2,
                "the session with 198.51.100.1:179 is reset (hold-time); \
                 the session with 198.51.100.2:179 is reset (hold-time)",
            ),
            (
                |settings, _| {
                    (settings.local_as, settings.router_id) = (65_009, "192.0.2.9".parse().unwrap())
                },
                "the session with 198.51.100.1:179 is reset (local-as, router-id); \
                 the session with 198.51.100.2:179 is reset (local-as, router-id)",
            ),
            (
                |settings, _| settings.neighbors[1].remote_as = 65_009,
                "the session with 198.51.100.2:179 is reset (remote-as)",
            ),
            (
                |settings, _| settings.neighbors[1].password = Some(Password::new("x".to_owned())),
                "the session with 198.51.100.2:179 is reset (password)",
            ),
            (
                |settings, _| settings.neighbors[1].local_address = "198.51.100.11".parse().unwrap(),
                "the session with 198.51.100.2:179 is reset (local-address)",
            ),
            (
                |settings, _| settings.neighbors[1].port = 1179,
                "neighbor 198.51.100.2:1179 is added; neighbor 198.51.100.2:179 is removed",
            ),
            (|settings, _| drop(settings.neighbors.pop()), "neighbor 198.51.100.2:179 is removed"),
            (
                |settings, _| settings.neighbors.clear(),
                "neighbor 198.51.100.1:179 is removed; neighbor 198.51.100.2:179 is removed; \
                 no neighbor is left: nothing is announced",
            ),
        ];
        let before = config(|_, _| {});
        for (number, (change, says)) in table.into_iter().enumerate() {
            assert_eq!(before.changes(&config(change)).to_string(), says, "change {number}");
        }
    }
}
