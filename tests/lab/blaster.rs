//! Threads that send as fast as they can, without waiting for answers: what a flood is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

use crate::support::dns;
use crate::support::lab::Space;
use crate::support::pop::ZONE;
use crate::support::wire::RawSocket;
use crate::support::world::service;

/// A query whose first label is random; where that label begins.
const NAME_AT: usize = 13;
/// How many packets are sent between two looks whether to stop.
const BATCH: usize = 64;

/// A thread that sends in a namespace; ends when dropped.
pub(crate) struct Blaster {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Blaster {
    /// Queries of random names of the served zone, to the service address of this family.
    pub(crate) fn queries(space: &Space, family: usize) -> Self {
        Self::start(space, move || {
            let socket = UdpSocket::bind((["0.0.0.0", "::"][family], 0)).expect("a socket");
            socket.connect((service(family), 53)).expect("a route");
            let mut message = random_name();
            move || {
                randomize(&mut message);
                // A full queue on the way is what a flood is about.
                let _ = socket.send(&message);
            }
        })
    }

    /// The same queries from spoofed sources of a documentation prefix.
    pub(crate) fn spoofed_queries(space: &Space, family: usize) -> Self {
        Self::start(space, move || {
            let socket = RawSocket::new(service(family));
            let mut message = random_name();
            move || {
                randomize(&mut message);
                socket.send_query(spoofed(family), fastrand::u16(1024..), &message);
            }
        })
    }

    /// Requests for TCP connections from spoofed sources of a documentation prefix.
    pub(crate) fn syns(space: &Space, family: usize) -> Self {
        Self::start(space, move || {
            let socket = RawSocket::new(service(family));
            move || socket.send_syn(spoofed(family), fastrand::u16(1024..))
        })
    }

    /// `make` makes, inside of the namespace, what sends one packet.
    fn start<One: FnMut()>(space: &Space, make: impl FnOnce() -> One + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (space, ended) = (space.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            space.enter();
            let mut send = make();
            while !ended.load(SeqCst) {
                (0..BATCH).for_each(|_| send());
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Blaster {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The prefixes of the spoofed sources (RFC 5737, RFC 3849), by family.
pub(crate) const SPOOFED: [&str; 2] = ["203.0.113.0/24", "2001:db8:bad::/48"];

/// A random address of [`SPOOFED`].
fn spoofed(family: usize) -> IpAddr {
    match family {
        0 => Ipv4Addr::new(203, 0, 113, fastrand::u8(..)).into(),
        _ => Ipv6Addr::from(0x2001_0db8_0bad_u128 << 80 | u128::from(fastrand::u64(..))).into(),
    }
}

fn random_name() -> Vec<u8> {
    dns::query(1, &format!("aaaaaaaa.{ZONE}"), dns::A)
}

fn randomize(message: &mut [u8]) {
    for octet in &mut message[NAME_AT..NAME_AT + 8] {
        *octet = fastrand::u8(b'a'..=b'z');
    }
}
