//! How many connections there may be: of all, and of one source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::telemetry::locked;

/// The most connections: some operators with some pages each, scrapers, and the other POPs.
pub(super) const MOST: usize = 128;

/// The most of one source, an IPv4 address or an IPv6 /64: one source leaves room for others.
pub(super) const MOST_OF_SOURCE: usize = 32;

/// Connections by source; at most [`MOST`] sources. Locked on the thread `web` alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Caps(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's place; dropped with it.
#[derive(Debug)]
pub(super) struct Place {
    caps: Caps,
    source: IpAddr,
}

impl Caps {
    /// A place for a connection from there; `None` if there are too many.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let source = source(address);
        let mut connections = locked(&self.0);
        let all: usize = connections.values().sum();
        let own = connections.get(&source).copied().unwrap_or_default();
        if all >= MOST || own >= MOST_OF_SOURCE {
            return None;
        }
        connections.insert(source, own + 1);
        Some(Place { caps: self.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = locked(&self.caps.0);
        match connections.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(connections.remove(&self.source)),
        }
    }
}

fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_leaves_room_for_others() {
        let caps = Caps::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut places: Vec<Place> = Vec::new();
        for number in 0..MOST_OF_SOURCE {
            places.extend(caps.place(address(&format!("2001:db8::{number:x}"))));
        }
        assert_eq!(places.len(), MOST_OF_SOURCE);
        assert!(caps.place(address("2001:db8::ffff")).is_none(), "the same /64");
        let mapped = caps.place(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(mapped.source, address("192.0.2.1"));
        places.pop();
        assert!(caps.place(address("2001:db8::ffff")).is_some());
        drop((places, mapped));
        assert!(locked(&caps.0).is_empty());
        let all: Vec<Place> =
            (0..=255).filter_map(|last| caps.place(address(&format!("192.0.2.{last}")))).collect();
        assert_eq!(all.len(), MOST);
    }
}
