//! Whose transfer goes on: so many at one time, so many of one client, and one that nobody can take from a client that has none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::telemetry::locked;

/// One of so many turns is for the first transfer of a client: a few clients that read slowly take the others at most.
const FIRST_SHARE: usize = 4;

/// See the module.
pub(super) struct Turns {
    /// For any transfer.
    shared: Semaphore,
    /// For the first transfer of a client alone.
    first: Semaphore,
    most_of_client: usize,
    /// Of the clients with transfers that go on or wait.
    clients: Mutex<HashMap<IpAddr, Arc<OfClient>>>,
}

struct OfClient {
    turns: Arc<Semaphore>,
    /// Whose holder is the first.
    first: Arc<Semaphore>,
}

/// A transfer that goes on until this is dropped.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    client: IpAddr,
    of_client: Option<Arc<OfClient>>,
    _own: [Option<OwnedSemaphorePermit>; 2],
    _turn: Option<SemaphorePermit<'t>>,
}

impl Turns {
    /// So many at one time, and of one client.
    pub(super) fn new(most: usize, most_of_client: usize) -> Self {
        let first = most / FIRST_SHARE;
        Self {
            shared: Semaphore::new(most.saturating_sub(first).max(1)),
            first: Semaphore::new(first),
            most_of_client: most_of_client.max(1),
            clients: Mutex::default(),
        }
    }

    /// Waits for a turn of this client. The semaphores are never closed.
    pub(super) async fn take(&self, client: IpAddr) -> Turn<'_> {
        let of_client = locked(&self.clients).entry(client).or_insert_with(|| self.of_client()).clone();
        let own = of_client.turns.clone().acquire_owned().await.ok();
        let is_first = of_client.first.clone().try_acquire_owned().ok();
        let turn = match is_first {
            None => self.shared.acquire().await,
            Some(_) => tokio::select! {
                biased;
                turn = self.shared.acquire() => turn,
                turn = self.first.acquire() => turn,
            },
        };
        Turn { turns: self, client, of_client: Some(of_client), _own: [own, is_first], _turn: turn.ok() }
    }

    fn of_client(&self) -> Arc<OfClient> {
        let (turns, first) = (Semaphore::new(self.most_of_client), Semaphore::new(1));
        Arc::new(OfClient { turns: Arc::new(turns), first: Arc::new(first) })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut clients = locked(&self.turns.clients);
        self.of_client = None;
        // Nobody else of this client has a turn or waits for one.
        if clients.get(&self.client).is_some_and(|client| Arc::strong_count(client) == 1) {
            clients.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The turn, if there is one now.
    fn now(turns: &Turns, client: u8) -> Option<Turn<'_>> {
        let taken = pin!(turns.take(IpAddr::from([192, 0, 2, client])));
        match taken.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_client_has_its_share_and_others_begin_however_much_it_has() {
        let turns = Turns::new(8, 4);
        let first: Vec<_> = (0..9).filter_map(|_| now(&turns, 1)).collect();
        assert_eq!(first.len(), 4);
        // Six for all, two for those who have none.
        let second: Vec<_> = (0..9).filter_map(|_| now(&turns, 2)).collect();
        assert_eq!(second.len(), 2);
        let third: Vec<_> = (0..9).filter_map(|_| now(&turns, 3)).collect();
        assert_eq!(third.len(), 1);
        let fourth: Vec<_> = (0..9).filter_map(|_| now(&turns, 4)).collect();
        assert_eq!((fourth.len(), now(&turns, 5).is_none()), (1, true));
        // What ends makes room; the last turn of a client forgets it.
        drop((first, fourth));
        assert!(now(&turns, 5).is_some());
        drop((second, third));
        assert_eq!(
            locked(&turns.clients).keys().filter(|client| **client != IpAddr::from([192, 0, 2, 5])).count(),
            0
        );
    }
}
