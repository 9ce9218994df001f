//! The query parser: header, question, EDNS (RFC 1035 section 4.1, RFC 6891 section 6.1).
//!
//! Bytes in, a [`Query`] out, with what could be read even of a faulty one, so that FORMERR can repeat it. Every
//! octet is read at most once; pointers are never followed.

use super::octets::HEADER;
use super::{LookupName, RecordType, flag, name_length, opcode};

/// EDNS options that are looked for (IANA "DNS EDNS0 Option Codes").
pub mod option {
    /// NSID (RFC 5001 section 4.2).
    pub const NSID: u16 = 3;
    /// EXPIRE (RFC 7314 section 2).
    pub const EXPIRE: u16 = 9;
    /// COOKIE (RFC 7873 section 4).
    pub const COOKIE: u16 = 10;
    /// edns-tcp-keepalive (RFC 7828 section 3.1).
    pub const TCP_KEEPALIVE: u16 = 11;
    /// Padding (RFC 7830 section 3).
    pub const PADDING: u16 = 12;
    /// Extended DNS Error (RFC 8914 section 2).
    pub const EXTENDED_ERROR: u16 = 15;
    /// Report-Channel (RFC 9567 section 5).
    pub const REPORT_CHANNEL: u16 = 18;
    /// ZONEVERSION (RFC 9660 section 2.1).
    pub const ZONE_VERSION: u16 = 19;
}

/// The DO bit of the EDNS flags (RFC 3225 section 3).
const DNSSEC_OK: u16 = 0x8000;

/// The header of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The query's ID, chosen by the client.
    pub id: u16,
    /// QR, opcode, flags and RCODE as they came; see [`flag`].
    pub flags: u16,
    /// QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT.
    pub counts: [u16; 4],
}

/// The one question of a query.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// QNAME in uncompressed wire form, its case kept; at most 255 octets.
    pub name: &'a [u8],
    /// QTYPE.
    pub record_type: RecordType,
    /// QCLASS.
    pub class: u16,
    /// The whole question as it came: the answer repeats it octet by octet, so that its case stays.
    pub octets: &'a [u8],
}

impl Question<'_> {
    /// Makes `name` QNAME.
    pub fn name_into(&self, name: &mut LookupName) {
        // The parser has checked it.
        name.set(self.name);
    }
}

/// What the OPT record of a query says (RFC 6891 section 6.1.3).
///
/// Of an option that stands there more than once, the first counts (RFC 7873 section 5.2 says so for COOKIE). What is
/// in an option is not judged here: which of them count depends on the transport and the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edns<'a> {
    /// The largest UDP payload that the requestor takes, in octets, as it came.
    pub payload: u16,
    /// The EDNS version; this server knows 0.
    pub version: u8,
    /// The DO bit.
    pub dnssec_ok: bool,
    /// Whether the NSID option was sent (RFC 5001 section 2.1; what is in it does not matter).
    pub nsid: bool,
    /// What is in the COOKIE option.
    pub cookie: Option<&'a [u8]>,
    /// What is in the edns-tcp-keepalive option.
    pub tcp_keepalive: Option<&'a [u8]>,
    /// Whether the Padding option was sent (RFC 7830 section 3; what is in it does not matter).
    pub padding: bool,
    /// What is in the ZONEVERSION option.
    pub zone_version: Option<&'a [u8]>,
}

/// Why a query is answered FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFault {
    /// QDCOUNT is not 1 (RFC 9619 section 4).
    #[error("a query has one question, not {0}")]
    QuestionCount(u16),
    /// QNAME is compressed, too long, or the question ends early.
    #[error("the question cannot be read")]
    BadQuestion,
    /// A record after the question ends early.
    #[error("a record after the question cannot be read")]
    BadRecord,
    /// More than one OPT record (RFC 6891 section 6.1.1).
    #[error("more than one OPT record")]
    SecondOpt,
    /// The OPT record's owner is not the root, or its options end early (RFC 6891 section 6.1.2).
    #[error("the OPT record cannot be read")]
    BadOpt,
    /// A record stands after the TSIG record, or this is not in the additional section (RFC 8945 section 5.1).
    #[error("the TSIG record is not the last one")]
    TsigNotLast,
    /// Octets are left after the last record.
    #[error("{0} octets are left after the last record")]
    TrailingOctets(usize),
}

/// A query, as far as it could be read.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The header.
    pub header: Header,
    /// The question, if there is one that can be read.
    pub question: Option<Question<'a>>,
    /// EDNS, if there is an OPT record that can be read.
    pub edns: Option<Edns<'a>>,
    /// The TSIG record from its owner on, if there is one, in its place (RFC 8945 section 5.1); what is in it is not judged here.
    pub tsig: Option<&'a [u8]>,
    /// What is wrong with the message.
    pub fault: Option<QueryFault>,
}

