//! What the main thread holds until the planned stop.

use std::sync::Arc;

use crate::config;
use crate::handoff::{Queue, Reader};
use crate::host::ServiceAddresses;
use crate::publish::PublisherHandle;
use crate::route::Speaker;
use crate::serve::Serving;
use crate::telemetry::Counters;

use super::order::Order;
use super::status::{ControlThread, Ordered};
use super::supervisor::Supervisor;
use super::thread::Thread;
use super::transfers::Transferring;

/// Everything that runs.
pub(super) struct Parts {
    pub(super) decide: Thread,
    pub(super) orders: Queue<Order>,
    pub(super) speaker: Speaker,
    pub(super) health: Thread,
    pub(super) host: Thread,
    pub(super) control: ControlThread,
    pub(super) web: Option<Thread>,
    /// Writes dnstap and the query log, if one of them is asked for.
    pub(super) dnstap: Option<Thread>,
    /// Writes daily statistics, if they are asked for.
    pub(super) rssac002: Option<Thread>,
    pub(super) serving: Serving,
    pub(super) publisher: Arc<PublisherHandle>,
    pub(super) transferring: Transferring,
    pub(super) catalogs: Thread,
    pub(super) canaries: Thread,
    pub(super) addresses: Option<ServiceAddresses>,
    pub(super) counters: Counters,
    pub(super) ordered: Reader<Ordered>,
    pub(super) supervisor: Supervisor,
}

impl Parts {
    /// How a planned stop goes, as it was configured last.
    pub(super) fn times(&self) -> config::Drain {
        self.ordered.load().times
    }
}
