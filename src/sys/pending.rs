//! Work that may wait without end for a disk or a mount: a thread of its own does it, and others wait for it so long at most.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Work that goes on.
#[derive(Debug)]
pub struct Pending<T>(Receiver<T>);

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// The work goes on.
    GoesOn,
    /// It has ended without one: it panicked, or its result was taken before.
    Ended,
}

impl<T: Send + 'static> Pending<T> {
    /// Begins the work on a thread with this name, which calls `then` when there is a result.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, result) = sync_channel(1);
        let run = move || {
            // The one who waited may be gone.
            let _ = sender.send(work());
            then();
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self(result))
    }

    /// Waits so long at most.
    ///
    /// # Errors
    /// There is no result by then. The work goes on, and may be waited for again.
    pub fn wait(&self, patience: Duration) -> Result<T, Unfinished> {
        self.0.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Unfinished::GoesOn,
            RecvTimeoutError::Disconnected => Unfinished::Ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_does_not_end_is_waited_for_so_long_at_most() {
        let (go_on, goes_on) = sync_channel::<u32>(0);
        let pending = Pending::start("test", move || goes_on.recv().unwrap(), || {}).unwrap();
        assert_eq!(pending.wait(Duration::from_millis(1)), Err(Unfinished::GoesOn));
        go_on.send(7).unwrap();
        assert_eq!(pending.wait(Duration::from_secs(60)), Ok(7));
        assert_eq!(pending.wait(Duration::from_secs(60)), Err(Unfinished::Ended));
    }
}
