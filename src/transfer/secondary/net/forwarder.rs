//! NOTIFYs that came to a service address, forwarded to the management addresses of the other POPs.
//!
//! With anycast such a NOTIFY reaches the nearest POP alone. It is forwarded as one of this POP's own: from a management address, to management
//! addresses, signed where a key is configured. One that comes to a management address is never forwarded, so none is forwarded
//! twice. Off unless targets are configured.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};
use tokio::time::timeout;

use crate::clock::unix_now;
use crate::telemetry::LogLimit;
use crate::transfer::notify::{
    Forwarding, NextNotify, SlotOutcome, Target, TargetSlots, read_answer, request_without_soa,
};
use crate::transfer::tsig::{Exchange, Key};
use crate::wire::{Name, Serial};

use crate::transfer::secondary::net::datagrams;
use crate::transfer::secondary::settings::SecondarySettings;

/// At most one NOTIFY of a zone goes out in this time. The other POPs are late by as much at most, when versions follow each other.
const INTERVAL: Duration = Duration::from_secs(5);
/// NOTIFYs under way at most, but for the few that each target has of its own: each has a socket.
const MAX_RUNNING_NOTIFIES: usize = 256;
/// NOTIFYs that wait for a slot at most, of all targets together: all zones of a large hub, for a few POPs that do not answer.
const MAX_WAITING_NOTIFIES: usize = 1 << 16;
/// How long each attempt waits for the answer: a lost datagram delays a change by a second. After the last one the timers of that POP have to do.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Octets of an answer: a question, and a signature.
const DATAGRAM: usize = 1232;

/// See the module.
pub(in crate::transfer::secondary) struct Forwarder {
    settings: Arc<SecondarySettings>,
    forwarding: Forwarding,
    slots: TargetSlots,
    /// What waits for a slot: one NOTIFY of a zone to each target does for all that come meanwhile, because it has no serial.
    waiting: HashSet<(SocketAddr, Name)>,
    /// Each tells whether the target answered.
    tasks: JoinSet<bool>,
    /// The target of each task: one that panics leaves its slot, too.
    addresses: HashMap<Id, SocketAddr>,
    /// Of NOTIFYs that do not go on: anybody who can send from the address of a primary can cause them.
    log: Arc<LogLimit>,
}

impl Forwarder {
    pub(in crate::transfer::secondary) fn new(settings: Arc<SecondarySettings>) -> Self {
        Self {
            settings,
            forwarding: Forwarding::new(INTERVAL),
            slots: TargetSlots::new(MAX_RUNNING_NOTIFIES),
            waiting: HashSet::new(),
            tasks: JoinSet::new(),
            addresses: HashMap::new(),
            log: Arc::default(),
        }
    }

    /// Other targets or keys from the next one on.
    pub(in crate::transfer::secondary) fn change(&mut self, settings: Arc<SecondarySettings>) {
        let configured: HashSet<SocketAddr> =
            settings.forward_notify.iter().map(|target| target.address).collect();
        self.settings = settings;
        self.slots.keep(&configured);
    }

    /// A NOTIFY came to a service address, and was accepted.
    pub(in crate::transfer::secondary) fn notified(&mut self, zone: &Name, hint: Option<Serial>) {
        if !self.settings.forward_notify.is_empty() && self.forwarding.notified(zone, hint, Instant::now()) {
            self.forward(zone);
        }
    }

    /// Returns when it has done something. Cancel-safe.
    pub(in crate::transfer::secondary) async fn step(&mut self) {
        let due = self.forwarding.due();
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                let (task, is_answered) = ended.unwrap_or_else(|error| (error.id(), false));
                self.ended(task, is_answered);
            }
            () = sleep_until(due) => {
                for zone in self.forwarding.wake(Instant::now()) {
                    self.forward(&zone);
                }
            }
        }
    }

    fn forward(&mut self, zone: &Name) {
        for (index, target) in self.settings.forward_notify.iter().enumerate() {
            let address = target.address;
            if self.waiting.len() >= MAX_WAITING_NOTIFIES {
                self.log.write(address.ip(), |left_out| {
                    tracing::warn!(%zone, %address, most = MAX_WAITING_NOTIFIES, left_out, "too many NOTIFYs wait to be forwarded: the timers of this POP have to do");
                });
                continue;
            }
            if self.waiting.insert((address, zone.clone())) {
                self.slots.wait(address, (zone, index), false);
            }
        }
        self.send_waiting();
    }

    fn ended(&mut self, task: Id, is_answered: bool) {
        let outcome = if is_answered { SlotOutcome::Answered } else { SlotOutcome::Unanswered };
        if let Some(address) = self.addresses.remove(&task) {
            self.slots.ended(address, outcome);
        }
        self.send_waiting();
    }

    /// Sends what has a slot.
    fn send_waiting(&mut self) {
        while let Some(NextNotify { address, zone, .. }) = self.slots.take_next() {
            self.waiting.remove(&(address, zone.clone()));
            // Other targets may be configured since it began to wait.
            let target = self.settings.forward_notify.iter().find(|target| target.address == address);
            let Some(Target { key, .. }) = target else {
                self.slots.ended(address, SlotOutcome::NotSent);
                continue;
            };
            let key = key.as_ref().and_then(|key| self.settings.keys.get(key)).cloned();
            let (management, log) = (self.settings.management.clone(), self.log.clone());
            let task = self.tasks.spawn(async move {
                let answer = send_notify(&management, address, key, &zone).await;
                match answer {
                    Some(0) => tracing::debug!(%zone, %address, "a NOTIFY was forwarded"),
                    Some(rcode) => log.write(address.ip(), |left_out| {
                        tracing::warn!(%zone, %address, rcode, left_out, "the POP refuses a forwarded NOTIFY: is this POP in the notify-from of its zone, with the key?");
                    }),
                    None => log.write(address.ip(), |left_out| {
                        tracing::warn!(%zone, %address, left_out, "the POP does not answer to a forwarded NOTIFY");
                    }),
                }
                answer.is_some()
            });
            self.addresses.insert(task.id(), address);
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
