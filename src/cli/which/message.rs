//! The questions of `which`, and what an answer tells. No I/O; every answer is taken as hostile.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_proto::rr::{DNSClass, RData, RecordType};
use hickory_proto::serialize::binary::BinDecodable;

use crate::wire::Name;

/// The UDP payload size that is offered (RFC 6891 section 6.2.3): what no usual path fragments (RFC 9715).
const UDP_PAYLOAD: u16 = 1232;

/// The ZONEVERSION option (RFC 9660 section 5), and its type SOA-SERIAL.
const ZONEVERSION: u16 = 19;
const SOA_SERIAL: u8 = 0;

/// The most characters of a text that are shown: as long as a label.
const MOST_SHOWN: usize = 64;

/// A question.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// The SOA record of a zone, with its version.
    Zone(Name),
    /// TXT of this name in class CH (RFC 4892).
    Chaos(&'static str),
}

/// What an answer tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The RCODE's mnemonic, or its number.
    pub(super) rcode: String,
    /// NSID (RFC 5001), made printable.
    pub(super) nsid: Option<String>,
    /// The zone's version as ZONEVERSION tells it.
    pub(super) zone_version: Option<u32>,
    /// The serial in the SOA record.
    pub(super) serial: Option<u32>,
    /// The TXT record.
    pub(super) text: Option<String>,
}

/// The query under this ID; `None` for a name that hickory cannot encode.
pub(super) fn query(question: &Question, id: u16) -> Option<Vec<u8>> {
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD);
    edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new([]).ok()?));
    let (name, kind, class) = match question {
        Question::Zone(zone) => {
            edns.options_mut().insert(EdnsOption::Unknown(ZONEVERSION, Vec::new()));
            (zone.clone(), RecordType::SOA, DNSClass::IN)
        }
        Question::Chaos(name) => (name.parse().ok()?, RecordType::TXT, DNSClass::CH),
    };
    let mut query = Query::query(hickory_proto::rr::Name::from_bytes(name.as_wire()).ok()?, kind);
    query.set_query_class(class);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(query);
    message.set_edns(edns);
    message.to_vec().ok()
}

/// Whether these octets are a response under this ID.
pub(super) fn answers(octets: &[u8], id: u16) -> bool {
    matches!(octets, [high, low, flags, ..] if u16::from_be_bytes([*high, *low]) == id && flags & 0x80 != 0)
}

/// Reads an answer.
pub(super) fn read(octets: &[u8]) -> Result<Said, String> {
    let answer =
        Message::from_vec(octets).map_err(|error| format!("an answer that is no DNS message: {error}"))?;
    let mut said = Said { rcode: rcode(answer.metadata.response_code), ..Said::default() };
    if let Some(edns) = &answer.edns {
        if let Some(EdnsOption::NSID(payload)) = edns.option(EdnsCode::NSID) {
            said.nsid = Some(printable(payload.as_ref()));
        }
        if let Some(EdnsOption::Unknown(_, octets)) = edns.option(EdnsCode::Unknown(ZONEVERSION)) {
            said.zone_version = match octets.as_slice() {
                [_labels, SOA_SERIAL, serial @ ..] => serial.try_into().ok().map(u32::from_be_bytes),
                _ => None,
            };
        }
    }
    for record in &answer.answers {
        match &record.data {
            RData::SOA(soa) if said.serial.is_none() => said.serial = Some(soa.serial),
            RData::TXT(text) if said.text.is_none() => said.text = Some(printable(&text.txt_data.concat())),
            _ => {}
        }
    }
    Ok(said)
}

/// What comes from the network must not reach the terminal as it is.
fn printable(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).escape_debug().take(MOST_SHOWN).collect()
}

/// The mnemonics of RFC 1035 section 4.1.1, else the number.
fn rcode(code: ResponseCode) -> String {
    let number = u16::from(code);
    let known = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    known.get(usize::from(number)).map_or_else(|| format!("RCODE {number}"), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_made_printable() {
        let question = Question::Zone("example.org".parse().unwrap());
        let mut octets = query(&question, 7).unwrap();
        assert!(!answers(&octets, 7));
        octets[2] |= 0x80;
        octets[3] |= 5;
        assert!(answers(&octets, 7) && !answers(&octets, 8) && !answers(&[], 7));
        let said = read(&octets).unwrap();
        assert_eq!((said.rcode.as_str(), said.zone_version), ("REFUSED", None));
        assert_eq!(printable(b"a\x1b[31m\xff"), "a\\u{1b}[31m\u{fffd}");
        assert_eq!(printable(&[b'a'; 300]).len(), MOST_SHOWN);
        for cut in 0..octets.len() {
            let _ = read(&octets[..cut]);
        }
    }
}
