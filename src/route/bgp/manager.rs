//! Has a task for each configured neighbor and a listener for each local address where one is awaited, also when the
//! configuration changes (1x).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::change::{BgpConfig, NeighborConfig};
use super::listener::Listener;
use super::neighbor::NeighborTask;
use super::observe::Observer;
use super::sessions::Sessions;
use super::settings::{Mode, Neighbor};
use crate::handoff::{Latest, Reader};
use crate::route::driver::{NeighborKey, NeighborObserved, Observed, Wanted};
use crate::telemetry::{Beat, keep_running};

/// What the manager holds. A change that a panic cut short is applied again.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) config: Reader<BgpConfig>,
    /// The configuration that the tasks follow; `None` before the first one and while one is applied.
    pub(super) applied: Option<Arc<BgpConfig>>,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) observed: Arc<watch::Sender<Observed>>,
    pub(super) sessions: Sessions,
    /// The beats of the neighbors' tasks.
    pub(super) beats: Latest<Vec<Beat>>,
    pub(super) neighbors: BTreeMap<SocketAddr, Running>,
    pub(super) listeners: BTreeMap<SocketAddr, Listening>,
    pub(super) beat: Beat,
    pub(super) stop: CancellationToken,
}

/// A neighbor's task.
#[derive(Debug)]
pub(super) struct Running {
    /// Its configuration. Dropped, the neighbor is removed: the task ends the session and itself.
    config: watch::Sender<Arc<NeighborConfig>>,
    incoming: mpsc::Sender<TcpStream>,
    beat: Beat,
    task: JoinHandle<()>,
}

/// A listener's task.
#[derive(Debug)]
pub(super) struct Listening {
    neighbors: Awaited,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The neighbors awaited at one local address, and the tasks that take their connections.
type Awaited = BTreeMap<IpAddr, OneAwaited>;

/// A neighbor and the task that takes its connections.
type OneAwaited = (Neighbor, mpsc::Sender<TcpStream>);

impl Manager {
    /// Runs until `stop` is cancelled or the sender of the wanted routes is gone; then every session and listener is closed.
    pub(super) async fn run(&mut self) {
        loop {
            self.beat.beat();
            self.follow().await;
            tokio::select! {
                () = self.stop.cancelled() => break,
                changed = self.wanted.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(Beat::PERIOD) => {}
            }
        }
        self.stop.cancel();
        for neighbor in std::mem::take(&mut self.neighbors).into_values() {
            join(neighbor.task).await;
        }
        for listener in std::mem::take(&mut self.listeners).into_values() {
            join(listener.task).await;
        }
    }

