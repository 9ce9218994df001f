//! What the serving threads and the kernel say of the load at one moment, listener by listener. Numbers only; the
//! reader judges what they mean.

use std::net::{IpAddr, SocketAddr};

/// The load at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Every listening address, once for UDP and once for TCP.
    pub listeners: Vec<ListenerLoad>,
    /// Packets of the CPU that dropped the largest part, since the load was looked at before.
    pub backlog: BacklogLoad,
    /// SYN cookies sent since the start of the host, for all listeners.
    pub syn_cookies: u64,
}

/// One listening address over one transport. The counts are totals since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLoad {
    /// Where it listens; a wildcard stands for every address of its family, that of IPv6 for IPv4 as well unless IPv4 has
    /// a listener of its own.
    pub address: SocketAddr,
    /// TCP, or else UDP.
    pub is_tcp: bool,
    /// Answers that left, and queries that the limiter dropped on purpose: IPv4, IPv6. Of TCP it counts the writes.
    pub answers: [u64; 2],
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused by our caps.
    pub refused: u64,
    /// Datagrams that the sockets dropped because there was no room, or connections that the listeners did.
    pub drops: u64,
    /// Whether the queue of some socket is full now: the receive buffer, or the connections that wait to be accepted.
    pub is_queue_full: bool,
    /// Threads that serve it.
    pub threads: u32,
    /// How many of them ran or wanted to run nearly all the time since the load was looked at before.
    pub busy_threads: u32,
    /// Whether as many handshakes are under way as the kernel holds for it. Looked at only when asked for, of TCP.
    pub is_handshake_queue_full: bool,
}

/// What a CPU took from its backlog of packets and what it dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BacklogLoad {
    /// Taken.
    pub taken: u64,
    /// Dropped because the backlog was full.
    pub dropped: u64,
}

impl BacklogLoad {
    /// The dropped part, in thousandths.
    #[must_use]
    pub fn dropped_permille(&self) -> u64 {
        let all = self.taken.saturating_add(self.dropped);
        self.dropped.saturating_mul(1000).checked_div(all).unwrap_or(0)
    }
}

/// Answers that were sent since the start, over UDP and TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sends {
    /// Answers that left: IPv4, IPv6.
    pub left: [u64; 2],
    /// Answers that the kernel had no route for: IPv4, IPv6.
    pub without_route: [u64; 2],
}

impl Load {
    /// The listener that serves this address and port: its own, or the wildcard that covers it.
    #[must_use]
    pub fn listener(&self, address: SocketAddr, is_tcp: bool) -> Option<&ListenerLoad> {
        let of_kind = || {
            self.listeners.iter().filter(|one| one.is_tcp == is_tcp && one.address.port() == address.port())
        };
        let exact = of_kind().find(|one| one.address.ip() == address.ip());
        let family = of_kind()
            .find(|one| one.address.ip().is_unspecified() && one.address.is_ipv4() == address.is_ipv4());
        let dual_stack = of_kind().find(|one| one.address.ip().is_unspecified() && one.address.is_ipv6());
        exact.or(family).or(dual_stack)
    }
}

impl ListenerLoad {
    /// Answers that left for clients of this address's family.
    #[must_use]
    pub fn answers_of(&self, address: IpAddr) -> u64 {
        self.answers[usize::from(address.is_ipv6())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, is_tcp: bool) -> ListenerLoad {
        ListenerLoad {
            address: address.parse().unwrap(),
            is_tcp,
            answers: [4, 6],
            accepted: 0,
            refused: 0,
            drops: 0,
            is_queue_full: false,
            threads: 1,
            busy_threads: 0,
            is_handshake_queue_full: false,
        }
    }

    #[test]
    fn an_address_has_its_own_listener_or_the_wildcard_that_covers_it() {
        let listeners = ["192.0.2.1:53", "0.0.0.0:53", "[::]:53", "[::]:54"];
        let listeners =
            listeners.iter().flat_map(|one| [listener(one, false), listener(one, true)]).collect();
        let load = Load { listeners, ..Load::default() };
        for (address, found) in [
            ("192.0.2.1:53", Some("192.0.2.1:53")),
            ("192.0.2.2:53", Some("0.0.0.0:53")),
            ("[2001:db8::1]:53", Some("[::]:53")),
            ("192.0.2.1:54", Some("[::]:54")),
            ("192.0.2.1:55", None),
        ] {
            for is_tcp in [false, true] {
                let listener = load.listener(address.parse().unwrap(), is_tcp);
                let expected = found.map(|found| (found.parse().unwrap(), is_tcp));
                assert_eq!(listener.map(|one| (one.address, one.is_tcp)), expected, "{address}");
            }
        }
        assert_eq!(load.listeners[0].answers_of("2001:db8::1".parse().unwrap()), 6);
        assert_eq!(load.listeners[0].answers_of("192.0.2.1".parse().unwrap()), 4);
    }

    #[test]
    fn the_dropped_part_is_told_in_thousandths() {
        for (taken, dropped, permille) in [(0, 0, 0), (1000, 0, 0), (950, 50, 50), (0, 9, 1000)] {
            assert_eq!(BacklogLoad { taken, dropped }.dropped_permille(), permille);
        }
    }
}
