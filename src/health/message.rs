//! The question of a probe, and what is right or wrong about an answer. No I/O.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_proto::rr::{DNSClass, RData, RecordType};
use hickory_proto::serialize::binary::BinDecodable;

use crate::wire::Name;

/// The UDP payload size a probe offers (RFC 6891 section 6.2.3): what no usual path fragments (RFC 9715).
const UDP_PAYLOAD: u16 = 1232;

/// The most characters of a foreign NSID that are shown.
const MAX_SHOWN: usize = 64;

/// What is wrong about an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It cannot be decoded (RFC 1035 section 4.1).
    #[error("an answer that is no DNS message: {detail}")]
    Malformed {
        /// What the decoder says.
        detail: String,
    },
    /// Another ID, or not a response, over a connection that is the probe's own (RFC 1035 section 4.1.1).
    #[error("an answer to something else: the ID or the QR bit does not match")]
    Unasked,
    /// Another question than was asked (RFC 1035 section 4.1.2).
    #[error("an answer to another question than `{zone} IN SOA`")]
    OtherQuestion {
        /// The zone asked for.
        zone: Name,
    },
    /// NSID says another instance, so another server holds the address (RFC 5001).
    #[error("NSID says {found}, not `{expected}`: another server answers")]
    OtherInstance {
        /// This instance.
        expected: String,
        /// What NSID said, made printable.
        found: String,
    },
    /// Truncated (TC), although the answer fits any message.
    #[error("a truncated answer for {zone}: is the management address exempt from the rate limit?")]
    Truncated {
        /// The zone asked for.
        zone: Name,
    },
    /// An RCODE other than NOERROR.
    #[error("{rcode} for {zone}")]
    Rcode {
        /// The zone asked for.
        zone: Name,
        /// The mnemonic or the number.
        rcode: String,
    },
    /// AA is not set (RFC 1035 section 4.1.1).
    #[error("an answer for {zone} without AA")]
    NotAuthoritative {
        /// The zone asked for.
        zone: Name,
    },
    /// No SOA record of the zone in the answer section.
    #[error("no SOA record of {zone} in the answer")]
    NoSoa {
        /// The zone asked for.
        zone: Name,
    },
    /// The SOA record belongs to another name.
    #[error("the SOA record in the answer for {zone} belongs to {owner}")]
    OtherOwner {
        /// The zone asked for.
        zone: Name,
        /// The owner in the answer.
        owner: String,
    },
}

impl AnswerFault {
    /// Whether the fault is the server's as a whole; the others are one zone's.
    pub fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Malformed { .. } | Self::Unasked | Self::OtherQuestion { .. } | Self::OtherInstance { .. }
        )
    }
}

/// One question on its way: the zone's SOA, with NSID asked for.
#[derive(Clone, Debug)]
pub(super) struct Question {
    zone: Name,
    id: u16,
    query: Query,
    octets: Vec<u8>,
}

impl Question {
    /// Asks for the SOA record of `zone` under a random ID; `None` for a name hickory cannot encode.
    pub(super) fn new(zone: &Name) -> Option<Self> {
        Self::of(zone, RecordType::SOA, DNSClass::IN)
    }

    fn of(zone: &Name, record_type: RecordType, class: DNSClass) -> Option<Self> {
        let id = fastrand::u16(..);
        let name = hickory_proto::rr::Name::from_bytes(zone.as_wire()).ok()?;
        let mut query = Query::query(name, record_type);
        query.set_query_class(class);
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD);
        edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new([]).ok()?));
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.add_query(query.clone());
        message.set_edns(edns);
        let octets = message.to_vec().ok()?;
        Some(Self { zone: zone.clone(), id, query, octets })
    }

    /// Asks who answers: TXT of `id.server` in class CH (RFC 4892), and NSID.
    pub(super) fn identity() -> Option<Self> {
        let zone: Name = "id.server".parse().ok()?;
        Self::of(&zone, RecordType::TXT, DNSClass::CH)
    }

    /// The message.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether these octets claim to be the response: same ID, QR set. Anything else on a UDP socket is not ours.
    pub(super) fn is_answered_by(&self, octets: &[u8]) -> bool {
        matches!(octets, [high, low, flags, ..]
            if u16::from_be_bytes([*high, *low]) == self.id && flags & 0x80 != 0)
    }

    /// What is wrong about this answer, the server's faults before the zone's.
    pub(super) fn judge(&self, octets: &[u8], instance: &str) -> Result<(), AnswerFault> {
        if !self.is_answered_by(octets) {
            return Err(AnswerFault::Unasked);
        }
        let answer = Message::from_vec(octets)
            .map_err(|error| AnswerFault::Malformed { detail: error.to_string() })?;
        let zone = self.zone.clone();
        // A server that cannot read the question sends FORMERR or NOTIMP without it: the RCODE says more.
        let unread = answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError;
        if answer.queries != [self.query.clone()] && !unread {
            return Err(AnswerFault::OtherQuestion { zone });
        }
        // A response that was cut short or refused early may come without OPT.
        let early = unread || answer.metadata.truncation;
        if !early || answer.edns.is_some() {
            check_instance(&answer, instance)?;
        }
        self.judge_zone(&answer)
    }

    fn judge_zone(&self, answer: &Message) -> Result<(), AnswerFault> {
        let zone = self.zone.clone();
        if answer.metadata.truncation {
            return Err(AnswerFault::Truncated { zone });
        }
        if answer.metadata.response_code != ResponseCode::NoError {
            return Err(AnswerFault::Rcode { zone, rcode: rcode(answer.metadata.response_code) });
        }
        if self.query.query_class() == DNSClass::CH {
            // NSID says who answers; no server is authoritative for this class.
            return Ok(());
        }
        if !answer.metadata.authoritative {
            return Err(AnswerFault::NotAuthoritative { zone });
        }
        let soa = answer.answers.iter().find(|record| matches!(record.data, RData::SOA(_)));
        match soa {
            Some(record) if record.name != self.query.name || record.dns_class != DNSClass::IN => {
                Err(AnswerFault::OtherOwner { zone, owner: record.name.to_ascii() })
            }
            Some(_) => Ok(()),
            None => Err(AnswerFault::NoSoa { zone }),
        }
    }
}

