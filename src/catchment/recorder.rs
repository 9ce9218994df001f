//! The prefixes of the clients whose queries were sampled, over the last half hour to an hour.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::handoff::{Latest, Reader};

use super::sketch::{Estimate, Sketch};

/// How long a window fills. What is told covers the window that fills and the last whole one: long enough for rare clients, and a route
/// that has moved shows within the hour.
const WINDOW: Duration = Duration::from_secs(30 * 60);

/// Prefixes of one family and window: some hundred kilobytes, and a prefix with more than one query in 4,096 is never missing.
const CAPACITY: usize = 4096;

/// Between two documents.
const PERIOD: Duration = Duration::from_secs(2);

/// How long the prefix of an IPv4 client is: the longest that BGP carries everywhere.
const IPV4_LENGTH: u8 = 24;
/// The same for IPv6.
const IPV6_LENGTH: u8 = 48;

/// Which prefixes reach this POP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catchment {
    /// One query in so many was looked at.
    pub one_in: u32,
    /// Since when.
    pub since: Instant,
    /// Clients over IPv4.
    pub ipv4: FamilyCatchment,
    /// Clients over IPv6.
    pub ipv6: FamilyCatchment,
}

/// The prefixes of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilyCatchment {
    /// The samples of all clients.
    pub samples: u64,
    /// The prefixes with the most samples, at most [`FamilyCatchment::MAX_PREFIXES`], the busiest first.
    pub prefixes: Vec<PrefixCount>,
}

impl FamilyCatchment {
    /// The most prefixes that are told.
    pub const MAX_PREFIXES: usize = CAPACITY;
}

/// How many samples a prefix has: at least `samples`, at most `samples + missed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixCount {
    /// The prefix, /24 or /48.
    pub prefix: IpNet,
    /// Samples that were counted for it.
    pub samples: u64,
    /// Samples that may be its own and were counted for no prefix, at most.
    pub missed: u64,
}

/// Counts samples. Lives on the thread that empties the taps.
#[derive(Debug)]
pub struct Recorder {
    one_in: u32,
    /// The addresses of this POP: its own probes come from there.
    own: BTreeSet<IpAddr>,
    filling: Window,
    whole: Option<Window>,
    /// When the next document is due.
    due: Instant,
    latest: Latest<Catchment>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    ipv4: Sketch<IpNet>,
    ipv6: Sketch<IpNet>,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, ipv4: Sketch::new(CAPACITY), ipv6: Sketch::new(CAPACITY) }
    }
}

impl Recorder {
    /// A recorder of one query in `one_in`; the addresses in `own` are this POP's and count for no client.
    #[must_use]
    pub fn new(one_in: u32, own: impl IntoIterator<Item = IpAddr>, now: Instant) -> Self {
        let filling = Window::new(now);
        let latest = Latest::new(Catchment {
            one_in,
            since: now,
            ipv4: FamilyCatchment::default(),
            ipv6: FamilyCatchment::default(),
        });
        Self { one_in, own: own.into_iter().collect(), filling, whole: None, due: now, latest }
    }

    /// Where the newest document is.
    #[must_use]
    pub fn reader(&self) -> Reader<Catchment> {
        self.latest.reader()
    }

    /// Counts the client of a sample.
    pub fn note(&mut self, client: IpAddr) {
        let client = client.to_canonical();
        if client.is_loopback() || self.own.contains(&client) {
            return;
        }
        match client {
            IpAddr::V4(client) => {
                if let Ok(prefix) = Ipv4Net::new(client, IPV4_LENGTH) {
                    self.filling.ipv4.note(IpNet::V4(prefix.trunc()));
                }
            }
            IpAddr::V6(client) => {
                if let Ok(prefix) = Ipv6Net::new(client, IPV6_LENGTH) {
                    self.filling.ipv6.note(IpNet::V6(prefix.trunc()));
                }
            }
        }
    }

    /// Publishes a document if it is time, and begins a new window if the old one is over.
    pub fn publish(&mut self, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + PERIOD;
        if now.saturating_duration_since(self.filling.since) >= WINDOW {
            self.whole = Some(std::mem::replace(&mut self.filling, Window::new(now)));
        }
        self.latest.publish(self.catchment());
    }

    /// What both windows tell together.
    fn catchment(&self) -> Catchment {
        let since = self.whole.as_ref().map_or(self.filling.since, |whole| whole.since);
        let family =
            |of: fn(&Window) -> &Sketch<IpNet>| family(of(&self.filling), self.whole.as_ref().map(of));
        Catchment {
            one_in: self.one_in,
            since,
            ipv4: family(|window| &window.ipv4),
            ipv6: family(|window| &window.ipv6),
        }
    }
}

