//! The thread, and how others reach it.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::unix_now;
use crate::handoff::{Queue, Reader, queue};
use crate::telemetry::{Beat, LogLimit, keep_beating, keep_running};
use crate::transfer::notify::Notify;
use crate::transfer::refresh::{Order, Saved};
use crate::transfer::tsig::{Keys, TsigCounts, TsigFault, verify_request};
use crate::wire::{Name, append_opt, edns_version, rcode};

use crate::transfer::secondary::access::{Access, AtService};
use crate::transfer::secondary::awaited::{AwaitedZones, awaited};
use crate::transfer::secondary::coordinator::{Coordinator, Event, SecondaryContext};
use crate::transfer::secondary::expire_times::{ExpireTimes, Remaining};
use crate::transfer::secondary::report::ZoneReport;
use crate::transfer::secondary::settings::{SecondarySettings, SecondaryZone};
use crate::transfer::secondary::sink::Sink;

/// Events that wait for the coordinator: a NOTIFY for each of many zones at once; beyond that the sender hears SERVFAIL and tries
/// again (RFC 1996 section 3.6).
const MOST_EVENTS: usize = 1 << 14;
/// The same of those that came to service addresses: some hundred kilobytes.
const MOST_AT_SERVICE: usize = 1 << 12;

/// Why there are no secondary zones.
#[derive(Debug, thiserror::Error)]
pub enum SecondaryError {
    /// The thread does not start.
    #[error("cannot start the thread for transfers")]
    Thread(#[source] io::Error),
    /// A zone without a primary.
    #[error("the zone {0} has no primary")]
    NoPrimary(Name),
    /// A primary names a key that is not there.
    #[error("the zone {zone} names the key {key}, which no [[key]] defines")]
    NoKey {
        /// The zone.
        zone: Name,
        /// The key.
        key: Name,
    },
    /// Too much waits for the thread.
    #[error("too many events wait for the thread for transfers: try again")]
    Busy,
    /// The thread has ended.
    #[error("the thread for transfers has ended")]
    Ended,
}

/// The running thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Secondary {
    handle: SecondaryHandle,
    beat: Beat,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Reaches the thread from anywhere.
#[derive(Clone, Debug)]
pub struct SecondaryHandle {
    access: Arc<ArcSwap<Access>>,
    events: mpsc::Sender<Event>,
    service: Queue<AtService>,
    awaited: Reader<AwaitedZones>,
    expire_times: ExpireTimes,
    /// Of NOTIFYs that are refused.
    log: Arc<LogLimit>,
    /// Of NOTIFYs.
    bad_signatures: TsigCounts,
}

impl Secondary {
    /// Starts the thread. Zones whose timers were kept go on where they were, the others ask at once.
    ///
    /// # Errors
    /// The settings name what is not there, or there is no thread.
    pub fn start(
        settings: SecondarySettings,
        sink: Arc<dyn Sink>,
        context: SecondaryContext,
    ) -> Result<Self, SecondaryError> {
        check(&settings)?;
        let settings = Arc::new(settings);
        let access = Arc::new(ArcSwap::from_pointee(Access::new(&settings)));
        let (events, received) = mpsc::channel(MOST_EVENTS);
        let (service, from_service) = queue(MOST_AT_SERVICE).map_err(SecondaryError::Thread)?;
        let (told, awaited) = awaited();
        let expire_times = ExpireTimes::default();
        let handle = SecondaryHandle {
            access,
            events,
            service,
            awaited,
            expire_times: expire_times.clone(),
            log: Arc::default(),
            bad_signatures: TsigCounts::default(),
        };
        let (stop, beat) = (CancellationToken::new(), Beat::new("transfer"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Beside the transfers: what is told of expiry and timers.
            .max_blocking_threads(settings.transfers.max(1) + 2)
            .thread_name("transfer-zone")
            .build()
            .map_err(SecondaryError::Thread)?;
        let thread = std::thread::Builder::new().name("transfer".to_owned()).spawn({
            let (stop, beat) = (stop.clone(), beat.clone());
            move || {
                runtime.block_on(async {
                    let mut task = (
                        Coordinator::new(settings, sink, context, (told, expire_times)),
                        received,
                        from_service,
                    );
                    tokio::select! {
                        () = keep_beating(beat.clone()) => {}
                        () = keep_running(&beat, &mut task, async |(coordinator, events, service)| {
                            coordinator.run(events, service, &stop).await;
                        }) => {}
                    }
                    task.0.end().await;
                });
                // A zone that is being compiled is not waited for.
                runtime.shutdown_background();
            }
        });
        let thread = Some(thread.map_err(SecondaryError::Thread)?);
        Ok(Self { handle, beat, stop, thread })
    }

    /// Beats as long as the thread runs.
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Reaches it from elsewhere.
    pub fn handle(&self) -> SecondaryHandle {
        self.handle.clone()
    }
}

impl Drop for Secondary {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic was logged already.
            let _ = thread.join();
        }
    }
}

fn check(settings: &SecondarySettings) -> Result<(), SecondaryError> {
    check_zones(&settings.zones, &settings.keys)
}

/// Every zone has a primary, and every key is there.
pub(super) fn check_zones(zones: &[SecondaryZone], known: &Keys) -> Result<(), SecondaryError> {
    for zone in zones {
        if zone.primaries.is_empty() {
            return Err(SecondaryError::NoPrimary(zone.name.clone()));
        }
        let keys = zone.primaries.iter().filter_map(|primary| primary.key.as_ref());
        let keys = keys.chain(zone.notify.0.iter().flat_map(|source| &source.keys));
        if let Some(key) = keys.into_iter().find(|key| known.get(key).is_none()) {
            return Err(SecondaryError::NoKey { zone: zone.name.clone(), key: key.clone() });
        }
    }
    Ok(())
}

/// As an octet: its upper bits go into the OPT record.
const BADVERS: u8 = rcode::BADVERS as u8;

/// What becomes of a NOTIFY.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) response: Vec<u8>,
    refusal: Option<(Name, Option<TsigFault>)>,
}

