//! What waits to be done and what is being done, within the limits: SOA queries a second, transfers at one time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::Name;

use super::fetch::Fetch;
use super::pacer::Pacer;

/// SOA queries under way at most: each has a socket.
const MOST_ASKING: usize = 256;

/// One SOA query.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) zone: Name,
    pub(super) primary: usize,
    pub(super) address: SocketAddr,
    /// Of which primaries of the zone it is one: see [`super::entry::Entry`].
    pub(super) generation: u32,
}

/// The queues. A zone has at most one transfer, and one query to each primary, in them.
#[derive(Debug)]
pub(super) struct Jobs {
    asks: VecDeque<Ask>,
    asking: usize,
    pacer: Pacer,
    fetches: VecDeque<Fetch>,
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
            asks: VecDeque::new(),
            asking: 0,
            pacer,
            fetches: VecDeque::new(),
            fetching: HashMap::new(),
            most: most.max(1),
            most_per_primary: most_per_primary.max(1),
        }
    }

    /// Takes other limits; what is under way goes on.
    pub(super) fn change(&mut self, pacer: Pacer, most: usize, most_per_primary: usize) {
        (self.pacer, self.most, self.most_per_primary) = (pacer, most.max(1), most_per_primary.max(1));
    }

    /// Forgets what waits for these zones.
    pub(super) fn forget(&mut self, zones: &BTreeSet<Name>) {
        self.asks.retain(|ask| !zones.contains(&ask.zone));
        self.fetches.retain(|fetch| !zones.contains(&fetch.zone));
    }

    pub(super) fn add_ask(&mut self, ask: Ask) {
        self.asks.push_back(ask);
    }

    pub(super) fn add_fetch(&mut self, fetch: Fetch) {
        self.fetches.push_back(fetch);
    }

    /// Takes what may begin now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.fetching.values().sum::<usize>() < self.most {
            let has_room = |fetch: &Fetch| self.in_use(fetch.address) < self.most_per_primary;
            if let Some(fetch) = self.fetches.iter().position(has_room).and_then(|at| self.fetches.remove(at))
            {
                *self.fetching.entry(fetch.address).or_default() += 1;
                return Next::Fetch(fetch);
            }
        }
        if self.asking >= MOST_ASKING {
            return Next::Wait(None);
        }
        // Queries to a primary whose own limit is reached go behind the others, once each.
        let mut least: Option<Duration> = None;
        for _ in 0..self.asks.len() {
            let Some(ask) = self.asks.pop_front() else { break };
            match self.pacer.take(ask.address, now) {
                Ok(()) => {
                    self.asking += 1;
                    return Next::Ask(ask);
                }
                Err(wait) => {
                    least = Some(least.map_or(wait, |least| least.min(wait)));
                    self.asks.push_back(ask);
                }
            }
        }
        Next::Wait(least)
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

    fn in_use(&self, address: SocketAddr) -> usize {
        self.fetching.get(&address).copied().unwrap_or_default()
    }
}
