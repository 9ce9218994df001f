//! NOTIFY out: one task that owns every zone's [`Notifier`], and a task for each message under way.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::unix_now;
use crate::transfer::notify::{Notifier, Pauses, Send, Target, TargetStatus, read_answer, request};
use crate::transfer::secondary::datagrams;
use crate::transfer::tsig::{Exchange, Key};
use crate::wire::{Name, RecordType};
use crate::zone::Zone;

use super::connection::Shared;
use super::source::Source;

/// NOTIFYs under way at most: each has a socket. A hub with a hundred secondaries tells them all at once.
const MAX_RUNNING_NOTIFIES: usize = 512;
/// How long an answer is waited for at most; the next NOTIFY may leave before.
const WAIT: Duration = Duration::from_secs(10);
/// Octets of a response: a question, and a signature.
const DATAGRAM: usize = 1232;

/// What comes from outside.
#[derive(Debug)]
pub(super) enum NotifyEvent {
    /// Another version of the zone is served, or goes to other secondaries.
    Changed(Name),
    /// The configuration says something else.
    Settings,
    /// The facts about all targets.
    Report(oneshot::Sender<Vec<(Name, TargetStatus)>>),
}

/// What a task brings back: the RCODE of the answer, if one came.
#[derive(Debug)]
struct Answered {
    zone: Name,
    send: Send,
    rcode: Option<u8>,
}

/// See the module.
pub(super) struct Notifying {
    shared: Arc<Shared>,
    zones: HashMap<Name, (Notifier, Option<Instant>)>,
    timers: BTreeSet<(Instant, Name)>,
    tasks: JoinSet<Answered>,
}

impl Notifying {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, zones: HashMap::new(), timers: BTreeSet::new(), tasks: JoinSet::new() }
    }

    /// Runs until nobody can send events any more.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<NotifyEvent>) {
        loop {
            // At the limit, what is under way must end before more is begun.
            let due =
                self.timers.first().map(|(at, _)| *at).filter(|_| self.tasks.len() < MAX_RUNNING_NOTIFIES);
            tokio::select! {
                event = events.recv() => match event {
                    Some(NotifyEvent::Changed(zone)) => self.changed(zone),
                    Some(NotifyEvent::Settings) => self.change(),
                    Some(NotifyEvent::Report(answer)) => drop(answer.send(self.report())),
                    None => return,
                },
                Some(answered) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    // A task that panicked is one without an answer: the NOTIFY is sent again.
                    if let Ok(Answered { zone, send, rcode: Some(rcode) }) = answered {
                        self.with(&zone, |notifier| notifier.answered(send.target, send.id, rcode));
                    }
                }
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
            if let Some((_, Some(armed))) = self.zones.remove(&name) {
                self.timers.remove(&(armed, name.clone()));
            }
            self.changed(name);
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
        while self.tasks.len() < MAX_RUNNING_NOTIFIES
            && let Some((at, name)) = self.timers.pop_first()
        {
            if at > now {
                self.timers.insert((at, name));
                return;
            }
            if let Some((_, armed)) = self.zones.get_mut(&name) {
                *armed = None;
            }
            let mut sends = Vec::new();
            self.with(&name, |notifier| sends = notifier.wake(now));
            for send in sends {
                self.send(&name, send);
            }
        }
    }

    fn send(&mut self, name: &Name, send: Send) {
        let settings = self.shared.settings();
        let target = self.zones.get(name).and_then(|(notifier, _)| notifier.status().nth(send.target));
        let Some(target) = target.map(|status| &status.target) else { return };
        let key = target.key.as_ref().and_then(|key| settings.keys.get(key)).cloned();
        let Some(zone) = version_for(&*self.shared.source, name, target) else { return };
        let soa = zone.apex().set(RecordType::SOA);
        let Some((ttl, rdata)) = soa.and_then(|set| Some((set.ttl, set.rdata().next()?))) else { return };
        let message = request(send.id, name, (ttl, rdata));
        let (shared, address, name) = (self.shared.clone(), target.address, name.clone());
        self.tasks.spawn(async move {
            let rcode = send_notify(&shared, address, key, (message, send.id)).await;
            Answered { zone: name, send, rcode }
        });
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
    let answer = timeout(WAIT, async {
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
    });
    answer.await.ok().flatten()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