/// The sums of both windows. What a prefix is missing in one of them adds to what it is missing at all.
fn family(filling: &Sketch<IpNet>, whole: Option<&Sketch<IpNet>>) -> FamilyCatchment {
    let mut known: BTreeSet<&IpNet> = filling.items().collect();
    known.extend(whole.iter().flat_map(|whole| whole.items()));
    let count = |prefix: &IpNet| {
        let before = whole.map_or_else(Estimate::default, |whole| whole.estimate(prefix));
        let now = filling.estimate(prefix);
        PrefixCount { prefix: *prefix, samples: before.seen + now.seen, missed: before.missed + now.missed }
    };
    let mut prefixes: Vec<PrefixCount> = known.into_iter().map(count).collect();
    prefixes.sort_by_key(|one| (Reverse(one.samples), one.prefix));
    prefixes.truncate(FamilyCatchment::MAX_PREFIXES);
    FamilyCatchment { samples: filling.noted() + whole.map_or(0, Sketch::noted), prefixes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn rows(family: &FamilyCatchment) -> Vec<(String, u64)> {
        family.prefixes.iter().map(|one| (one.prefix.to_string(), one.samples)).collect()
    }

    #[test]
    fn clients_are_counted_by_prefix_and_the_pop_itself_is_no_client() {
        let now = Instant::now();
        let mut recorder = Recorder::new(7, ["192.0.2.53", "2001:db8::53"].map(address), now);
        let reader = recorder.reader();
        for client in [
            "198.51.100.1",
            "198.51.100.200",
            "203.0.113.9",
            "::ffff:203.0.113.10",
            "198.51.100.3",
            "2001:db8:7:8::1",
            "2001:db8:7:9::1",
            "192.0.2.53",
            "2001:db8::53",
            "127.0.0.1",
            "::1",
        ] {
            recorder.note(address(client));
        }
        recorder.publish(now);
        let told = reader.load();
        assert_eq!((told.one_in, told.since, told.ipv4.samples, told.ipv6.samples), (7, now, 5, 2));
        assert_eq!(rows(&told.ipv4), [("198.51.100.0/24".to_owned(), 3), ("203.0.113.0/24".to_owned(), 2)]);
        assert_eq!(rows(&told.ipv6), [("2001:db8:7::/48".to_owned(), 2)]);
    }

    #[test]
    fn what_is_older_than_two_windows_is_forgotten() {
        let begin = Instant::now();
        let mut recorder = Recorder::new(1, [], begin);
        let reader = recorder.reader();
        recorder.note(address("192.0.2.1"));
        recorder.publish(begin + WINDOW);
        recorder.note(address("198.51.100.1"));
        recorder.note(address("192.0.2.2"));
        recorder.publish(begin + WINDOW + PERIOD / 2);
        assert_eq!(reader.load().ipv4.samples, 1, "it is not time");
        recorder.publish(begin + WINDOW + PERIOD);
        let told = reader.load();
        assert_eq!((told.since, told.ipv4.samples), (begin, 3));
        assert_eq!(rows(&told.ipv4), [("192.0.2.0/24".to_owned(), 2), ("198.51.100.0/24".to_owned(), 1)]);
        recorder.publish(begin + WINDOW * 2);
        let told = reader.load();
        assert_eq!((told.since, told.ipv4.samples), (begin + WINDOW, 2));
        recorder.publish(begin + WINDOW * 3);
        assert_eq!(reader.load().ipv4, FamilyCatchment::default());
    }

    #[test]
    fn a_prefix_that_lost_its_counter_in_one_window_says_how_much_is_missing() {
        let (mut whole, mut filling) = (Sketch::new(1), Sketch::new(1));
        let [one, other]: [IpNet; 2] = ["192.0.2.0/24", "198.51.100.0/24"].map(|text| text.parse().unwrap());
        for prefix in [one, one, other] {
            whole.note(prefix);
        }
        filling.note(one);
        let told = family(&filling, Some(&whole));
        assert_eq!(told.samples, 4);
        let row = |prefix, samples, missed| PrefixCount { prefix, samples, missed };
        // One was noted three times, the other once: both are within their bounds.
        assert_eq!(told.prefixes, [row(one, 1, 3), row(other, 1, 3)]);
    }
}
