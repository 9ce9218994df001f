//! EDNS: how long an answer may be, and the OPT record that goes back (RFC 6891).

use crate::wire::{Edns, Full, Owner, Query, RecordType, Section, Writer};

use super::{Identity, Settings, Transport, Verdict};

/// The EDNS version that this server knows.
pub(super) const VERSION: u8 = 0;
/// The most octets of a UDP message without EDNS (RFC 1035 section 4.2.1), and the least with it (RFC 6891
/// section 6.2.3).
const PLAIN_UDP: u16 = 512;
/// Option codes (IANA "DNS EDNS0 Option Codes").
const NSID: u16 = 3;
const EXTENDED_ERROR: u16 = 15;
/// Octets of an OPT record without options, of an option's head, and of an extended error without text.
const OPT: usize = 11;
const OPTION: usize = 4;
const EXTENDED_ERROR_LENGTH: usize = OPTION + 2;
/// The most octets of NSID, which is one character string of `id.server` too.
const MAX_NSID: usize = 255;
/// The DO bit.
const DNSSEC_OK: u32 = 0x8000;

/// The most octets of the whole answer.
pub(super) fn limit(query: &Query<'_>, transport: Transport, settings: &Settings) -> usize {
    let ceiling = settings.udp_payload_ceiling.max(PLAIN_UDP);
    let limit = match (transport, &query.edns) {
        (Transport::Udp, Some(edns)) => edns.payload.clamp(PLAIN_UDP, ceiling),
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Tcp | Transport::Dot | Transport::Doh | Transport::Doq, _) => u16::MAX,
    };
    usize::from(limit)
}

/// Octets that are kept free for OPT: at most 276, so that header, question and OPT fit 512 with any QNAME of up to
/// 220 octets; for longer ones NSID is left out.
pub(super) fn reserve(query: &Query<'_>, identity: &Identity) -> usize {
    let Some(edns) = &query.edns else { return 0 };
    let nsid = if edns.nsid { OPTION + nsid(identity).len() } else { 0 };
    OPT + EXTENDED_ERROR_LENGTH + nsid
}

/// Writes the OPT record; without NSID where that does not fit.
pub(super) fn write(writer: &mut Writer<'_>, asked: &Edns, verdict: &Verdict, settings: &Settings) {
    let identity: &[u8] = if asked.nsid { nsid(&settings.identity) } else { &[] };
    let written = write_options(writer, asked, verdict, settings, identity);
    if written == Err(Full) && !identity.is_empty() {
        // Header, the longest question and OPT with an extended error are 288 octets and fit always.
        let _ = write_options(writer, asked, verdict, settings, &[]);
    }
}

fn write_options(
    writer: &mut Writer<'_>,
    asked: &Edns,
    verdict: &Verdict,
    settings: &Settings,
    identity: &[u8],
) -> Result<(), Full> {
    let mut options = [0; 2 * OPTION + 2 + MAX_NSID];
    let mut length = 0;
    let mut push = |octets: &[u8]| {
        for (place, octet) in options.iter_mut().skip(length).zip(octets) {
            *place = *octet;
        }
        length += octets.len();
    };
    if !identity.is_empty() {
        push(&NSID.to_be_bytes());
        push(&(identity.len() as u16).to_be_bytes());
        push(identity);
    }
    if let Some(code) = verdict.extended_error {
        push(&EXTENDED_ERROR.to_be_bytes());
        push(&2_u16.to_be_bytes());
        push(&code.to_be_bytes());
    }
    // DO is copied (RFC 3225 section 3), the other flags are clear, the RCODE's upper octet comes first.
    let flags = if asked.dnssec_ok { DNSSEC_OK } else { 0 };
    let ttl = u32::from(verdict.rcode >> 4) << 24 | u32::from(VERSION) << 16 | flags;
    let fixed = (RecordType::OPT, settings.udp_payload_ceiling.max(PLAIN_UDP), ttl);
    let options = options.get(..length).unwrap_or(&[]);
    writer.whole(|writer| writer.record(Section::Additional, Owner::Name(&[0]), fixed, options))
}

fn nsid(identity: &Identity) -> &[u8] {
    let octets = identity.instance.as_bytes();
    octets.get(..MAX_NSID).unwrap_or(octets)
}
