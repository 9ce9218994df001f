//! Of which zones a primary is to be compared with what is served, and when.
//!
//! ```text
//!   all primaries:  one at a time; the next 10 s later, or after 19 times as long as it took, but 10 minutes later at most
//!   one address:    the same without that bound; one that did not send what it must is left alone for 10 minutes at least
//! ```
//!
//! What is wanted and what has ended flows in, which zone may be next flows out. No I/O, no clock of its own.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::wire::Name;

/// Between the end of one and the beginning of the next at least.
const PAUSE: Duration = Duration::from_secs(10);
/// The pause after one that took long, by what it took: then comparisons go on for a twentieth of the time.
const PAUSE_BY_LENGTH: u32 = 19;
/// The longest pause of all because of one, so that one slow primary does not end the comparisons of the others; and the shortest one of an
/// address that did not send what it must.
const MOST_PAUSE: Duration = Duration::from_secs(600);

/// The zones of which a primary is to be compared, each at most once.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct Comparisons {
    /// By the address of that primary: a primary that is left alone holds back no other.
    wanted: HashMap<SocketAddr, BTreeSet<(Instant, Name)>>,
    /// Where each zone is in there.
    places: HashMap<Name, (SocketAddr, Instant)>,
    pub(in crate::transfer::secondary) under_way: Option<RunningComparison>,
    /// When the next may begin.
    next: Instant,
    /// The same, of each address.
    pauses: HashMap<SocketAddr, Instant>,
}

/// The one that goes on.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct RunningComparison {
    zone: Name,
    pub(in crate::transfer::secondary) address: SocketAddr,
    pub(in crate::transfer::secondary) stop: CancellationToken,
}

impl Comparisons {
    pub(in crate::transfer::secondary) fn new(now: Instant) -> Self {
        let (wanted, places, pauses) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { wanted, places, under_way: None, next: now, pauses }
    }

    /// When a primary of the zone is to be compared, and its address; none: not at all.
    pub(in crate::transfer::secondary) fn note(&mut self, zone: &Name, due: Option<(SocketAddr, Instant)>) {
        let before = match due {
            Some(due) => self.places.insert(zone.clone(), due),
            None => self.places.remove(zone),
        };
        if before == due {
            return;
        }
        if let Some((address, at)) = before
            && let Some(queue) = self.wanted.get_mut(&address)
        {
            queue.remove(&(at, zone.clone()));
            if queue.is_empty() {
                self.wanted.remove(&address);
            }
        }
        if let Some((address, at)) = due {
            self.wanted.entry(address).or_default().insert((at, zone.clone()));
        }
    }

    /// The next of each address, and when it may begin; the soonest first.
    pub(in crate::transfer::secondary) fn firsts(&self) -> Vec<(Instant, SocketAddr, Name)> {
        let first = |(address, queue): (&SocketAddr, &BTreeSet<(Instant, Name)>)| {
            let (at, zone) = queue.first()?;
            let pause = self.pauses.get(address).copied().unwrap_or(self.next);
            Some(((*at).max(self.next).max(pause), *address, zone.clone()))
        };
        let mut firsts: Vec<_> = self.wanted.iter().filter_map(first).collect();
        firsts.sort_unstable();
        firsts
    }

    /// Until when none may begin, if one is wanted.
    pub(in crate::transfer::secondary) fn pause(&self, now: Instant) -> Option<Instant> {
        (self.next > now && !self.wanted.is_empty()).then_some(self.next)
    }

    /// One begins; what ends it.
    pub(in crate::transfer::secondary) fn begin(
        &mut self,
        zone: Name,
        address: SocketAddr,
    ) -> CancellationToken {
        let stop = CancellationToken::new();
        self.under_way = Some(RunningComparison { zone, address, stop: stop.clone() });
        stop
    }

