//! How many connections there may be: of all, and of one source.
//!
//! A connection that has not shown credentials where some are needed has a place of another kind. There are few of these, and where they
//! are taken the oldest one of the source with the most of them ends: a source that holds many ends one of its own. So clients that show
//! nothing keep no other client out.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::telemetry::locked;

/// The most connections that have shown credentials, or need none: some operators with some pages each, scrapers, and the other POPs.
pub(super) const MAX_CONNECTIONS: usize = 128;

/// The most of one source, an IPv4 address or an IPv6 /64: one source leaves room for others.
pub(super) const MOST_OF_SOURCE: usize = 32;

/// The most connections that have not shown credentials yet; each lasts for a handshake and one request.
const MAX_UNKNOWN: usize = 64;

/// The most of these of one source.
const MOST_UNKNOWN_OF_SOURCE: usize = 8;

/// The most streams of events: pages that operators have open.
const MOST_STREAMS: usize = 32;

/// The most streams of one source: half of its connections are left for short requests, and half of the streams for others.
pub(super) const MOST_STREAMS_OF_SOURCE: usize = 16;

/// Connections and streams by source. Locked on the thread `web` alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Caps {
    places: Arc<Mutex<Places>>,
    refusals: Arc<Refusals>,
}

#[derive(Debug, Default)]
struct Places {
    /// At most [`MAX_CONNECTIONS`] sources.
    known: HashMap<IpAddr, Taken>,
    /// Those that have not shown credentials, the oldest first; at most [`MAX_UNKNOWN`].
    unknown: VecDeque<Unknown>,
    next: u64,
}

/// What one source has taken.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    connections: usize,
    streams: usize,
}

/// A connection that has not shown credentials.
#[derive(Debug)]
struct Unknown {
    number: u64,
    source: IpAddr,
    ends: Arc<Notify>,
}

/// How many connections found no place.
#[derive(Debug, Default)]
pub struct Refusals {
    known: AtomicU64,
    unknown: AtomicU64,
}

impl Refusals {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.known() + self.unknown.load(Ordering::Relaxed)
    }

    /// Those that have shown credentials.
    pub(super) fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }
}

/// A connection's place; dropped with it.
#[derive(Debug)]
pub(super) struct ConnectionPlace {
    caps: Caps,
    source: IpAddr,
    number: u64,
    is_known: AtomicBool,
    ends: Arc<Notify>,
}

/// A stream's place; dropped with it.
#[derive(Debug)]
pub(super) struct StreamPlace {
    caps: Caps,
    source: IpAddr,
}

impl Places {
    /// A place for a connection of this source, if there is one.
    fn take(&mut self, source: IpAddr) -> bool {
        let all: usize = self.known.values().map(|taken| taken.connections).sum();
        let own = self.known.get(&source).copied().unwrap_or_default();
        if all >= MAX_CONNECTIONS || own.connections >= MOST_OF_SOURCE {
            return false;
        }
        self.known.insert(source, Taken { connections: own.connections + 1, ..own });
        true
    }

    /// Makes room for a connection of this source that has not shown credentials; whether another one ends for it.
    fn make_room(&mut self, source: IpAddr) -> bool {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        self.unknown.iter().for_each(|one| *counts.entry(one.source).or_default() += 1);
        let of = if counts.get(&source).is_some_and(|own| *own >= MOST_UNKNOWN_OF_SOURCE) {
            Some(source)
        } else if self.unknown.len() >= MAX_UNKNOWN {
            let most = counts.values().max().copied();
            // Of sources with the same number the one that is here longest.
            self.unknown.iter().map(|one| one.source).find(|source| counts.get(source).copied() == most)
        } else {
            None
        };
        let oldest = self.unknown.iter().position(|one| Some(one.source) == of);
        let ended = oldest.and_then(|oldest| self.unknown.remove(oldest));
        if let Some(ended) = &ended {
            ended.ends.notify_one();
        }
        ended.is_some()
    }

    fn forget(&mut self, number: u64) -> bool {
        let place = self.unknown.iter().position(|one| one.number == number);
        place.is_some_and(|place| self.unknown.remove(place).is_some())
    }
}

impl Caps {
    /// How many connections found no place.
    pub(super) fn refusals(&self) -> Arc<Refusals> {
        self.refusals.clone()
    }

    /// A place for a connection from there that needs no credentials; `None` if there are too many.
    pub(super) fn place(&self, address: IpAddr) -> Option<ConnectionPlace> {
        let source = source(address);
        let has_place = locked(&self.places).take(source);
        if !has_place {
            self.refusals.unknown.fetch_add(1, Ordering::Relaxed);
        }
        has_place.then(|| self.new_place(source, 0, true, Arc::default()))
    }

