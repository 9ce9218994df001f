//! EDNS: how long an answer may be, and the OPT record that goes back with its options (RFC 6891).

use crate::wire::{Edns, Full, LookupName, Opt, Query, Writer, option};

use super::client::{Client, TransportKind};
use super::cookie::{self, Cookie};
use super::settings::Settings;
use super::verdict::Verdict;

/// The EDNS version that this server knows.
pub(super) const VERSION: u8 = 0;
/// The most octets of a UDP message without EDNS (RFC 1035 section 4.2.1), and the least with it (RFC 6891
/// section 6.2.3).
const PLAIN_UDP: u16 = 512;
/// Octets of an OPT record without options, and of an option's head.
const OPT: usize = 11;
const OPTION: usize = 4;
/// Octets of what options hold: a COOKIE, edns-tcp-keepalive, ZONEVERSION.
const COOKIE: usize = 24;
const TCP_KEEPALIVE: usize = 2;
const ZONE_VERSION: usize = 6;
/// The most octets of NSID, which is one character string of `id.server` too.
const MAX_NSID: usize = 255;
/// ZONEVERSION's type SOA-SERIAL (RFC 9660 section 3).
const SOA_SERIAL: u8 = 0;
/// Responses are padded to a multiple of this many octets (RFC 8467 section 4.1).
const PADDING_BLOCK: usize = 468;
/// The DO bit.
const DNSSEC_OK: u32 = 0x8000;

/// The most octets of the whole answer.
pub(super) fn limit(query: &Query<'_>, transport: TransportKind, settings: &Settings) -> usize {
    let ceiling = settings.udp_payload_ceiling.max(PLAIN_UDP);
    let limit = match (transport, &query.edns) {
        (TransportKind::Udp, Some(edns)) => edns.payload.clamp(PLAIN_UDP, ceiling),
        (TransportKind::Udp, None) => PLAIN_UDP,
        (TransportKind::Tcp | TransportKind::Dot | TransportKind::Doh | TransportKind::Doq, _) => u16::MAX,
    };
    usize::from(limit)
}

/// What the query's options ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a> {
    asked: &'a Edns<'a>,
    transport: TransportKind,
    /// What its COOKIE came to.
    pub(super) cookie: Cookie,
}

impl<'a> Options<'a> {
    pub(super) fn new(asked: &'a Edns<'a>, client: &Client, settings: &Settings) -> Self {
        let cookie = cookie::examine(asked.cookie, client, settings.cookies.as_ref());
        Self { asked, transport: client.transport, cookie }
    }

    /// Whether an option that means something here has a form that it cannot have.
    pub(super) fn are_malformed(&self) -> bool {
        // RFC 7828 section 3.1: no octets or two. Over UDP the option is ignored (section 3.3.1), over DoH it means
        // nothing.
        let keepalive = self.asked.tcp_keepalive.is_some_and(|octets| !matches!(octets.len(), 0 | 2));
        // RFC 9660 section 3.1: empty in a query. NSD says FORMERR to any other too.
        let zone_version = self.asked.zone_version.is_some_and(|octets| !octets.is_empty());
        self.cookie == Cookie::Malformed || zone_version || keepalive && self.has_keepalive()
    }

    /// Octets that are kept free for OPT: at most 318, so that header, question and OPT fit 512 with any QNAME of up to
    /// 178 octets; for longer ones NSID is left out. What the client did not ask for takes what is left, because TC is not set on
    /// account of extra information (RFC 2181 section 9): extended errors, Report-Channel and padding.
    pub(super) fn reserve(&self, settings: &Settings) -> usize {
        let part = |asked: bool, octets: usize| if asked { OPTION + octets } else { 0 };
        OPT + part(matches!(self.cookie, Cookie::Present { .. }), COOKIE)
            + part(self.asked.zone_version.is_some(), ZONE_VERSION)
            + part(self.asked.tcp_keepalive.is_some() && self.has_keepalive(), TCP_KEEPALIVE)
            + part(self.asked.nsid, nsid(settings).len())
    }

