//! Zones from primaries into the publisher, and zones that are served out to secondaries.
//!
//! Transferred versions flow from `transfer` to the publisher, which judges, keeps and publishes them; served versions flow from
//! the snapshot to the secondaries that may have them, which NOTIFY tells of another version. Never decides whether a
//! version may be served.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use crate::config::Transfers;
use crate::publish::{ApplyError, Difference, OfferError, PublisherHandle};
use crate::transfer::primary::Primary;
use crate::transfer::secondary::{Origin, Secondary, Sink, SinkError};
use crate::wire::Name;
use crate::zone::{Published, Zone};

use super::DaemonError;
use super::sent_zones::{ServedVersions, start_notifies};
use super::thread::Thread;

/// What transfers zones; ends when it is dropped.
pub(super) struct Transferring {
    /// Tells secondaries of changes.
    notifies: Option<Thread>,
    _primary: Option<Arc<Primary>>,
    _secondary: Option<Secondary>,
}

impl Transferring {
    /// Starts what the configuration asks for.
    pub(super) fn start(
        transfers: &Transfers,
        publisher: &Arc<PublisherHandle>,
        published: &Arc<Published>,
    ) -> Result<Self, DaemonError> {
        let secondary = match transfers.secondary.zones.is_empty() {
            true => None,
            false => {
                let sink = PublisherSink {
                    publisher: Arc::downgrade(publisher),
                    published: published.clone(),
                    runtime: Handle::try_current()
                        .map_err(std::io::Error::other)
                        .map_err(DaemonError::Runtime)?,
                };
                let started = Secondary::start(transfers.secondary.clone(), Arc::new(sink), HashMap::new());
                Some(started.map_err(|error| DaemonError::Transfer(Box::new(error)))?)
            }
        };
        let handle = secondary.as_ref().map(Secondary::handle);
        let primary = match transfers.sends() {
            true => {
                let history = publisher.history();
                let (settings, source) = (
                    transfers.primary.clone(),
                    Arc::new(ServedVersions { published: published.clone(), history }),
                );
                // On a thread without a runtime: it starts one of its own.
                let start = std::thread::spawn(move || Primary::start(settings, source, handle));
                let lost = |_| DaemonError::Runtime(std::io::Error::other("starting transfers panicked"));
                let started = start.join().map_err(lost)?;
                Some(Arc::new(started.map_err(|error| DaemonError::Transfer(Box::new(error)))?))
            }
            false => None,
        };
        let notifies = match &primary {
            Some(primary) => Some(start_notifies(primary.clone(), publisher.report())?),
            None => None,
        };
        Ok(Self { notifies, _primary: primary, _secondary: secondary })
    }

    /// Ends it.
    pub(super) async fn stop(self, grace: std::time::Duration) {
        if let Some(notifies) = self.notifies {
            notifies.stop(grace).await;
        }
    }
}

/// Where transferred versions go.
struct PublisherSink {
    /// Weak: the publisher ends when its owner says so.
    publisher: Weak<PublisherHandle>,
    published: Arc<Published>,
    runtime: Handle,
}

impl PublisherSink {
    fn publisher(&self) -> Result<Arc<PublisherHandle>, SinkError> {
        self.publisher.upgrade().ok_or_else(|| SinkError::Failed("the publisher has ended".into()))
    }
}

impl Sink for PublisherSink {
    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.published.load().zone(zone).cloned()
    }

    fn whole(&self, zone: Zone, origin: Origin) -> Result<(), SinkError> {
        let publisher = self.publisher()?;
        let offered = self.runtime.block_on(publisher.offer(zone, origin.primary, origin.is_forced));
        offered.map_err(|error| match error {
            OfferError::NotConfigured { .. } | OfferError::NotServed { .. } | OfferError::Value { .. } => {
                SinkError::Refused(Box::new(error))
            }
            OfferError::Lost | OfferError::Stopped => SinkError::Failed(Box::new(error)),
        })
    }

    fn differences(&self, zone: &Name, differences: Vec<Difference>, _: Origin) -> Result<(), SinkError> {
        let publisher = self.publisher()?;
        let applied = self.runtime.block_on(publisher.apply(zone, differences));
        applied.map(|_| ()).map_err(|error| match error {
            ApplyError::Refused { .. } => SinkError::Refused(Box::new(error)),
            ApplyError::NotDurable { .. } | ApplyError::Panicked | ApplyError::Stopped => {
                SinkError::Failed(Box::new(error))
            }
            _ => SinkError::NotFitting(Box::new(error)),
        })
    }
}
