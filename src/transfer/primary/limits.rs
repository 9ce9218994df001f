//! How much one client may ask for: requests a second, connections at one time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use governor::Quota;

use crate::telemetry::{SourceLimits, locked};

/// Cells that addresses share by a seeded hash: many times the secondaries that anybody has, so that two rarely share one; and
/// spoofed sources cannot make it grow.
const CELLS: usize = 4096;

/// See the module. A client that a list names counts by its address, any other by its network.
pub(super) struct ClientLimits {
    rates: SourceLimits,
    connections: Mutex<HashMap<IpAddr, usize>>,
    most_connections: usize,
}

/// A connection that counts until it is dropped.
pub(super) struct Slot {
    limits: Arc<ClientLimits>,
    client: IpAddr,
}

impl ClientLimits {
    pub(super) fn new(per_second: NonZeroU32, most_connections: usize, start: Instant) -> Self {
        Self {
            rates: SourceLimits::new(Quota::per_second(per_second), CELLS, start),
            connections: Mutex::default(),
            most_connections,
        }
    }

    /// Whether one more request of this address is taken.
    pub(super) fn takes(&self, client: IpAddr, now: Instant) -> bool {
        self.wait(client, now).is_none()
    }

    /// Takes one more request of this address, or says after how long to try again.
    pub(super) fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        self.rates.wait(client, now)
    }

    /// A slot for one more connection of this address, if it may have one. As many entries as connections, whose number is
    /// bounded by the listener.
    pub(super) fn connect(self: &Arc<Self>, client: IpAddr) -> Option<Slot> {
        let mut connections = locked(&self.connections);
        let count = connections.entry(client).or_default();
        if *count >= self.most_connections {
            return None;
        }
        *count += 1;
        drop(connections);
        Some(Slot { limits: self.clone(), client })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut connections = locked(&self.limits.connections);
        if let Some(count) = connections.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_beyond_the_rate_is_told_when_to_come() {
        let (start, client) = (Instant::now(), IpAddr::from([192, 0, 2, 1]));
        let limits = ClientLimits::new(NonZeroU32::MIN.saturating_add(9), 1, start);
        assert!((0..10).all(|_| limits.takes(client, start)));
        let wait = limits.wait(client, start).unwrap();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
        assert!(!limits.takes(client, start + wait - Duration::from_micros(1)));
        assert_eq!(limits.wait(client, start + wait), None);
    }
}
