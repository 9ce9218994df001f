//! How many TCP connections there may be, in all and of one source. A source in, a permit out; no I/O.
//!
//! Shared by all workers, behind a lock that is taken when a connection starts and when it ends, never for a query.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::admission::Prefixes;
use crate::telemetry::locked;

use super::tcp_settings::TcpSettings;

/// Bits of an IPv4 source that are counted together.
const IPV4_PREFIX_LENGTH: u8 = 24;
/// Bits of an IPv6 source that are counted together.
const IPV6_PREFIX_LENGTH: u8 = 56;

/// Whose connections are counted together.
const PREFIXES: Prefixes = Prefixes::new(IPV4_PREFIX_LENGTH, IPV6_PREFIX_LENGTH);

/// The connections there are; clones count together. Bounded by the cap in all.
#[derive(Clone)]
pub(super) struct Caps(Arc<Mutex<Counts>>);

struct Counts {
    settings: TcpSettings,
    counted: usize,
    exempt: usize,
    /// Connections by prefix; a prefix without any is not in it.
    sources: HashMap<u128, usize>,
}

/// The right to one connection, given back when dropped.
pub(super) struct ConnectionPermit {
    caps: Caps,
    counted: Counted,
}

/// What a connection counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// The exempt connections.
    Exempt,
    /// All connections; its source is not known yet.
    SourceUnknown,
    /// All connections, and those of this prefix.
    Of(u128),
}

impl Caps {
    pub(super) fn new(settings: TcpSettings) -> Self {
        Self(Arc::new(Mutex::new(Counts { settings, counted: 0, exempt: 0, sources: HashMap::new() })))
    }

    /// Lets a connection of this source in, unless a cap is reached.
    pub(super) fn enter(&self, source: IpAddr) -> Option<ConnectionPermit> {
        let counted = self.lock().enter(source.to_canonical())?;
        Some(ConnectionPermit { caps: self.clone(), counted })
    }

    /// Lets a connection in whose source address a load balancer will give, unless the cap of all is reached.
    pub(super) fn enter_before_proxy_header(&self) -> Option<ConnectionPermit> {
        let mut counts = self.lock();
        if counts.counted >= counts.settings.connections {
            return None;
        }
        counts.counted += 1;
        Some(ConnectionPermit { caps: self.clone(), counted: Counted::SourceUnknown })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        locked(&self.0)
    }
}

impl Counts {
    fn enter(&mut self, source: IpAddr) -> Option<Counted> {
        if source.is_loopback() || self.settings.exempt.iter().any(|prefix| prefix.contains(&source)) {
            if self.exempt >= TcpSettings::EXEMPT_CONNECTIONS {
                return None;
            }
            self.exempt += 1;
            return Some(Counted::Exempt);
        }
        let source = PREFIXES.of(source);
        let of_source = self.sources.get(&source).copied().unwrap_or(0);
        if self.counted >= self.settings.connections || of_source >= self.settings.connections_per_source {
            return None;
        }
        self.counted += 1;
        self.sources.insert(source, of_source + 1);
        Some(Counted::Of(source))
    }

    fn leave(&mut self, counted: Counted) {
        let source = match counted {
            Counted::Exempt => {
                self.exempt -= 1;
                return;
            }
            Counted::SourceUnknown => {
                self.counted -= 1;
                return;
            }
            Counted::Of(source) => source,
        };
        self.counted -= 1;
        if let Some(of_source) = self.sources.get_mut(&source) {
            *of_source -= 1;
            if *of_source == 0 {
                self.sources.remove(&source);
            }
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.caps.lock().leave(self.counted);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn caps(connections: usize, connections_per_source: usize) -> Caps {
        let exempt = vec!["198.51.100.0/24".parse().unwrap()];
        Caps::new(TcpSettings { connections, connections_per_source, exempt, ..TcpSettings::default() })
    }

    fn enter(caps: &Caps, source: &str) -> Option<ConnectionPermit> {
        caps.enter(source.parse().unwrap())
    }

    #[test]
    fn a_source_prefix_has_its_cap_and_gets_room_back() {
        let caps = caps(10, 2);
        let first = enter(&caps, "192.0.2.1").unwrap();
        let _second = enter(&caps, "::ffff:192.0.2.200").unwrap();
        assert!(enter(&caps, "192.0.2.3").is_none());
        let _other = enter(&caps, "192.0.3.1").unwrap();
        drop(first);
        assert!(enter(&caps, "192.0.2.3").is_some());
    }

    #[test]
    fn all_sources_together_have_a_cap_that_exempt_ones_pass() {
        let caps = caps(2, 2);
        let _taken = [enter(&caps, "2001:db8::1").unwrap(), enter(&caps, "2001:db8:0:100::1").unwrap()];
        assert!(enter(&caps, "192.0.2.1").is_none());
        assert!(enter(&caps, "198.51.100.9").is_some());
        assert!(enter(&caps, "127.0.0.1").is_some());
    }

    #[test]
    fn exempt_sources_are_bounded_too() {
        let caps = caps(2, 2);
        let taken: Vec<_> = std::iter::from_fn(|| enter(&caps, "::1")).take(1000).collect();
        assert_eq!(taken.len(), TcpSettings::EXEMPT_CONNECTIONS);
        assert!(enter(&caps, "192.0.2.1").is_some());
    }

    #[test]
    fn a_connection_counts_for_all_until_its_source_is_known() {
        let caps = caps(2, 1);
        let unknown = caps.enter_before_proxy_header().unwrap();
        let _first = enter(&caps, "192.0.2.1").unwrap();
        assert!(caps.enter_before_proxy_header().is_none());
        drop(unknown);
        assert!(enter(&caps, "192.0.2.2").is_none(), "the prefix has its one");
        assert!(enter(&caps, "192.0.3.1").is_some());
    }

    #[test]
    fn nothing_is_remembered_of_sources_that_left() {
        let caps = caps(1000, 2);
        for source in 0..1000u32 {
            drop(caps.enter(Ipv4Addr::from(source << 8 | 0xc000_0000).into()));
        }
        let counts = caps.lock();
        assert_eq!((counts.sources.len(), counts.counted), (0, 0));
    }
}
