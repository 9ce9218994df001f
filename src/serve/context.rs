//! What the tasks of one thread of connections share. Answers are made here, one at a time; never held across an await.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::telemetry::{Beat, WorkerCounters};
use crate::wire::octets::MAX_MESSAGE;

use super::respond::{Peer, Responder};
use super::tcp_settings::TcpSettings;

/// What the tasks of one thread share.
pub(super) struct Context {
    pub(super) responder: RefCell<Responder>,
    /// Where a response is made; free between two awaits.
    pub(super) scratch: RefCell<Vec<u8>>,
    pub(super) settings: TcpSettings,
    /// The thread's heartbeat.
    pub(super) beat: Beat,
}

impl Context {
    pub(super) fn new(settings: TcpSettings, responder: Responder, beat: Beat) -> Rc<Self> {
        let scratch = RefCell::new(vec![0; MAX_MESSAGE]);
        Rc::new(Self { responder: RefCell::new(responder), scratch, settings, beat })
    }

    /// Counts in the thread's counters.
    pub(super) fn add(&self, add: impl FnOnce(&WorkerCounters)) {
        self.responder.borrow().add(add);
    }

    /// Answers one message from the snapshot that is served now; `None` for no response. Allocates the response.
    pub(super) fn respond(&self, query: &[u8], peer: Peer) -> Option<Vec<u8>> {
        let mut responder = self.responder.borrow_mut();
        let mut scratch = self.scratch.borrow_mut();
        let answering = responder.refresh(Instant::now());
        let length = answering.message(query, peer, &mut scratch);
        let response = scratch.get(..length).filter(|response| !response.is_empty())?;
        answering.sent(peer);
        Some(response.to_vec())
    }
}
