//! What waits to be done and what is being done, within the limits: SOA queries a second, transfers at one time.

pub(in crate::transfer::secondary) mod comparisons;
pub(in crate::transfer::secondary) mod pacer;
pub(in crate::transfer::secondary) mod slots;
pub(in crate::transfer::secondary) mod turns;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::publish::Force;
use crate::wire::Name;

use crate::transfer::secondary::fetch::Fetch;
use crate::transfer::secondary::jobs::pacer::Pacer;
use crate::transfer::secondary::jobs::slots::{PeerChange, PeerEnd, TransferSlots};
use crate::transfer::secondary::jobs::turns::PeerQueues;
use crate::transfer::secondary::net::ask::AskOver;
use crate::transfer::secondary::net::edns::EdnsDoubt;

/// SOA queries under way at most: each has a socket.
const MOST_ASKING: usize = 256;

/// One SOA query.
#[derive(Clone, Debug)]
pub(in crate::transfer::secondary) struct Ask {
    pub(in crate::transfer::secondary) zone: Name,
    pub(in crate::transfer::secondary) primary: usize,
    pub(in crate::transfer::secondary) address: SocketAddr,
    /// Of which primaries of the zone it is one: see [`crate::transfer::secondary::coordinator::entry::ZoneEntry`].
    pub(in crate::transfer::secondary) generation: u64,
    pub(in crate::transfer::secondary) over: AskOver,
    /// Why it goes without EDNS, where the same query with it has failed just now.
    pub(in crate::transfer::secondary) doubt: Option<EdnsDoubt>,
    /// Whether a NOTIFY is the reason: such queries do not wait for all that the timers want.
    pub(in crate::transfer::secondary) is_hinted: bool,
}

/// The queues. A zone has at most one transfer, and one query to each primary, in them.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct Jobs {
    asks: PeerQueues<Ask>,
    hinted_asks: PeerQueues<Ask>,
    /// Whether a query of a NOTIFY has its turn: they and the others take turns.
    is_hinted_turn: bool,
    asking: HashMap<SocketAddr, usize>,
    pacer: Pacer,
    fetches: PeerQueues<Fetch>,
    slots: TransferSlots,
}

/// What may begin.
#[derive(Debug)]
pub(in crate::transfer::secondary) enum Next {
    /// This query.
    Ask(Ask),
    /// This transfer.
    Fetch(Fetch),
    /// Nothing now; something when this time has passed, if it is known.
    Wait(Option<Duration>),
}

impl Jobs {
    pub(in crate::transfer::secondary) fn new(pacer: Pacer, most: usize, most_per_primary: usize) -> Self {
        Self {
            asks: PeerQueues::default(),
            hinted_asks: PeerQueues::default(),
            is_hinted_turn: true,
            asking: HashMap::new(),
            pacer,
            fetches: PeerQueues::default(),
            slots: TransferSlots::new(most, most_per_primary),
        }
    }

    /// Takes other limits; what is under way goes on. How many transfers go on at one time stays: each has a thread, and those are made
    /// at the start.
    pub(in crate::transfer::secondary) fn change(&mut self, pacer: Pacer, most_per_primary: usize) {
        self.pacer = pacer;
        self.slots.change(most_per_primary);
    }

    /// Forgets what waits for these zones.
    pub(in crate::transfer::secondary) fn forget(&mut self, zones: &BTreeSet<Name>) {
        self.asks.retain(|ask| !zones.contains(&ask.zone));
        self.hinted_asks.retain(|ask| !zones.contains(&ask.zone));
        self.fetches.retain(|fetch| !zones.contains(&fetch.zone));
    }

    pub(in crate::transfer::secondary) fn add_ask(&mut self, ask: Ask) {
        let queue = if ask.is_hinted { &mut self.hinted_asks } else { &mut self.asks };
        queue.push(ask.address, ask);
    }

    /// Takes a transfer; how long its primary, which was silent, is left alone still, if it is.
    pub(in crate::transfer::secondary) fn add_fetch(
        &mut self,
        fetch: Fetch,
        now: Instant,
    ) -> Result<(), (Fetch, Duration)> {
        match self.slots.pause(fetch.address, now).filter(|_| fetch.force != Force::Order) {
            Some(left) => Err((fetch, left)),
            None => {
                self.fetches.push(fetch.address, fetch);
                Ok(())
            }
        }
    }