    /// The one that went on with this address has ended after that time; `is_silent`: because the primary did not send what it must.
    pub(in crate::transfer::secondary) fn ended(
        &mut self,
        address: SocketAddr,
        (took, is_silent): (Duration, bool),
        now: Instant,
    ) {
        let pause = PAUSE.max(took * PAUSE_BY_LENGTH);
        self.under_way = None;
        self.next = now + pause.min(MOST_PAUSE);
        let of_address = if is_silent { pause.max(MOST_PAUSE) } else { pause };
        self.pauses.insert(address, now + of_address);
    }

    /// The zone is transferred now, or is gone: what is compared with will be served no more.
    pub(in crate::transfer::secondary) fn stop(&self, zone: &Name) {
        if let Some(under_way) = self.under_way.as_ref().filter(|it| it.zone == *zone) {
            under_way.stop.cancel();
        }
    }

    /// Forgets the pauses of primaries that no zone has any more.
    pub(in crate::transfer::secondary) fn forget_other_peers(&mut self, in_use: &HashSet<SocketAddr>) {
        self.pauses.retain(|address, _| in_use.contains(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    fn zone(number: u8) -> Name {
        format!("z{number}.").parse().unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_zone_is_wanted_once_whatever_was_noted_before() {
        let now = Instant::now();
        let mut it = Comparisons::new(now);
        let due = |last, after| Some((peer(last), now + seconds(after)));
        let firsts = |it: &Comparisons| -> Vec<_> {
            let of = |(at, address, zone): (Instant, SocketAddr, Name)| (at - now, address, zone);
            it.firsts().into_iter().map(of).collect()
        };
        it.note(&zone(1), due(1, 5));
        it.note(&zone(1), due(1, 5));
        it.note(&zone(2), due(1, 7));
        assert_eq!(firsts(&it), [(seconds(5), peer(1), zone(1))]);
        // The zone goes and comes again, with another time and another primary.
        it.note(&zone(1), due(2, 9));
        assert_eq!(firsts(&it), [(seconds(7), peer(1), zone(2)), (seconds(9), peer(2), zone(1))]);
        it.note(&zone(1), None);
        it.note(&zone(1), None);
        it.note(&zone(2), due(1, 3600));
        assert_eq!(firsts(&it), [(seconds(3600), peer(1), zone(2))]);
        it.note(&zone(2), None);
        assert!(it.firsts().is_empty() && it.wanted.is_empty() && it.places.is_empty());
    }

    #[test]
    fn a_primary_that_is_slow_or_silent_holds_back_the_others_for_ten_minutes_at_most() {
        let now = Instant::now();
        let first = |took, is_silent| {
            let mut it = Comparisons::new(now);
            it.note(&zone(1), Some((peer(1), now)));
            it.note(&zone(2), Some((peer(2), now)));
            let stop = it.begin(zone(1), peer(1));
            it.stop(&zone(2));
            assert!(!stop.is_cancelled());
            it.stop(&zone(1));
            assert!(stop.is_cancelled());
            it.ended(peer(1), (seconds(took), is_silent), now);
            assert!(it.under_way.is_none() && it.pause(now).is_some());
            let waits = |address| {
                let firsts = it.firsts();
                let (at, ..) = firsts.iter().find(|(_, other, _)| *other == address).unwrap();
                (*at - now).as_secs()
            };
            (waits(peer(1)), waits(peer(2)))
        };
        assert_eq!(first(0, false), (10, 10));
        assert_eq!(first(20, false), (380, 380));
        assert_eq!(first(300, false), (5700, 600));
        // One that is dead, or refuses the connection at once.
        assert_eq!(first(0, true), (600, 10));
        assert_eq!(first(5, true), (600, 95));
        let mut it = Comparisons::new(now);
        it.ended(peer(1), (seconds(300), true), now);
        assert_eq!(it.pause(now), None, "nothing is wanted");
        it.forget_other_peers(&HashSet::new());
        assert!(it.pauses.is_empty());
    }
}
