//! The server's own names in class CH (RFC 4892 for `id.server`; the others are BIND's).

use crate::wire::{CLASS_CH, Full, Owner, Question, RecordType, Section, Writer};

use super::settings::Identity;
use super::verdict::{Verdict, extended_error, rcode};

/// The most octets of a character string (RFC 1035 section 3.3).
const MAX_STRING: usize = 255;

/// Answers TXT (and ANY) for the four names; everything else of class CH is refused.
pub(super) fn respond(question: &Question<'_>, identity: &Identity, writer: &mut Writer<'_>) -> Verdict {
    let not_ours = Verdict::explained(rcode::REFUSED, extended_error::NOT_AUTHORITATIVE);
    let is_one_of = |names: [&[u8]; 2]| names.iter().any(|name| question.name.eq_ignore_ascii_case(name));
    let text = if !matches!(question.record_type, RecordType::TXT | RecordType::ANY) {
        return not_ours;
    } else if is_one_of([b"\x02id\x06server\0", b"\x08hostname\x04bind\0"]) {
        &identity.instance
    } else if is_one_of([b"\x07version\x04bind\0", b"\x07version\x06server\0"]) {
        match &identity.version {
            Some(version) => version,
            None => return Verdict::explained(rcode::REFUSED, extended_error::PROHIBITED),
        }
    } else {
        return not_ours;
    };
    let octets = text.as_bytes();
    let octets = octets.get(..MAX_STRING).unwrap_or(octets);
    let mut rdata = [0; 1 + MAX_STRING];
    for (place, octet) in rdata.iter_mut().zip(std::iter::once(&(octets.len() as u8)).chain(octets)) {
        *place = *octet;
    }
    let rdata = rdata.get(..1 + octets.len()).unwrap_or(&[0]);
    // A TTL of 0: the next query may reach another instance (RFC 4892 section 3).
    let fixed = (RecordType::TXT, CLASS_CH, 0);
    let written = writer.whole(|writer| writer.record(Section::Answer, Owner::Question, fixed, rdata));
    // No zone holds these names, so AA is clear, as with NSD and Knot DNS; BIND, which has zones for them, sets it.
    Verdict { truncated: written == Err(Full), ..Verdict::default() }
}
