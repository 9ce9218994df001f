//! Dynamic updates into the publisher.
//!
//! Differences flow from `update` to the publisher, which makes them durable and serves them. Never decides what a client may
//! change.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use async_trait::async_trait;

use crate::clock::unix_now;
use crate::publish::{Applied, ApplyError, Difference, PublisherHandle, StepSource};
use crate::transfer::secondary::SecondaryHandle;
use crate::update::{UpdateService, UpdateSettings, UpdateSink};
use crate::wire::Name;
use crate::zone::{Published, Zone};

/// Who takes updates. Without any zone that takes them, it says why each is refused.
pub(in crate::daemon) fn updates(
    settings: UpdateSettings,
    (publisher, published): (&Arc<PublisherHandle>, &Arc<Published>),
    secondary: SecondaryHandle,
) -> Arc<UpdateService> {
    let (publisher, published) = (Arc::downgrade(publisher), published.clone());
    let sink = PublisherOfUpdates { publisher, published, secondary };
    Arc::new(UpdateService::new(settings, Arc::new(sink), unix_now))
}

/// Where updates go.
struct PublisherOfUpdates {
    /// Weak: the publisher ends when its owner says so.
    publisher: Weak<PublisherHandle>,
    published: Arc<Published>,
    /// Knows which zones come from primaries.
    secondary: SecondaryHandle,
}

#[async_trait]
impl UpdateSink for PublisherOfUpdates {
    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.published.load().zone(zone).cloned()
    }

    fn primaries(&self, zone: &Name) -> Option<Vec<SocketAddr>> {
        self.secondary.primaries(zone)
    }

    async fn apply(&self, zone: &Name, key: &Name, difference: Difference) -> Result<Applied, ApplyError> {
        let publisher = self.publisher.upgrade().ok_or(ApplyError::Stopped)?;
        let source = Some(StepSource::Update { key: key.clone() });
        publisher.apply_from(zone, vec![difference], source).await
    }
}
