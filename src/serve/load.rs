//! The load, listener by listener: counts of the threads and what the kernel says of their sockets. Reads only; never holds a
//! socket open when serving has ended.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::telemetry::{BacklogLoad, ListenerLoad, Load, Sends};

use super::listeners::{Handles, ListenerHandles};
use super::traffic::Totals;

/// A thread ran or wanted to run this part of the time, in thousandths, if it is busy.
const BUSY_PERMILLE: u128 = 900;

/// A receive buffer is full when less than one part in this many is free: the kernel drops a datagram that does not fit in
/// whole, its overhead included.
#[cfg(native)]
const FREE_PART: u64 = 16;

/// A serving thread's number in `/proc/self/task`; 0 until it runs, and always elsewhere than on Linux.
#[derive(Clone, Debug, Default)]
pub(super) struct ThreadNumber(Arc<AtomicU64>);

impl ThreadNumber {
    /// Notes the calling thread's number.
    pub(super) fn note(&self) {
        if let Some(number) = kernel::thread_id() {
            self.0.store(number, Relaxed);
        }
    }

    /// The CPU time and the time in the run queue so far, in nanoseconds.
    fn wanted_cpu(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|number| *number != 0).and_then(kernel::wanted_cpu)
    }
}

/// The answers sent by all threads.
pub(super) fn sends(listeners: &[ListenerHandles]) -> Sends {
    let totals = listeners.iter().map(ListenerHandles::totals).fold(Totals::default(), Totals::plus);
    Sends { left: totals.left, without_route: totals.without_route }
}

/// Octets that wait in the UDP sockets.
pub(super) fn waiting(listeners: &[ListenerHandles]) -> u64 {
    let sockets = listeners.iter().filter_map(|listener| match &listener.sockets {
        Handles::Udp(sockets) => Some(sockets),
        Handles::Tcp(_) => None,
    });
    sockets.flatten().map(|socket| kernel::of_socket(socket).waiting).sum()
}

/// Looks at the load for one observer.
#[derive(Debug)]
pub struct LoadReader {
    /// Gone when serving has ended.
    listeners: Weak<Vec<ListenerHandles>>,
    threads: Vec<ThreadNumber>,
    looked: Instant,
    wanted: Vec<Option<u64>>,
    backlogs: Vec<(u32, u32)>,
}

impl LoadReader {
    pub(super) fn new(listeners: Weak<Vec<ListenerHandles>>, threads: Vec<ThreadNumber>) -> Self {
        let wanted = vec![None; threads.len()];
        Self { listeners, threads, looked: Instant::now(), wanted, backlogs: kernel::backlogs() }
    }

    /// The load now, and since the last look where it says so. `handshakes`: also whether the queues of handshakes are full,
    /// which reads the table of all connections.
    pub fn observe(&mut self, handshakes: bool) -> Load {
        let busy = self.busy_threads(Instant::now());
        let backlog = self.backlog();
        let Some(listeners) = self.listeners.upgrade() else { return Load::default() };
        let listener = |listener: &ListenerHandles| {
            let totals = listener.totals();
            let queue = match &listener.sockets {
                Handles::Udp(sockets) => {
                    sockets.iter().map(kernel::of_socket).fold(Queue::default(), Queue::plus)
                }
                Handles::Tcp(sockets) => {
                    sockets.iter().map(kernel::of_listener).fold(Queue::default(), Queue::plus)
                }
            };
            let is_tcp = matches!(listener.sockets, Handles::Tcp(_));
            let is_busy = |thread: &&usize| busy.get(**thread).copied().unwrap_or(false);
            ListenerLoad {
                address: listener.address,
                is_tcp,
                answers: [totals.left[0] + totals.limited[0], totals.left[1] + totals.limited[1]],
                accepted: totals.accepted,
                refused: totals.refused,
                drops: queue.drops,
                is_queue_full: queue.is_full,
                threads: listener.threads.len() as u32,
                busy_threads: listener.threads.iter().filter(is_busy).count() as u32,
                is_handshake_queue_full: handshakes
                    && is_tcp
                    && kernel::has_full_handshakes(listener.address, queue.room),
            }
        };
        Load {
            listeners: listeners.iter().map(listener).collect(),
            backlog,
            syn_cookies: kernel::syn_cookies(),
        }
    }

