//! What the deciding task (1x, on the thread "decide") owns.
//!
//! That is everything that an order may change, so there is no lock. The task never blocks and never writes: what takes time (a reload)
//! runs as a task of its own, logs leave through a queue. Each turn ends with a beat, which renews the lease of what is announced;
//! a turn comes at every change of a fact and at least every [`Beat::PERIOD`].

use std::path::PathBuf;
use std::sync::Arc;

use crate::admission::Limits;
use crate::config::Config;
use crate::control::Call;
use crate::fleet;
use crate::handoff::{Latest, Reader, Receiver};
use crate::policy::{Decision, Policy};
use crate::publish::PublisherHandle;
use crate::route::{BgpControl, GateControl, RouteStatus};
use crate::serve;
use crate::telemetry::{Beat, LogLevel};
use crate::update::UpdateService;
use crate::zone::Published;

use crate::daemon::canaries::CanaryControl;
use crate::daemon::catalogs::CatalogControl;
use crate::daemon::drain::Drain;
use crate::daemon::drain_file::DrainFile;
use crate::daemon::order::Order;
use crate::daemon::orders::blocking::BlockingOrders;
use crate::daemon::reload::reloads::Reloads;
use crate::daemon::required::RequiredZones;
use crate::daemon::sources::Sources;
use crate::daemon::status::{Ordered, Reload};
use crate::daemon::transfers::transferring::TransferControl;

/// What the controller holds.
pub(super) struct Controller {
    pub(super) config: Config,
    /// The configuration file, if there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) orders: Receiver<Order>,
    /// What operators ask for.
    pub(super) calls: Receiver<Call>,
    /// Whether anyns stops in order.
    pub(super) stopping: bool,
    pub(super) drain: Drain,
    pub(super) drain_file: DrainFile,
    /// The turns of orders that may wait for a disk.
    pub(super) blocking: BlockingOrders,
    /// What was ordered, for the status and the planned stop.
    pub(super) ordered: Latest<Ordered>,
    /// How the last reload went, for the status.
    pub(super) reload: Arc<Latest<Reload>>,
    /// The reloads that are on their way.
    pub(super) reloads: Reloads,
    /// The zones that the config requires.
    pub(super) required: RequiredZones,
    pub(super) policy: Policy,
    pub(super) sources: Sources,
    pub(super) publisher: Arc<PublisherHandle>,
    /// Changes what transfers zones, and gives it orders.
    pub(super) transfers: TransferControl,
    /// Follows and makes catalogs.
    pub(super) catalogs: CatalogControl,
    /// Says which secondary may have which version.
    pub(super) canaries: CanaryControl,
    /// Who takes dynamic updates.
    pub(super) updates: Arc<UpdateService>,
    /// What is served.
    pub(super) published: Arc<Published>,
    /// The certificate and the ticket keys of the encrypted transports, if there are any.
    pub(super) tls_files: Option<serve::TlsFiles>,
    /// The rate limits in force.
    pub(super) limits: Arc<Limits>,
    pub(super) log_level: LogLevel,
    /// The other POPs, for the page.
    pub(super) fleet: Arc<fleet::Settings>,
    /// The sections that have changed where only a restart takes them over.
    pub(super) restart: Vec<&'static str>,
    pub(super) routes: Reader<RouteStatus>,
    /// Changes what the gate and the watchdog go by.
    pub(super) gate: Arc<GateControl>,
    /// Changes the BGP speaker, if there is one.
    pub(super) bgp: Option<BgpControl>,
    /// The latest decision, for the gate.
    pub(super) decisions: Latest<Decision>,
    /// Renews the lease.
    pub(super) beat: Beat,
}
