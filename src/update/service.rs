//! One UPDATE message as it came from a socket, and the response.
//!
//! ```text
//! message --> verify_request --> Outcomes: new? --> a task of its own, in the turn of its zone:
//!                                                      prerequisites, prescan, draft --> UpdateSink::apply --> response
//! ```
//!
//! The task outlives its client: what was begun comes to its end, and a second copy of the message hears the same.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::{Mutex as Turn, Semaphore, oneshot};

use crate::publish::{Applied, ApplyError, Difference};
use crate::telemetry::{LogLimit, locked};
use crate::transfer::primary::Updates;
use crate::transfer::tsig::{Replies, TsigCounts, verify_request};
use crate::wire::{Name, edns_version, rcode};
use crate::zone::Zone;

use super::counts::{UpdateCounts, UpdateResult};
use super::draft::change;
use super::fault::UpdateFault;
use super::message::UpdateMessage;
use super::outcomes::{Known, Outcomes};
use super::policy::Policy;
use super::prerequisite::check_prerequisites;
use super::prescan::{is_signed, prescan};
use super::settings::UpdateSettings;

/// Updates that wait or are being done: 64 KiB each at most, 16 MiB together. Beyond that a client hears SERVFAIL and tries again.
const MOST_WAITING: usize = 256;
/// Attempts while a zone changes by something else than updates, such as a transfer or its seed.
const MOST_ATTEMPTS: usize = 8;

/// Where zones come from and differences go: the publisher.
#[async_trait]
pub trait UpdateSink: Send + Sync + 'static {
    /// The version of a zone that is served, by the name of its apex.
    fn served(&self, zone: &Name) -> Option<Arc<Zone>>;

    /// The primaries of a zone that comes from some, by the configuration or a catalog: updates of it go there.
    fn primaries(&self, zone: &Name) -> Option<Vec<SocketAddr>>;

    /// Makes the version that a difference leads to durable, then serves it.
    async fn apply(&self, zone: &Name, key: &Name, difference: Difference) -> Result<Applied, ApplyError>;
}

/// Takes updates.
pub struct UpdateService {
    shared: Arc<Shared>,
}

struct Shared {
    /// Replaced by a reload.
    settings: Mutex<Arc<UpdateSettings>>,
    sink: Arc<dyn UpdateSink>,
    outcomes: Mutex<Outcomes>,
    /// One update of a zone at a time; an entry for each zone that takes updates.
    turns: Mutex<HashMap<Name, Arc<Turn<()>>>>,
    waiting: Semaphore,
    counts: UpdateCounts,
    bad_signatures: TsigCounts,
    /// Of refusals, and of prerequisites that do not hold.
    log: LogLimit,
    /// Seconds since 1970.
    now: fn() -> u64,
}

impl std::fmt::Debug for UpdateService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "UpdateService({:?})", self.shared.settings())
    }
}

