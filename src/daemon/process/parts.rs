//! What the main thread holds until the planned stop.

use std::sync::Arc;

use crate::config;
use crate::handoff::{Queue, Reader};
use crate::host::ServiceAddresses;
use crate::publish::PublisherHandle;
use crate::route::Speaker;
use crate::serve::Serving;
use crate::telemetry::Counters;

use crate::daemon::order::Order;
use crate::daemon::process::supervisor::Supervisor;
use crate::daemon::status::{ControlThread, Ordered};
use crate::daemon::thread::Thread;
use crate::daemon::transfers::transferring::Transferring;

/// Everything that runs.
pub(in crate::daemon) struct Parts {
    pub(in crate::daemon) decide: Thread,
    pub(in crate::daemon) orders: Queue<Order>,
    pub(in crate::daemon) speaker: Speaker,
    pub(in crate::daemon) health: Thread,
    pub(in crate::daemon) host: Thread,
    pub(in crate::daemon) control: ControlThread,
    pub(in crate::daemon) web: Option<Thread>,
    /// Writes dnstap and the query log, if one of them is asked for.
    pub(in crate::daemon) dnstap: Option<Thread>,
    /// Writes daily statistics, if they are asked for.
    pub(in crate::daemon) rssac002: Option<Thread>,
    pub(in crate::daemon) serving: Serving,
    pub(in crate::daemon) publisher: Arc<PublisherHandle>,
    pub(in crate::daemon) transferring: Transferring,
    pub(in crate::daemon) catalogs: Thread,
    pub(in crate::daemon) canaries: Thread,
    pub(in crate::daemon) addresses: Option<ServiceAddresses>,
    pub(in crate::daemon) counters: Counters,
    pub(in crate::daemon) ordered: Reader<Ordered>,
    pub(in crate::daemon) supervisor: Supervisor,
}

impl Parts {
    /// How a planned stop goes, as it was configured last.
    pub(in crate::daemon) fn times(&self) -> config::Drain {
        self.ordered.load().times
    }
}