    /// Takes what may begin now.
    pub(in crate::transfer::secondary) fn next(&mut self, now: Instant) -> Next {
        let slots = &self.slots;
        if let Some(fetch) = self.fetches.take(|address| slots.may_begin(address)) {
            self.slots.begin(fetch.address);
            return Next::Fetch(fetch);
        }
        let free = MOST_ASKING.saturating_sub(self.asking.values().sum());
        if free == 0 {
            return Next::Wait(None);
        }
        // Queries to a primary whose own limit is reached wait, and those to others do not.
        let mut least: Option<Duration> = None;
        let (pacer, asking) = (&mut self.pacer, &self.asking);
        let mut may_leave = |address| {
            // No primary has more than what is left for the others.
            if asking.get(&address).is_some_and(|count| *count >= free) {
                return false;
            }
            match pacer.take(address, now) {
                Ok(()) => true,
                Err(wait) => {
                    least = Some(least.map_or(wait, |least| least.min(wait)));
                    false
                }
            }
        };
        let mut queues = [&mut self.hinted_asks, &mut self.asks];
        if !self.is_hinted_turn {
            queues.reverse();
        }
        let ask = queues.into_iter().find_map(|queue| queue.take(&mut may_leave));
        match ask {
            Some(ask) => {
                self.is_hinted_turn = !ask.is_hinted;
                *self.asking.entry(ask.address).or_default() += 1;
                Next::Ask(ask)
            }
            None => Next::Wait(least),
        }
    }

    /// Begins a transfer that may wait, if most of the transfers are free and none waits for one of them.
    pub(in crate::transfer::secondary) fn begin_idle(&mut self, address: SocketAddr) -> bool {
        let may_begin =
            !self.has_waiting_beside(address) && self.slots.are_most_free() && self.slots.may_begin(address);
        if may_begin {
            self.slots.begin(address);
        }
        may_begin
    }

    /// Whether a transfer waits that might begin without one from this address. Those of another primary that wait for the own limit of that
    /// would wait all the same.
    pub(in crate::transfer::secondary) fn has_waiting_beside(&self, address: SocketAddr) -> bool {
        self.fetches.peers().any(|peer| peer == address || !self.slots.is_at_own_limit(peer))
    }

    /// A query has ended; whether the primary has answered.
    pub(in crate::transfer::secondary) fn ask_ended(
        &mut self,
        address: SocketAddr,
        is_answered: bool,
        now: Instant,
    ) {
        if let Some(count) = self.asking.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.asking.remove(&address);
            }
        }
        if is_answered {
            self.slots.end_pause(address, now);
        }
    }

    /// A transfer that began then has ended; what waits for its primary and is to fail, because that is silent, and whether it was silent
    /// and has answered now.
    pub(in crate::transfer::secondary) fn fetch_ended(
        &mut self,
        address: SocketAddr,
        end: PeerEnd,
        begun: Instant,
        now: Instant,
    ) -> (Vec<Fetch>, bool) {
        match self.slots.end(address, end, begun, now) {
            PeerChange::Silent => (self.fetches.take_all(address), false),
            PeerChange::Back => (Vec::new(), true),
            PeerChange::Not => (Vec::new(), false),
        }
    }

    /// How long a primary that was silent is left alone still.
    pub(in crate::transfer::secondary) fn pause(
        &self,
        address: SocketAddr,
        now: Instant,
    ) -> Option<Duration> {
        self.slots.pause(address, now)
    }

    /// Forgets how primaries were that no zone has any more.
    pub(in crate::transfer::secondary) fn forget_other_peers(&mut self, in_use: &HashSet<SocketAddr>) {
        self.slots.forget_other_peers(in_use);
    }

    /// A NOTIFY came from there.
    pub(in crate::transfer::secondary) fn is_heard(&mut self, address: SocketAddr, now: Instant) {
        self.slots.end_pause(address, now);
    }

    /// An operator wants transfers: no primary is left alone any more.
    pub(in crate::transfer::secondary) fn end_pauses(&mut self, now: Instant) {
        self.slots.end_pauses(now);
    }
}

