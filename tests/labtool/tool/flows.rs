//! TCP connections that ask one query after another until they break: what a change of the paths inside a POP costs.

use std::io::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::catchment::ZONE;
use crate::support::dns;
use crate::support::encrypted::over_stream;
use crate::support::lab::Space;

/// The time between two queries of a connection: much shorter than the idle timer of resilient groups.
const PACE: Duration = Duration::from_millis(100);
/// How long an answer may take; more than the kernel needs to retransmit twice.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connections of one client to one address, each of which goes on until it breaks.
pub struct Flows {
    flows: Vec<Arc<Flow>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One connection.
#[derive(Debug, Default)]
struct Flow {
    /// The instance that answers; empty before the first answer.
    server: Mutex<String>,
    answers: AtomicU32,
    broken: AtomicBool,
}

impl Flows {
    /// Opens so many connections from a client's namespace.
    pub fn open(space: &Space, server: SocketAddr, count: usize) -> Self {
        let flows: Vec<Arc<Flow>> = (0..count).map(|_| Arc::default()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (space, ours, stopped) = (space.clone(), flows.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            space.enter();
            // Without a runtime every connection counts as broken.
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let tasks = LocalSet::new();
                for flow in &ours {
                    tasks.spawn_local(run(flow.clone(), server, stopped.clone()));
                }
                runtime.block_on(tasks);
            }
            ours.iter()
                .filter(|flow| flow.answers.load(SeqCst) == 0)
                .for_each(|flow| flow.broken.store(true, SeqCst));
        });
        Self { flows, stop, thread: Some(thread) }
    }

    /// Answers of the connection that has the fewest of those that are not broken; `None` if all are.
    pub fn least_answers(&self) -> Option<u32> {
        let whole = self.flows.iter().filter(|flow| !flow.broken.load(SeqCst));
        whole.map(|flow| flow.answers.load(SeqCst)).min()
    }

    /// How many connections a server answers or answered, and how many of these are broken.
    pub fn of(&self, server: &str) -> (usize, usize) {
        let its = self.flows.iter().filter(|flow| flow.server.lock().is_ok_and(|name| *name == server));
        its.fold((0, 0), |(all, broken), flow| (all + 1, broken + usize::from(flow.broken.load(SeqCst))))
    }
}

impl Drop for Flows {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks until told to stop, or until the connection is broken.
async fn run(flow: Arc<Flow>, server: SocketAddr, stop: Arc<AtomicBool>) {
    let ask = async {
        let mut stream = timeout(PATIENCE, TcpStream::connect(server)).await??;
        let mut turns = interval(PACE);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.load(SeqCst) {
            turns.tick().await;
            let query = dns::query(0, ZONE, dns::SOA);
            let answer = timeout(PATIENCE, over_stream(&mut stream, &query)).await??;
            let answer = dns::parse(&answer).map_err(|fault| Error::other(fault.to_string()))?;
            if let Ok(mut name) = flow.server.lock() {
                *name = answer.instance;
            }
            flow.answers.fetch_add(1, SeqCst);
        }
        Ok::<_, Error>(())
    };
    if ask.await.is_err() {
        flow.broken.store(true, SeqCst);
    }
}
