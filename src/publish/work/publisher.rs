//! The publisher's thread (1x): waits for changes, commands and the clock, and has the owner look when there is a reason to.
//!
//! Never waits for a disk or a lock: it beats as long as it runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::handoff::{Latest, Reader};
use crate::telemetry::{Beat, ContentSums, keep_running};
use crate::wire::{Name, Serial};
use crate::zone::{Expiry, Published, Zone};
use crate::zonefile::{check_rdata, digest};

use crate::publish::accept::Force;
use crate::publish::difference::{Applied, Difference};
use crate::publish::error::{
    AcceptError, ApplyError, HoldError, OfferError, PublishError, ReconfigureError, RemoveError,
};
use crate::publish::report::Report;
use crate::publish::settings::Settings;
use crate::publish::source::canary::Canary;
use crate::publish::source::debounce::Debounce;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::store::history::History;
use crate::publish::state::tables::releases::KeptRelease;
use crate::publish::state::tables::timers::ZoneTimers;
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::core::After;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::pool;
use crate::publish::work::kept::kept_state::KeptState;
use crate::publish::work::liveness::Liveness;
use crate::publish::work::orders::hold::{HoldZones, HoldsSet};
use crate::publish::work::orders::members::MemberChanges;
use crate::publish::work::orders::order::Then;
use crate::publish::work::owner::OwnerThread;
use crate::publish::work::zone::check_context::{Offer, OfferedDifferences};
use crate::telemetry::pulse::Pulse;

/// Commands that wait for a look to end; more operators than that wait for their turn.
const COMMANDS: usize = 16;

/// Starts the publisher.
#[derive(Debug)]
pub struct Publisher;

/// The running publisher. Dropping it ends the thread; what is published stays published.
#[derive(Debug)]
pub struct PublisherHandle {
    commands: mpsc::Sender<Command>,
    report: Reader<Report>,
    beat: Beat,
    pulse: Arc<Pulse>,
    contents: Arc<ContentSums>,
    history: History,
    kept: Reader<Option<KeptState>>,
    /// Asks the thread to end.
    stop: CancellationToken,
    /// Cancelled when the thread is about to end.
    ended: CancellationToken,
}

#[derive(Debug)]
enum Command {
    Reload(oneshot::Sender<()>),
    Reconfigure(Box<Settings>, oneshot::Sender<Result<(), ReconfigureError>>),
    Remove(Name, oneshot::Sender<Result<(), RemoveError>>),
    Accept(Name, Serial, oneshot::Sender<Result<Serial, AcceptError>>),
    Apply(Name, OfferedDifferences),
    Hold(HoldZones, Option<String>, oneshot::Sender<Result<HoldsSet, HoldError>>),
    Offer(Box<Offer>),
    Expiry(Vec<(Name, Expiry)>, oneshot::Sender<()>),
    Withdrawn(Vec<Name>),
    KeepTimers(Vec<(Name, Option<ZoneTimers>)>, oneshot::Sender<()>),
    State(oneshot::Sender<Arc<StateDirectory>>),
    Members(Box<MemberChanges>, oneshot::Sender<()>),
    #[cfg(test)]
    Panic,
}

impl Publisher {
    /// Locks the state directory and starts the thread, which reads every zone and then follows the changes. Nobody else
    /// may store into `published`. When [`Report::settled`] is true the first load is over. A state directory that cannot be
    /// used is no error but a fault in the report, unless another process uses it.
    pub fn start(settings: Settings, published: Arc<Published>) -> Result<PublisherHandle, PublishError> {
        let thread = |source| PublishError::Thread { source };
        let (beat, wake) = (Beat::new("publisher"), Arc::new(Notify::new()));
        let pulse = Arc::new(Pulse::new(pool::places()));
        let mut core = Core::open(settings, published, wake.clone(), pulse.clone())?;
        core.publication.verify.start(beat.clone()).map_err(thread)?;
        let (commands, received) = mpsc::channel(COMMANDS);
        let contents = core.publication.verify.contents();
        let (history, kept) = (core.keeping.history.clone(), core.keeping.told.reader());
        let (sender, report, canary) =
            (core.reporter(), core.reporter().reader(), core.watching.watch.canary());
        let stop = CancellationToken::new();
        let mut task = Loop {
            commands: received,
            wake,
            owner: OwnerThread::start(core, beat.clone(), pulse.clone()).map_err(thread)?,
            canary,
            beat: beat.clone(),
            debounce: Debounce::default(),
            turn_at: Instant::now(),
            answer: None,
            report: sender,
            stop: stop.clone(),
        };
        let ended = CancellationToken::new();
        let running = ended.clone().drop_guard();
        let its_beat = beat.clone();
        let (started, is_started) = std::sync::mpsc::sync_channel(1);
        let run = move || {
            // Made here: a runtime must not be dropped in another one, where a caller may be.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(())));
            runtime.block_on(keep_running(&its_beat, &mut task, async |task: &mut Loop| task.run().await));
            task.end();
            drop(running);
        };
        std::thread::Builder::new().name("publisher".to_owned()).spawn(run).map_err(thread)?;
        let lost = |_| io::Error::other("the publisher's thread has ended");
        is_started.recv().map_err(lost).flatten().map_err(thread)?;
        Ok(PublisherHandle { commands, report, beat, pulse, contents, history, kept, stop, ended })
    }
}

