//! The speaker as a route driver: its tasks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::listener::Listener;
use super::neighbor::NeighborTask;
use super::observe::Observer;
use super::sessions::Sessions;
use super::settings::{BgpSettings, Mode, Neighbor, SettingsError};
use crate::route::driver::{Driver, NeighborKey, NeighborObserved, Observed, Started, Wanted};
use crate::route::service::Service;
use crate::telemetry::{Beat, keep_running};

/// The embedded BGP speaker.
#[derive(Clone, Debug)]
pub struct BgpDriver {
    settings: Arc<BgpSettings>,
    services: Arc<[Service]>,
}

/// The neighbours awaited at each local address, and the tasks that take their connections.
type Awaited = BTreeMap<IpAddr, BTreeMap<IpAddr, (Neighbor, mpsc::Sender<TcpStream>)>>;

impl BgpDriver {
    /// A speaker that announces `services` as wanted.
    ///
    /// # Errors
    /// Every fault that [`BgpSettings::check`] finds.
    pub fn new(settings: BgpSettings, services: Vec<Service>) -> Result<Self, Vec<SettingsError>> {
        settings.check(&services)?;
        Ok(Self { settings: Arc::new(settings), services: services.into() })
    }

    /// One task per neighbour, one per local address on which a neighbour is awaited.
    fn spawn(
        &self,
        wanted: &watch::Receiver<Wanted>,
        sender: &Arc<watch::Sender<Observed>>,
        sessions: &Sessions,
        stop: &CancellationToken,
    ) -> (JoinSet<()>, Vec<Beat>) {
        let (mut tasks, mut beats) = (JoinSet::new(), Vec::new());
        let mut awaited = Awaited::new();
        for (index, neighbor) in self.settings.neighbors.iter().enumerate() {
            let (task, incoming) = mpsc::channel(1);
            if neighbor.mode != Mode::Active {
                let listener = awaited.entry(neighbor.local_address).or_default();
                listener.insert(neighbor.address, (neighbor.clone(), task.clone()));
            }
            let beat = Beat::new(format!("neighbor {}", neighbor.socket_address()));
            let mut task = NeighborTask {
                settings: Arc::clone(&self.settings),
                services: Arc::clone(&self.services),
                neighbor: neighbor.clone(),
                wanted: wanted.clone(),
                incoming,
                observer: Observer { sender: Arc::clone(sender), index },
                sessions: sessions.clone(),
                beat: beat.clone(),
                stop: stop.clone(),
            };
            beats.push(beat.clone());
            tasks.spawn(async move { keep_running(&beat, &mut task, async |task| task.run().await).await });
        }
        for (local, neighbors) in awaited {
            let local = SocketAddr::new(local, self.settings.listen_port);
            tasks.spawn(Listener { local, neighbors, stop: stop.clone() }.run());
        }
        (tasks, beats)
    }
}

impl Driver for BgpDriver {
    fn start(self, wanted: watch::Receiver<Wanted>, stop: CancellationToken) -> Started {
        let now = Instant::now();
        let unknown =
            |neighbor: &Neighbor| NeighborObserved::new(NeighborKey::Bgp(neighbor.socket_address()), now);
        let observed = Observed { neighbors: self.settings.neighbors.iter().map(unknown).collect() };
        let (sender, receiver) = watch::channel(observed);
        let sender = Arc::new(sender);
        // Listeners know nothing of `wanted`: they are stopped when the neighbours' tasks are.
        let stop = stop.child_token();
        let sessions = Sessions::new(self.settings.neighbors.len());
        let (mut tasks, beats) = self.spawn(&wanted, &sender, &sessions, &stop);
        let neighbors = self.settings.neighbors.len();
        let task = tokio::spawn(async move {
            let _sender = sender;
            for _ in 0..neighbors {
                join(&mut tasks).await;
            }
            stop.cancel();
            while !tasks.is_empty() {
                join(&mut tasks).await;
            }
        });
        Started { observed: receiver, task, sessions, beats }
    }
}

async fn join(tasks: &mut JoinSet<()>) {
    if let Some(Err(error)) = tasks.join_next().await {
        tracing::error!(%error, "a bgp task failed");
    }
}
