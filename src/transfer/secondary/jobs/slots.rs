//! Which transfers may go on at one time: primaries that say nothing, or send slowly without end, leave room for the others.
//!
//! ```text
//!   an address that answers:  as many as the settings allow it, but the last quarter of all is for addresses without one
//!   one that was silent:      one at a time, and all of these together half of the transfers; what waits for it fails at once
//! ```
//!
//! Begins and ends flow in, whether one more may begin flows out. No I/O, no clock of its own.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The first pause of an address that was silent; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: as long as a transfer waits for its first message by default.
const MOST_PAUSE: Duration = Duration::from_secs(60);

/// How a transfer ended, for its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transfer::secondary) enum PeerEnd {
    /// The primary has answered, whatever it said.
    Answered,
    /// It took time, and the primary did not send what it must.
    Silent,
    /// Neither can be said.
    Unknown,
}

/// What the end of a transfer changes for its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transfer::secondary) enum PeerChange {
    /// Nothing.
    Not,
    /// It is silent now: what waits for it is to fail.
    Silent,
    /// It was silent, and has answered.
    Back,
}

/// See the module.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct TransferSlots {
    most: usize,
    most_per_primary: usize,
    under_way: HashMap<SocketAddr, usize>,
    /// When each address was last found to answer.
    answered: HashMap<SocketAddr, Instant>,
    silent: HashMap<SocketAddr, Silence>,
}

/// An address that was silent when it was last asked for a transfer.
#[derive(Clone, Copy, Debug)]
struct Silence {
    until: Instant,
    pause: Duration,
}

impl TransferSlots {
    pub(in crate::transfer::secondary) fn new(most: usize, most_per_primary: usize) -> Self {
        Self {
            most: most.max(1),
            most_per_primary: most_per_primary.max(1),
            under_way: HashMap::new(),
            answered: HashMap::new(),
            silent: HashMap::new(),
        }
    }

    /// Takes another limit for each primary.
    pub(in crate::transfer::secondary) fn change(&mut self, most_per_primary: usize) {
        self.most_per_primary = most_per_primary.max(1);
    }

    /// Whether one more may begin.
    pub(in crate::transfer::secondary) fn may_begin(&self, address: SocketAddr) -> bool {
        let (all, count) = (self.under_way.values().sum::<usize>(), self.count(address));
        if all >= self.most {
            return false;
        }
        if self.silent.contains_key(&address) {
            let of_silent: usize = self.silent.keys().map(|address| self.count(*address)).sum();
            return count == 0 && of_silent < (self.most / 2).max(1);
        }
        count == 0 || (count < self.most_per_primary && all + self.most / 4 < self.most)
    }

    /// Whether no more than a quarter of all are under way.
    pub(super) fn are_most_free(&self) -> bool {
        self.under_way.values().sum::<usize>() * 4 <= self.most
    }

    fn count(&self, address: SocketAddr) -> usize {
        self.under_way.get(&address).copied().unwrap_or(0)
    }

    pub(in crate::transfer::secondary) fn begin(&mut self, address: SocketAddr) {
        *self.under_way.entry(address).or_default() += 1;
    }

