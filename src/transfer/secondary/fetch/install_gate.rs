//! Whether what was begun for a zone may still go into service.
//!
//! A zone that goes, and maybe comes anew under the same name (RFC 9432 section 5.4), closes the gate of what was begun for it: what
//! waits is forgotten, what is being transferred ends, and what has come whole is dropped. What is being put into service at that
//! moment can be waited for, so that nothing follows it.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::wire::Name;

use crate::transfer::secondary::sink::Sink;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::transfer) struct InstallGate {
    closed: CancellationToken,
    /// Locked while something is put into service; the gates of a zone share it, one after the other.
    passing: Arc<Mutex<()>>,
}

impl InstallGate {
    /// Another gate for the same zone, open. What passes this one is waited for at that one, too.
    pub(in crate::transfer) fn next(&self) -> Self {
        Self { closed: CancellationToken::new(), passing: self.passing.clone() }
    }

    /// Nothing passes any more, but for what is passing now.
    pub(in crate::transfer) fn close(&self) {
        self.closed.cancel();
    }

    /// Waits until it is closed.
    pub(in crate::transfer::secondary) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Waits until nothing passes.
    pub(in crate::transfer::secondary) async fn passed(&self) {
        drop(self.passing.lock().await);
    }

    /// Nothing passes any more when this returns; for a thread that may block.
    pub(in crate::transfer) fn close_and_wait(&self) {
        self.close();
        drop(self.passing.blocking_lock());
    }

    /// Puts a version into service, on a thread that may block; `None` if the gate is closed.
    pub(in crate::transfer) fn pass<T>(&self, install: impl FnOnce() -> T) -> Option<T> {
        let _passing = self.passing.blocking_lock();
        if self.closed.is_cancelled() { None } else { Some(install()) }
    }
}

/// Has nothing wait of zones that are gone, once what was passing their gates has passed.
pub(in crate::transfer::secondary) async fn forget(sink: Arc<dyn Sink>, gone: Vec<(Name, Arc<InstallGate>)>) {
    // Starts no thread when no zone is gone.
    if gone.is_empty() {
        return;
    }
    for (_, gate) in &gone {
        gate.passed().await;
    }
    let forget = move || gone.iter().for_each(|(zone, _)| sink.forget(zone));
    // A panic is in the log.
    let _ = tokio::task::spawn_blocking(forget).await;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_closes_a_gate_waits_for_what_is_passing_it_and_nothing_passes_it_afterwards() {
        let gate = Arc::new(InstallGate::default());
        let next = gate.next();
        let (begun, begins) = channel();
        let (end, ends) = channel::<()>();
        let (closed, closes) = channel();
        std::thread::scope(|threads| {
            let install = move || {
                begun.send(()).unwrap();
                ends.recv().unwrap();
            };
            let passing = threads.spawn(|| gate.pass(install));
            begins.recv().unwrap();
            threads.spawn(|| {
                gate.close_and_wait();
                closed.send(()).unwrap();
            });
            assert_eq!(closes.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
            end.send(()).unwrap();
            assert_eq!(passing.join().unwrap(), Some(()), "it had begun before");
            closes.recv().unwrap();
        });
        assert_eq!((gate.pass(|| ()), next.pass(|| ())), (None, Some(())));
    }
}
