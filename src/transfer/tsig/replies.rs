//! The side that answers: a request verified, one response or a stream of them signed, or the error that says why not.

use std::sync::Arc;

use ring::hmac;

use crate::wire::{Name, rcode};

use super::FUDGE;
use super::exchange::{check_length, check_time, check_truncation, fields, of_record};
use super::fault::TsigFault;
use super::key::{Key, Keys};
use super::mac::Digest;
use super::record::{self, Fields, Found, time_octets};

/// Signs what answers one request.
#[derive(Debug)]
pub struct Replies {
    key: Arc<Key>,
    /// The whole MAC of the request.
    request_mac: hmac::Tag,
    /// Of what follows the last MAC.
    digest: Digest,
    is_first: bool,
}

/// A request whose signature is not accepted.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub fault: TsigFault,
    error: u16,
    /// The name and the algorithm in the request; `None` if it is answered without a TSIG record.
    echo: Option<(Name, Vec<u8>)>,
    time: u64,
    other: Vec<u8>,
    signer: Option<Replies>,
}

/// Verifies a request: `None` if it is not signed. `now` is in seconds since 1970.
///
/// # Errors
/// What is wrong with the signature, and how to say so.
pub fn verify_request(message: &[u8], keys: &Keys, now: u64) -> Result<Option<Replies>, Box<Refusal>> {
    let mut found = match record::find(message) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(fault) => return Err(Refusal::unreadable(fault)),
    };
    let known = keys.get(&found.key).filter(|key| found.algorithm == Some(key.algorithm()));
    let Some(key) = known else {
        let fault = TsigFault::UnknownKey { key: found.key.clone() };
        return Err(Refusal::unsigned(fault, rcode::BADKEY, &found));
    };
    check_length(key, &found).map_err(Refusal::unreadable)?;
    let mut digest = Digest::new(key, None);
    digest.signed(message, found.start, found.original_id);
    digest.variables(&of_record(&found));
    let Some(request_mac) = digest.beginning_with(found.mac) else {
        let fault = TsigFault::BadSignature { key: found.key.clone() };
        return Err(Refusal::unsigned(fault, rcode::BADSIG, &found));
    };
    let digest = Digest::new(key, Some(found.mac));
    let replies = Replies { key: key.clone(), request_mac, digest, is_first: true };
    // A fudge that the client makes larger would let a recorded message be sent again for longer.
    found.fudge = found.fudge.min(FUDGE);
    if let Err(fault) = check_time(&found, now) {
        return Err(Refusal::signed(fault, rcode::BADTIME, &found, time_octets(now).to_vec(), replies));
    }
    if let Err(fault) = check_truncation(key, &found) {
        return Err(Refusal::signed(fault, rcode::BADTRUNC, &found, Vec::new(), replies));
    }
    Ok(Some(replies))
}

impl Replies {
    /// The key that the request was signed with.
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// The whole MAC of the request, also where the client truncated it: two requests have the same one only if all that is signed
    /// is the same: the key, the original ID, the time, and every octet before the TSIG record.
    pub fn request_mac(&self) -> &[u8] {
        self.request_mac.as_ref()
    }

    /// Signs the next message, whose TSIG record is appended; `now` is in seconds since 1970.
    pub fn sign(&mut self, message: &mut Vec<u8>, now: u64) {
        let key = self.key.clone();
        self.sign_with(message, &fields(&key, now));
    }

    /// Leaves a message of a stream unsigned; not the first, not the last, at most [`super::MOST_UNSIGNED`] in a row.
    pub fn pass(&mut self, message: &[u8]) {
        self.digest.unsigned(message);
    }

    fn sign_with(&mut self, message: &mut Vec<u8>, fields: &Fields<'_>) {
        let mut digest = self.digest.clone();
        digest.unsigned(message);
        match self.is_first {
            true => digest.variables(fields),
            false => digest.timers(fields),
        }
        let mac = digest.finish(self.key.sent_octets());
        record::append(message, fields, &mac);
        self.digest = Digest::new(&self.key, Some(&mac));
        self.is_first = false;
    }
}

impl Refusal {
    /// The RCODE of the response.
    pub fn rcode(&self) -> u8 {
        if self.echo.is_some() { rcode::NOTAUTH } else { rcode::FORMERR }
    }

    /// Appends to the response what tells the client (section 5.3.2).
    pub fn attach(&mut self, response: &mut Vec<u8>) {
        let Some((key, algorithm)) = &self.echo else { return };
        let fields =
            Fields { key, algorithm, time: self.time, fudge: FUDGE, error: self.error, other: &self.other };
        match &mut self.signer {
            Some(signer) => signer.sign_with(response, &fields),
            None => record::append(response, &fields, &[]),
        }
    }

    fn unreadable(fault: TsigFault) -> Box<Self> {
        Box::new(Self { fault, error: 0, echo: None, time: 0, other: Vec::new(), signer: None })
    }

    fn unsigned(fault: TsigFault, error: u16, found: &Found<'_>) -> Box<Self> {
        let echo = Some((found.key.clone(), found.algorithm_name.clone()));
        Box::new(Self { fault, error, echo, time: found.time, other: Vec::new(), signer: None })
    }

    fn signed(fault: TsigFault, error: u16, found: &Found<'_>, other: Vec<u8>, signer: Replies) -> Box<Self> {
        let refusal = *Self::unsigned(fault, error, found);
        Box::new(Self { other, signer: Some(signer), ..refusal })
    }
}
