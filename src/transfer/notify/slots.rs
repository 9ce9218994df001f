//! Which target is sent the next NOTIFY, and when: each target has slots of its own, so one that does not answer holds up no other.
//!
//! ```text
//! (target, zone) --wait--> queue of the target --take_next--> under way --ended--> the slot is free
//! ```
//!
//! A NOTIFY that waits for its answer has a slot. A target that answers has many slots, out of a pool that all targets share; one that
//! does not has a few, which no other target can take. No I/O, no clock.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;

use crate::wire::Name;

/// Slots of each target that are not in the pool. A target that does not answer has no more: with a second each, its first NOTIFYs leave
/// four times a second.
const OWN_SLOTS: usize = 4;
/// Slots of a target that answers: some thousand zones a second at a round trip of 50 ms, and a burst that its receive buffer takes.
const TARGET_SLOTS: usize = 64;

/// The place of one NOTIFY in the queue of its target: zones that it was never told of come before repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueuePlace {
    /// Whether the target was sent the same before, without an answer.
    pub is_again: bool,
    number: u64,
}

/// A NOTIFY whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextNotify {
    /// The target.
    pub address: SocketAddr,
    /// The zone.
    pub zone: Name,
    /// The target's index among those of the zone.
    pub target: usize,
}

/// What became of a NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotOutcome {
    /// An answer came.
    Answered,
    /// None came in time.
    Unanswered,
    /// It was not sent.
    NotSent,
}

/// See the module.
#[derive(Debug)]
pub struct TargetSlots {
    targets: HashMap<SocketAddr, TargetQueue>,
    /// Targets with something to send, in the order of their turns.
    ready: VecDeque<SocketAddr>,
    /// Slots in use.
    running: usize,
    /// Slots in use at most, but for those that each target has of its own.
    most: usize,
    numbers: u64,
}

#[derive(Debug, Default)]
struct TargetQueue {
    waiting: BTreeMap<QueuePlace, (Name, usize)>,
    running: usize,
    /// Whether the last NOTIFY that ended had no answer.
    is_silent: bool,
    /// Whether it is in the list of those that are ready.
    is_ready: bool,
}

impl TargetSlots {
    /// With so many slots in the pool.
    pub fn new(most: usize) -> Self {
        Self { targets: HashMap::new(), ready: VecDeque::new(), running: 0, most, numbers: 0 }
    }

    /// A zone is to be told of to a target; its place in the queue.
    pub fn wait(
        &mut self,
        address: SocketAddr,
        (zone, target): (&Name, usize),
        is_again: bool,
    ) -> QueuePlace {
        self.numbers += 1;
        let place = QueuePlace { is_again, number: self.numbers };
        let queue = self.targets.entry(address).or_default();
        queue.waiting.insert(place, (zone.clone(), target));
        if !std::mem::replace(&mut queue.is_ready, true) {
            self.ready.push_back(address);
        }
        place
    }

    /// What waits there waits no more.
    pub fn withdraw(&mut self, address: SocketAddr, place: QueuePlace) {
        if let Some(queue) = self.targets.get_mut(&address) {
            queue.waiting.remove(&place);
        }
    }

    /// How many wait, of all targets.
    pub fn waiting(&self) -> usize {
        self.targets.values().map(|queue| queue.waiting.len()).sum()
    }

    /// What is sent next, one target after the other. It has a slot until [`TargetSlots::ended`].
    pub fn take_next(&mut self) -> Option<NextNotify> {
        for _ in 0..self.ready.len() {
            let address = self.ready.pop_front()?;
            let Some(queue) = self.targets.get_mut(&address) else { continue };
            let slots = if queue.is_silent { OWN_SLOTS } else { TARGET_SLOTS };
            if queue.running >= slots || queue.waiting.is_empty() {
                queue.is_ready = false;
                continue;
            }
            self.ready.push_back(address);
            if self.running >= self.most && queue.running >= OWN_SLOTS {
                continue;
            }
            if let Some((_, (zone, target))) = queue.waiting.pop_first() {
                queue.running += 1;
                self.running += 1;
                return Some(NextNotify { address, zone, target });
            }
        }
        None
    }

