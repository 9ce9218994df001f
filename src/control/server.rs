//! The server's side of the admin socket.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{ControlError, Request, Response};

/// The most connections at once: operators and scripts, not the public.
const MAX_CONNECTIONS: usize = 16;

/// The most calls that wait for the daemon: one per connection.
const MAX_CALLS: usize = MAX_CONNECTIONS;

/// The most octets of a request: a reason of some length fits, a flood does not.
const MAX_REQUEST: u64 = 16 * 1024;

/// How long a client may take to say a request or to read its answer.
const CLIENT_LIMIT: Duration = Duration::from_secs(10);

/// How long the daemon may take for an answer; a reload of many zones only starts within it.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// How long answers that are under way may take after the shutdown.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// What the operator chose about the admin socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is. The last directory of the path is made if it is missing.
    pub path: PathBuf,
    /// Its permissions: 0o600 (the default), or 0o660 for a group of operators.
    pub mode: u32,
}

impl Settings {
    /// Default of `mode`.
    pub const DEFAULT_MODE: u32 = 0o600;
}

/// One request and the way back. A dropped `reply` tells the client that anyns is going down.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Response>,
}

/// An open admin socket.
#[derive(Debug)]
pub struct Server {
    /// The requests, for the daemon.
    pub calls: mpsc::Receiver<Call>,
    /// Ends after `shutdown`, when the socket is removed and the answers under way are given.
    pub task: JoinHandle<()>,
}

/// Opens the admin socket and serves it on the current tokio runtime until `shutdown`. The stale socket of a dead
/// process is replaced; that of a living one is an error.
pub fn serve(settings: &Settings, shutdown: CancellationToken) -> Result<Server, ControlError> {
    let path = settings.path.clone();
    let listener = open(&path, settings.mode)?;
    let identity = identity(&path);
    let (sender, calls) = mpsc::channel(MAX_CALLS);
    let task = tokio::spawn(async move {
        let connections = accept(listener, sender, &shutdown).await;
        // Not if another process has put its own there.
        if identity.is_some() && self::identity(&path) == identity {
            let _ = fs::remove_file(&path);
        }
        let _ = timeout(FAREWELL_LIMIT, connections.join_all()).await;
    });
    Ok(Server { calls, task })
}

/// Binds in a directory of our own first and then moves the socket into place: at no moment can anyone open it who
/// may not.
fn open(path: &Path, mode: u32) -> Result<UnixListener, ControlError> {
    let failed = |what: &'static str| {
        move |source: io::Error| match source.kind() {
            ErrorKind::PermissionDenied => ControlError::Permission { path: path.into() },
            _ => ControlError::Io { what, path: path.into(), source },
        }
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match fs::DirBuilder::new().mode(0o755).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed("make the directory of")(error)),
        _ => Ok(()),
    }?;
    check_free(path)?;
    let private = directory.join(format!(".{}-{:08x}", std::process::id(), fastrand::u32(..)));
    fs::DirBuilder::new().mode(0o700).create(&private).map_err(failed("make a directory beside"))?;
    let bound = bind(&private.join("s"), path, mode);
    let _ = fs::remove_file(private.join("s"));
    let _ = fs::remove_dir(&private);
    bound.map_err(failed("open"))
}

fn bind(first: &Path, path: &Path, mode: u32) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(first)?;
    fs::set_permissions(first, fs::Permissions::from_mode(mode & 0o777))?;
    fs::rename(first, path)?;
    Ok(listener)
}

/// Whether the path may be taken: nothing there, or a socket that nobody listens on.
fn check_free(path: &Path) -> Result<(), ControlError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ControlError::NotASocket { path: path.into() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ControlError::InUse { path: path.into() }),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        Err(source) => {
            Err(ControlError::Io { what: "tell whether anyone listens on", path: path.into(), source })
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Takes connections until the shutdown; gives back those that are still open.
async fn accept(
    listener: UnixListener,
    calls: mpsc::Sender<Call>,
    shutdown: &CancellationToken,
) -> JoinSet<()> {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Those that come while all slots are taken wait in the system's backlog.
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = shutdown.cancelled() => return connections,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, for instance: do not spin.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (calls, shutdown) = (calls.clone(), shutdown.clone());
        connections.spawn(async move {
            converse(stream, calls, shutdown).await;
            drop(slot);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection, request by request, until either side ends it.
async fn converse(stream: UnixStream, calls: mpsc::Sender<Call>, shutdown: CancellationToken) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let line = tokio::select! {
            () = shutdown.cancelled() => return,
            line = timeout(CLIENT_LIMIT, read_line(&mut reader)) => line,
        };
        let Ok(Ok(Some(line))) = line else { return };
        let response = match serde_json::from_slice(&line) {
            Ok(request) => ask(request, &calls).await,
            Err(error) => failed(format!("not a request of this version of anyns: {error}")),
        };
        let Ok(mut octets) = serde_json::to_vec(&response) else { return };
        octets.push(b'\n');
        if !matches!(timeout(CLIENT_LIMIT, writer.write_all(&octets)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// One line without its end; `None` at the end of the stream or for a line that is too long.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(MAX_REQUEST).read_until(b'\n', &mut line).await?;
    Ok((line.pop() == Some(b'\n')).then_some(line))
}

async fn ask(request: Request, calls: &mpsc::Sender<Call>) -> Response {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        calls.send(Call { request, reply }).await.ok()?;
        answer.await.ok()
    };
    match timeout(ANSWER_LIMIT, asked).await {
        Ok(Some(response)) => response,
        Ok(None) => failed("anyns is going down".into()),
        Err(_) => failed(format!("the daemon did not answer within {} s", ANSWER_LIMIT.as_secs())),
    }
}

fn failed(message: String) -> Response {
    Response::Failed { message }
}

#[cfg(test)]
mod tests;