impl SecondaryHandle {
    /// Takes a NOTIFY that came to a management address; the response, or nothing if it is no NOTIFY. Never blocks.
    pub fn notify(&self, message: &[u8], source: IpAddr) -> Option<Vec<u8>> {
        let Judged { response, refusal } = self.judge(message, source.to_canonical(), false)?;
        if let Some((zone, error)) = refusal {
            self.log.write(source, |left_out| match error {
                Some(error) => tracing::warn!(%zone, %source, %error, left_out, "NOTIFY refused"),
                None => {
                    tracing::warn!(%zone, %source, left_out, "NOTIFY refused: not a primary, or it has a key and did not sign; and not among notify-from");
                }
            });
        }
        Some(response)
    }

    /// Whether a source is a primary of a zone, or may send NOTIFY for one.
    pub(in crate::transfer) fn lists(&self, source: IpAddr) -> bool {
        self.access.load().names(source)
    }

    /// Judges a NOTIFY, signed or not, and passes it on; `None` if it is another message.
    pub(super) fn judge(&self, message: &[u8], source: IpAddr, is_at_service: bool) -> Option<Judged> {
        let notify = match Notify::read(message) {
            Ok(notify) => notify,
            Err(fault) => {
                let response = fault_response(message, fault.rcode()?)?;
                return Some(Judged { response, refusal: None });
            }
        };
        let access = self.access.load();
        let mut signer = match verify_request(message, &access.keys, unix_now()) {
            Ok(signer) => signer,
            Err(mut refused) => {
                self.bad_signatures.count(&refused.fault);
                let mut response = notify.response(refused.rcode());
                refused.attach(&mut response);
                return Some(Judged { response, refusal: Some((notify.zone, Some(refused.fault))) });
            }
        };
        let key = signer.as_ref().map(|signer| signer.key().name());
        // RFC 6891 section 6.1.3: version 0 is the only one there is.
        let is_other_edns = notify.edns_version.is_some_and(|version| version != 0);
        let (rcode, refusal) = match access.zone(&notify.zone) {
            _ if is_other_edns => (BADVERS, None),
            None => (rcode::NOTAUTH, None),
            Some(zone) if !zone.allows(source, key) => (rcode::REFUSED, Some((notify.zone.clone(), None))),
            Some(zone) => (self.pass_on(&notify, zone.primary(source), is_at_service), None),
        };
        let mut response = notify.response(rcode);
        if let Some(signer) = &mut signer {
            signer.sign(&mut response, unix_now());
        }
        Some(Judged { response, refusal })
    }

    fn pass_on(&self, notify: &Notify, primary: Option<usize>, is_at_service: bool) -> u8 {
        let (zone, hint) = (notify.zone.to_lowercase(), notify.hint);
        let event = Event::Notified { zone, primary, hint, is_at_service };
        match self.events.try_send(event) {
            Ok(()) => rcode::NOERROR,
            Err(_) => rcode::SERVFAIL,
        }
    }

