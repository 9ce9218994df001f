//! How many TCP connections there may be, in all and of one source. A source in, a ticket out; no I/O.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::TcpSettings;

/// Bits of an IPv4 source that are counted together.
const IPV4_PREFIX_LENGTH: u32 = 24;
/// Bits of an IPv6 source that are counted together.
const IPV6_PREFIX_LENGTH: u32 = 56;

/// The connections there are. Bounded by the cap in all.
pub(super) struct Caps {
    settings: TcpSettings,
    counted: usize,
    exempt: usize,
    /// Connections by prefix; a prefix without any is not in it.
    sources: HashMap<u128, usize>,
}

/// The right to one connection, given back when dropped.
pub(super) struct Ticket {
    caps: Rc<RefCell<Caps>>,
    counted: Counted,
}

/// What a connection counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// The exempt connections.
    Exempt,
    /// All connections; its source is not known yet.
    Nameless,
    /// All connections, and those of this prefix.
    Of(u128),
}

impl Caps {
    pub(super) fn new(settings: TcpSettings) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self { settings, counted: 0, exempt: 0, sources: HashMap::new() }))
    }

    /// Lets a connection of this source in, unless a cap is reached.
    pub(super) fn enter(caps: &Rc<RefCell<Self>>, source: IpAddr) -> Option<Ticket> {
        let source = source.to_canonical();
        let mut inner = caps.borrow_mut();
        if source.is_loopback() || inner.settings.exempt.iter().any(|prefix| prefix.contains(&source)) {
            if inner.exempt >= TcpSettings::EXEMPT_CONNECTIONS {
                return None;
            }
            inner.exempt += 1;
            return Some(Ticket { caps: caps.clone(), counted: Counted::Exempt });
        }
        let source = prefix(source);
        let of_source = inner.sources.get(&source).copied().unwrap_or(0);
        if inner.counted >= inner.settings.connections || of_source >= inner.settings.connections_per_source {
            return None;
        }
        inner.counted += 1;
        inner.sources.insert(source, of_source + 1);
        Some(Ticket { caps: caps.clone(), counted: Counted::Of(source) })
    }

    /// Lets a connection in whose source a load balancer will tell, unless the cap of all is reached.
    pub(super) fn enter_nameless(caps: &Rc<RefCell<Self>>) -> Option<Ticket> {
        let mut inner = caps.borrow_mut();
        if inner.counted >= inner.settings.connections {
            return None;
        }
        inner.counted += 1;
        Some(Ticket { caps: caps.clone(), counted: Counted::Nameless })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut caps = self.caps.borrow_mut();
        let source = match self.counted {
            Counted::Exempt => {
                caps.exempt -= 1;
                return;
            }
            Counted::Nameless => {
                caps.counted -= 1;
                return;
            }
            Counted::Of(source) => source,
        };
        caps.counted -= 1;
        if let Some(of_source) = caps.sources.get_mut(&source) {
            *of_source -= 1;
            if *of_source == 0 {
                caps.sources.remove(&source);
            }
        }
    }
}

/// The prefix of a source; that of an IPv4 source is v4-mapped.
fn prefix(source: IpAddr) -> u128 {
    match source {
        IpAddr::V4(source) => {
            let mask = u32::MAX << (32 - IPV4_PREFIX_LENGTH);
            Ipv4Addr::from(u32::from(source) & mask).to_ipv6_mapped().to_bits()
        }
        IpAddr::V6(source) => source.to_bits() & (u128::MAX << (128 - IPV6_PREFIX_LENGTH)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(connections: usize, connections_per_source: usize) -> Rc<RefCell<Caps>> {
        let exempt = vec!["198.51.100.0/24".parse().unwrap()];
        Caps::new(TcpSettings { connections, connections_per_source, exempt, ..TcpSettings::default() })
    }

    fn enter(caps: &Rc<RefCell<Caps>>, source: &str) -> Option<Ticket> {
        Caps::enter(caps, source.parse().unwrap())
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
    fn a_nameless_connection_counts_for_all_until_it_has_a_name() {
        let caps = caps(2, 1);
        let nameless = Caps::enter_nameless(&caps).unwrap();
        let _first = enter(&caps, "192.0.2.1").unwrap();
        assert!(Caps::enter_nameless(&caps).is_none());
        drop(nameless);
        assert!(enter(&caps, "192.0.2.2").is_none(), "the prefix has its one");
        assert!(enter(&caps, "192.0.3.1").is_some());
    }

    #[test]
    fn nothing_is_remembered_of_sources_that_left() {
        let caps = caps(1000, 2);
        for source in 0..1000u32 {
            drop(Caps::enter(&caps, Ipv4Addr::from(source << 8 | 0xc000_0000).into()));
        }
        assert_eq!((caps.borrow().sources.len(), caps.borrow().counted), (0, 0));
    }
}
