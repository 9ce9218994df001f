//! The sockets of all sessions, for the watchdog: it shuts them down when the speaker does not run any more.
//!
//! A table of fixed size; a slot is swapped atomically. The speaker's thread puts sockets in and takes them out, the watchdog
//! takes them out: the thread that takes a socket out of its slot owns it. Never locks: the speaker may be frozen at any instruction.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use socket2::SockRef;

/// Connections of one neighbor at a time: ours, the neighbor's, and one more that is being refused.
const SLOTS: usize = 3;

/// The sockets of all sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    slots: Arc<[ArcSwapOption<OwnedFd>]>,
}

/// One socket's place; the place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Sessions,
    slot: usize,
}

impl Sessions {
    /// Room for the sockets of this many neighbors.
    #[must_use]
    pub fn new(neighbors: usize) -> Self {
        Self { slots: (0..neighbors * SLOTS).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// Notes a socket; `None` if there is no room or no descriptor, and then the connection must not be used.
    pub(super) fn enter(&self, socket: &impl AsFd) -> Option<Place> {
        let slot = self.slots.iter().position(|slot| slot.load().is_none())?;
        let socket = socket.as_fd().try_clone_to_owned().ok()?;
        self.slots.get(slot)?.store(Some(Arc::new(socket)));
        Some(Place { sessions: self.clone(), slot })
    }

    /// Ends every connection (shutdown(2)); how many there were. For the watchdog.
    pub fn shut_down(&self) -> usize {
        let taken = self.slots.iter().filter_map(|slot| slot.swap(None));
        taken.filter(|socket| SockRef::from(&**socket).shutdown(std::net::Shutdown::Both).is_ok()).count()
    }
}

impl Place {
    /// Whether the watchdog has ended the connection.
    pub(super) fn was_shut_down(&self) -> bool {
        self.sessions.slots.get(self.slot).is_none_or(|slot| slot.load().is_none())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(slot) = self.sessions.slots.get(self.slot) {
            slot.store(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_are_ended_and_places_are_free_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let sessions = Sessions::new(1);
        let ours: Vec<TcpStream> = (0..SLOTS).map(|_| connect()).collect();
        let places: Vec<Place> = ours.iter().map(|stream| sessions.enter(stream).unwrap()).collect();
        assert!(sessions.enter(&connect()).is_none(), "there is no room for more");
        assert!(!places[0].was_shut_down());
        assert_eq!(sessions.shut_down(), SLOTS);
        assert!(places.iter().all(Place::was_shut_down));
        for _ in 0..SLOTS {
            let (mut theirs, _) = listener.accept().unwrap();
            assert_eq!(theirs.read(&mut [0; 1]).unwrap(), 0, "the other end sees the end");
        }
        drop(places);
        assert_eq!(sessions.shut_down(), 0);
        let _place = sessions.enter(&ours[0]).unwrap();
    }
}
