//! What is digested, in the order of RFC 8945 section 4.3.

use ring::hmac;
use subtle::ConstantTimeEq;

use crate::wire::CLASS_ANY;
use crate::wire::octets::HEADER;

use super::key::Key;
use super::record::{Fields, time_octets};

/// The digest of the messages since the last MAC, not finished yet.
#[derive(Clone)]
pub(super) struct Digest(hmac::Context);

impl std::fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Digest(..)")
    }
}

impl Digest {
    /// Of a request, which follows no MAC, or of what follows `prior`.
    pub(super) fn new(key: &Key, prior: Option<&[u8]>) -> Self {
        let mut context = key.context();
        if let Some(mac) = prior {
            context.update(&(mac.len() as u16).to_be_bytes());
            context.update(mac);
        }
        Self(context)
    }

    /// Adds a message that has no TSIG record.
    pub(super) fn unsigned(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// Adds a message as it was before its TSIG record, which begins at `start`, was appended.
    pub(super) fn signed(&mut self, message: &[u8], start: usize, original_id: u16) {
        let (Some(header), Some(rest)) = (message.first_chunk::<HEADER>(), message.get(HEADER..start)) else {
            return;
        };
        let mut header = *header;
        header[..2].copy_from_slice(&original_id.to_be_bytes());
        let count = u16::from_be_bytes([header[10], header[11]]).wrapping_sub(1);
        header[10..].copy_from_slice(&count.to_be_bytes());
        self.0.update(&header);
        self.0.update(rest);
    }

    /// Adds what a TSIG record says (section 4.3.3), for requests and first responses.
    pub(super) fn variables(&mut self, fields: &Fields<'_>) {
        self.0.update(fields.key.as_wire());
        self.0.update(&CLASS_ANY.to_be_bytes());
        self.0.update(&[0; 4]);
        self.0.update(fields.algorithm);
        self.timers(fields);
        self.0.update(&fields.error.to_be_bytes());
        self.0.update(&(fields.other.len() as u16).to_be_bytes());
        self.0.update(fields.other);
    }

    /// Adds the time and the fudge alone, for all but the first message of a stream (section 5.3.1).
    pub(super) fn timers(&mut self, fields: &Fields<'_>) {
        self.0.update(&time_octets(fields.time));
        self.0.update(&fields.fudge.to_be_bytes());
    }

    /// The MAC, truncated to this many octets.
    pub(super) fn finish(self, octets: usize) -> Vec<u8> {
        let tag = self.0.sign();
        tag.as_ref().get(..octets).unwrap_or(tag.as_ref()).to_vec()
    }

    /// The whole MAC, if it begins with these octets; takes the same time whichever differ.
    pub(super) fn beginning_with(self, mac: &[u8]) -> Option<hmac::Tag> {
        let tag = self.0.sign();
        let begins = tag.as_ref().get(..mac.len()).is_some_and(|ours| bool::from(ours.ct_eq(mac)));
        (begins && !mac.is_empty()).then_some(tag)
    }
}
