//! The clients that lately completed a TCP handshake: their addresses cannot be spoofed, so a host that has a route to none of
//! them has lost its routes. Written when a connection is accepted, never for a query; no lock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Clients of each family that are remembered: enough that one network that went away is not all of them.
const CLIENTS: usize = 8;

/// How long a client is remembered: routes that were there an hour ago should be there.
const MEMORY: Duration = Duration::from_secs(3600);

/// The clients. An IPv6 client is remembered by its /64, which is routed as one.
#[derive(Debug)]
pub(super) struct Clients {
    begun: Instant,
    ipv4: Ring,
    ipv6: Ring,
}

#[derive(Debug, Default)]
struct Ring {
    slots: [Slot; CLIENTS],
}

/// One client. Two threads that write at one time may mix two clients' moments, which are nearly the same.
#[derive(Debug, Default)]
struct Slot {
    /// The address, or the upper half of it.
    address: AtomicU64,
    /// When it was last seen, in milliseconds since the start, plus one; 0 for an empty slot.
    seen: AtomicU64,
}

impl Clients {
    pub(super) fn new(now: Instant) -> Self {
        Self { begun: now, ipv4: Ring::default(), ipv6: Ring::default() }
    }

    /// Remembers a client whose handshake is complete. Loopback needs no route.
    pub(super) fn add(&self, client: IpAddr, now: Instant) {
        match client.to_canonical() {
            client if client.is_loopback() => {}
            IpAddr::V4(client) => self.ipv4.add(u64::from(client.to_bits()), self.moment(now)),
            IpAddr::V6(client) => self.ipv6.add((client.to_bits() >> 64) as u64, self.moment(now)),
        }
    }

    /// The clients of the last hour.
    pub(super) fn recent(&self, now: Instant) -> Vec<IpAddr> {
        let oldest = self.moment(now).saturating_sub(MEMORY.as_millis() as u64).max(1);
        let ipv4 = self.ipv4.since(oldest).map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits as u32)));
        // The first host of the network.
        let ipv6 =
            self.ipv6.since(oldest).map(|bits| IpAddr::from(Ipv6Addr::from_bits(u128::from(bits) << 64 | 1)));
        ipv4.chain(ipv6).collect()
    }

    fn moment(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_millis() as u64 + 1
    }
}

impl Ring {
    /// Renews the client's slot, or takes the one that was renewed longest ago.
    fn add(&self, address: u64, moment: u64) {
        let is_known = |slot: &&Slot| slot.address.load(Relaxed) == address && slot.seen.load(Relaxed) > 0;
        let known = self.slots.iter().find(is_known);
        if let Some(slot) = known.or_else(|| self.slots.iter().min_by_key(|slot| slot.seen.load(Relaxed))) {
            slot.address.store(address, Relaxed);
            slot.seen.store(moment, Relaxed);
        }
    }

    fn since(&self, oldest: u64) -> impl Iterator<Item = u64> {
        let recent = self.slots.iter().filter(move |slot| slot.seen.load(Relaxed) >= oldest);
        recent.map(|slot| slot.address.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_clients_of_each_family_are_remembered_for_an_hour() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let clients = Clients::new(start);
        let add = |client: &str, seconds| clients.add(client.parse().unwrap(), at(seconds));
        let recent = |seconds| -> Vec<String> {
            let mut all: Vec<String> = clients.recent(at(seconds)).iter().map(IpAddr::to_string).collect();
            all.sort();
            all
        };
        assert!(recent(0).is_empty());
        add("127.0.0.1", 0);
        add("::1", 0);
        assert!(recent(0).is_empty(), "loopback needs no route");
        add("2001:db8:0:1::99", 0);
        add("2001:db8:0:1::98", 0);
        for host in 1..=8 {
            add(&format!("192.0.2.{host}"), host);
        }
        add("::ffff:192.0.2.1", 9);
        add("192.0.2.9", 10);
        let eight: Vec<String> =
            [1, 3, 4, 5, 6, 7, 8, 9].iter().map(|host| format!("192.0.2.{host}")).collect();
        assert_eq!(recent(10), [&eight[..], &["2001:db8:0:1::1".to_owned()]].concat());
        assert_eq!(recent(3608), ["192.0.2.1", "192.0.2.8", "192.0.2.9"]);
        assert!(recent(9000).is_empty());
    }
}
