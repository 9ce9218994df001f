//! The server's side of the admin socket.

use std::fs;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::catchment::CatchmentStatus;
use super::order::{self, Answers, Call, failed};
use super::selection::{Selection, ZoneFilter};
use super::socket::{Identity, Settings, listen};
use super::{ControlError, Request, Response};
use crate::handoff::{Queue, Receiver, queue};
use crate::telemetry::Beat;

/// The most connections at once: operators and scripts, not the public.
pub(super) const MAX_CONNECTIONS: usize = 16;

/// The most calls that wait for the daemon: one per connection.
const MAX_CALLS: usize = MAX_CONNECTIONS;

/// The most octets of a request: a reason of some length fits, a flood does not.
const MAX_REQUEST: u64 = 16 * 1024;

/// How long a client may take to say a request: `anyns` says it at once.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// How long a client may take to read its answer: the status of some hundred thousand zones has many megabytes.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// How many lists of all zones may be on their way at once: one for some hundred thousand zones takes 100 MB.
const MAX_WHOLE: usize = 2;

/// How often it is looked whether the file of the socket is still there.
const LOOK: Duration = Duration::from_millis(500);

/// The pause when the system refuses a socket, out of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(100);

/// How long answers that are under way may take after the stop.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// An open admin socket. It is served by [`Server::run`] on one thread, which runs nothing that can block.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    listener: StdListener,
    identity: Option<Identity>,
    /// The directory of the file, if this process made it.
    made: Option<PathBuf>,
    connections: JoinSet<()>,
    slots: Arc<Semaphore>,
    whole: Arc<Semaphore>,
    calls: Queue<Call>,
    /// Why the file could not be made again, as it was last logged.
    trouble: Option<String>,
}

/// Opens the admin socket. Clients wait until it is served. The stale socket of a dead process is replaced; that of a living
/// one is an error. The orders come out of the queue.
pub fn open(settings: &Settings) -> Result<(Server, Receiver<Call>), ControlError> {
    let made = settings.path.parent().filter(|directory| !directory.exists()).map(Path::to_owned);
    let (listener, identity) = listen(settings)?;
    let queue = queue(MAX_CALLS);
    let path = &settings.path;
    let (calls, received) = queue.map_err(|source| ControlError::Io {
        what: "make the queue of orders for",
        path: path.clone(),
        source,
    })?;
    let (slots, whole) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), Arc::new(Semaphore::new(MAX_WHOLE)));
    let (settings, connections) = (settings.clone(), JoinSet::new());
    let server =
        Server { settings, listener, identity, made, connections, slots, whole, calls, trouble: None };
    Ok((server, received))
}

impl Server {
    /// Serves until `stop`. Can be called again after a panic: the connections go on.
    pub async fn run(&mut self, answers: &Arc<dyn Answers>, beat: &Beat, stop: &CancellationToken) {
        let serve = async {
            while let Err(error) = self.serve(answers).await {
                tracing::error!(%error, "the admin socket cannot be served for a moment");
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = beat.keep_beating() => {}
            () = serve => {}
        }
    }

    /// Removes the file, and gives the answers that are under way.
    pub async fn close(mut self) {
        self.remove_file();
        let farewell = async { while self.connections.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL_LIMIT, farewell).await;
    }

    /// Removes the file, and the directory if it was made for it and nothing else is in it; not if another process has put its own file
    /// there.
    fn remove_file(&self) {
        if self.identity.is_some() && Identity::of(&self.settings.path) == self.identity {
            let _ = fs::remove_file(&self.settings.path);
            let _ = self.made.as_ref().map(fs::remove_dir);
        }
    }

    /// Takes connections; returns when the socket cannot be had from the system.
    async fn serve(&mut self, answers: &Arc<dyn Answers>) -> io::Result<()> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listener = UnixListener::from_std(self.listener.try_clone()?)?;
        loop {
            let slots = self.slots.clone();
            // Those that come while all slots are taken wait in the system's backlog.
            let next = async {
                let slot = slots.acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                next = next => next,
                _ = looks.tick() => {
                    if self.open_again() {
                        listener = UnixListener::from_std(self.listener.try_clone()?)?;
                    }
                    continue;
                }
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let connection =
                Connection { calls: self.calls.clone(), answers: answers.clone(), whole: self.whole.clone() };
            self.connections.spawn(async move {
                connection.converse(stream).await;
                drop(slot);
            });
            while self.connections.try_join_next().is_some() {}
        }
    }

    /// Makes the file again if the path does not hold ours any more; whether it did. Another process's socket is left alone.
    fn open_again(&mut self) -> bool {
        let path = &self.settings.path;
        if Identity::of(path) == self.identity {
            self.trouble = None;
            return false;
        }
        match listen(&self.settings) {
            Ok((listener, identity)) => {
                tracing::warn!(path = %path.display(), "the file of the admin socket was gone; it is there again");
                (self.listener, self.identity, self.trouble) = (listener, identity, None);
                true
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(%error, "the file of the admin socket is gone and cannot be made again");
                }
                self.trouble = Some(trouble);
                false
            }
        }
    }
}