impl<'a> Query<'a> {
    /// Reads a message; `None` if nothing may be sent back: shorter than a header, or itself a response.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor { rest: message };
        let header = Header {
            id: cursor.u16()?,
            flags: cursor.u16()?,
            counts: [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?],
        };
        debug_assert_eq!(message.len() - cursor.rest.len(), HEADER);
        if header.flags & flag::QR != 0 {
            return None;
        }
        let mut query = Self { header, question: None, edns: None, tsig: None, fault: None };
        query.fault = query.read_sections(&mut cursor).err();
        Some(query)
    }

    /// The [`opcode`], 0 to 15.
    pub fn opcode(&self) -> u8 {
        opcode::of_flags(self.header.flags)
    }

    fn read_sections(&mut self, cursor: &mut Cursor<'a>) -> Result<(), QueryFault> {
        let [questions, ..] = self.header.counts;
        if questions != 1 {
            // OPT is still looked for: it says which form the FORMERR has, and a COOKIE may come without a question.
            let _ = self.read_without_question(cursor);
            return Err(QueryFault::QuestionCount(questions));
        }
        self.question = Some(read_question(cursor).ok_or(QueryFault::BadQuestion)?);
        self.read_records(cursor)
    }

    /// Reads on behind any number of questions but one, none of which is kept.
    fn read_without_question(&mut self, cursor: &mut Cursor<'a>) -> Result<(), QueryFault> {
        let [questions, ..] = self.header.counts;
        for _ in 0..questions {
            read_question(cursor).ok_or(QueryFault::BadQuestion)?;
        }
        let read = self.read_records(cursor);
        if read.is_err() {
            self.edns = None;
        }
        read
    }

    fn read_records(&mut self, cursor: &mut Cursor<'a>) -> Result<(), QueryFault> {
        let [_, answers, authorities, additionals] = self.header.counts;
        for _ in 0..u32::from(answers) + u32::from(authorities) {
            let record = read_record(cursor).ok_or(QueryFault::BadRecord)?;
            if record.record_type == RecordType::TSIG {
                return Err(QueryFault::TsigNotLast);
            }
        }
        for left in (0..additionals).rev() {
            let before = cursor.rest;
            let record = read_record(cursor).ok_or(QueryFault::BadRecord)?;
            if record.record_type == RecordType::OPT {
                if self.edns.is_some() {
                    return Err(QueryFault::SecondOpt);
                }
                self.edns = Some(read_opt(&record).ok_or(QueryFault::BadOpt)?);
            } else if record.record_type == RecordType::TSIG {
                if left > 0 {
                    return Err(QueryFault::TsigNotLast);
                }
                self.tsig = before.get(..before.len() - cursor.rest.len());
            }
        }
        match cursor.rest.len() {
            0 => Ok(()),
            left => Err(QueryFault::TrailingOctets(left)),
        }
    }
}

/// A record of a query, its owner and RDATA not looked into.
struct RawRecord<'a> {
    at_root: bool,
    record_type: RecordType,
    class: u16,
    ttl: u32,
    rdata: &'a [u8],
}

fn read_question<'a>(cursor: &mut Cursor<'a>) -> Option<Question<'a>> {
    let before = cursor.rest;
    // A pointer in QNAME would point into the header or at itself: refused.
    let name = cursor.take(name_length(before).ok()?)?;
    let record_type = RecordType(cursor.u16()?);
    let class = cursor.u16()?;
    let octets = before.get(..before.len() - cursor.rest.len())?;
    Some(Question { name, record_type, class, octets })
}

fn read_record<'a>(cursor: &mut Cursor<'a>) -> Option<RawRecord<'a>> {
    let at_root = skip_name(cursor)? == 0;
    let record_type = RecordType(cursor.u16()?);
    let class = cursor.u16()?;
    let ttl = u32::from(cursor.u16()?) << 16 | u32::from(cursor.u16()?);
    let length = cursor.u16()?;
    let rdata = cursor.take(usize::from(length))?;
    Some(RawRecord { at_root, record_type, class, ttl, rdata })
}

/// Skips a name that may end in a pointer, which is not followed; says how many octets of labels or pointer it had.
fn skip_name(cursor: &mut Cursor<'_>) -> Option<usize> {
    if let Ok(length) = name_length(cursor.rest) {
        cursor.take(length)?;
        return Some(length - 1);
    }
    let mut octets = 0;
    loop {
        let length = cursor.u8()?;
        match length {
            1..=63 => {
                cursor.take(usize::from(length))?;
                octets += 1 + usize::from(length);
            }
            192..=255 => {
                cursor.u8()?;
                return Some(octets + 2);
            }
            _ => return None,
        }
    }
}

fn read_opt<'a>(record: &RawRecord<'a>) -> Option<Edns<'a>> {
    if !record.at_root {
        return None;
    }
    let mut edns = Edns {
        payload: record.class,
        version: (record.ttl >> 16) as u8,
        // The other flag bits are ignored (RFC 6891 section 6.1.4).
        dnssec_ok: record.ttl as u16 & DNSSEC_OK != 0,
        ..Edns::default()
    };
    let mut cursor = Cursor { rest: record.rdata };
    while !cursor.rest.is_empty() {
        let code = cursor.u16()?;
        let length = cursor.u16()?;
        let octets = cursor.take(usize::from(length))?;
        match code {
            option::NSID => edns.nsid = true,
            option::COOKIE => edns.cookie = edns.cookie.or(Some(octets)),
            option::TCP_KEEPALIVE => edns.tcp_keepalive = edns.tcp_keepalive.or(Some(octets)),
            option::PADDING => edns.padding = true,
            option::ZONE_VERSION => edns.zone_version = edns.zone_version.or(Some(octets)),
            // Options that are not known are ignored (RFC 6891 section 6.1.2).
            _ => {}
        }
    }
    Some(edns)
}

