//! The command line's side of the admin socket. Blocks, but never longer than its limit.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::socket::check_owner;
use super::{ControlError, Request, Response};

/// The most octets of an answer: the status of some hundred thousand zones.
const MAX_ANSWER: usize = 128 << 20;

/// Octets read at once.
const CHUNK: usize = 64 * 1024;

/// After so long without an answer the caller is told: most orders are answered within a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the anyns behind the socket `path`; done after `limit` at the latest.
pub fn call(path: &Path, request: &Request, limit: Duration) -> Result<Response, ControlError> {
    call_and_tell(path, request, limit, || {})
}

/// The same; `waits` is called, once, when nothing has come for a while.
pub fn call_and_tell(
    path: &Path,
    request: &Request,
    limit: Duration,
    waits: impl FnOnce(),
) -> Result<Response, ControlError> {
    check_owner(path)?;
    let line =
        exchange(path, request, Instant::now() + limit, waits).map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                ControlError::NotRunning { path: path.into() }
            }
            ErrorKind::PermissionDenied => ControlError::Permission { path: path.into() },
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ControlError::Timeout { path: path.into(), limit },
            _ => ControlError::Io { what: "talk to anyns over", path: path.into(), source },
        })?;
    serde_json::from_slice(&line).map_err(|source| ControlError::BadAnswer { path: path.into(), source })
}

/// One line there, one line back.
fn exchange(path: &Path, request: &Request, deadline: Instant, waits: impl FnOnce()) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path)?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&line)?;
    let (mut answer, mut waits) = (Vec::new(), Some(waits));
    let mut chunk = vec![0; CHUNK];
    while answer.last() != Some(&b'\n') && answer.len() < MAX_ANSWER {
        let pause = if waits.is_some() { PATIENCE } else { Duration::MAX };
        stream.set_read_timeout(Some(left(deadline)?.min(pause)))?;
        let length = match stream.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && waits.is_some() => {
                waits.take().into_iter().for_each(|waits| waits());
                continue;
            }
            read => read?,
        };
        if length == 0 {
            break;
        }
        answer.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
    Ok(answer)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}