impl PublisherHandle {
    /// The latest report, and a way to wait for the next.
    pub fn report(&self) -> Reader<Report> {
        self.report.clone()
    }

    /// The beat of the publisher's loop; counts the panics of a look and of a command, too.
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// By bucket, sums over the contents of what is served, as far as their digests are made.
    pub fn contents(&self) -> Arc<ContentSums> {
        self.contents.clone()
    }

    /// What the last process kept. `None` while the state directory has not answered, for which a start waits for some seconds only; told
    /// anew when more of it can be read.
    pub fn kept(&self) -> Reader<Option<KeptState>> {
        self.kept.clone()
    }

    /// Keeps which versions all secondaries may have; `None` forgets that of a zone. Durable when it returns, or there is no state directory:
    /// then it is false. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The state directory cannot be written, or the publisher has stopped.
    pub async fn keep_releases(&self, releases: Vec<(Name, Option<KeptRelease>)>) -> io::Result<bool> {
        let state = self.state().await?;
        // Waits for the disk, which the publisher need not.
        let kept = tokio::task::spawn_blocking(move || match &*state {
            StateDirectory::None => Ok(false),
            StateDirectory::Kept(writer) => writer.keep_rows(ZoneRows::Releases(releases)).map(|()| true),
            StateDirectory::Unwritable { error, .. } => Err(error.to_io()),
        });
        kept.await.map_err(io::Error::other).flatten()
    }

    /// The state directory as it is now.
    pub(in crate::publish) async fn state(&self) -> io::Result<Arc<StateDirectory>> {
        let (reply, state) = oneshot::channel();
        let stopped = || io::Error::other("the publisher has stopped");
        self.commands.send(Command::State(reply)).await.map_err(|_| stopped())?;
        state.await.map_err(|_| stopped())
    }

    /// Takes what a new version of a catalog changes. When it returns, who is a member is durable, if there is a state directory that
    /// can be written; what is kept of zones that are members again is on its way into service. False: the publisher has stopped.
    pub async fn change_members(&self, changes: MemberChanges) -> bool {
        let (reply, done) = oneshot::channel();
        let command = Command::Members(Box::new(changes), reply);
        self.commands.send(command).await.is_ok() && done.await.is_ok()
    }

    /// Keeps timers of secondary zones soon, if there is a state directory; `None` forgets those of a zone. After this returns a planned
    /// stop writes them, too. False: the publisher has stopped.
    pub async fn keep_timers(&self, timers: Vec<(Name, Option<ZoneTimers>)>) -> bool {
        let (reply, done) = oneshot::channel();
        self.commands.send(Command::KeepTimers(timers, reply)).await.is_ok() && done.await.is_ok()
    }

    /// Tells the query path which zones have expired, or have not any more; in force when this returns. False: the publisher has
    /// stopped.
    pub async fn tell_expiry(&self, zones: Vec<(Name, Expiry)>) -> bool {
        let (reply, done) = oneshot::channel();
        self.commands.send(Command::Expiry(zones, reply)).await.is_ok() && done.await.is_ok()
    }

    /// Of these zones no primary has the version any more that was refused: they are served in their newest version. False: the publisher
    /// has stopped.
    pub async fn withdraw_refusals(&self, zones: Vec<Name>) -> bool {
        self.commands.send(Command::Withdrawn(zones)).await.is_ok()
    }

    /// The history of zones, to be read from any thread.
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// Tells an observer why changes are not seen, if so.
    pub fn liveness(&self) -> Liveness {
        Liveness::new(self.beat.clone(), self.pulse.clone())
    }

    /// Looks at all sources now; returns when it is done. Nothing happens after the publisher has stopped.
    pub async fn reload(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Reload(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Takes new settings and looks at all sources. A zone that the old settings named and the new ones do not is
    /// no longer served; what is kept of it stays for 30 days, and it goes on from there when settings name it again. While a
    /// configured directory cannot be read nothing is removed.
    pub async fn reconfigure(&self, settings: Settings) -> Result<(), ReconfigureError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Reconfigure(Box::new(settings), reply);
        self.commands.send(command).await.map_err(|_| ReconfigureError::Stopped)?;
        done.await.unwrap_or_else(|_| {
            Err(if self.is_stopped() { ReconfigureError::Stopped } else { ReconfigureError::Panicked })
        })
    }

    /// Takes a zone out of service whose file is gone.
    pub async fn remove(&self, zone: &Name) -> Result<(), RemoveError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Remove(zone.clone(), reply);
        self.commands.send(command).await.map_err(|_| RemoveError::Stopped)?;
        done.await.unwrap_or_else(|_| {
            Err(if self.is_stopped() { RemoveError::Stopped } else { RemoveError::Panicked })
        })
    }

