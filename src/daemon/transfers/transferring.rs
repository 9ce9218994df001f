//! Zones from primaries into the publisher, and zones that are served out to secondaries.
//!
//! Transferred versions flow from `transfer` to the publisher, which judges, keeps and publishes them; served versions flow from
//! the snapshot to the secondaries that may have them, which NOTIFY tells of another version. Never decides whether a
//! version may be served.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::config::Transfers;
use crate::handoff;
use crate::publish::{self, ApplyError, Difference, Fault, OfferError, PublisherHandle, StepSource};
use crate::serve::{Intake, Serving};
use crate::telemetry::{Beat, keep_beating, keep_running};
use crate::transfer::delay::{DelayTask, DelayedVersions};
use crate::transfer::primary::{Primary, Receivers};
use crate::transfer::refresh::{Order, Saved};
use crate::transfer::secondary::{
    Origin, Secondary, SecondaryContext, SecondaryError, SecondaryHandle, SecondarySettings, Sink, SinkError,
};
use crate::update::UpdateService;
use crate::wire::Name;
use crate::zone::{Expiry, Published, Zone, ZoneFault};

use crate::daemon::DaemonError;
use crate::daemon::canaries::ReleasedVersions;
use crate::daemon::status::{MOST_NEWS, OutwardSources, TransferSources};
use crate::daemon::thread::Thread;
use crate::daemon::transfers::sent_zones::{ServedVersions, start_notifies};
use crate::daemon::transfers::updates::updates;

/// What transfers zones; ends when it is dropped.
pub(in crate::daemon) struct Transferring {
    /// Tells secondaries of changes.
    notifies: Option<Thread>,
    /// Serves versions when their time has come, at a last-resort POP.
    delay: Option<Thread>,
    /// Takes dynamic updates.
    updates: Arc<UpdateService>,
    control: TransferControl,
    secondary: Secondary,
    beats: Vec<Beat>,
}

/// Changes what transfers zones, and gives it orders.
#[derive(Clone)]
pub(in crate::daemon) struct TransferControl {
    secondary: SecondaryHandle,
    /// `None` where nothing is listened on: a restart opens the sockets.
    primary: Option<Arc<Primary>>,
    /// Versions that wait, at a last-resort POP.
    delayed: Option<Arc<DelayedVersions>>,
}

impl Transferring {
    /// Starts what takes zones, which may have none yet, and what sends them, if the configuration asks for it.
    pub(in crate::daemon) fn start(
        transfers: &Transfers,
        publisher: &Arc<PublisherHandle>,
        published: &Arc<Published>,
        (serving, versions): (&Serving, &Arc<ReleasedVersions>),
    ) -> Result<(Self, TransferSources), DaemonError> {
        let sink = PublisherSink {
            publisher: Arc::downgrade(publisher),
            published: published.clone(),
            runtime: Handle::try_current().map_err(std::io::Error::other).map_err(DaemonError::Runtime)?,
        };
        let (status, news) = handoff::queue(MOST_NEWS).map_err(DaemonError::Runtime)?;
        let context = SecondaryContext {
            late: Some(publisher.kept()),
            has_members: true,
            report: Some(publisher.report()),
            status: Some(status),
            ..SecondaryContext::default()
        };
        let sink: Arc<dyn Sink> = Arc::new(sink);
        let delayed =
            transfers.delay.clone().map(|delay| Arc::new(DelayedVersions::new(delay, sink.clone())));
        let sink = delayed.clone().map_or(sink, |delayed| delayed as Arc<dyn Sink>);
        let secondary = Secondary::start(transfers.secondary.clone(), sink, context)
            .map_err(|error| DaemonError::Transfer(Box::new(error)))?;
        let handle = secondary.handle();
        serving.hand_other_messages(Box::new(SecondaryIntake(handle.clone())));
        let updates = updates(transfers.updates.clone(), (publisher, published), handle.clone());
        let receivers = Receivers { secondary: Some(handle.clone()), updates: Some(updates.clone()) };
        let (published, versions) = (published.clone(), versions.clone());
        let history = publisher.history();
        let report = publisher.report();
        let served = ServedVersions { published, history, versions, secondary: handle.clone(), report };
        let primary = start_primary(transfers, served, receivers)?;
        let mut beats = vec![secondary.beat()];
        let notifies = match &primary {
            Some(primary) => {
                let beat = Beat::new("notify-out");
                beats.extend([primary.beat(), beat.clone()]);
                Some(start_notifies(primary.clone(), publisher.report(), beat)?)
            }
            None => None,
        };
        let delay = match &delayed {
            Some(delayed) => {
                let beat = Beat::new("delay");
                beats.push(beat.clone());
                Some(start_delay(delayed.clone(), publisher, beat)?)
            }
            None => None,
        };
        let sources = TransferSources {
            news: Some(news),
            seen: primary.as_ref().map(|primary| primary.seen()),
            outward: outward_sources(primary.as_deref(), &handle, &updates),
            delayed: delayed.clone(),
            catalogs: None,
            canaries: None,
            loads: None,
        };
        let control = TransferControl { secondary: handle, primary, delayed };
        Ok((Self { notifies, delay, updates, control, secondary, beats }, sources))
    }

