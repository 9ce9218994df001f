//! NOTIFY out: one task that owns every zone's [`Notifier`], and a task for each message under way.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::unix_now;
use crate::transfer::notify::{
    NextNotify, Notifier, Pauses, Send, SlotOutcome, Target, TargetSlots, TargetStatus, read_answer, request,
};
use crate::transfer::secondary::datagrams;
use crate::transfer::tsig::{Exchange, Key};
use crate::wire::{Name, RecordType, rcode};
use crate::zone::Zone;

use super::connection::Shared;
use super::source::Source;

/// NOTIFYs under way at most, but for the few that each target has of its own: each has a socket. A hub with a hundred secondaries tells
/// them all at once.
const MAX_RUNNING_NOTIFIES: usize = 512;
/// How long an answer is waited for at most, if the next NOTIFY does not leave before.
const WAIT: Duration = Duration::from_secs(10);
/// Zones of which a target is told once more for each answer: as many as are under way to it at once.
const MOST_UNHEARD: usize = 64;
/// Octets of a response: a question, and a signature.
const DATAGRAM: usize = 1232;

/// What comes from outside.
#[derive(Debug)]
pub(super) enum NotifyEvent {
    /// Another version of the zone is served, or goes to other secondaries.
    Changed(Name),
    /// The zone is served no more.
    Gone(Name),
    /// The configuration says something else.
    Settings,
    /// The facts about all targets.
    Report(oneshot::Sender<Vec<(Name, TargetStatus)>>),
}

/// What a task brings back: the RCODE of the answer, if one came.
#[derive(Debug)]
struct Answered {
    zone: Name,
    address: SocketAddr,
    send: Send,
    rcode: Option<u8>,
}

/// See the module.
pub(super) struct Notifying {
    shared: Arc<Shared>,
    zones: HashMap<Name, (Notifier, Option<Instant>)>,
    timers: BTreeSet<(Instant, Name)>,
    slots: TargetSlots,
    tasks: JoinSet<Answered>,
    /// The target of each task: one that panics leaves its slot, too.
    addresses: HashMap<tokio::task::Id, SocketAddr>,
    /// By target the zones of which it was told without an answer: it is told of each once more when it answers.
    unheard: HashMap<SocketAddr, BTreeSet<Name>>,
}