impl UpdateService {
    /// Takes updates as the settings say; `now` gives the seconds since 1970.
    pub fn new(settings: UpdateSettings, sink: Arc<dyn UpdateSink>, now: fn() -> u64) -> Self {
        let shared = Shared {
            settings: Mutex::new(Arc::new(settings)),
            sink,
            outcomes: Mutex::default(),
            turns: Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
            counts: UpdateCounts::default(),
            bad_signatures: TsigCounts::default(),
            log: LogLimit::default(),
            now,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What became of updates.
    pub fn counts(&self) -> UpdateCounts {
        self.shared.counts.clone()
    }

    /// Updates whose signature was not accepted.
    pub fn bad_signatures(&self) -> TsigCounts {
        self.shared.bad_signatures.clone()
    }

    /// Takes other policies and keys. An update that is being done is judged by the old ones.
    pub fn change(&self, settings: UpdateSettings) {
        locked(&self.shared.turns).retain(|zone, _| settings.zones.contains_key(zone));
        *locked(&self.shared.settings) = Arc::new(settings);
    }
}

#[async_trait]
impl Updates for UpdateService {
    async fn answer(&self, message: Vec<u8>, client: IpAddr) -> Option<Vec<u8>> {
        let shared = &self.shared;
        let signer = match shared.admit(&message) {
            Ok(signer) => signer,
            Err((fault, refusal)) => {
                shared.counts.count_fault(&fault);
                if let UpdateFault::Tsig(fault) = &fault {
                    shared.bad_signatures.count(fault);
                }
                shared.log.write(client, |left_out| {
                    tracing::warn!(%client, error = %fault, left_out, "update refused");
                });
                let mut response = UpdateMessage::response(&message, fault.rcode()?);
                match refusal {
                    Signing::Refusal(mut refusal) => {
                        response = UpdateMessage::response(&message, refusal.rcode());
                        refusal.attach(&mut response);
                    }
                    Signing::Signer(mut signer) => signer.sign(&mut response, (shared.now)()),
                    Signing::Nothing => {}
                }
                return Some(response);
            }
        };
        let begun = locked(&shared.outcomes).begin(signer.request_mac());
        let digest = match begun {
            Known::New(digest) => digest,
            Known::Running => return None,
            Known::Done(response) => return Some(with_id_of(response, &message)),
        };
        let (answer, answered) = oneshot::channel();
        let shared = shared.clone();
        tokio::spawn(async move {
            let (rcode, mut signer) = (shared.carry_out(&message, client, &signer).await, signer);
            let mut response = UpdateMessage::response(&message, rcode);
            signer.sign(&mut response, (shared.now)());
            let kept = (rcode != rcode::SERVFAIL).then(|| response.clone());
            locked(&shared.outcomes).end(&digest, kept);
            let _ = answer.send(response);
        });
        // A panic of the task is in the log; the client tries again.
        answered.await.ok()
    }

    fn may_change(&self, zone: &Name, key: &Name) -> bool {
        self.shared.settings().zones.get(zone).is_some_and(|policy| policy.has(key))
    }
}

/// A response with the ID of this message: a copy that came through a forwarder has another one than the first. The signature holds, because it
/// covers the original ID.
fn with_id_of(mut response: Vec<u8>, message: &[u8]) -> Vec<u8> {
    if let (Some(place), Some(id)) = (response.get_mut(..2), message.get(..2)) {
        place.copy_from_slice(id);
    }
    response
}

/// What makes the response to a message that is not admitted.
enum Signing {
    Nothing,
    Signer(Box<Replies>),
    Refusal(Box<crate::transfer::tsig::Refusal>),
}

impl Shared {
    fn settings(&self) -> Arc<UpdateSettings> {
        locked(&self.settings).clone()
    }

    fn turn(&self, zone: &Name) -> Arc<Turn<()>> {
        locked(&self.turns).entry(zone.clone()).or_default().clone()
    }

    /// Whether a message is worth reading: its zone takes updates, and its signature is of a key that may change something.
    fn admit(&self, message: &[u8]) -> Result<Replies, (UpdateFault, Signing)> {
        let (zone, _) = UpdateMessage::zone(message).map_err(|fault| (fault.into(), Signing::Nothing))?;
        let settings = self.settings();
        let signer = verify_request(message, &settings.keys, (self.now)());
        let signer = signer.map_err(|refusal| {
            // A POP does not have the keys of those who update the zone at its hub.
            let fault = self.at_hub(&settings, &zone).unwrap_or_else(|| refusal.fault.clone().into());
            (fault, Signing::Refusal(refusal))
        })?;
        let other_edns = edns_version(message).filter(|version| *version != 0);
        let fault = other_edns.map(UpdateFault::EdnsVersion);
        let fault = fault.or_else(|| match (settings.zones.get(&zone), &signer) {
            (Some(policy), Some(signer)) if policy.has(signer.key().name()) => None,
            (Some(_), Some(signer)) => {
                Some(UpdateFault::OtherKey { key: signer.key().name().clone(), zone: zone.clone() })
            }
            (Some(_), None) => Some(UpdateFault::NotSigned { zone: zone.clone() }),
            (None, _) => Some(self.no_updates(&zone)),
        });
        match (fault, signer) {
            (None, Some(signer)) => Ok(signer),
            (Some(fault), Some(signer)) => Err((fault, Signing::Signer(Box::new(signer)))),
            (Some(fault), None) => Err((fault, Signing::Nothing)),
            (None, None) => Err((UpdateFault::NotSigned { zone }, Signing::Nothing)),
        }
    }

    /// That updates of a zone go to its primaries, if it has some and none is taken here.
    fn at_hub(&self, settings: &UpdateSettings, zone: &Name) -> Option<UpdateFault> {
        let hubs = self.sink.primaries(zone).filter(|_| !settings.zones.contains_key(zone))?;
        Some(UpdateFault::Secondary { zone: zone.clone(), hubs })
    }

    /// Why a zone takes no updates.
    fn no_updates(&self, zone: &Name) -> UpdateFault {
        let zone = zone.clone();
        match self.sink.primaries(&zone) {
            Some(hubs) => UpdateFault::Secondary { zone, hubs },
            None if self.sink.served(&zone).is_some() => UpdateFault::FileBacked { zone },
            None => UpdateFault::NoZone { zone },
        }
    }

    /// Does what a message asks for, all of it or nothing; the RCODE.
    async fn carry_out(&self, message: &[u8], client: IpAddr, signer: &Replies) -> u8 {
        let key = signer.key().name();
        let Ok(_place) = self.waiting.try_acquire() else {
            self.counts.count(UpdateResult::Failed);
            tracing::warn!(%client, %key, waiting = MOST_WAITING, "update put off: too many wait");
            return rcode::SERVFAIL;
        };
        match self.update(message, client, key).await {
            Ok(result) => {
                self.counts.count(result);
                rcode::NOERROR
            }
            Err(fault) => {
                self.counts.count_fault(&fault);
                let rcode = fault.rcode().unwrap_or(rcode::FORMERR);
                self.log.write(client, |left_out| match fault.is_prerequisite() {
                    true => {
                        tracing::info!(%client, %key, rcode, reason = %fault, left_out, "update not done")
                    }
                    false => tracing::warn!(%client, %key, rcode, error = %fault, left_out, "update refused"),
                });
                rcode
            }
        }
    }

    async fn update(&self, message: &[u8], client: IpAddr, key: &Name) -> Result<UpdateResult, UpdateFault> {
        let update = UpdateMessage::read(message)?;
        let name = &update.zone;
        let turn = self.turn(name);
        let _turn = turn.lock().await;
        let settings = self.settings();
        let policy = settings.zones.get(name).ok_or_else(|| self.no_updates(name))?;
        for attempt in 1.. {
            let zone = self.sink.served(name).ok_or_else(|| UpdateFault::NotServed { zone: name.clone() })?;
            let Some(difference) = judge(&zone, &update, (policy, key))? else {
                tracing::info!(zone = %name, %client, %key, "update changes nothing");
                return Ok(UpdateResult::Unchanged);
            };
            let (added, deleted) = (difference.added.record_count(), difference.deleted.record_count());
            match self.sink.apply(name, key, difference).await {
                Ok(Applied { serial, .. }) => {
                    tracing::info!(zone = %name, %client, %key, %serial, added, deleted, "zone updated");
                    return Ok(UpdateResult::Done);
                }
                // Something else has changed the zone meanwhile: judged anew.
                Err(ApplyError::OtherVersion { .. }) if attempt < MOST_ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(UpdateResult::Unchanged)
    }
}

/// What an update makes of a version.
fn judge(
    zone: &Zone,
    update: &UpdateMessage,
    of_key: (&Policy, &Name),
) -> Result<Option<Difference>, UpdateFault> {
    if is_signed(zone) {
        return Err(UpdateFault::SignedZone { zone: zone.origin().clone() });
    }
    check_prerequisites(zone, &update.prerequisites)?;
    prescan(zone, &update.changes, of_key)?;
    change(zone, &update.changes)
}