    /// Reaches what takes zones.
    pub(in crate::daemon) fn secondary(&self) -> SecondaryHandle {
        self.control.secondary.clone()
    }

    /// Sends zones, where that is configured.
    pub(in crate::daemon) fn primary(&self) -> Option<Arc<Primary>> {
        self.control.primary.clone()
    }

    /// Who takes dynamic updates.
    pub(in crate::daemon) fn updates(&self) -> Arc<UpdateService> {
        self.updates.clone()
    }

    /// The beats of its threads.
    pub(in crate::daemon) fn beats(&self) -> Vec<Beat> {
        self.beats.clone()
    }

    /// Changes it from elsewhere.
    pub(in crate::daemon) fn control(&self) -> TransferControl {
        self.control.clone()
    }

    /// Ends it. What is known of the zones' timers goes to the publisher, which must still run.
    pub(in crate::daemon) async fn stop(self, grace: std::time::Duration) {
        if let Some(notifies) = self.notifies {
            notifies.stop(grace).await;
        }
        if let Some(delay) = self.delay {
            delay.stop(grace).await;
        }
        let ended = tokio::task::spawn_blocking(move || drop(self.secondary));
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!("the thread for transfers did not end in time");
        }
    }
}

impl TransferControl {
    /// Takes what the configuration says now, where that differs from what it said before; `zones` is what it says of zones. Sockets and
    /// how much is done at one time stay as they were.
    ///
    /// # Errors
    /// Too much waits, or a thread has ended; neither side has changed.
    pub(in crate::daemon) fn change(
        &self,
        before: &Transfers,
        now: &Transfers,
        zones: &publish::Settings,
    ) -> Result<(), SecondaryError> {
        let sending = self.primary.as_ref().filter(|_| before.primary != now.primary);
        // Before the other side changes: one of them alone would send zones by lists that the configuration does not have.
        let sending =
            sending.map(|primary| primary.reserve_change().ok_or(SecondaryError::Busy)).transpose()?;
        if before.secondary != now.secondary {
            let elsewhere = elsewhere(&before.secondary, zones);
            self.secondary.change(SecondarySettings { elsewhere, ..now.secondary.clone() })?;
        }
        if let Some(sending) = sending {
            sending.make(now.primary.clone());
        }
        Ok(())
    }

    /// Whether secondaries can have zones from here.
    pub(in crate::daemon) fn sends(&self) -> bool {
        self.primary.is_some()
    }

    /// Versions that wait, at a last-resort POP.
    pub(in crate::daemon) fn delayed(&self) -> Option<&Arc<DelayedVersions>> {
        self.delayed.as_ref()
    }

    /// Gives an order for all zones that come from primaries but these; how many zones took it.
    pub(in crate::daemon) async fn order_all_but(
        &self,
        except: BTreeSet<Name>,
        order: Order,
    ) -> Result<usize, SecondaryError> {
        self.secondary.order_all_but(except, order).await
    }

    /// Whether a zone comes from primaries.
    pub(in crate::daemon) fn is_transferred(&self, zone: &Name) -> bool {
        self.secondary.primaries(&zone.to_lowercase()).is_some()
    }

    /// Gives an order for a zone that comes from primaries, or for all of them; how many zones took it.
    pub(in crate::daemon) async fn order(
        &self,
        zone: Option<Name>,
        order: Order,
    ) -> Result<usize, SecondaryError> {
        self.secondary.order(zone, order).await
    }
}

/// The zones that came from primaries before and that the configuration has with a file or for updates now.
fn elsewhere(before: &SecondarySettings, now: &publish::Settings) -> BTreeSet<Name> {
    let came: BTreeSet<&Name> = before.zones.iter().map(|zone| &zone.name).collect();
    let with_file = now.zones.iter().filter(|zone| zone.file.is_some()).map(|zone| &zone.name);
    let names = with_file.chain(&now.databases);
    names.filter(|name| came.contains(name) && !now.transferred.contains(*name)).cloned().collect()
}