impl Notifying {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let slots = TargetSlots::new(MAX_RUNNING_NOTIFIES);
        let (zones, timers) = (HashMap::new(), BTreeSet::new());
        let (addresses, unheard) = (HashMap::new(), HashMap::new());
        Self { shared, zones, timers, slots, tasks: JoinSet::new(), addresses, unheard }
    }

    /// Runs until nobody can send events any more.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<NotifyEvent>) {
        loop {
            let due = self.timers.first().map(|(at, _)| *at);
            tokio::select! {
                event = events.recv() => match event {
                    Some(NotifyEvent::Changed(zone)) => self.changed(zone),
                    Some(NotifyEvent::Gone(zone)) => self.forget(&zone),
                    Some(NotifyEvent::Settings) => self.change(),
                    Some(NotifyEvent::Report(answer)) => drop(answer.send(self.report())),
                    None => return,
                },
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => match ended {
                    Ok((task, answered)) => self.ended(task, Some(answered)),
                    // A task that panicked is one without an answer: the NOTIFY is sent again.
                    Err(error) => self.ended(error.id(), None),
                },
                () = sleep_until(due) => self.wake(),
            }
        }
    }

    fn changed(&mut self, name: Name) {
        let settings = self.shared.settings();
        let targets = settings.targets(&name);
        if targets.is_empty() {
            return;
        }
        let now = Instant::now();
        self.zones.entry(name.clone()).or_insert_with(|| {
            let notifier = Notifier::new(targets.to_vec(), Pauses::default(), now, fastrand::Rng::new());
            (notifier, None)
        });
        let source = self.shared.source.clone();
        let serial = |target: &Target| Some(version_for(&*source, &name, target)?.serial());
        self.with(&name, |notifier| notifier.changed(serial, now));
    }

    /// Zones with other targets than before: all of them are told, because the new ones may not know the version.
    fn change(&mut self) {
        let settings = self.shared.settings();
        let differs = |(name, (notifier, _)): (&Name, &(Notifier, Option<Instant>))| {
            let known = notifier.status().map(|status| &status.target);
            (!known.eq(settings.targets(name))).then(|| name.clone())
        };
        let changed: Vec<Name> = self.zones.iter().filter_map(differs).collect();
        for name in changed {
            self.forget(&name);
            self.changed(name);
        }
        let configured = self.zones.values().flat_map(|(notifier, _)| notifier.status());
        let configured: HashSet<SocketAddr> = configured.map(|status| status.target.address).collect();
        self.slots.keep(&configured);
        self.unheard.retain(|address, _| configured.contains(address));
        self.shared.targets.retain(|address| configured.contains(address));
    }

    fn forget(&mut self, name: &Name) {
        let Some((notifier, armed)) = self.zones.remove(name) else { return };
        notifier.queued().for_each(|(address, place)| self.slots.withdraw(address, place));
        for TargetStatus { target: Target { address, .. }, .. } in notifier.status() {
            self.shared.targets.forget(name, *address);
            if let Some(zones) = self.unheard.get_mut(address) {
                zones.remove(name);
            }
        }
        if let Some(armed) = armed {
            self.timers.remove(&(armed, name.clone()));
        }
    }

    fn report(&self) -> Vec<(Name, TargetStatus)> {
        let each = self.zones.iter();
        let status = each
            .flat_map(|(name, (notifier, _))| notifier.status().map(|status| (name.clone(), status.clone())));
        status.collect()
    }

    fn wake(&mut self) {
        let now = Instant::now();
        while let Some((at, name)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, name));
                break;
            }
            let Some((notifier, armed)) = self.zones.get_mut(&name) else { continue };
            *armed = None;
            let (slots, log) = (&mut self.slots, &self.shared.log);
            let given_up = notifier.wake(now, |due| {
                if let Some(place) = due.withdrawn {
                    slots.withdraw(due.address, place);
                }
                slots.wait(due.address, (&name, due.target), due.is_again)
            });
            for address in given_up {
                self.unheard.entry(address).or_default().insert(name.clone());
                log.write(address.ip(), |left_out| {
                    tracing::warn!(zone = %name, secondary = %address, left_out, "a secondary has not answered to its NOTIFYs: its own timers have to do");
                });
            }
            self.with(&name, |_| {});
        }
        self.send_waiting();
    }

    fn ended(&mut self, task: tokio::task::Id, answered: Option<Answered>) {
        let rcode = answered.as_ref().and_then(|answered| answered.rcode);
        let outcome = if rcode.is_some() { SlotOutcome::Answered } else { SlotOutcome::Unanswered };
        if let Some(address) = self.addresses.remove(&task) {
            self.slots.ended(address, outcome);
            self.shared.targets.count(address, rcode);
        }
        if let (Some(Answered { zone, address, send, .. }), Some(rcode)) = (answered, rcode) {
            if rcode != rcode::NOERROR {
                self.shared.log.write(address.ip(), |left_out| {
                    tracing::warn!(%zone, secondary = %address, rcode, left_out, "a secondary refuses a NOTIFY: does it have the zone, and list this server in notify-from, with the key?");
                });
            }
            let answer = (send.id, rcode);
            self.with(&zone, |notifier| {
                // The list of targets may be another one since.
                let is_same =
                    notifier.status().nth(send.target).is_some_and(|it| it.target.address == address);
                if is_same {
                    notifier.answered(send.target, answer, Instant::now());
                }
            });
            self.note_target(&zone, send.target);
            self.tell_unheard(address);
        }
        self.send_waiting();
    }

    /// A target answers: it is told of zones that it has not heard of.
    fn tell_unheard(&mut self, address: SocketAddr) {
        let Some(zones) = self.unheard.get_mut(&address) else { return };
        let now = Instant::now();
        let told: Vec<Name> = std::iter::from_fn(|| zones.pop_first()).take(MOST_UNHEARD).collect();
        if zones.is_empty() {
            self.unheard.remove(&address);
        }
        for name in told {
            self.with(&name, |notifier| notifier.told_again(address, now));
        }
    }

    /// Sends what has a slot.
    fn send_waiting(&mut self) {
        while let Some(next) = self.slots.take_next() {
            let address = next.address;
            if self.send(next).is_none() {
                self.slots.ended(address, SlotOutcome::NotSent);
            }
        }
    }

    fn send(&mut self, NextNotify { address, zone: name, target }: NextNotify) -> Option<()> {
        let (now, settings) = (Instant::now(), self.shared.settings());
        let mut send = None;
        self.with(&name, |notifier| send = notifier.send(target, now));
        let send = send?;
        let target = &self.zones.get(&name)?.0.status().nth(send.target)?.target;
        let key = target.key.as_ref().and_then(|key| settings.keys.get(key)).cloned();
        let zone = version_for(&*self.shared.source, &name, target)?;
        let soa = zone.apex().set(RecordType::SOA)?;
        let message = request(send.id, &name, (soa.ttl, soa.rdata().next()?));
        let (shared, wait) = (self.shared.clone(), send.pause.min(WAIT));
        self.with(&name, |notifier| notifier.left(send.target, now));
        self.note_target(&name, send.target);
        let task = self.tasks.spawn(async move {
            let rcode =
                timeout(wait, send_notify(&shared, address, key, (message, send.id))).await.ok().flatten();
            Answered { zone: name, address, send, rcode }
        });
        self.addresses.insert(task.id(), address);
        Some(())
    }

    /// Others read how a target takes the NOTIFYs of a zone.
    fn note_target(&self, zone: &Name, target: usize) {
        let status = self.zones.get(zone).and_then(|(notifier, _)| notifier.status().nth(target));
        if let Some(status) = status {
            self.shared.targets.note(zone, status);
        }
    }

    fn with(&mut self, name: &Name, change: impl FnOnce(&mut Notifier)) {
        let Some((notifier, armed)) = self.zones.get_mut(name) else { return };
        change(notifier);
        let due = notifier.due();
        if due != *armed {
            if let Some(armed) = *armed {
                self.timers.remove(&(armed, name.clone()));
            }
            if let Some(due) = due {
                self.timers.insert((due, name.clone()));
            }
            *armed = due;
        }
    }
}

/// The version that a target may have.
fn version_for(source: &dyn Source, name: &Name, target: &Target) -> Option<Arc<Zone>> {
    source.version_for(name, target.address.ip().to_canonical()).ok()
}

/// Sends one NOTIFY and waits for its answer.
async fn send_notify(
    shared: &Shared,
    address: SocketAddr,
    key: Option<Arc<Key>>,
    (mut message, id): (Vec<u8>, u16),
) -> Option<u8> {
    let mut exchange = key.map(|key| Exchange::sign(&mut message, &key, unix_now()));
    let socket = datagrams(&shared.settings().management, address).await.ok()?;
    socket.send(&message).await.ok()?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let octets = socket.recv(&mut buffer).await.ok()?;
        let answer = buffer.get(..octets).unwrap_or_default();
        if let Some(rcode) = read_answer(answer, id) {
            let verified = exchange.as_mut().map(|exchange| exchange.verify(answer, unix_now()));
            if let Some(Err(error)) = verified {
                tracing::warn!(%address, %error, "the answer to a NOTIFY is not accepted");
                return None;
            }
            return Some(rcode);
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
