//! What waits for each of several servers: they take turns, so that what waits for one costs the others nothing, however much it is.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

/// See the module.
#[derive(Debug)]
pub struct PeerQueues<J> {
    by_peer: HashMap<SocketAddr, VecDeque<J>>,
    /// The peers for which something waits.
    turn: VecDeque<SocketAddr>,
}

impl<J> Default for PeerQueues<J> {
    fn default() -> Self {
        Self { by_peer: HashMap::new(), turn: VecDeque::new() }
    }
}

impl<J> PeerQueues<J> {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.turn.is_empty()
    }

    /// Appends a job to those of this peer.
    pub fn push(&mut self, peer: SocketAddr, job: J) {
        let queue = self.by_peer.entry(peer).or_default();
        if queue.is_empty() {
            self.turn.push_back(peer);
        }
        queue.push_back(job);
    }

    /// Takes the next job of a peer for which there may be one now. Asks once for each peer.
    pub fn take(&mut self, mut may: impl FnMut(SocketAddr) -> bool) -> Option<J> {
        for _ in 0..self.turn.len() {
            let peer = self.turn.pop_front()?;
            if !may(peer) {
                self.turn.push_back(peer);
                continue;
            }
            let queue = self.by_peer.get_mut(&peer)?;
            let job = queue.pop_front();
            match queue.is_empty() {
                true => drop(self.by_peer.remove(&peer)),
                false => self.turn.push_back(peer),
            }
            return job;
        }
        None
    }

    /// Takes all jobs of this peer.
    pub fn take_all(&mut self, peer: SocketAddr) -> Vec<J> {
        self.turn.retain(|other| *other != peer);
        self.by_peer.remove(&peer).map(Vec::from).unwrap_or_default()
    }

    /// Forgets the jobs that are not wanted.
    pub fn retain(&mut self, is_wanted: impl Fn(&J) -> bool) {
        self.by_peer.values_mut().for_each(|queue| queue.retain(&is_wanted));
        self.by_peer.retain(|_, queue| !queue.is_empty());
        let by_peer = &self.by_peer;
        self.turn.retain(|peer| by_peer.contains_key(peer));
    }
}
