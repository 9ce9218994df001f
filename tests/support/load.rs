//! Queries over TCP at a steady pace, a connection each; what becomes of them does not slow the pace down for long.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::lab::Space;
use super::stream::{Question, ask_tcp};
use super::wait::wait_until;

/// A running load; ends when it is dropped.
pub struct TcpLoad {
    stop: Option<Sender<()>>,
    answered: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl TcpLoad {
    /// Asks `server` (port 53) one question from `space`, again and again, with this pause in between.
    pub fn start(space: &Space, server: IpAddr, pause: Duration, (name, kind): Question) -> Self {
        let (stop, stopped) = channel::<()>();
        let answered = Arc::new(AtomicU32::new(0));
        let (space, count) = (space.clone(), Arc::clone(&answered));
        let thread = std::thread::spawn(move || {
            space.enter();
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if ask_tcp(SocketAddr::new(server, 53), &name, kind).is_some() {
                    count.fetch_add(1, SeqCst);
                }
            }
        });
        Self { stop: Some(stop), answered, thread: Some(thread) }
    }

    /// Waits until `count` more queries have been answered.
    pub fn wait_answers(&self, count: u32, bound: Duration) {
        let from = self.answered.load(SeqCst);
        wait_until(&format!("{count} more answers over TCP"), bound, || {
            self.answered.load(SeqCst).wrapping_sub(from) >= count
        });
    }
}

impl Drop for TcpLoad {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