    /// A transfer that began then has ended.
    pub(in crate::transfer::secondary) fn end(
        &mut self,
        address: SocketAddr,
        end: PeerEnd,
        begun: Instant,
        now: Instant,
    ) -> PeerChange {
        if let Some(count) = self.under_way.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(&address);
            }
        }
        match end {
            PeerEnd::Unknown => PeerChange::Not,
            PeerEnd::Answered => {
                self.answered.insert(address, now);
                match self.silent.remove(&address) {
                    Some(_) => PeerChange::Back,
                    None => PeerChange::Not,
                }
            }
            // Another transfer of it went well meanwhile: it is about this zone.
            PeerEnd::Silent if self.answered.get(&address).is_some_and(|at| *at > begun) => PeerChange::Not,
            PeerEnd::Silent => {
                let before = self.silent.get(&address).map(|silence| silence.pause * 2);
                let pause = before.unwrap_or(FIRST_PAUSE).min(MOST_PAUSE);
                self.silent.insert(address, Silence { until: now + pause, pause });
                PeerChange::Silent
            }
        }
    }

    /// How long an address that was silent is left alone still.
    pub(in crate::transfer::secondary) fn pause(
        &self,
        address: SocketAddr,
        now: Instant,
    ) -> Option<Duration> {
        let until = self.silent.get(&address)?.until;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Something came from there, or an operator wants it: it is asked again, for one transfer at a time.
    pub(in crate::transfer::secondary) fn end_pause(&mut self, address: SocketAddr, now: Instant) {
        if let Some(silence) = self.silent.get_mut(&address) {
            silence.until = now;
        }
    }

    /// Forgets how addresses were that are in use no more.
    pub(in crate::transfer::secondary) fn forget_other_peers(&mut self, in_use: &HashSet<SocketAddr>) {
        self.answered.retain(|address, _| in_use.contains(address));
        self.silent.retain(|address, _| in_use.contains(address));
    }

    /// The same of all addresses.
    pub(in crate::transfer::secondary) fn end_pauses(&mut self, now: Instant) {
        self.silent.values_mut().for_each(|silence| silence.until = now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    /// As many transfers of each of these addresses as may begin.
    fn fill(slots: &mut TransferSlots, peers: impl IntoIterator<Item = u8>) -> Vec<usize> {
        let fill_one = |last| {
            while slots.may_begin(peer(last)) {
                slots.begin(peer(last));
            }
            slots.count(peer(last))
        };
        peers.into_iter().map(fill_one).collect()
    }

    #[test]
    fn slow_primaries_leave_a_quarter_to_those_that_have_none_under_way() {
        let mut slots = TransferSlots::new(16, 8);
        assert_eq!(fill(&mut slots, [1, 2, 3, 4]), [8, 4, 1, 1]);
        assert!(slots.may_begin(peer(5)) && !slots.may_begin(peer(3)));
        // Where there are few, each address has its turn.
        assert_eq!(fill(&mut TransferSlots::new(1, 8), [1, 2]), [1, 0]);
        assert_eq!(fill(&mut TransferSlots::new(2, 1), [1, 2]), [1, 1]);
    }

    #[test]
    fn silent_primaries_have_half_of_all_until_they_answer() {
        let begun = Instant::now();
        let later = begun + Duration::from_secs(60);
        let mut slots = TransferSlots::new(16, 8);
        for last in 0..40 {
            slots.begin(peer(last));
            assert_eq!(slots.end(peer(last), PeerEnd::Silent, begun, later), PeerChange::Silent);
            assert_eq!(slots.pause(peer(last), later), Some(FIRST_PAUSE));
        }
        assert_eq!(fill(&mut slots, 0..40).iter().sum::<usize>(), 8);
        assert_eq!(fill(&mut slots, [100]), [4]);
        assert!(slots.may_begin(peer(101)));
        // The pause doubles, up to its bound; a message of the primary ends it.
        for _ in 0..9 {
            slots.begin(peer(1));
            slots.end(peer(1), PeerEnd::Silent, begun, later);
        }
        assert_eq!(slots.pause(peer(1), later), Some(MOST_PAUSE));
        slots.end_pause(peer(1), later);
        assert_eq!(slots.pause(peer(1), later), None);
        assert_eq!(slots.end(peer(1), PeerEnd::Answered, begun, later), PeerChange::Back);
        assert_eq!(slots.end(peer(1), PeerEnd::Answered, begun, later), PeerChange::Not);
        assert_eq!(fill(&mut slots, [1]), [1]);
        // One zone that does not come says nothing of a primary that gives others meanwhile.
        assert_eq!(slots.end(peer(1), PeerEnd::Silent, begun, later), PeerChange::Not);
        // An address that no zone has any more is as good as new.
        slots.forget_other_peers(&HashSet::from([peer(3)]));
        assert_eq!((slots.answered.len(), slots.silent.len()), (0, 1));
    }
}
