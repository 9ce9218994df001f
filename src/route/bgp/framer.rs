//! Octets of a connection into messages. Pure.
//!
//! An UPDATE's body is skipped as it arrives, never kept: a neighbor may send a million routes through a buffer of
//! one message.

use bytes::{Buf, BytesMut};
use rustbgpd_wire::constants::HEADER_LEN;
use rustbgpd_wire::{
    BgpHeader, DecodeError, EXTENDED_MAX_MESSAGE_LEN, Message, MessageType, decode_message,
    peek_message_length,
};

/// The shortest UPDATE (RFC 4271 section 4.3).
const SHORTEST_UPDATE: u16 = 23;

/// Cuts octets into messages. Holds at most one message of RFC 8654's size and one read more.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: BytesMut,
    /// Octets of an UPDATE's body still to come.
    skip: usize,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// An UPDATE; its body is skipped.
    Update,
    /// Anything else.
    Message(Message),
}

impl Framer {
    /// How much is read at once.
    pub(super) const READ_SIZE: usize = 16 * 1024;

    /// Takes octets that arrived. To be followed by [`Framer::next`] until that gives `None`.
    pub(super) fn push(&mut self, octets: &[u8]) {
        let skipped = self.skip.min(octets.len());
        self.skip -= skipped;
        self.buffer.extend_from_slice(octets.get(skipped..).unwrap_or_default());
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// The neighbor's fault, for a NOTIFICATION; the connection cannot go on after it.
    pub(super) fn next(&mut self) -> Result<Option<Received>, DecodeError> {
        let Some(length) = peek_message_length(&self.buffer, EXTENDED_MAX_MESSAGE_LEN)? else {
            return Ok(None);
        };
        let header = BgpHeader::decode(
            &mut self.buffer.get(..HEADER_LEN).unwrap_or_default(),
            EXTENDED_MAX_MESSAGE_LEN,
        )?;
        if header.message_type == MessageType::Update {
            if length < SHORTEST_UPDATE {
                return Err(DecodeError::InvalidLength { length });
            }
            let present = usize::from(length).min(self.buffer.len());
            self.skip = usize::from(length) - present;
            self.buffer.advance(present);
            return Ok(Some(Received::Update));
        }
        if self.buffer.len() < usize::from(length) {
            return Ok(None);
        }
        let mut message = self.buffer.split_to(length.into()).freeze();
        decode_message(&mut message, EXTENDED_MAX_MESSAGE_LEN).map(|message| Some(Received::Message(message)))
    }

    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }
}
