//! How many connections there may be: of all, and of one source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::telemetry::locked;

/// The most connections: some operators with some pages each, scrapers, and the other POPs.
pub(super) const MAX_CONNECTIONS: usize = 128;

/// The most of one source, an IPv4 address or an IPv6 /64: one source leaves room for others.
pub(super) const MOST_OF_SOURCE: usize = 32;

/// The most streams of events: pages that operators have open.
const MOST_STREAMS: usize = 32;

/// The most streams of one source: half of its connections are left for short requests, and half of the streams for others.
pub(super) const MOST_STREAMS_OF_SOURCE: usize = 16;

/// Connections and streams by source; at most [`MAX_CONNECTIONS`] sources. Locked on the thread `web` alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Caps(Arc<Mutex<HashMap<IpAddr, Taken>>>);

/// What one source has taken.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    connections: usize,
    streams: usize,
}

/// A connection's place; dropped with it.
#[derive(Debug)]
pub(super) struct ConnectionPlace {
    caps: Caps,
    source: IpAddr,
}

/// A stream's place; dropped with it.
#[derive(Debug)]
pub(super) struct StreamPlace {
    caps: Caps,
    source: IpAddr,
}

impl Caps {
    /// A place for a connection from there; `None` if there are too many.
    pub(super) fn place(&self, address: IpAddr) -> Option<ConnectionPlace> {
        let source = source(address);
        let mut sources = locked(&self.0);
        let all: usize = sources.values().map(|taken| taken.connections).sum();
        let own = sources.get(&source).copied().unwrap_or_default();
        if all >= MAX_CONNECTIONS || own.connections >= MOST_OF_SOURCE {
            return None;
        }
        sources.insert(source, Taken { connections: own.connections + 1, ..own });
        Some(ConnectionPlace { caps: self.clone(), source })
    }

    /// Gives back what a source had taken.
    fn give_back(&self, source: IpAddr, connections: usize, streams: usize) {
        let mut sources = locked(&self.0);
        let Some(taken) = sources.get_mut(&source) else { return };
        taken.connections = taken.connections.saturating_sub(connections);
        taken.streams = taken.streams.saturating_sub(streams);
        if taken.connections == 0 && taken.streams == 0 {
            sources.remove(&source);
        }
    }
}

impl ConnectionPlace {
    /// A place for a stream over this connection; `None` if there are too many.
    pub(super) fn stream(&self) -> Option<StreamPlace> {
        let mut sources = locked(&self.caps.0);
        let all: usize = sources.values().map(|taken| taken.streams).sum();
        let own = sources.entry(self.source).or_default();
        if all >= MOST_STREAMS || own.streams >= MOST_STREAMS_OF_SOURCE {
            return None;
        }
        own.streams += 1;
        Some(StreamPlace { caps: self.caps.clone(), source: self.source })
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.caps.give_back(self.source, 1, 0);
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.caps.give_back(self.source, 0, 1);
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
        let mut places: Vec<ConnectionPlace> = Vec::new();
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
        // One source leaves streams for others; a stream outlasts its connection for a moment.
        let [one, other, third] =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| caps.place(address(text)).unwrap());
        let mut streams: Vec<StreamPlace> = (0..MOST_STREAMS).filter_map(|_| one.stream()).collect();
        assert_eq!(streams.len(), MOST_STREAMS_OF_SOURCE);
        streams.extend((0..MOST_STREAMS).filter_map(|_| other.stream()));
        assert_eq!(streams.len(), MOST_STREAMS);
        assert!(third.stream().is_none(), "all are taken");
        drop((one, other));
        assert!(third.stream().is_none());
        streams.pop();
        assert!(third.stream().is_some());
        drop((streams, third));
        assert!(locked(&caps.0).is_empty());
        let all: Vec<ConnectionPlace> =
            (0..=255).filter_map(|last| caps.place(address(&format!("192.0.2.{last}")))).collect();
        assert_eq!(all.len(), MAX_CONNECTIONS);
    }
}
