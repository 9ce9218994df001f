//! NOTIFYs that came to a service address, forwarded to the management addresses of the other POPs.
//!
//! With anycast such a NOTIFY reaches the nearest POP alone. It is forwarded as one of this POP's own: from a management address, to management
//! addresses, signed where a key is configured. One that comes to a management address is never forwarded, so none is forwarded
//! twice. Off unless targets are configured.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::unix_now;
use crate::telemetry::LogLimit;
use crate::transfer::notify::{Forwarding, Target, read_answer, request_without_soa};
use crate::transfer::tsig::{Exchange, Key};
use crate::wire::{Name, Serial};

use super::net::datagrams;
use super::settings::SecondarySettings;

/// At most one NOTIFY of a zone goes out in this time. The other POPs are late by as much at most, when versions follow each other.
const INTERVAL: Duration = Duration::from_secs(5);
/// NOTIFYs under way at most: each has a socket.
const MAX_RUNNING_NOTIFIES: usize = 256;
/// How long each attempt waits for the answer: a lost datagram delays a change by a second. After the last one the timers of that POP have to do.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Octets of an answer: a question, and a signature.
const DATAGRAM: usize = 1232;

/// See the module.
pub(super) struct Forwarder {
    settings: Arc<SecondarySettings>,
    forwarding: Forwarding,
    tasks: JoinSet<()>,
    /// Of NOTIFYs that do not go on: anybody who can send from the address of a primary can cause them.
    log: Arc<LogLimit>,
}

impl Forwarder {
    pub(super) fn new(settings: Arc<SecondarySettings>) -> Self {
        let (tasks, log) = (JoinSet::new(), Arc::default());
        Self { settings, forwarding: Forwarding::new(INTERVAL), tasks, log }
    }

    /// Other targets or keys from the next one on.
    pub(super) fn change(&mut self, settings: Arc<SecondarySettings>) {
        self.settings = settings;
    }

    /// A NOTIFY came to a service address, and was accepted.
    pub(super) fn notified(&mut self, zone: &Name, hint: Option<Serial>) {
        if !self.settings.forward_notify.is_empty() && self.forwarding.notified(zone, hint, Instant::now()) {
            self.forward(zone);
        }
    }

    /// Returns when it has done something. Cancel-safe.
    pub(super) async fn step(&mut self) {
        let due = self.forwarding.due();
        tokio::select! {
            Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
            () = sleep_until(due) => {
                for zone in self.forwarding.wake(Instant::now()) {
                    self.forward(&zone);
                }
            }
        }
    }

    fn forward(&mut self, zone: &Name) {
        for target in &self.settings.forward_notify {
            if self.tasks.len() >= MAX_RUNNING_NOTIFIES {
                self.log.write(target.address.ip(), |left_out| {
                    tracing::warn!(%zone, most = MAX_RUNNING_NOTIFIES, left_out, "too many NOTIFYs are being forwarded: the timers of the other POPs have to do");
                });
                return;
            }
            let (Target { address, key }, log) = (target.clone(), self.log.clone());
            let key = key.and_then(|key| self.settings.keys.get(&key)).cloned();
            let (management, zone) = (self.settings.management.clone(), zone.clone());
            self.tasks.spawn(async move {
                match send_notify(&management, address, key, &zone).await {
                    Some(0) => tracing::debug!(%zone, %address, "a NOTIFY was forwarded"),
                    Some(rcode) => log.write(address.ip(), |left_out| {
                        tracing::warn!(%zone, %address, rcode, left_out, "the POP refuses a forwarded NOTIFY: is this POP in the notify-from of its zone, with the key?");
                    }),
                    None => log.write(address.ip(), |left_out| {
                        tracing::warn!(%zone, %address, left_out, "the POP does not answer to a forwarded NOTIFY");
                    }),
                }
            });
        }
    }
}

/// Sends a NOTIFY until it is answered, as often as there are waits; the RCODE.
async fn send_notify(
    management: &[IpAddr],
    address: SocketAddr,
    key: Option<Arc<Key>>,
    zone: &Name,
) -> Option<u8> {
    for wait in WAITS {
        let id = fastrand::u16(..);
        let mut message = request_without_soa(id, zone);
        let mut exchange = key.as_ref().map(|key| Exchange::sign(&mut message, key, unix_now()));
        let socket = datagrams(management, address).await.ok()?;
        let answer = timeout(wait, async {
            socket.send(&message).await.ok()?;
            let mut buffer = vec![0; DATAGRAM];
            loop {
                // A port that is closed is told as an error: the next attempt may find it open.
                let octets = socket.recv(&mut buffer).await.ok()?;
                let answer = buffer.get(..octets).unwrap_or_default();
                let Some(rcode) = read_answer(answer, id) else { continue };
                let is_verified = |exchange: &mut Exchange| exchange.verify(answer, unix_now()).is_ok();
                return exchange.as_mut().is_none_or(is_verified).then_some(rcode);
            }
        });
        let begun = Instant::now();
        if let Some(rcode) = answer.await.ok().flatten() {
            return Some(rcode);
        }
        tokio::time::sleep(wait.saturating_sub(begun.elapsed())).await;
    }
    None
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
