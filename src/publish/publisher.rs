//! The publisher's task (1x): waits for changes, commands and the clock, and looks when there is a reason to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::wire::{Name, Serial};
use crate::zone::Published;

use super::apply::{Applied, Difference};
use super::core::Core;
use super::debounce::Debounce;
use super::error::{AcceptError, ApplyError, PublishError, ReconfigureError, RemoveError};
use super::report::Report;
use super::settings::Settings;

/// Commands that wait for a look to end; more operators than that wait for their turn.
const COMMANDS: usize = 16;
/// When a file that somebody was writing is tried again, if its end was not heard.
const BUSY_RETRY: Duration = Duration::from_millis(500);
/// Looks for the sake of such a file take at most a fifth of a core: they pause four times as long as they took.
const BUSY_SHARE: u32 = 4;

/// Starts the publisher.
#[derive(Debug)]
pub struct Publisher;

/// The running publisher. Dropping it ends the task; what is published stays published.
#[derive(Debug)]
pub struct PublisherHandle {
    commands: mpsc::Sender<Command>,
    report: watch::Receiver<Arc<Report>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Command {
    Reload(oneshot::Sender<()>),
    Reconfigure(Box<Settings>, oneshot::Sender<Result<(), ReconfigureError>>),
    Remove(Name, oneshot::Sender<Result<(), RemoveError>>),
    Accept(Name, Serial, oneshot::Sender<Result<(), AcceptError>>),
    Apply(Name, Vec<Difference>, oneshot::Sender<Result<Applied, ApplyError>>),
}

impl Publisher {
    /// Locks the state directory and spawns the task, which reads every zone and then follows the changes. To be
    /// called in a tokio runtime; nobody else may store into `published`. When [`Report::settled`] is true the first load is over.
    pub fn start(settings: Settings, published: Arc<Published>) -> Result<PublisherHandle, PublishError> {
        let wake = Arc::new(Notify::new());
        let (core, report) = Core::open(settings, published, wake.clone())?;
        let (commands, received) = mpsc::channel(COMMANDS);
        let task = tokio::spawn(run(core, received, wake));
        Ok(PublisherHandle { commands, report, task })
    }
}

impl PublisherHandle {
    /// The latest report, and a way to wait for the next.
    pub fn report(&self) -> watch::Receiver<Arc<Report>> {
        self.report.clone()
    }

    /// Looks at all sources now; returns when it is done. Nothing happens after the publisher has stopped.
    pub async fn reload(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Reload(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Takes new settings and looks at all sources. A zone that the old settings named and the new ones do not is
    /// no longer served and its state is deleted: leaving the config says so. While a configured directory cannot
    /// be read nothing is removed.
    pub async fn reconfigure(&self, settings: Settings) -> Result<(), ReconfigureError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Reconfigure(Box::new(settings), reply);
        self.commands.send(command).await.map_err(|_| ReconfigureError::Stopped)?;
        done.await.unwrap_or(Err(ReconfigureError::Stopped))
    }

    /// Takes a zone out of service whose file is gone.
    pub async fn remove(&self, zone: &Name) -> Result<(), RemoveError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Remove(zone.clone(), reply);
        self.commands.send(command).await.map_err(|_| RemoveError::Stopped)?;
        done.await.unwrap_or(Err(RemoveError::Stopped))
    }

    /// Lets exactly that version pass which was refused and has this serial; see `refused_serial` in the report.
    pub async fn accept(&self, zone: &Name, serial: Serial) -> Result<(), AcceptError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Accept(zone.clone(), serial, reply);
        self.commands.send(command).await.map_err(|_| AcceptError::Stopped)?;
        done.await.unwrap_or(Err(AcceptError::Stopped))
    }

    /// Applies differences in a row to the version of a zone that is served: incremental transfers (RFC 1995) enter here.
    /// When it returns, the version that they lead to is in service, all at once, and durable: in the zone's journal in the
    /// state directory, or in its state file. On any error nothing has changed. Waits for a look that goes on; shrinking
    /// and lost signatures are judged as in a file's new version, without a way to force them.
    pub async fn apply(&self, zone: &Name, differences: Vec<Difference>) -> Result<Applied, ApplyError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Apply(zone.clone(), differences, reply);
        self.commands.send(command).await.map_err(|_| ApplyError::Stopped)?;
        done.await.unwrap_or(Err(ApplyError::Stopped))
    }

    /// Ends the task after a look that goes on, keeps what is not kept yet (20 s at most), and gives the state directory
    /// back.
    pub async fn shutdown(self) {
        drop(self.commands);
        let _ = self.task.await;
    }
}

async fn run(core: Core, mut commands: mpsc::Receiver<Command>, wake: Arc<Notify>) {
    let mut debounce = Debounce::default();
    let reporter = core.reporter();
    let mut core = blocking(core, Core::look).await;
    while let Some(mut present) = core {
        let due = next_look(&present, &debounce);
        core = tokio::select! {
            command = commands.recv() => match command {
                Some(command) => blocking(present, |core| obey(core, command)).await,
                None => {
                    blocking(present, Core::finish).await;
                    break;
                }
            },
            () = wake.notified() => {
                present.listen(&mut debounce, Instant::now());
                match present.has_kept() {
                    true => blocking(present, Core::take_kept).await,
                    false => Some(present),
                }
            }
            () = tokio::time::sleep_until(due.into()) => {
                debounce.done();
                blocking(present, Core::look).await
            }
        };
    }
    reporter.send_modify(|report| Arc::make_mut(report).stopped = true);
    // Its handle goes last, at a planned stop; anything else is a fault.
    if commands.is_closed() {
        tracing::debug!("the publisher has stopped");
    } else {
        tracing::error!("the publisher has stopped; what is published stays published");
    }
}

/// When to look: at the end of a burst, again for a file that was being written, or as the clock has it.
fn next_look(core: &Core, debounce: &Debounce) -> Instant {
    let (looked, took) = core.last_look();
    let pause = match core.is_postponed() {
        true => BUSY_RETRY.max(took * BUSY_SHARE).min(core.settings.rescan),
        false => core.settings.rescan,
    };
    let regular = looked + pause;
    debounce.due().map_or(regular, |due| due.min(regular))
}

fn obey(core: &mut Core, command: Command) {
    // Whoever asked may be gone; what was asked is done all the same.
    match command {
        Command::Reload(reply) => {
            core.look();
            let _ = reply.send(());
        }
        Command::Reconfigure(settings, reply) => {
            let _ = reply.send(core.reconfigure(*settings));
        }
        Command::Remove(zone, reply) => {
            let _ = reply.send(core.remove(&zone));
        }
        Command::Accept(zone, serial, reply) => {
            let _ = reply.send(core.accept(&zone, serial));
        }
        Command::Apply(zone, differences, reply) => {
            let _ = reply.send(core.apply(&zone, differences));
        }
    }
}

/// Does something that blocks; `None` if it panicked.
async fn blocking(mut core: Core, work: impl FnOnce(&mut Core) + Send + 'static) -> Option<Core> {
    let done: Result<Core, JoinError> = spawn_blocking(move || {
        work(&mut core);
        core
    })
    .await;
    done.map_err(|error| tracing::error!("the publisher failed: {error}")).ok()
}
