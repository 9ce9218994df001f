//! The thread, and how others reach it.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::transfer::notify::Notify;
use crate::transfer::refresh::{Order, Saved};
use crate::transfer::tsig::verify_request;
use crate::wire::Name;

use super::coordinator::{Coordinator, Event};
use super::net::unix_time;
use super::report::ZoneReport;
use super::settings::{SecondarySettings, SecondaryZone};
use super::sink::Sink;

/// Events that wait for the coordinator: a NOTIFY for each of many zones at once; beyond that the sender hears SERVFAIL and tries
/// again (RFC 1996 section 3.6).
const MOST_EVENTS: usize = 1 << 14;
/// RCODEs (RFC 1035 section 4.1.1, RFC 2136 section 2.2).
mod rcode {
    pub(super) const NOERROR: u8 = 0;
    pub(super) const SERVFAIL: u8 = 2;
    pub(super) const REFUSED: u8 = 5;
    pub(super) const NOTAUTH: u8 = 9;
}

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
    /// The thread has ended.
    #[error("the thread for transfers has ended")]
    Ended,
}

/// The running thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Secondary {
    handle: SecondaryHandle,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Reaches the thread from anywhere.
#[derive(Clone, Debug)]
pub struct SecondaryHandle {
    settings: Arc<SecondarySettings>,
    zones: Arc<HashMap<Name, SecondaryZone>>,
    events: mpsc::Sender<Event>,
}

impl Secondary {
    /// Starts the thread. Zones that `saved` names go on where they were, the others ask at once.
    ///
    /// # Errors
    /// The settings name what is not there, or there is no thread.
    pub fn start(
        settings: SecondarySettings,
        sink: Arc<dyn Sink>,
        saved: HashMap<Name, Saved>,
    ) -> Result<Self, SecondaryError> {
        check(&settings)?;
        let settings = Arc::new(settings);
        let zones = settings.zones.iter().map(|zone| (zone.name.clone(), zone.clone())).collect();
        let (events, received) = mpsc::channel(MOST_EVENTS);
        let handle = SecondaryHandle { settings: settings.clone(), zones: Arc::new(zones), events };
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(settings.transfers.max(1) + 1)
            .thread_name("transfer-zone")
            .build()
            .map_err(SecondaryError::Thread)?;
        let thread = std::thread::Builder::new().name("transfer".to_owned()).spawn({
            let stop = stop.clone();
            move || {
                let coordinator = Coordinator::new(settings, sink, &saved);
                runtime.block_on(coordinator.run(received, stop));
                // A zone that is being compiled is not waited for.
                runtime.shutdown_background();
            }
        });
        let thread = Some(thread.map_err(SecondaryError::Thread)?);
        Ok(Self { handle, stop, thread })
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
    for zone in &settings.zones {
        if zone.primaries.is_empty() {
            return Err(SecondaryError::NoPrimary(zone.name.clone()));
        }
        let keys = zone.primaries.iter().filter_map(|primary| primary.key.as_ref());
        let keys = keys.chain(zone.notify.0.iter().flat_map(|source| &source.keys));
        if let Some(key) = keys.into_iter().find(|key| settings.keys.get(key).is_none()) {
            return Err(SecondaryError::NoKey { zone: zone.name.clone(), key: key.clone() });
        }
    }
    Ok(())
}

impl SecondaryHandle {
    /// Takes a NOTIFY as it came; the response, or nothing if it is no NOTIFY. Never blocks.
    pub fn notify(&self, message: &[u8], source: IpAddr) -> Option<Vec<u8>> {
        let notify = match Notify::read(message) {
            Ok(notify) => notify,
            Err(fault) => return fault_response(message, fault.rcode()?),
        };
        let mut signer = match verify_request(message, &self.settings.keys, unix_time()) {
            Ok(signer) => signer,
            Err(mut refusal) => {
                let mut response = notify.response(refusal.rcode());
                refusal.attach(&mut response);
                tracing::warn!(zone = %notify.zone, %source, error = %refusal.fault, "NOTIFY refused");
                return Some(response);
            }
        };
        let key = signer.as_ref().map(|signer| signer.key().name().clone());
        let mut response = notify.response(self.take(&notify, source, key.as_ref()));
        if let Some(signer) = &mut signer {
            signer.sign(&mut response, unix_time());
        }
        Some(response)
    }

    /// Gives an order for a zone.
    ///
    /// # Errors
    /// The thread has ended.
    pub async fn order(&self, zone: Name, order: Order) -> Result<(), SecondaryError> {
        self.events.send(Event::Ordered { zone, order }).await.map_err(|_| SecondaryError::Ended)
    }

    /// The facts of all zones, in canonical order.
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

    /// Judges a NOTIFY that can be read, and passes it on; the RCODE that answers it.
    fn take(&self, notify: &Notify, source: IpAddr, key: Option<&Name>) -> u8 {
        let source = source.to_canonical();
        let Some(zone) = self.zones.get(&notify.zone) else { return rcode::NOTAUTH };
        let primary = zone.primaries.iter().position(|primary| primary.address.ip() == source);
        if primary.is_none() && !zone.notify.allows(source, key, false) {
            tracing::warn!(zone = %notify.zone, %source, "NOTIFY refused: not a primary, and not among notify-from");
            return rcode::REFUSED;
        }
        let event = Event::Notified { zone: notify.zone.clone(), primary, hint: notify.hint };
        match self.events.try_send(event) {
            Ok(()) => rcode::NOERROR,
            Err(_) => rcode::SERVFAIL,
        }
    }
}

/// The header alone, with this RCODE.
fn fault_response(message: &[u8], rcode: u8) -> Option<Vec<u8>> {
    let [high, low, flags, ..] = *message else { return None };
    Some(vec![high, low, (flags & 0x79) | 0x80, rcode, 0, 0, 0, 0, 0, 0, 0, 0])
}