    /// Writes the OPT record. An option that does not fit is left out; the first ones always do: header, the longest
    /// question and OPT with all but NSID are 332 octets with the extended error.
    pub(super) fn write(
        &self,
        writer: &mut Writer<'_>,
        query: &Query<'_>,
        verdict: &Verdict,
        settings: &Settings,
        limit: usize,
    ) {
        // DO is copied (RFC 3225 section 3), the other flags are clear, the RCODE's upper octet comes first.
        let flags = if self.asked.dnssec_ok { DNSSEC_OK } else { 0 };
        let ttl = u32::from(verdict.rcode >> 4) << 24 | u32::from(VERSION) << 16 | flags;
        let Ok(opt) = writer.opt(settings.udp_payload_ceiling.max(PLAIN_UDP), ttl) else { return };
        let mut push = |code, data: &[&[u8]]| {
            // What does not fit is not there.
            let _: Result<(), Full> = writer.option(opt, code, data);
        };
        if let Cookie::Present { reply, .. } = &self.cookie {
            push(option::COOKIE, &[reply]);
        }
        // RFC 9660 section 3.2: for every answer that comes from a zone, referrals, denials and SERVFAIL too.
        if let (Some(_), Some(zone)) = (self.asked.zone_version, verdict.zone) {
            push(option::ZONE_VERSION, &[&[zone.labels, SOA_SERIAL], &zone.serial.0.to_be_bytes()]);
        }
        if self.asked.tcp_keepalive.is_some() && self.has_keepalive() {
            // RFC 7828 section 3.1: in units of 100 milliseconds.
            let timeout = u16::try_from(settings.tcp_idle.as_millis() / 100).unwrap_or(u16::MAX);
            push(option::TCP_KEEPALIVE, &[&timeout.to_be_bytes()]);
        }
        if self.asked.nsid {
            push(option::NSID, &[nsid(settings)]);
        }
        if let Some(code) = verdict.extended_error {
            push(option::EXTENDED_ERROR, &[&code.to_be_bytes()]);
        }
        if let Some(agent) = report_channel(query, verdict, settings) {
            push(option::REPORT_CHANNEL, &[agent]);
        }
        if self.asked.padding && self.transport.is_encrypted() {
            pad(writer, opt, limit);
        }
    }

    /// The transports that have idle timeouts of this kind: DoQ and DoH have others (RFC 9250 section 5.5.2, RFC 8484
    /// section 5), UDP has none.
    fn has_keepalive(&self) -> bool {
        matches!(self.transport, TransportKind::Tcp | TransportKind::Dot)
    }
}

/// Pads the message with the option that this takes (RFC 7830 section 3), the last of all.
fn pad(writer: &mut Writer<'_>, opt: Opt, limit: usize) {
    let bare = writer.length() + OPTION;
    let missing = bare.next_multiple_of(PADDING_BLOCK).min(limit).saturating_sub(bare);
    let zeros = [0; PADDING_BLOCK];
    let _: Result<(), Full> = writer.option(opt, option::PADDING, &[zeros.get(..missing).unwrap_or(&[])]);
}

/// The domain that resolvers report errors to (RFC 9567 section 6.2): in an answer from a zone served here, unless
/// the agent's domain is in that zone: the agent must not be below what it is to report on (section 8.1), because then the
/// fault would prevent its own report. An answer to an error report gets none, so that an error report does not trigger another one.
fn report_channel<'s>(query: &Query<'_>, verdict: &Verdict, settings: &'s Settings) -> Option<&'s [u8]> {
    let agent = settings.report_channel.as_ref()?.as_wire();
    let (question, zone) = (query.question.as_ref()?, verdict.zone?);
    let name = LookupName::from_wire_prefix(question.name).ok()?;
    let below = name.label_count().checked_sub(zone.labels.into())?;
    let apex = name.ancestor(below);
    // The agent's last octets; where they equal the apex's but begin inside a label, that is harmless: no error is reported to the agent.
    let tail = agent.get(agent.len().checked_sub(apex.len()).unwrap_or(agent.len())..)?;
    (!tail.eq_ignore_ascii_case(apex) && agent != [0]).then_some(agent)
}

fn nsid(settings: &Settings) -> &[u8] {
    let octets = settings.identity.instance.as_bytes();
    octets.get(..MAX_NSID).unwrap_or(octets)
}
