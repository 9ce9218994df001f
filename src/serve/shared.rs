//! What the serving threads share: how far the stop has come, and which sockets are lost.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, TryLockError};

use tokio::sync::{Notify, watch};

use crate::telemetry::locked;

use super::transport::Transport;

/// A listening socket that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostListener {
    /// Where it listened.
    pub address: SocketAddr,
    /// What it spoke.
    pub transport: Transport,
    /// What the system said.
    pub reason: String,
}

impl LostListener {
    /// Lost with this error.
    pub(super) fn new(address: SocketAddr, transport: Transport, error: &io::Error) -> Self {
        Self { address, transport, reason: error.to_string() }
    }
}

impl fmt::Display for LostListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}: {}", self.address, self.transport, self.reason)
    }
}

/// How far the stop has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not at all.
    #[default]
    Serve,
    /// Answer what waits, take nothing new, end.
    Drain,
    /// End.
    Quit,
}

/// What the threads of one engine share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The phase for workers, who read it each turn; as `Phase` is numbered.
    phase: AtomicU8,
    /// The phase for tasks, who wait for it.
    phases: watch::Sender<Phase>,
    lost: Mutex<Vec<LostListener>>,
    changed: Notify,
}

impl Shared {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Serve,
            1 => Phase::Drain,
            _ => Phase::Quit,
        }
    }

    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.phases.subscribe()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.phases.send_replace(phase);
    }

    /// Reports a lost socket. Bounded: each socket is lost once.
    pub(super) fn lose(&self, lost: LostListener) {
        locked(&self.lost).push(lost);
        self.changed.notify_one();
    }

    /// What was lost so far, in order, each address and transport once. `None` while a thread reports a loss: the observer does not
    /// wait for a thread that may be frozen at that point.
    pub(super) fn lost(&self) -> Option<Vec<LostListener>> {
        let mut lost = match self.lost.try_lock() {
            Ok(lost) => lost.clone(),
            Err(TryLockError::Poisoned(lost)) => lost.into_inner().clone(),
            Err(TryLockError::WouldBlock) => return None,
        };
        lost.sort();
        lost.dedup_by(|a, b| (a.address, a.transport) == (b.address, b.transport));
        Some(lost)
    }

    /// Returns when a socket was lost since the last call. One waits at a time.
    pub(super) async fn loss(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loss_is_told_once_for_each_address_and_transport_and_wakes() {
        let shared = Shared::default();
        let lost = |address: &str, transport| LostListener {
            address: address.parse().unwrap(),
            transport,
            reason: "gone".into(),
        };
        shared.lose(lost("192.0.2.1:53", Transport::Udp));
        shared.lose(lost("192.0.2.1:53", Transport::Tcp));
        shared.lose(lost("192.0.2.1:53", Transport::Udp));
        shared.loss().await;
        let told: Vec<String> = shared.lost().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["192.0.2.1:53/udp: gone", "192.0.2.1:53/tcp: gone"]);
    }

    #[test]
    fn a_thread_frozen_while_it_reports_a_loss_stops_nobody() {
        let shared = Shared::default();
        let frozen = shared.lost.lock().unwrap();
        assert_eq!(shared.lost(), None);
        drop(frozen);
        assert_eq!(shared.lost(), Some(Vec::new()));
    }
}
