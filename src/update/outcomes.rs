//! What came of the last updates: a message that comes twice is done once.
//!
//! Over UDP a client sends a message again when it hears nothing, and the second copy would find its own prerequisites broken. Who
//! recorded a signed message may send it again while its signature is valid (RFC 8945 section 5.2.3), and change what the signature
//! does not cover: the ID of the header, the case of the key's name, the length of the MAC. So a message is known by its whole MAC.
//! Does no I/O.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};

/// Updates that are remembered. At a hundred a second, which is what a disk makes durable, that is more than the 600 s in
/// which a signature is valid; each takes some 400 octets.
const MAX_REMEMBERED_UPDATES: usize = 1 << 16;

/// SHA-256 of the whole MAC of a message: the MAC covers the key and the time at which it was signed.
pub(super) type MessageDigest = [u8; 32];

/// The last updates.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// The response, or `None` while the update is being done.
    responses: HashMap<MessageDigest, Option<Vec<u8>>>,
    order: VecDeque<MessageDigest>,
}

/// What is known of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is the first of its kind, and is to be done.
    New(MessageDigest),
    /// It is being done; its first copy is answered.
    Running,
    /// It was done, and this was the response.
    Done(Vec<u8>),
}

impl Outcomes {
    /// A message came whose signature has this MAC, not truncated.
    pub(super) fn begin(&mut self, whole_mac: &[u8]) -> Known {
        let digest = Sha256::digest(whole_mac).into();
        match self.responses.get(&digest) {
            Some(Some(response)) => return Known::Done(response.clone()),
            Some(None) => return Known::Running,
            None => {}
        }
        if self.order.len() >= MAX_REMEMBERED_UPDATES
            && let Some(oldest) = self.order.pop_front()
        {
            self.responses.remove(&oldest);
        }
        self.responses.insert(digest, None);
        self.order.push_back(digest);
        Known::New(digest)
    }

    /// A message was done. `None` forgets it: this server failed, and the client may try again.
    pub(super) fn end(&mut self, digest: &MessageDigest, response: Option<Vec<u8>>) {
        match response {
            Some(response) => {
                if let Some(place) = self.responses.get_mut(digest) {
                    *place = Some(response);
                }
            }
            // Its place in the order stays until it is the oldest.
            None => drop(self.responses.remove(digest)),
        }
    }
}