    /// Brings the tasks in line with the newest configuration: first the removed neighbors, then the kept ones, then the new ones. A neighbor that
    /// comes back under another port meets no session of its own that is still being closed.
    async fn follow(&mut self) {
        let latest = self.config.load();
        if self.applied.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, &latest)) {
            return;
        }
        self.applied = None;
        self.remove(&latest).await;
        let now = Instant::now();
        for neighbor in &latest.settings.neighbors {
            let config = Arc::new(latest.of(neighbor));
            match self.neighbors.get(&neighbor.socket_address()) {
                Some(running) => drop(running.config.send_if_modified(|old| replace(old, config))),
                None => self.add(config),
            }
        }
        self.observe(&latest, now);
        self.listen(&latest).await;
        self.applied = Some(latest);
    }

    /// Ends the sessions of the neighbors that are not in `latest`, all at the same time, in a bounded time.
    async fn remove(&mut self, latest: &BgpConfig) {
        let stays =
            |name: &SocketAddr| latest.settings.neighbors.iter().any(|one| one.socket_address() == *name);
        let gone: Vec<SocketAddr> = self.neighbors.keys().filter(|name| !stays(name)).copied().collect();
        let gone: Vec<Running> = gone.iter().filter_map(|name| self.neighbors.remove(name)).collect();
        self.publish_beats();
        let tasks: Vec<JoinHandle<()>> = gone.into_iter().map(|running| running.task).collect();
        for task in tasks {
            join(task).await;
            self.beat.beat();
        }
    }

    fn add(&mut self, config: Arc<NeighborConfig>) {
        let name = config.neighbor.socket_address();
        let (incoming, connections) = mpsc::channel(1);
        let (sender, receiver) = watch::channel(Arc::clone(&config));
        let beat = Beat::new(format!("neighbor {name}"));
        let mut task = NeighborTask {
            config,
            changes: receiver,
            wanted: self.wanted.clone(),
            incoming: connections,
            observer: Observer { sender: Arc::clone(&self.observed), neighbor: NeighborKey::Bgp(name) },
            sessions: self.sessions.clone(),
            beat: beat.clone(),
            stop: self.stop.clone(),
        };
        let own = beat.clone();
        let task = tokio::spawn(async move {
            keep_running(&own, &mut task, async |task| task.run().await).await;
        });
        self.neighbors.insert(name, Running { config: sender, incoming, beat, task });
        self.publish_beats();
    }

    fn publish_beats(&self) {
        self.beats.publish(self.neighbors.values().map(|running| running.beat.clone()).collect());
    }

    /// One place per neighbor in what is observed, in the order of the configuration.
    fn observe(&self, latest: &BgpConfig, now: Instant) {
        self.observed.send_if_modified(|observed| {
            let mut known = std::mem::take(&mut observed.neighbors);
            let before: Vec<NeighborKey> = known.iter().map(|one| one.neighbor).collect();
            let place = |neighbor: &Neighbor| {
                let key = NeighborKey::Bgp(neighbor.socket_address());
                let index = known.iter().position(|one| one.neighbor == key);
                index.map_or_else(|| unknown(neighbor, now), |index| known.swap_remove(index))
            };
            observed.neighbors = latest.settings.neighbors.iter().map(place).collect();
            !observed.neighbors.iter().map(|one| one.neighbor).eq(before)
        });
    }

    /// Listens where a neighbor is awaited. A listener whose neighbors changed is opened again, which does not affect sessions.
    async fn listen(&mut self, latest: &BgpConfig) {
        let mut wanted: BTreeMap<SocketAddr, Awaited> = BTreeMap::new();
        for neighbor in latest.settings.neighbors.iter().filter(|one| one.mode != Mode::Active) {
            let Some(running) = self.neighbors.get(&neighbor.socket_address()) else { continue };
            let local = SocketAddr::new(neighbor.local_address, latest.settings.listen_port);
            let entry = (neighbor.clone(), running.incoming.clone());
            wanted.entry(local).or_default().insert(neighbor.address, entry);
        }
        let (stay, leave) = std::mem::take(&mut self.listeners).into_iter().partition(
            |(local, listening): &(SocketAddr, Listening)| {
                wanted.get(local).is_some_and(|awaited| are_same(awaited, &listening.neighbors))
            },
        );
        self.listeners = stay;
        for listening in BTreeMap::into_values(leave) {
            listening.stop.cancel();
            // Its socket is closed before the next one is bound.
            join(listening.task).await;
        }
        for (local, neighbors) in wanted {
            if self.listeners.contains_key(&local) {
                continue;
            }
            let stop = self.stop.child_token();
            let listener = Listener { local, neighbors: neighbors.clone(), stop: stop.clone() };
            let task = tokio::spawn(listener.run());
            self.listeners.insert(local, Listening { neighbors, stop, task });
        }
    }
}

/// A neighbor that nothing is known of yet.
pub(super) fn unknown(neighbor: &Neighbor, now: Instant) -> NeighborObserved {
    NeighborObserved::new(NeighborKey::Bgp(neighbor.socket_address()), now)
}

fn are_same(one: &Awaited, other: &Awaited) -> bool {
    let same = |(a, b): (&OneAwaited, &OneAwaited)| a.0 == b.0 && a.1.same_channel(&b.1);
    one.keys().eq(other.keys()) && one.values().zip(other.values()).all(same)
}

/// Puts `new` in place; whether it differed.
fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let differs = *old != new;
    *old = new;
    differs
}

async fn join(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a bgp task failed");
    }
}
