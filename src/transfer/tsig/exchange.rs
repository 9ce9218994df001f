//! The side that asks: one request, then one response or a stream of them.

use std::sync::Arc;

use crate::wire::octets::u16_at;
use crate::wire::rcode;

use super::fault::{PeerError, TsigFault};
use super::key::Key;
use super::mac::Digest;
use super::record::{self, Fields, Found};
use super::{FUDGE, MOST_UNSIGNED};

/// A signed request and what came back so far.
#[derive(Debug)]
pub struct Exchange {
    key: Arc<Key>,
    /// Of what follows the last MAC.
    digest: Digest,
    /// Messages since then.
    unsigned: usize,
    is_first: bool,
}

impl Exchange {
    /// Signs a request, whose TSIG record is appended; `now` is in seconds since 1970.
    pub fn sign(message: &mut Vec<u8>, key: &Arc<Key>, now: u64) -> Self {
        let fields = fields(key, now);
        let mut digest = Digest::new(key, None);
        digest.unsigned(message);
        digest.variables(&fields);
        let mac = digest.finish(key.sent_octets());
        record::append(message, &fields, &mac);
        Self { key: key.clone(), digest: Digest::new(key, Some(&mac)), unsigned: 0, is_first: true }
    }

    /// Verifies the next message that came back. Its content may be used, though of a stream that is not whole before
    /// [`Exchange::finish`].
    ///
    /// # Errors
    /// What is wrong with the signature; the exchange is over then.
    pub fn verify(&mut self, message: &[u8], now: u64) -> Result<(), TsigFault> {
        let Some(found) = record::find(message)? else { return self.pass(message) };
        if let Some(fault) = self.unsigned_error(message, &found) {
            return Err(fault);
        }
        if found.key != *self.key.name() || found.algorithm != Some(self.key.algorithm()) {
            return Err(TsigFault::OtherKey { key: self.key.name().clone(), found: found.key });
        }
        check_length(&self.key, &found)?;
        let mut digest = self.digest.clone();
        digest.signed(message, found.start, found.original_id);
        let fields = of_record(&found);
        match self.is_first {
            true => digest.variables(&fields),
            false => digest.timers(&fields),
        }
        if digest.beginning_with(found.mac).is_none() {
            return Err(TsigFault::BadSignature { key: self.key.name().clone() });
        }
        self.judge(&found, now)?;
        self.digest = Digest::new(&self.key, Some(found.mac));
        (self.unsigned, self.is_first) = (0, false);
        Ok(())
    }

    /// What must hold when nothing more comes: the last message was signed.
    ///
    /// # Errors
    /// It was not.
    pub fn finish(&self) -> Result<(), TsigFault> {
        match self.unsigned == 0 && !self.is_first {
            true => Ok(()),
            false => Err(TsigFault::LastUnsigned { key: self.key.name().clone() }),
        }
    }

    /// Takes a message without a TSIG record: only between signed ones of a stream.
    fn pass(&mut self, message: &[u8]) -> Result<(), TsigFault> {
        let key = || self.key.name().clone();
        if self.is_first {
            let rcode = (u16_at(message, 2).unwrap_or_default() & 0xf) as u8;
            return Err(TsigFault::Missing { key: key(), rcode });
        }
        if self.unsigned >= MOST_UNSIGNED {
            return Err(TsigFault::TooManyUnsigned { key: key() });
        }
        self.unsigned += 1;
        self.digest.unsigned(message);
        Ok(())
    }

    /// What a response without a MAC says: the peer cannot sign with a key that it does not have (section 5.3.2). It is not
    /// authenticated.
    fn unsigned_error(&self, message: &[u8], found: &Found<'_>) -> Option<TsigFault> {
        let is_refusal = u16_at(message, 2).is_some_and(|flags| flags & 0xf == u16::from(rcode::NOTAUTH));
        (found.mac.is_empty() && is_refusal).then(|| self.peer(found))
    }

    fn peer(&self, found: &Found<'_>) -> TsigFault {
        let error = match found.error {
            rcode::BADSIG => PeerError::BadSignature,
            rcode::BADKEY => PeerError::BadKey,
            rcode::BADTRUNC => PeerError::BadTruncation,
            rcode::BADTIME => {
                let octets = found.other.first_chunk::<6>().copied().unwrap_or_default();
                let [a, b, c, d, e, f] = octets;
                PeerError::BadTime { server_time: u64::from_be_bytes([0, 0, a, b, c, d, e, f]) }
            }
            other => PeerError::Other(other),
        };
        TsigFault::Peer { key: self.key.name().clone(), error }
    }

    fn judge(&self, found: &Found<'_>, now: u64) -> Result<(), TsigFault> {
        // A response that says BADTIME has our time, not the peer's (section 5.2.3).
        if found.error != 0 {
            return Err(self.peer(found));
        }
        check_time(found, now)?;
        check_truncation(&self.key, found)
    }
}

/// What our own record says when nothing is wrong.
pub(super) fn fields(key: &Key, now: u64) -> Fields<'_> {
    let algorithm = key.algorithm().as_wire();
    Fields { key: key.name(), algorithm, time: now, fudge: FUDGE, error: 0, other: &[] }
}

/// What a record that came says.
pub(super) fn of_record<'a>(found: &'a Found<'_>) -> Fields<'a> {
    Fields {
        key: &found.key,
        algorithm: &found.algorithm_name,
        time: found.time,
        fudge: found.fudge,
        error: found.error,
        other: found.other,
    }
}

/// Whether the length of the MAC is one at all (section 5.2.2.1).
pub(super) fn check_length(key: &Key, found: &Found<'_>) -> Result<(), TsigFault> {
    let algorithm = key.algorithm();
    match (algorithm.least_octets()..=algorithm.octets()).contains(&found.mac.len()) {
        true => Ok(()),
        false => Err(TsigFault::MacLength { algorithm, octets: found.mac.len() }),
    }
}

/// Whether the clocks agree (section 5.2.3).
pub(super) fn check_time(found: &Found<'_>, now: u64) -> Result<(), TsigFault> {
    let (key, signed, fudge) = (found.key.clone(), found.time, found.fudge);
    match signed.abs_diff(now) <= u64::from(fudge) {
        true => Ok(()),
        false => Err(TsigFault::BadTime { key, signed, now, fudge }),
    }
}

/// Whether the MAC is as long as the key asks for (section 5.2.4).
pub(super) fn check_truncation(key: &Key, found: &Found<'_>) -> Result<(), TsigFault> {
    let (octets, least) = (found.mac.len(), key.least_octets());
    match octets >= least {
        true => Ok(()),
        false => Err(TsigFault::BadTruncation { key: key.name().clone(), octets, least }),
    }
}