    /// Where the primaries of a zone are that comes from some, by the configuration or a catalog.
    pub fn primaries(&self, zone: &Name) -> Option<Vec<SocketAddr>> {
        self.access.load().zone(zone).map(|zone| zone.settings.addresses())
    }

    /// How long what is served of a zone may be served on. Never waits for a transfer.
    pub fn remaining(&self, zone: &Name) -> Remaining {
        match self.access.load().zone(zone) {
            Some(_) => self.expire_times.of(zone, Instant::now()),
            None => Remaining::Origin,
        }
    }

    /// NOTIFYs whose signature was not accepted.
    pub fn bad_signatures(&self) -> TsigCounts {
        self.bad_signatures.clone()
    }

    /// The lists as they are now.
    pub(super) fn access(&self) -> arc_swap::Guard<Arc<Access>> {
        self.access.load()
    }

    /// Replaces the lists; again if another thread does so at the same time.
    pub(super) fn change_access(&self, change: impl Fn(&Access) -> Access) {
        self.access.rcu(|access| Arc::new(change(access)));
    }

    /// How many catalogs and members of catalogs have neither a version nor an attempt that failed.
    pub fn awaited(&self) -> Reader<AwaitedZones> {
        self.awaited.clone()
    }

    pub(super) async fn send(&self, event: Event) -> Result<(), SecondaryError> {
        self.events.send(event).await.map_err(|_| SecondaryError::Ended)
    }

    /// Passes on what came to a service address; the RCODE of a NOTIFY.
    pub(super) fn to_coordinator(&self, message: AtService) -> u8 {
        match self.service.push(message) {
            Ok(()) => rcode::NOERROR,
            Err(_) => rcode::SERVFAIL,
        }
    }

    /// Takes what the configuration says now: other keys, primaries and zones. What is under way with primaries that stay goes on.
    ///
    /// # Errors
    /// The settings name what is not there, or the thread has ended; nothing has changed.
    pub fn change(&self, settings: SecondarySettings) -> Result<(), SecondaryError> {
        check(&settings)?;
        let access = Access::new(&settings);
        self.events.try_send(Event::Settings(Arc::new(settings))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SecondaryError::Busy,
            mpsc::error::TrySendError::Closed(_) => SecondaryError::Ended,
        })?;
        self.change_access(|before| access.clone().with_members_of(before));
        Ok(())
    }

    /// Gives an order for a zone, or for all; how many zones took it.
    ///
    /// # Errors
    /// The thread has ended.
    pub async fn order(&self, zone: Option<Name>, order: Order) -> Result<usize, SecondaryError> {
        let (reply, taken) = oneshot::channel();
        let event = Event::Ordered { zone, except: BTreeSet::new(), order, reply };
        self.events.send(event).await.map_err(|_| SecondaryError::Ended)?;
        taken.await.map_err(|_| SecondaryError::Ended)
    }

    /// Gives an order for all zones but these; how many zones took it.
    ///
    /// # Errors
    /// The thread has ended.
    pub async fn order_all_but(&self, except: BTreeSet<Name>, order: Order) -> Result<usize, SecondaryError> {
        let (reply, taken) = oneshot::channel();
        self.send(Event::Ordered { zone: None, except, order, reply }).await?;
        taken.await.map_err(|_| SecondaryError::Ended)
    }

    /// The facts of all zones that are known, in canonical order.
    ///
    /// # Errors
    /// The thread has ended.
    pub async fn report(&self) -> Result<Vec<ZoneReport>, SecondaryError> {
        let (answer, answered) = oneshot::channel();
        self.events.send(Event::Report(answer)).await.map_err(|_| SecondaryError::Ended)?;
        answered.await.map_err(|_| SecondaryError::Ended)
    }

    /// The timers of all zones, to be kept over a restart.
    ///
    /// # Errors
    /// The thread has ended.
    pub async fn save(&self) -> Result<Vec<(Name, Saved)>, SecondaryError> {
        let (answer, answered) = oneshot::channel();
        self.events.send(Event::Save(answer)).await.map_err(|_| SecondaryError::Ended)?;
        answered.await.map_err(|_| SecondaryError::Ended)
    }
}

/// The header alone, with this RCODE.
fn fault_response(message: &[u8], rcode: u8) -> Option<Vec<u8>> {
    let [high, low, flags, ..] = *message else { return None };
    let mut response = vec![high, low, (flags & 0x79) | 0x80, rcode, 0, 0, 0, 0, 0, 0, 0, 0];
    if edns_version(message).is_some() {
        append_opt(&mut response, rcode.into());
    }
    Some(response)
}
