//! Wakes a task on another thread's runtime: an octet through a socket pair.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::net;

/// The end that wakes.
#[derive(Debug)]
pub(super) struct WakeSender {
    stream: UnixStream,
}

/// The end that is woken.
#[derive(Debug)]
pub(super) struct WakeReceiver {
    stream: UnixStream,
    /// The same, registered with the runtime of the task that waits; made at the first wait.
    registered: Option<net::UnixStream>,
}

/// A pair of ends.
pub(super) fn pair() -> io::Result<(WakeSender, WakeReceiver)> {
    let (sender, receiver) = UnixStream::pair()?;
    sender.set_nonblocking(true)?;
    receiver.set_nonblocking(true)?;
    Ok((WakeSender { stream: sender }, WakeReceiver { stream: receiver, registered: None }))
}

impl WakeSender {
    /// Wakes the other end; never blocks. False if the other end is gone.
    pub(super) fn wake(&self) -> bool {
        // A full buffer holds octets that were not read yet: the other end will wake.
        let written = (&self.stream).write(&[1]);
        written.is_ok_and(|octets| octets > 0) || self.is_connected()
    }

    /// Whether the other end is there: it never writes, so a read finds nothing, or the end of the stream.
    pub(super) fn is_connected(&self) -> bool {
        let read = (&self.stream).read(&mut [0]);
        read.is_err_and(|error| {
            matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        })
    }
}

impl WakeReceiver {
    /// Returns once the sender has woken it since the last call. Cancel-safe. If the runtime refuses the socket it never returns: the
    /// caller looks at its values regularly all the same.
    pub(super) async fn wait(&mut self) {
        if self.registered.is_none() {
            let clone = self.stream.try_clone();
            self.registered = clone.and_then(net::UnixStream::from_std).ok();
        }
        let Some(stream) = &self.registered else { return std::future::pending().await };
        let mut octets = [0; 64];
        loop {
            let read = stream.try_io(Interest::READABLE, || (&self.stream).read(&mut octets));
            match read {
                // The other end is gone: nothing will wake any more.
                Ok(0) => return std::future::pending().await,
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stream.readable().await.is_err() {
                        return std::future::pending().await;
                    }
                }
                Err(_) => return std::future::pending().await,
            }
        }
    }
}