    /// Lets exactly that version pass which was refused and has this serial; see `refused_serial` in the report.
    /// Returns the serial that is served: under [`SerialRule::Bump`](crate::publish::SerialRule::Bump) it goes on from what was served.
    pub async fn accept(&self, zone: &Name, serial: Serial) -> Result<Serial, AcceptError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Accept(zone.clone(), serial, reply);
        self.commands.send(command).await.map_err(|_| AcceptError::Stopped)?;
        done.await.unwrap_or_else(|_| {
            Err(if self.is_stopped() { AcceptError::Stopped } else { AcceptError::Panicked })
        })
    }

    /// [`apply_from`](Self::apply_from) without a name for the history.
    pub async fn apply(&self, zone: &Name, differences: Vec<Difference>) -> Result<Applied, ApplyError> {
        self.apply_from(zone, differences, None).await
    }

    /// Applies differences in a row to the version of a zone that is served: incremental transfers (RFC 1995) and dynamic updates enter
    /// here. When it returns, the version that they lead to is in service, all at once, and durable in the state directory. On any error
    /// nothing has changed. Waits for a look that goes on; shrinking and lost signatures are judged as in a file's new version, without a
    /// way to force them. The history names `source`. A [`StepSource::Rollback`] is an operator's order: only what no zone may be is
    /// refused, and a rollback of a zone that comes from primaries is.
    pub async fn apply_from(
        &self,
        zone: &Name,
        differences: Vec<Difference>,
        source: Option<StepSource>,
    ) -> Result<Applied, ApplyError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Apply(zone.clone(), OfferedDifferences { differences, source, reply });
        self.commands.send(command).await.map_err(|_| ApplyError::Stopped)?;
        done.await.unwrap_or_else(|_| {
            Err(if self.is_stopped() { ApplyError::Stopped } else { ApplyError::Panicked })
        })
    }

    /// Holds zones at the version that is served, over restarts: no new version passes but one that an operator forces. `None` ends
    /// that, and the zones' files are judged again. All of them at once, in the time of one.
    ///
    /// # Errors
    /// There is no such zone, none of them is held, or it cannot be kept: then nothing has changed.
    pub async fn hold(&self, zones: HoldZones, reason: Option<String>) -> Result<HoldsSet, HoldError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Hold(zones, reason, reply);
        self.commands.send(command).await.map_err(|_| HoldError::Stopped)?;
        done.await.unwrap_or(Err(HoldError::Stopped))
    }

    /// Offers a whole version that a primary gave. When it returns, that version is in service, or is what was served
    /// already; on any error what was served stays. A version that replaces another is durable then; the first one of a zone is
    /// soon. `force`: whether it is wanted whatever its serial and size. Looks at every record before it first waits: a second
    /// for millions.
    pub async fn offer(&self, zone: Zone, primary: SocketAddr, force: Force) -> Result<(), OfferError> {
        check_values(&zone)?;
        let digest = digest(&zone);
        let (reply, done) = oneshot::channel();
        let offer = Offer { zone, digest, primary, force, reply };
        self.commands.send(Command::Offer(Box::new(offer))).await.map_err(|_| OfferError::Stopped)?;
        done.await
            .unwrap_or_else(|_| Err(if self.is_stopped() { OfferError::Stopped } else { OfferError::Lost }))
    }

    /// Makes a job panic.
    #[cfg(test)]
    pub(in crate::publish) async fn panic(&self) {
        let _ = self.commands.send(Command::Panic).await;
    }

    fn is_stopped(&self) -> bool {
        self.beat.has_ended()
    }

    /// Ends the thread after a look that goes on, keeps what is not kept yet (20 s at most), and gives the state directory
    /// back.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }
}

/// Whether every record has the layout of its type. What says something that can never be right is served by other servers, too, and is told.
fn check_values(zone: &Zone) -> Result<(), OfferError> {
    let (mut found, mut tolerated) = (None, None);
    zone.for_each_record(|owner, record_type, _, rdata| {
        if found.is_none()
            && let Err(fault) = check_rdata(record_type, rdata)
        {
            let place = if fault.is_of_value() { &mut tolerated } else { &mut found };
            place.get_or_insert_with(|| (owner.to_vec(), Box::new(fault)));
        }
    });
    let zone = zone.origin();
    // Owners in a zone are names.
    let name = |owner: &[u8]| Name::from_wire(owner).unwrap_or_else(|_| zone.clone());
    if let Some((owner, fault)) = tolerated {
        tracing::warn!(%zone, owner = %name(&owner), "{fault}; a zone file would be refused for that");
    }
    match found {
        None => Ok(()),
        Some((owner, fault)) => Err(OfferError::Value { zone: zone.clone(), owner: name(&owner), fault }),
    }
}

