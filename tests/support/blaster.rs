//! Threads that send as fast as they can, without waiting for answers: what a flood is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

use super::dns;
use super::lab::Space;
use super::wire::RawSocket;

/// A query whose first label is random; where that label begins.
const NAME_AT: usize = 13;
/// How many packets are sent between two looks whether to stop.
const BATCH: usize = 64;

/// A thread that sends in a namespace; ends when dropped.
pub struct Blaster {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Blaster {
    /// Queries of random names of a zone, to a service address.
    pub fn queries(space: &Space, service: IpAddr, zone: &str) -> Self {
        let mut message = random_name(zone);
        Self::start(space, move || {
            let any: IpAddr = if service.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            let socket = UdpSocket::bind((any, 0)).expect("a socket");
            socket.connect((service, 53)).expect("a route");
            move || {
                randomize(&mut message);
                // A full queue on the way is what a flood is about.
                let _ = socket.send(&message);
            }
        })
    }

    /// The same queries from spoofed sources of a documentation prefix.
    pub fn spoofed_queries(space: &Space, service: IpAddr, zone: &str) -> Self {
        let mut message = random_name(zone);
        Self::start(space, move || {
            let socket = RawSocket::new(service);
            move || {
                randomize(&mut message);
                socket.send_query(spoofed(service), fastrand::u16(1024..), &message);
            }
        })
    }

    /// Requests for TCP connections from spoofed sources of a documentation prefix.
    pub fn syns(space: &Space, service: IpAddr) -> Self {
        Self::start(space, move || {
            let socket = RawSocket::new(service);
            move || socket.send_syn(spoofed(service), fastrand::u16(1024..))
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
pub const SPOOFED: [&str; 2] = ["203.0.113.0/24", "2001:db8:bad::/48"];

/// A random address of [`SPOOFED`], of the family of the service.
fn spoofed(service: IpAddr) -> IpAddr {
    match service {
        IpAddr::V4(_) => Ipv4Addr::new(203, 0, 113, fastrand::u8(..)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(0x2001_0db8_0bad_u128 << 80 | u128::from(fastrand::u64(..))).into(),
    }
}

fn random_name(zone: &str) -> Vec<u8> {
    dns::query(1, &format!("aaaaaaaa.{zone}"), dns::A)
}

fn randomize(message: &mut [u8]) {
    for octet in &mut message[NAME_AT..NAME_AT + 8] {
        *octet = fastrand::u8(b'a'..=b'z');
    }
}
