//! One zone's NOTIFYs out: to each target until it answers (RFC 1996 section 3.6).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::rcode::{NOERROR, SERVFAIL};
use crate::wire::{Name, Serial};

use super::slots::QueuePlace;

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// The key that signs.
    pub key: Option<Name>,
}

/// How often and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// After the first NOTIFY without an answer; it doubles.
    pub first: Duration,
    /// What doubling never exceeds.
    pub longest: Duration,
    /// NOTIFYs of one serial to one target; then the target is given up.
    pub most: u32,
    /// After each refusal of one serial; after the last of them the target is given up. A secondary that learns of the zone by a
    /// catalog refuses the NOTIFY that comes before the catalog does.
    pub refused: [Duration; 2],
    /// After a target was given up, until one more NOTIFY is sent; it doubles.
    pub again: Duration,
    /// What that doubling never exceeds.
    pub longest_again: Duration,
}

impl Default for Pauses {
    /// A second: a lost datagram delays a change by no more. A minute is what RFC 1996 section 3.6 suggests. Ten make five
    /// minutes: longer than a restart of a secondary. Then one leaves after five minutes, and after an hour at most: what is known of a
    /// target is not much older than its outage was long.
    fn default() -> Self {
        let refused = [Duration::from_secs(5), Duration::from_secs(30)];
        let (again, longest_again) = (Duration::from_secs(300), Duration::from_secs(3600));
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
        Self { first, longest, most: 10, refused, again, longest_again }
    }
}

/// One message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// The target's index.
    pub target: usize,
    /// The message's ID.
    pub id: u16,
    /// The serial to tell.
    pub serial: Serial,
    /// When the next one leaves: an answer to this one counts until then.
    pub pause: Duration,
}

/// A target that is to be sent a NOTIFY when it has a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueTarget {
    /// The target's index.
    pub target: usize,
    /// Where.
    pub address: SocketAddr,
    /// Whether it was sent this serial before, without an answer.
    pub is_again: bool,
    /// The place in the queue that it has for an older serial, and has no more.
    pub withdrawn: Option<QueuePlace>,
}

/// What is known about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStatus {
    /// Whom.
    pub target: Target,
    /// The serial that it answered for last.
    pub acknowledged: Option<Serial>,
    /// The serial that it has not answered for, and how many NOTIFYs were sent.
    pub pending: Option<(Serial, u32)>,
    /// The serial for which it was given up; one more NOTIFY is sent from time to time.
    pub given_up: Option<Serial>,
    /// The RCODE of its last answer, if it was an error, and since when it answers with errors alone.
    pub refused: Option<(u8, Instant)>,
    /// When the first NOTIFY left that it has not answered since its last answer.
    pub unanswered: Option<Instant>,
}

/// The NOTIFYs of one zone.
#[derive(Debug)]
pub struct Notifier {
    pauses: Pauses,
    targets: Vec<TargetState>,
    rng: fastrand::Rng,
}

#[derive(Debug)]
struct TargetState {
    status: TargetStatus,
    /// The serial that it was told of last, or is being told of.
    told: Option<Serial>,
    id: u16,
    due: Instant,
    /// Where it waits for a slot.
    queued: Option<QueuePlace>,
    /// How often it has refused this serial.
    refusals: usize,
    /// How often it was given up for this serial.
    times_given_up: u32,
}

impl TargetState {
    /// Whether it is to be told something and does not wait for a slot yet, or waits behind others with a serial that is old now.
    fn is_to_queue(&self) -> bool {
        let Some((_, sent)) = self.status.pending else { return false };
        self.queued.is_none_or(|place| place.is_again && sent == 0)
    }

    /// When something is to be done for it.
    fn due(&self) -> Option<Instant> {
        (self.is_to_queue() || self.status.given_up.is_some()).then_some(self.due)
    }

    /// Gives it up, and says when one more NOTIFY is sent.
    fn give_up(&mut self, now: Instant, pauses: &Pauses) {
        self.status.given_up = self.status.pending.take().map(|(serial, _)| serial);
        let pause = pauses.again.saturating_mul(1 << self.times_given_up.min(16)).min(pauses.longest_again);
        (self.due, self.times_given_up) = (now + pause, self.times_given_up.saturating_add(1));
    }
}

impl Notifier {
    /// Tells no target yet.
    pub fn new(targets: Vec<Target>, pauses: Pauses, now: Instant, rng: fastrand::Rng) -> Self {
        let state = |target| TargetState {
            status: TargetStatus {
                target,
                acknowledged: None,
                pending: None,
                given_up: None,
                refused: None,
                unanswered: None,
            },
            told: None,
            id: 0,
            due: now,
            queued: None,
            refusals: 0,
            times_given_up: 0,
        };
        Self { pauses, targets: targets.into_iter().map(state).collect(), rng }
    }