    /// A slot is free.
    pub fn ended(&mut self, address: SocketAddr, outcome: SlotOutcome) {
        let Some(queue) = self.targets.get_mut(&address) else { return };
        queue.running = queue.running.saturating_sub(1);
        self.running = self.running.saturating_sub(1);
        match outcome {
            SlotOutcome::Answered => queue.is_silent = false,
            SlotOutcome::Unanswered => queue.is_silent = true,
            SlotOutcome::NotSent => {}
        }
        if !queue.waiting.is_empty() && !std::mem::replace(&mut queue.is_ready, true) {
            self.ready.push_back(address);
        }
    }

    /// Forgets targets that are configured no more, once nothing of them is under way or waits.
    pub fn keep(&mut self, configured: &HashSet<SocketAddr>) {
        self.targets.retain(|address, queue| {
            configured.contains(address) || queue.running > 0 || !queue.waiting.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 53).into()
    }

    fn name(number: usize) -> Name {
        format!("z{number}.example.").parse().unwrap()
    }

    fn sent(slots: &mut TargetSlots) -> Vec<(SocketAddr, Name)> {
        std::iter::from_fn(|| slots.take_next()).map(|next| (next.address, next.zone)).collect()
    }

    #[test]
    fn a_silent_target_has_slots_of_its_own_and_takes_none_of_others() {
        let (live, silent, mut slots) = (target(1), target(2), TargetSlots::new(100));
        for zone in 0..1000 {
            slots.wait(silent, (&name(zone), 0), false);
        }
        // Nothing is known of it yet.
        assert_eq!(sent(&mut slots).len(), TARGET_SLOTS);
        slots.wait(live, (&name(1), 1), false);
        assert_eq!(slots.take_next(), Some(NextNotify { address: live, zone: name(1), target: 1 }));
        slots.ended(live, SlotOutcome::Answered);
        // Each that ends without an answer makes room for none until few are left.
        for _ in 0..TARGET_SLOTS - OWN_SLOTS {
            slots.ended(silent, SlotOutcome::Unanswered);
            assert_eq!(sent(&mut slots), []);
        }
        slots.ended(silent, SlotOutcome::Unanswered);
        assert_eq!(sent(&mut slots).len(), 1);
        // It answers again.
        slots.ended(silent, SlotOutcome::Answered);
        assert_eq!(sent(&mut slots).len(), TARGET_SLOTS - OWN_SLOTS + 1);
    }

    #[test]
    fn a_target_has_its_own_slots_although_the_pool_is_empty() {
        let mut slots = TargetSlots::new(TARGET_SLOTS);
        for zone in 0..TARGET_SLOTS {
            slots.wait(target(1), (&name(zone), 0), false);
        }
        assert_eq!(sent(&mut slots).len(), TARGET_SLOTS);
        for zone in 0..10 {
            slots.wait(target(2), (&name(zone), 0), false);
        }
        assert_eq!(sent(&mut slots).len(), OWN_SLOTS);
        slots.ended(target(1), SlotOutcome::Answered);
        assert_eq!(sent(&mut slots).len(), 0, "the own slots of the other one are beyond the pool");
        for _ in 0..OWN_SLOTS {
            slots.ended(target(1), SlotOutcome::Answered);
        }
        assert_eq!(sent(&mut slots).len(), 1);
    }

    #[test]
    fn news_come_before_repetitions_and_what_is_withdrawn_not_at_all() {
        let mut slots = TargetSlots::new(100);
        slots.wait(target(1), (&name(1), 0), true);
        let gone = slots.wait(target(1), (&name(2), 0), false);
        slots.wait(target(1), (&name(3), 0), false);
        slots.withdraw(target(1), gone);
        assert_eq!(slots.waiting(), 2);
        assert_eq!(sent(&mut slots), [(target(1), name(3)), (target(1), name(1))]);
        slots.ended(target(1), SlotOutcome::NotSent);
        slots.keep(&HashSet::new());
        assert_eq!(slots.targets.len(), 1, "one is under way");
        slots.ended(target(1), SlotOutcome::NotSent);
        slots.keep(&HashSet::new());
        assert_eq!((slots.targets.len(), slots.running), (0, 0));
    }
}
