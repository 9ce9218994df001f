//! Which NOTIFYs that came to a service address go on to the other POPs, and when.
//!
//! Names of zones, hints and the time flow in; what to forward now flows out. Of one zone at most one goes out in an interval: the first at
//! once, and of those that come meanwhile the last at its end, unless it tells of the same serial. No I/O, no clock. Of a zone nothing is
//! remembered for longer than the interval.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::wire::{Name, Serial};

/// Zones that are remembered at most, because a catalog may have many and anybody may tell of all of them; of others nothing is forwarded, and the
/// timers of the other POPs have to do.
const MAX_REMEMBERED_ZONES: usize = 1 << 14;

/// See the module.
#[derive(Debug)]
pub struct Forwarding {
    interval: Duration,
    zones: HashMap<Name, Forwarded>,
}

#[derive(Clone, Copy, Debug)]
struct Forwarded {
    /// When the next one may go.
    next: Instant,
    /// The serial that was told of last.
    hint: Option<Serial>,
    /// One has come since.
    waits: Option<Option<Serial>>,
}

impl Forwarding {
    /// Nothing has come yet.
    pub fn new(interval: Duration) -> Self {
        Self { interval, zones: HashMap::new() }
    }

    /// A NOTIFY came; whether it goes on at once.
    pub fn notified(&mut self, zone: &Name, hint: Option<Serial>, now: Instant) -> bool {
        let (next, is_full) = (now + self.interval, self.zones.len() >= MAX_REMEMBERED_ZONES);
        match self.zones.get_mut(zone) {
            Some(known) if known.next > now => {
                // A repetition, because the answer to the first one was lost.
                if hint.is_none() || hint != known.hint {
                    known.waits = Some(hint);
                }
                false
            }
            None if is_full => false,
            _ => {
                self.zones.insert(zone.clone(), Forwarded { next, hint, waits: None });
                true
            }
        }
    }

    /// When [`Forwarding::wake`] is due.
    pub fn due(&self) -> Option<Instant> {
        self.zones.values().map(|known| known.next).min()
    }

    /// The zones of which one goes on now; those whose interval is over are forgotten.
    pub fn wake(&mut self, now: Instant) -> Vec<Name> {
        let (interval, mut go) = (self.interval, Vec::new());
        self.zones.retain(|zone, known| {
            if known.next > now {
                return true;
            }
            let Some(hint) = known.waits.take() else { return false };
            go.push(zone.clone());
            *known = Forwarded { next: now + interval, hint, waits: None };
            true
        });
        go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn of_a_zone_the_first_goes_at_once_and_the_last_of_the_others_when_the_interval_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut forwarding = Forwarding::new(Duration::from_secs(5));
        let (a, b, hint) = (name("a."), name("b."), |serial| Some(Serial(serial)));
        assert!(forwarding.notified(&a, hint(1), at(0)));
        // Another zone does not wait for this one.
        assert!(forwarding.notified(&b, None, at(1)));
        // The same again, from each of several addresses of the primary.
        assert!(!forwarding.notified(&a, hint(1), at(1)));
        assert_eq!((forwarding.due(), forwarding.wake(at(4))), (Some(at(5)), Vec::new()));
        // Newer ones: one for all of them.
        assert!(!forwarding.notified(&a, hint(2), at(4)) && !forwarding.notified(&a, hint(3), at(4)));
        assert_eq!(forwarding.wake(at(5)), std::slice::from_ref(&a));
        // What was told of just now is a repetition, too.
        assert!(!forwarding.notified(&a, hint(3), at(6)));
        // One without a serial may be about another version each time.
        assert!(!forwarding.notified(&b, None, at(5)));
        assert_eq!(forwarding.wake(at(6)), std::slice::from_ref(&b));
        // Nothing is remembered for longer.
        assert!(forwarding.wake(at(11)).is_empty());
        assert_eq!((forwarding.due(), forwarding.zones.len()), (None, 0));
        assert!(forwarding.notified(&a, hint(3), at(11)));
    }

    #[test]
    fn a_flood_of_zones_is_bounded() {
        let mut forwarding = Forwarding::new(Duration::from_secs(5));
        let now = Instant::now();
        let gone = (0..MAX_REMEMBERED_ZONES + 10)
            .filter(|number| forwarding.notified(&name(&format!("{number}.")), None, now));
        assert_eq!(gone.count(), MAX_REMEMBERED_ZONES);
        // Zones that are known go on.
        assert!(!forwarding.notified(&name("1."), None, now));
        assert_eq!(forwarding.wake(now + Duration::from_secs(5)), [name("1.")]);
    }
}