/// Starts what serves transfers, where there are secondaries.
fn start_primary(
    transfers: &Transfers,
    served: ServedVersions,
    receivers: Receivers,
) -> Result<Option<Arc<Primary>>, DaemonError> {
    if !transfers.sends() {
        return Ok(None);
    }
    let (settings, source) = (transfers.primary.clone(), Arc::new(served));
    // On a thread without a runtime: it starts one of its own.
    let start = std::thread::spawn(move || Primary::start(settings, source, receivers));
    let lost = |_| DaemonError::Runtime(std::io::Error::other("starting transfers panicked"));
    let started = start.join().map_err(lost)?;
    Ok(Some(Arc::new(started.map_err(|error| DaemonError::Transfer(Box::new(error)))?)))
}

/// What the status tells of secondaries, and of messages whose signature is wrong.
fn outward_sources(
    primary: Option<&Primary>,
    secondary: &SecondaryHandle,
    updates: &UpdateService,
) -> OutwardSources {
    OutwardSources {
        targets: primary.map(Primary::targets),
        sent: primary.map(Primary::counts).unwrap_or_default(),
        updates: updates.counts(),
        bad_signatures: [
            ("request", primary.map(Primary::bad_signatures).unwrap_or_default()),
            ("notify", secondary.bad_signatures()),
            ("update", updates.bad_signatures()),
        ],
    }
}

/// Starts what serves versions when their time has come.
fn start_delay(
    delayed: Arc<DelayedVersions>,
    publisher: &Arc<PublisherHandle>,
    beat: Beat,
) -> Result<Thread, DaemonError> {
    let report = publisher.report();
    Thread::start("delay", CancellationToken::new(), move || async move {
        let mut task = DelayTask::new(delayed, report);
        tokio::select! {
            () = keep_beating(beat.clone()) => {}
            () = keep_running(&beat, &mut task, async |task| task.run().await) => {}
        }
    })
}

/// NOTIFY and UPDATE that come to service addresses.
struct SecondaryIntake(SecondaryHandle);

impl Intake for SecondaryIntake {
    fn take(&self, message: &[u8], source: IpAddr, output: &mut [u8]) -> Option<usize> {
        self.0.at_service(message, source, output)
    }
}

/// What is to be done about differences that are not applied.
fn of_differences(error: ApplyError) -> SinkError {
    match &error {
        ApplyError::Refused { .. } => SinkError::Refused(Box::new(error)),
        ApplyError::NotDurable { .. } | ApplyError::Panicked | ApplyError::Stopped => {
            SinkError::Failed(Box::new(error))
        }
        ApplyError::Unfit { from, faults, .. } if faults.iter().any(ZoneFault::is_of_other_content) => {
            SinkError::Diverged(*from, Box::new(error))
        }
        // Also what leads to no zone: the whole zone shows whether the primary has a good one.
        _ => SinkError::NotFitting(Box::new(error)),
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
        let offered = self.runtime.block_on(publisher.offer(zone, origin.primary, origin.force));
        offered.map_err(|error| match error {
            // It may replace what is served, and comes again when there is room for it.
            OfferError::NotServed { ref fault } if matches!(**fault, Fault::NotDurable { .. }) => {
                SinkError::Failed(Box::new(error))
            }
            OfferError::NotServed { .. } | OfferError::Value { .. } => SinkError::Refused(Box::new(error)),
            // A reload tells transfers of a zone before it tells the publisher: that is no word on the version.
            OfferError::NotConfigured { .. }
            | OfferError::Unread { .. }
            | OfferError::Lost
            | OfferError::Stopped => SinkError::Failed(Box::new(error)),
        })
    }

    fn differences(
        &self,
        zone: &Name,
        differences: Vec<Difference>,
        origin: Origin,
    ) -> Result<(), SinkError> {
        let publisher = self.publisher()?;
        let source = Some(StepSource::Primary(origin.primary));
        let applied = self.runtime.block_on(publisher.apply_from(zone, differences, source));
        applied.map(|_| ()).map_err(of_differences)
    }

    fn expiry(&self, zones: Vec<(Name, Expiry)>) -> Result<(), SinkError> {
        let publisher = self.publisher()?;
        match self.runtime.block_on(publisher.tell_expiry(zones)) {
            true => Ok(()),
            false => Err(SinkError::Failed("the publisher has ended".into())),
        }
    }

    fn withdrawn(&self, zones: Vec<Name>) -> Result<(), SinkError> {
        let publisher = self.publisher()?;
        match self.runtime.block_on(publisher.withdraw_refusals(zones)) {
            true => Ok(()),
            false => Err(SinkError::Failed("the publisher has ended".into())),
        }
    }

    fn keep(&self, timers: Vec<(Name, Option<Saved>)>) -> Result<(), SinkError> {
        let publisher = self.publisher()?;
        match self.runtime.block_on(publisher.keep_timers(timers)) {
            true => Ok(()),
            false => Err(SinkError::Failed("the publisher has ended".into())),
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/transfers.rs"]
mod tests;