    /// A place for a connection from there that has not shown credentials yet.
    pub(super) fn unknown_place(&self, address: IpAddr) -> ConnectionPlace {
        let (source, ends) = (source(address), Arc::new(Notify::new()));
        let mut places = locked(&self.places);
        if places.make_room(source) {
            self.refusals.unknown.fetch_add(1, Ordering::Relaxed);
        }
        places.next += 1;
        let number = places.next;
        places.unknown.push_back(Unknown { number, source, ends: ends.clone() });
        self.new_place(source, number, false, ends)
    }

    fn new_place(&self, source: IpAddr, number: u64, is_known: bool, ends: Arc<Notify>) -> ConnectionPlace {
        ConnectionPlace { caps: self.clone(), source, number, is_known: AtomicBool::new(is_known), ends }
    }

    /// Gives back what a source had taken.
    fn give_back(&self, source: IpAddr, connections: usize, streams: usize) {
        let sources = &mut locked(&self.places).known;
        let Some(taken) = sources.get_mut(&source) else { return };
        taken.connections = taken.connections.saturating_sub(connections);
        taken.streams = taken.streams.saturating_sub(streams);
        if taken.connections == 0 && taken.streams == 0 {
            sources.remove(&source);
        }
    }
}

impl ConnectionPlace {
    /// The connection has shown credentials, and has a place of those from now on; whether there is one.
    pub(super) fn become_known(&self) -> bool {
        if self.is_known() {
            return true;
        }
        let mut places = locked(&self.caps.places);
        if !places.take(self.source) {
            self.caps.refusals.known.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        places.forget(self.number);
        self.is_known.store(true, Ordering::Relaxed);
        true
    }

    /// Whether it needs no credentials, or has shown some.
    pub(super) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Ends when another connection that has not shown credentials needs the place.
    pub(super) async fn ended(&self) {
        loop {
            self.ends.notified().await;
            if !self.is_known() {
                return;
            }
        }
    }

    /// A place for a stream over this connection; `None` if there are too many.
    pub(super) fn stream(&self) -> Option<StreamPlace> {
        let sources = &mut locked(&self.caps.places).known;
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
        match self.is_known() {
            true => self.caps.give_back(self.source, 1, 0),
            false => drop(locked(&self.caps.places).forget(self.number)),
        }
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
        assert!(locked(&caps.places).known.is_empty());
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
        assert!(locked(&caps.places).known.is_empty());
        let all: Vec<ConnectionPlace> =
            (0..=255).filter_map(|last| caps.place(address(&format!("192.0.2.{last}")))).collect();
        assert_eq!(all.len(), MAX_CONNECTIONS);
    }

    #[test]
    fn who_shows_no_credentials_keeps_nobody_out() {
        let caps = Caps::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let is_there = |place: &ConnectionPlace| {
            locked(&caps.places).unknown.iter().any(|one| one.number == place.number)
        };
        // Eight sources hold all that there are.
        let held: Vec<ConnectionPlace> = (0..MAX_UNKNOWN)
            .map(|number| caps.unknown_place(address(&format!("192.0.2.{}", number % 8))))
            .collect();
        assert!(held.iter().all(is_there));
        let other = caps.unknown_place(address("198.51.100.1"));
        assert!(!is_there(&held[0]) && is_there(&held[1]) && is_there(&other));
        // Who has the most ends its own, the oldest first.
        let again = caps.unknown_place(address("192.0.2.1"));
        assert!(!is_there(&held[1]) && is_there(&again) && is_there(&other));
        assert_eq!((caps.refusals.all(), caps.refusals.known()), (2, 0));
        // Credentials lead to a place of the other kind, with limits of its own.
        assert!(other.become_known() && other.is_known() && !is_there(&other));
        let more: Vec<ConnectionPlace> = (1..MOST_OF_SOURCE)
            .map(|_| caps.unknown_place(address("198.51.100.1")))
            .filter(ConnectionPlace::become_known)
            .collect();
        assert_eq!(more.len(), MOST_OF_SOURCE - 1);
        let late = caps.unknown_place(address("198.51.100.1"));
        assert!(!late.become_known() && !late.is_known());
        assert_eq!(caps.refusals.known(), 1);
        drop((held, other, again, more, late));
        let places = locked(&caps.places);
        assert!(places.known.is_empty() && places.unknown.is_empty());
    }
}