/// The publisher's loop; its state outlives a panic.
#[derive(Debug)]
struct Loop {
    commands: mpsc::Receiver<Command>,
    wake: Arc<Notify>,
    owner: OwnerThread,
    canary: Option<Arc<Canary>>,
    beat: Beat,
    debounce: Debounce,
    turn_at: Instant,
    /// Of the job that the owner has.
    answer: Option<oneshot::Receiver<After>>,
    report: Arc<Latest<Report>>,
    stop: CancellationToken,
}

impl Loop {
    async fn run(&mut self) {
        let (beat, canary) = (self.beat.clone(), self.canary.clone());
        tokio::select! {
            () = self.follow() => {}
            () = beat.keep_beating() => {}
            () = keep_writing(canary) => {}
        }
    }

    /// Looks, and then whenever there is a reason to, until the handle has gone.
    async fn follow(&mut self) {
        // After a panic the owner may still have a job.
        self.finish_job().await;
        if !self.job(Core::start).await {
            return;
        }
        loop {
            let due = self.debounce.due();
            let at = due.map_or(self.turn_at, |due| due.min(self.turn_at));
            let goes_on = tokio::select! {
                () = self.stop.cancelled() => break,
                command = self.commands.recv() => match command {
                    Some(command) => self.job(|core| obey(core, command)).await,
                    None => break,
                },
                () = self.wake.notified() => self.job(Core::listen).await,
                () = tokio::time::sleep_until(at.into()) => match due {
                    Some(due) if due <= Instant::now() => {
                        self.debounce.done();
                        self.job(Core::check_heard).await
                    }
                    _ => self.job(Core::turn).await,
                },
            };
            if !goes_on {
                return;
            }
        }
        self.job(Core::finish).await;
    }

    /// Has something done that may block. False if that cannot be: the owner has ended.
    async fn job(&mut self, task: impl FnOnce(&mut Core) + Send + 'static) -> bool {
        self.answer = self.owner.give(Box::new(task));
        self.finish_job().await
    }

    async fn finish_job(&mut self) -> bool {
        let Some(answer) = &mut self.answer else { return false };
        let answer = answer.await;
        self.answer = None;
        let Ok(After { turn_at, changed, changing }) = answer else { return false };
        self.turn_at = turn_at;
        let now = Instant::now();
        if changed {
            self.debounce.changed(now);
        } else if changing {
            self.debounce.changing(now);
        }
        true
    }

    /// Ends everything, in order.
    fn end(self) {
        let planned = self.stop.is_cancelled() || self.commands.is_closed();
        self.owner.end();
        self.report.update(|report| report.stopped = true);
        // A planned stop is ordered, or the handle goes first; anything else is a fault.
        if planned {
            tracing::debug!("the publisher has stopped");
        } else {
            tracing::error!("the publisher has stopped; what is published stays published");
        }
    }
}

/// Writes the canary of the notifications, if there is one.
async fn keep_writing(canary: Option<Arc<Canary>>) {
    let Some(canary) = canary else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(Canary::PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        canary.write();
    }
}

fn obey(core: &mut Core, command: Command) {
    match command {
        Command::Reload(reply) => core.ask(None, Some(Then::Reloaded(reply))),
        Command::Reconfigure(settings, reply) => core.reconfigure(*settings, reply),
        Command::Remove(zone, reply) => core.remove(zone, reply),
        Command::Accept(zone, serial, reply) => core.accept(zone, serial, reply),
        Command::Apply(zone, offered) => core.order_differences(zone, offered),
        Command::Hold(zones, reason, reply) => core.hold(zones, reason, reply),
        Command::Offer(offer) => core.offer(*offer),
        Command::Expiry(zones, reply) => core.take_expiry(zones, reply),
        Command::Withdrawn(zones) => core.withdraw_refusals(zones),
        Command::KeepTimers(timers, reply) => {
            core.keeping.keep_timers(timers);
            let _ = reply.send(());
        }
        Command::State(reply) => drop(reply.send(core.keeping.state.clone())),
        Command::Members(changes, reply) => core.change_members(*changes, reply),
        #[cfg(test)]
        #[allow(clippy::panic, reason = "a test asks for it")]
        Command::Panic => panic!("a test asked for it"),
    }
    core.go_on();
}
