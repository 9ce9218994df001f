//! How others reach the task: the configuration and operators.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::config::Transfers;
use crate::handoff::Reader;
use crate::wire::{Name, Serial};

use super::facts::CanaryFacts;
use super::versions::ReleasedVersions;

/// Gives orders to the task, and reads its facts.
#[derive(Clone)]
pub(in crate::daemon) struct CanaryControl {
    pub(super) orders: mpsc::Sender<CanaryOrder>,
    pub(super) facts: Reader<CanaryFacts>,
    pub(super) versions: Arc<ReleasedVersions>,
}

impl CanaryControl {
    /// What is known of canaries.
    pub(in crate::daemon) fn facts(&self) -> Reader<CanaryFacts> {
        self.facts.clone()
    }

    /// What of a zone goes to secondaries that are no canaries: nothing, or the version of a serial. `None` where no group covers it.
    pub(in crate::daemon) fn released(&self, zone: &Name) -> Option<Option<Serial>> {
        self.versions.released(zone)
    }

    /// Takes what the configuration says now; in force when this returns.
    pub(in crate::daemon) async fn configure(&self, transfers: &Transfers) {
        let (reply, done) = oneshot::channel();
        let order = CanaryOrder::Configure(Box::new(transfers.clone()), reply);
        if self.orders.send(order).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Lets all secondaries have the newest version of zones, by name or pattern; what came of it, in words.
    pub(in crate::daemon) async fn release(&self, zones: Vec<String>) -> Result<String, String> {
        self.order(|reply| CanaryOrder::Release(zones, reply)).await
    }

    /// Lets nothing more of zones, by name or pattern, go to all secondaries until an order; what came of it, in words.
    pub(in crate::daemon) async fn halt(&self, zones: Vec<String>) -> Result<String, String> {
        self.order(|reply| CanaryOrder::Halt(zones, reply)).await
    }

    async fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<String, String>>) -> CanaryOrder,
    ) -> Result<String, String> {
        let (reply, done) = oneshot::channel();
        let ended = || "the task canaries has ended, or panicked: see the log".to_owned();
        self.orders.send(order(reply)).await.map_err(|_| ended())?;
        done.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// What others ask of the task.
pub(super) enum CanaryOrder {
    /// The configuration says this now.
    Configure(Box<Transfers>, oneshot::Sender<()>),
    /// Let all secondaries have the newest version of these zones; what came of it, in words.
    Release(Vec<String>, oneshot::Sender<Result<String, String>>),
    /// Let nothing more of these zones go to all secondaries until an order; what came of it, in words.
    Halt(Vec<String>, oneshot::Sender<Result<String, String>>),
}