fn check_instance(answer: &Message, instance: &str) -> Result<(), AnswerFault> {
    let nsid = answer.edns.as_ref().and_then(|edns| edns.option(EdnsCode::NSID));
    let found = match nsid {
        Some(EdnsOption::NSID(payload)) if payload.as_ref() == instance.as_bytes() => return Ok(()),
        Some(EdnsOption::NSID(payload)) => format!("`{}`", printable(payload.as_ref())),
        _ => "nothing".into(),
    };
    Err(AnswerFault::OtherInstance { expected: instance.into(), found })
}

fn printable(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).escape_default().take(MAX_SHOWN).collect()
}

/// The mnemonics of RFC 1035 section 4.1.1 and RFC 6891 section 9, else the number.
fn rcode(code: ResponseCode) -> String {
    match u16::from(code) {
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "NXDOMAIN".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        16 => "BADVERS".into(),
        number => format!("RCODE {number}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::responder::{Manner, answer};
    use super::*;

    fn exchange() -> (Question, Vec<u8>) {
        let question = Question::new(&"Example.org".parse().unwrap()).unwrap();
        let answer = answer(question.octets(), Manner::Right).unwrap();
        (question, answer)
    }

    fn fault(change: impl FnOnce(&mut Vec<u8>)) -> String {
        let (question, mut answer) = exchange();
        assert_eq!(question.judge(&answer, "pop1"), Ok(()));
        change(&mut answer);
        question.judge(&answer, "pop1").unwrap_err().to_string()
    }

    #[test]
    fn every_fault_has_its_name() {
        assert!(fault(|answer| answer[0] ^= 1).contains("the ID or the QR bit"));
        assert!(fault(|answer| answer[2] &= 0x7f).contains("the ID or the QR bit"));
        assert!(fault(|answer| answer.truncate(20)).contains("no DNS message"));
        assert!(fault(|answer| answer[13] = b'x').contains("another question than `Example.org. IN SOA`"));
        assert!(fault(|answer| answer[2] |= 2).contains("truncated"));
        assert!(fault(|answer| answer[2] &= !4).contains("without AA"));
        assert!(fault(|answer| answer[3] |= 5).contains("REFUSED for Example.org."));
        // The OPT record, 19 octets, is the last: without it NSID says nothing.
        assert!(
            fault(|answer| {
                answer.truncate(answer.len() - 19);
                answer[11] = 0;
            })
            .contains("NSID says nothing, not `pop1`")
        );
        // The SOA record, 34 octets, stands before it.
        assert!(
            fault(|answer| {
                let opt = answer.split_off(answer.len() - 19);
                answer.truncate(answer.len() - 34);
                answer.extend(opt);
                answer[7] = 0;
            })
            .contains("no SOA record")
        );
    }

    #[test]
    fn a_formerr_without_the_question_is_an_rcode() {
        let (question, _) = exchange();
        let answer = [&question.octets()[..2], &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(question.judge(&answer, "pop1").unwrap_err().to_string(), "FORMERR for Example.org.");
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let (question, _) = exchange();
            prop_assert!(question.judge(&noise, "pop1").is_err());
            let framed = [&question.octets()[..2], &[0x84, 0], &noise[..]].concat();
            prop_assert!(question.judge(&framed, "pop1").is_err());
        }

        #[test]
        fn a_damaged_answer_makes_it_not_panic(at in 0usize..80, octet: u8) {
            let (question, mut answer) = exchange();
            let at = at % answer.len();
            answer[at] = octet;
            let _ = question.judge(&answer, "pop1");
        }
    }
}