    /// The zone may have a new serial for some targets, and `serial` gives that of each; `None` where it may have none. A target is told if its serial is
    /// another one than before; one that had not answered for an older serial is told of this one alone.
    pub fn changed(&mut self, serial: impl Fn(&Target) -> Option<Serial>, now: Instant) {
        for state in &mut self.targets {
            let Some(serial) = serial(&state.status.target).filter(|serial| state.told != Some(*serial))
            else {
                continue;
            };
            (state.status.pending, state.status.given_up) = (Some((serial, 0)), None);
            (state.told, state.due) = (Some(serial), now);
            (state.refusals, state.times_given_up) = (0, 0);
        }
    }

    /// When [`Notifier::wake`] is due; `None` if no target is to be told anything, or those that are wait for a slot.
    pub fn due(&self) -> Option<Instant> {
        self.targets.iter().filter_map(TargetState::due).min()
    }

    /// The targets that are to be told now: each waits for a slot, and `queue` gives its place. Gives those that did not answer and
    /// are given up for the first time.
    pub fn wake(&mut self, now: Instant, mut queue: impl FnMut(DueTarget) -> QueuePlace) -> Vec<SocketAddr> {
        let mut given_up = Vec::new();
        for (target, state) in self.targets.iter_mut().enumerate() {
            if state.due().is_none_or(|due| due > now) {
                continue;
            }
            if let Some(serial) = state.status.given_up.take() {
                // Once, not as often as at first.
                state.status.pending = Some((serial, self.pauses.most.saturating_sub(1)));
            }
            let Some((_, sent)) = state.status.pending.filter(|_| state.is_to_queue()) else { continue };
            if sent >= self.pauses.most {
                if state.times_given_up == 0 {
                    given_up.push(state.status.target.address);
                }
                state.give_up(now, &self.pauses);
                continue;
            }
            let (address, withdrawn) = (state.status.target.address, state.queued.take());
            state.queued = Some(queue(DueTarget { target, address, is_again: sent > 0, withdrawn }));
        }
        given_up
    }

    /// What to send to a target that has a slot now; `None` if it has answered meanwhile.
    pub fn send(&mut self, target: usize, now: Instant) -> Option<Send> {
        let state = self.targets.get_mut(target)?;
        state.queued.take()?;
        let (serial, sent) = state.status.pending?;
        // A new ID for each: an old answer must not count for a new serial.
        state.id = self.rng.u16(..);
        state.status.pending = Some((serial, sent + 1));
        let pause = self.pauses.first.saturating_mul(1 << sent.min(16)).min(self.pauses.longest);
        state.due = now + pause;
        Some(Send { target, id: state.id, serial, pause })
    }

    /// What [`Notifier::send`] gave has left.
    pub fn left(&mut self, target: usize, now: Instant) {
        if let Some(state) = self.targets.get_mut(target) {
            state.status.unanswered.get_or_insert(now);
        }
    }

    /// Where targets wait for a slot.
    pub fn queued(&self) -> impl Iterator<Item = (SocketAddr, QueuePlace)> {
        self.targets.iter().filter_map(|state| Some((state.status.target.address, state.queued?)))
    }

    /// A target answers again: the serial for which it was given up is sent at once.
    pub fn told_again(&mut self, address: SocketAddr, now: Instant) {
        for state in self.targets.iter_mut().filter(|state| state.status.target.address == address) {
            if let Some(serial) = state.status.given_up.take() {
                (state.status.pending, state.due) = (Some((serial, 0)), now);
            }
        }
    }

    /// The response of a target; false if it is to an older NOTIFY: that says no more than that the target answers.
    pub fn answered(&mut self, target: usize, (id, rcode): (u16, u8), now: Instant) -> bool {
        let Some(state) = self.targets.get_mut(target) else { return false };
        let pending = state.status.pending.filter(|(_, sent)| *sent > 0);
        let Some((serial, _)) = pending.filter(|_| state.id == id) else {
            // A zone may change faster than an answer takes: then no answer is to the last NOTIFY.
            state.status.unanswered = state.status.unanswered.and(pending).map(|_| now);
            state.status.refused = state.status.refused.filter(|_| rcode != NOERROR);
            return false;
        };
        let since = state.status.refused.map_or(now, |(_, since)| since);
        state.status.refused = (rcode != NOERROR).then_some((rcode, since));
        state.status.unanswered = None;
        match rcode {
            NOERROR => (state.status.pending, state.status.acknowledged) = (None, Some(serial)),
            // It is told again as if it had not answered.
            SERVFAIL => {}
            _ => match self.pauses.refused.get(state.refusals) {
                Some(pause) => (state.due, state.refusals) = (now + *pause, state.refusals + 1),
                None => state.give_up(now, &self.pauses),
            },
        }
        true
    }

    /// The facts.
    pub fn status(&self) -> impl Iterator<Item = &TargetStatus> {
        self.targets.iter().map(|state| &state.status)
    }
}
