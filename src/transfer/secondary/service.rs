//! NOTIFY and UPDATE that arrive at a service address (RFC 1996, RFC 2136): judged where the query path runs.
//!
//! Messages flow in, responses flow out; what is taken flows to the coordinator through a bounded queue that never blocks. Never
//! logs. Never allocates for a source that is in no list, nor for a message without a signature.

use std::net::IpAddr;

use crate::wire::octets::{FlatName, HEADER, put_u16, u16_at};
use crate::wire::{CLASS_IN, PLAIN_OPT, RecordType, UPPER_RCODE, edns_version, flag, opcode, rcode};

use crate::transfer::secondary::access::{Access, AtService};
use crate::transfer::secondary::handle::SecondaryHandle;

impl SecondaryHandle {
    /// Takes a message that came to a service address; octets of the response in `output`, or `None`: it is nothing for a secondary. A
    /// NOTIFY is taken from listed sources, signed where they have a key; from others it is REFUSED. An UPDATE of a secondary zone is REFUSED. Never blocks and never logs.
    pub fn at_service(&self, message: &[u8], source: IpAddr, output: &mut [u8]) -> Option<usize> {
        let flags = u16_at(message, 2).filter(|flags| flags & flag::QR == 0)?;
        let (access, source) = (self.access(), source.to_canonical());
        let mut name = FlatName::ROOT;
        let end = question_end(message, &mut name)?;
        let edns_version = edns_version(message);
        let mut respond = |rcode: u8| match edns_version {
            None => response(message.get(..end)?, flags, rcode.into(), output),
            // RFC 6891 section 6.1.3: version 0 is the only one there is.
            Some(version) => {
                let rcode = if version == 0 { rcode.into() } else { rcode::BADVERS };
                response_with_opt(message.get(..end)?, flags, rcode, output)
            }
        };
        match opcode::of_flags(flags) {
            opcode::NOTIFY if !access.is_listed(source) => respond(rcode::REFUSED),
            // A signature, or EDNS.
            opcode::NOTIFY if u16_at(message, 10)? != 0 => {
                let response = self.judge(message, source, true)?.response;
                output.get_mut(..response.len())?.copy_from_slice(&response);
                Some(response.len())
            }
            opcode::NOTIFY => respond(self.take_unsigned(&access, message, (&name, end), source)),
            opcode::UPDATE => {
                let zone = access.zone_at(&name)?.clone();
                // A full queue costs a line of the log.
                let _ = self.to_coordinator(AtService::Update { zone, source });
                respond(rcode::REFUSED)
            }
            _ => None,
        }
    }

    /// The RCODE for a NOTIFY that is not signed.
    fn take_unsigned(
        &self,
        access: &Access,
        message: &[u8],
        (name, end): (&FlatName, usize),
        source: IpAddr,
    ) -> u8 {
        let is_soa = u16_at(message, end - 4) == Some(RecordType::SOA.0);
        if !is_soa || u16_at(message, end - 2) != Some(CLASS_IN) {
            return rcode::NOTIMP;
        }
        let Some(zone) = access.zone_at(name) else { return rcode::NOTAUTH };
        if !zone.allows(source, None) {
            return rcode::REFUSED;
        }
        let hint = crate::transfer::notify::hint(message, end, name);
        self.to_coordinator(AtService::Notified { zone: zone.clone(), source, hint })
    }
}

/// Where the only question ends; its name.
fn question_end(message: &[u8], name: &mut FlatName) -> Option<usize> {
    let behind =
        u16_at(message, 4).filter(|count| *count == 1).and_then(|_| name.read(message, HEADER).ok())?;
    Some(behind + 4).filter(|end| *end <= message.len())
}

/// The header and the question, as a response, and an OPT record (RFC 6891 section 6.1.1).
fn response_with_opt(question: &[u8], flags: u16, rcode: u16, output: &mut [u8]) -> Option<usize> {
    let end = question.len() + PLAIN_OPT.len();
    output.get_mut(question.len()..end)?.copy_from_slice(&PLAIN_OPT);
    *output.get_mut(question.len() + UPPER_RCODE)? = (rcode >> 4) as u8;
    response(question, flags, rcode, output)?;
    put_u16(output, 10, 1);
    Some(end)
}

/// The header and the question, as a response.
fn response(question: &[u8], flags: u16, rcode: u16, output: &mut [u8]) -> Option<usize> {
    let output = output.get_mut(..question.len())?;
    output.copy_from_slice(question);
    put_u16(output, 2, flag::QR | flags & flag::OPCODE | rcode & 0xf);
    for count in [6, 8, 10] {
        put_u16(output, count, 0);
    }
    Some(output.len())
}