    /// Which threads ran or wanted to run nearly all the time since the last look.
    fn busy_threads(&mut self, now: Instant) -> Vec<bool> {
        let elapsed = now.saturating_duration_since(self.looked).as_nanos();
        self.looked = now;
        let busy = |(thread, before): (&ThreadNumber, &mut Option<u64>)| {
            let wanted = thread.wanted_cpu();
            let before = std::mem::replace(before, wanted);
            let (Some(wanted), Some(before)) = (wanted, before) else { return false };
            elapsed > 0 && u128::from(wanted.saturating_sub(before)) * 1000 >= elapsed * BUSY_PERMILLE
        };
        self.threads.iter().zip(&mut self.wanted).map(busy).collect()
    }

    /// The backlog of the CPU that dropped the largest part since the last look.
    fn backlog(&mut self) -> BacklogLoad {
        let now = kernel::backlogs();
        let before = std::mem::replace(&mut self.backlogs, now);
        let since = |((taken, dropped), before): (&(u32, u32), &(u32, u32))| BacklogLoad {
            taken: taken.wrapping_sub(before.0).into(),
            dropped: dropped.wrapping_sub(before.1).into(),
        };
        let worst = self.backlogs.iter().zip(&before).map(since);
        worst.max_by_key(|load| (load.dropped_permille(), load.dropped)).unwrap_or_default()
    }
}

/// What the kernel says of some sockets' queues.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    waiting: u64,
    drops: u64,
    is_full: bool,
    /// Connections that may wait.
    room: u64,
}

impl Queue {
    fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            drops: self.drops + other.drops,
            is_full: self.is_full || other.is_full,
            room: self.room + other.room,
        }
    }
}

#[cfg(native)]
mod kernel {
    use super::{FREE_PART, Queue, SocketAddr, TcpListener, UdpSocket};
    use crate::sys::{proc_net, sockets};

    /// A socket that is lost counts as empty.
    pub(super) fn of_socket(socket: &UdpSocket) -> Queue {
        let memory = sockets::memory(socket).unwrap_or_default();
        let is_full = memory.buffer > 0 && memory.waiting >= memory.buffer - memory.buffer / FREE_PART;
        Queue { waiting: memory.waiting, drops: memory.drops, is_full, room: 0 }
    }

    pub(super) fn of_listener(listener: &TcpListener) -> Queue {
        let (waiting, room) = sockets::accept_queue(listener).unwrap_or_default();
        let drops = sockets::memory(listener).unwrap_or_default().drops;
        Queue { waiting: waiting.into(), drops, is_full: room > 0 && waiting >= room, room: room.into() }
    }

    /// The calling thread's number.
    pub(super) fn thread_id() -> Option<u64> {
        proc_net::thread_id().ok()
    }

    /// The CPU time of a thread and its time in the run queue, in nanoseconds.
    pub(super) fn wanted_cpu(thread: u64) -> Option<u64> {
        proc_net::wanted_cpu(thread).ok()
    }

    pub(super) fn backlogs() -> Vec<(u32, u32)> {
        let backlogs = proc_net::backlogs().unwrap_or_default();
        backlogs.iter().map(|backlog| (backlog.taken, backlog.dropped)).collect()
    }

    pub(super) fn syn_cookies() -> u64 {
        proc_net::syn_cookies().unwrap_or(0)
    }

    /// The kernel holds as many handshakes for a listener as connections may wait to be accepted. Several listeners share an
    /// address, each with its own queue, and the first is full before the last.
    pub(super) fn has_full_handshakes(address: SocketAddr, room: u64) -> bool {
        room > 0 && proc_net::handshakes(address).is_ok_and(|handshakes| handshakes as u64 >= room - room / 4)
    }
}

/// Elsewhere than on Linux the kernel reports none of this, so nothing is evidence.
#[cfg(not(native))]
mod kernel {
    use super::{Queue, SocketAddr, TcpListener, UdpSocket};

    pub(super) fn of_socket(_: &UdpSocket) -> Queue {
        Queue::default()
    }

    pub(super) fn of_listener(_: &TcpListener) -> Queue {
        Queue::default()
    }

    pub(super) fn thread_id() -> Option<u64> {
        None
    }

    pub(super) fn wanted_cpu(_: u64) -> Option<u64> {
        None
    }

    pub(super) fn backlogs() -> Vec<(u32, u32)> {
        Vec::new()
    }

    pub(super) fn syn_cookies() -> u64 {
        0
    }

    pub(super) fn has_full_handshakes(_: SocketAddr, _: u64) -> bool {
        false
    }
}