/// What has not been read yet.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\x80\0\0\x04\0\x03\0\0";

    const TSIG: &[u8] = b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\0";

    fn message(counts: [u8; 4], body: &[&[u8]]) -> Vec<u8> {
        let mut octets = vec![0xab, 0xcd, 1, 0];
        octets.extend(counts.iter().flat_map(|&count| [0, count]));
        octets.extend(body.iter().copied().flatten());
        octets
    }

    #[test]
    fn a_whole_query() {
        let octets = message([1, 0, 0, 1], &[b"\x01A\0\0\x01\0\x01", OPT]);
        let query = Query::parse(&octets).unwrap();
        assert_eq!(query.fault, None);
        assert_eq!(query.header.id, 0xabcd);
        assert_eq!(query.edns, Some(Edns { payload: 1232, dnssec_ok: true, nsid: true, ..Edns::default() }));
        let question = query.question.unwrap();
        assert_eq!(question.name, b"\x01A\0");
        assert_eq!(question.octets, b"\x01A\0\0\x01\0\x01");
    }

    #[test]
    fn of_an_option_that_stands_there_twice_the_first_counts() {
        let opt =
            b"\0\0\x29\x04\xd0\0\0\0\0\0\x19\0\x0a\0\x02ab\0\x0a\0\x01c\0\x0b\0\0\0\x0c\0\0\0\x13\0\x02xy";
        for questions in [0, 2] {
            let octets = message([questions, 0, 0, 1], &[&b"\0\0\x01\0\x01".repeat(questions.into()), opt]);
            let query = Query::parse(&octets).unwrap();
            assert_eq!(query.fault, Some(QueryFault::QuestionCount(questions.into())));
            let edns = query.edns.unwrap();
            assert_eq!((edns.cookie, edns.tcp_keepalive), (Some(&b"ab"[..]), Some(&b""[..])));
            assert_eq!((edns.padding, edns.zone_version, edns.nsid), (true, Some(&b"xy"[..]), false));
        }
    }

    #[test]
    fn faults_have_their_names() {
        let question: &[u8] = b"\x01a\0\0\x01\0\x01";
        type Case<'a> = ([u8; 4], &'a [&'a [u8]], QueryFault);
        let cases: &[Case<'_>] = &[
            ([0, 0, 0, 0], &[], QueryFault::QuestionCount(0)),
            ([2, 0, 0, 0], &[question, question], QueryFault::QuestionCount(2)),
            ([1, 0, 0, 0], &[b"\x01a\0\0\x01\0"], QueryFault::BadQuestion),
            ([1, 0, 0, 0], &[b"\xc0\x0c\0\x01\0\x01"], QueryFault::BadQuestion),
            ([1, 0, 0, 1], &[question], QueryFault::BadRecord),
            ([1, 1, 0, 0], &[question, OPT, b"\0"], QueryFault::TrailingOctets(1)),
            ([1, 0, 0, 2], &[question, OPT, OPT], QueryFault::SecondOpt),
            ([1, 0, 0, 1], &[question, b"\x01a", OPT], QueryFault::BadOpt),
            ([1, 0, 0, 1], &[question, b"\xc0\x0e", &OPT[1..]], QueryFault::BadOpt),
            ([1, 0, 0, 1], &[question, b"\0\0\x29\0\0\0\0\0\0\0\x03\0\x03\0"], QueryFault::BadOpt),
            ([1, 0, 0, 0], &[question, b"xyz"], QueryFault::TrailingOctets(3)),
            ([1, 0, 0, 2], &[question, TSIG, OPT], QueryFault::TsigNotLast),
            ([1, 0, 0, 2], &[question, TSIG, TSIG], QueryFault::TsigNotLast),
            ([1, 1, 0, 0], &[question, TSIG], QueryFault::TsigNotLast),
            ([1, 0, 0, 1], &[question, TSIG, b"x"], QueryFault::TrailingOctets(1)),
        ];
        for (counts, body, fault) in cases {
            let octets = message(*counts, body);
            assert_eq!(Query::parse(&octets).unwrap().fault, Some(*fault), "{octets:?}");
        }
    }

    #[test]
    fn nothing_is_sent_back_to_a_response_or_a_fragment() {
        assert!(Query::parse(&[0; 11]).is_none());
        let mut response = [0; 12];
        response[2] = 0x80;
        assert!(Query::parse(&response).is_none());
        assert!(Query::parse(&[0; 12]).is_some());
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = Query::parse(&octets);
        }
    }
}