/// Also after a start that failed: no socket file is left without a process behind it.
impl Drop for Server {
    fn drop(&mut self) {
        self.remove_file();
    }
}

/// What serves one connection.
struct Connection {
    calls: Queue<Call>,
    answers: Arc<dyn Answers>,
    whole: Arc<Semaphore>,
}

impl Connection {
    /// Serves one connection, request by request, until either side ends it.
    async fn converse(&self, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        while let Ok(Ok(Some(line))) = timeout(REQUEST_LIMIT, read_line(&mut reader)).await {
            let request = serde_json::from_slice(&line);
            let mut whole = None;
            if request.as_ref().is_ok_and(may_list_all) {
                whole = timeout(order::LIMIT, self.whole.clone().acquire_owned()).await.ok();
            }
            let response = match request {
                Ok(request) => self.answer(request, whole.is_some()).await,
                Err(error) => failed(format!("not a request of this version of anyns: {error}")),
            };
            let Ok(mut octets) = serde_json::to_vec(&response) else { return };
            drop(response);
            octets.push(b'\n');
            if !matches!(timeout(READ_LIMIT, writer.write_all(&octets)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn answer(&self, request: Request, may_be_whole: bool) -> Response {
        match request {
            status if !may_be_whole && may_list_all(&status) => {
                failed("other lists of all zones are on their way; ask again, or for fewer zones".into())
            }
            Request::Status { zones, most } => {
                let zones = zones.as_deref().map_or(ZoneFilter::All, ZoneFilter::parse);
                Response::Status { status: Box::new(self.answers.status(&Selection { zones, most })) }
            }
            Request::Metrics { openmetrics } => Response::Metrics { text: self.answers.metrics(openmetrics) },
            Request::Catchment { most } => match self.answers.catchment(most.unwrap_or(usize::MAX)) {
                Some(catchment) => Response::Catchment { catchment: Box::new(catchment) },
                None => failed(CatchmentStatus::NOT_KEPT.to_owned()),
            },
            Request::TestPanic { task } => self.answers.test_panic(&task),
            order => order::carry_out(order, &self.calls, &*self.answers).await,
        }
    }
}

/// Whether the answer may list every zone. One zone is asked for by its name.
fn may_list_all(request: &Request) -> bool {
    let Request::Status { zones, most: None } = request else { return false };
    !matches!(zones.as_deref().map(ZoneFilter::parse), Some(ZoneFilter::Name(_)))
}

/// One line without its end; `None` at the end of the stream or for a line that is too long.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(MAX_REQUEST).read_until(b'\n', &mut line).await?;
    Ok((line.pop() == Some(b'\n')).then_some(line))
}

#[cfg(test)]
#[path = "../../tests/unit/control/server.rs"]
mod tests;