#[cfg(test)]
#[path = "../../../../tests/unit/transfer/fair_shares.rs"]
mod fair_shares;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;

    fn jobs() -> Jobs {
        let many = NonZeroU32::MIN.saturating_add(99_999);
        Jobs::new(Pacer::new(many, many, Instant::now()), 16, 8)
    }

    fn ask(last: u8, is_hinted: bool) -> Ask {
        let address = SocketAddr::from(([192, 0, 2, last], 53));
        let zone = Name::root();
        Ask { zone, primary: 0, address, generation: 0, over: AskOver::Usual, doubt: None, is_hinted }
    }

    /// The addresses of the queries that leave now.
    fn leave(jobs: &mut Jobs) -> Vec<Ask> {
        let next = || match jobs.next(Instant::now()) {
            Next::Ask(ask) => Some(ask),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_primary_that_does_not_answer_leaves_half_of_the_queries_to_the_others() {
        let mut jobs = jobs();
        (0..1000).for_each(|_| jobs.add_ask(ask(1, false)));
        assert_eq!(leave(&mut jobs).len(), MOST_ASKING / 2);
        (0..1000).for_each(|_| jobs.add_ask(ask(2, false)));
        assert_eq!(leave(&mut jobs).len(), MOST_ASKING / 4);
        jobs.add_ask(ask(3, false));
        assert_eq!(leave(&mut jobs).len(), 1);
        // What ends makes room for one more.
        for _ in 0..100 {
            jobs.ask_ended(ask(1, false).address, false, Instant::now());
        }
        assert!(leave(&mut jobs).len() >= 50);
    }

    #[test]
    fn a_notify_does_not_wait_for_all_that_the_timers_want_and_they_do_not_wait_for_it() {
        let mut jobs = jobs();
        (0..10).for_each(|_| jobs.add_ask(ask(1, false)));
        (0..3).for_each(|_| jobs.add_ask(ask(1, true)));
        let order: Vec<bool> = leave(&mut jobs).iter().map(|ask| ask.is_hinted).take(6).collect();
        assert_eq!(order, [true, false, true, false, true, false]);
    }

    #[test]
    fn what_waits_for_a_silent_primary_fails_and_an_order_does_not() {
        let mut jobs = jobs();
        let (address, begun) = (ask(1, false).address, Instant::now());
        let fetch = |force| Fetch {
            zone: Name::root(),
            primary: 0,
            address,
            from: None,
            force,
            generation: 0,
            gate: Arc::default(),
        };
        (0..20).for_each(|_| jobs.add_fetch(fetch(Force::No), begun).unwrap());
        while matches!(jobs.next(begun), Next::Fetch(_)) {}
        assert_eq!(jobs.fetch_ended(address, PeerEnd::Silent, begun, begun).0.len(), 12);
        assert!(jobs.add_fetch(fetch(Force::No), begun).is_err());
        assert!(jobs.add_fetch(fetch(Force::Order), begun).is_ok());
        jobs.is_heard(address, begun);
        assert!(jobs.add_fetch(fetch(Force::No), begun).is_ok());
    }

    #[test]
    fn what_may_wait_begins_only_while_most_transfers_are_free_and_none_waits() {
        let fetch = |last| Fetch {
            zone: Name::root(),
            primary: 0,
            address: ask(last, false).address,
            from: None,
            force: Force::No,
            generation: 0,
            gate: Arc::default(),
        };
        let (mut jobs, now) = (jobs(), Instant::now());
        // A quarter of sixteen.
        for last in 1..=4 {
            jobs.add_fetch(fetch(last), now).unwrap();
            assert!(!jobs.begin_idle(fetch(9).address), "one waits");
            assert!(matches!(jobs.next(now), Next::Fetch(_)));
        }
        assert!(jobs.begin_idle(fetch(9).address));
        assert!(!jobs.begin_idle(fetch(9).address), "five are under way");
        jobs.fetch_ended(fetch(1).address, PeerEnd::Answered, now, now);
        jobs.fetch_ended(fetch(9).address, PeerEnd::Answered, now, now);
        assert!(jobs.begin_idle(fetch(9).address) && !jobs.has_waiting_beside(fetch(9).address));
        // It counts as one of its primary.
        let mut jobs = Jobs::new(Pacer::new(NonZeroU32::MIN, NonZeroU32::MIN, now), 16, 1);
        assert!(jobs.begin_idle(fetch(1).address));
        jobs.add_fetch(fetch(1), now).unwrap();
        assert!(matches!(jobs.next(now), Next::Wait(_)) && jobs.has_waiting_beside(fetch(1).address));
        // What waits for the limit of another primary waits all the same.
        let mut jobs = Jobs::new(Pacer::new(NonZeroU32::MIN, NonZeroU32::MIN, now), 16, 1);
        (0..9).for_each(|_| jobs.add_fetch(fetch(2), now).unwrap());
        assert!(!jobs.begin_idle(fetch(1).address), "one of them may begin");
        assert!(matches!(jobs.next(now), Next::Fetch(_)) && matches!(jobs.next(now), Next::Wait(_)));
        assert!(!jobs.begin_idle(fetch(2).address) && jobs.begin_idle(fetch(1).address));
        assert!(!jobs.has_waiting_beside(fetch(1).address));
    }
}
