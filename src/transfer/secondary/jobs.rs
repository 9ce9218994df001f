//! What waits to be done and what is being done, within the limits: SOA queries a second, transfers at one time.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::Name;

use super::ask::AskOver;
use super::fetch::Fetch;
use super::pacer::Pacer;
use super::turns::PeerQueues;

/// SOA queries under way at most: each has a socket.
const MOST_ASKING: usize = 256;

/// One SOA query.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) zone: Name,
    pub(super) primary: usize,
    pub(super) address: SocketAddr,
    /// Of which primaries of the zone it is one: see [`super::entry::ZoneEntry`].
    pub(super) generation: u64,
    pub(super) over: AskOver,
}

/// The queues. A zone has at most one transfer, and one query to each primary, in them.
#[derive(Debug)]
pub(super) struct Jobs {
    asks: PeerQueues<Ask>,
    asking: usize,
    pacer: Pacer,
    fetches: PeerQueues<Fetch>,
    fetching: HashMap<SocketAddr, usize>,
    most: usize,
    most_per_primary: usize,
}

/// What may begin.
#[derive(Debug)]
pub(super) enum Next {
    /// This query.
    Ask(Ask),
    /// This transfer.
    Fetch(Fetch),
    /// Nothing now; something when this time has passed, if it is known.
    Wait(Option<Duration>),
}

impl Jobs {
    pub(super) fn new(pacer: Pacer, most: usize, most_per_primary: usize) -> Self {
        Self {
            asks: PeerQueues::default(),
            asking: 0,
            pacer,
            fetches: PeerQueues::default(),
            fetching: HashMap::new(),
            most: most.max(1),
            most_per_primary: most_per_primary.max(1),
        }
    }

    /// Takes other limits; what is under way goes on. How many transfers go on at one time stays: each has a thread, and those are made
    /// at the start.
    pub(super) fn change(&mut self, pacer: Pacer, most_per_primary: usize) {
        (self.pacer, self.most_per_primary) = (pacer, most_per_primary.max(1));
    }

    /// Forgets what waits for these zones.
    pub(super) fn forget(&mut self, zones: &BTreeSet<Name>) {
        self.asks.retain(|ask| !zones.contains(&ask.zone));
        self.fetches.retain(|fetch| !zones.contains(&fetch.zone));
    }

    pub(super) fn add_ask(&mut self, ask: Ask) {
        self.asks.push(ask.address, ask);
    }

    pub(super) fn add_fetch(&mut self, fetch: Fetch) {
        self.fetches.push(fetch.address, fetch);
    }

    /// Takes what may begin now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.fetching.values().sum::<usize>() < self.most {
            let (fetching, most) = (&self.fetching, self.most_per_primary);
            let has_room = |address: SocketAddr| fetching.get(&address).is_none_or(|count| *count < most);
            if let Some(fetch) = self.fetches.take(has_room) {
                *self.fetching.entry(fetch.address).or_default() += 1;
                return Next::Fetch(fetch);
            }
        }
        if self.asking >= MOST_ASKING {
            return Next::Wait(None);
        }
        // Queries to a primary whose own limit is reached wait, and those to others do not.
        let mut least: Option<Duration> = None;
        let pacer = &mut self.pacer;
        let may_leave = |address| match pacer.take(address, now) {
            Ok(()) => true,
            Err(wait) => {
                least = Some(least.map_or(wait, |least| least.min(wait)));
                false
            }
        };
        match self.asks.take(may_leave) {
            Some(ask) => {
                self.asking += 1;
                Next::Ask(ask)
            }
            None => Next::Wait(least),
        }
    }

    pub(super) fn ask_ended(&mut self) {
        self.asking = self.asking.saturating_sub(1);
    }

    pub(super) fn fetch_ended(&mut self, address: SocketAddr) {
        if let Some(count) = self.fetching.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.fetching.remove(&address);
            }
        }
    }
}
