//! How long an HTTP cache may keep an answer (RFC 8484 section 5.1). A DNS response in, seconds out. Pure.

use crate::wire::octets::{HEADER, RECORD_FIXED};
use crate::wire::{RecordType, soa};

/// The smallest TTL of the answer section; without one, what the SOA of a negative answer says (RFC 2308 section 5);
/// without that 0.
pub(super) fn seconds(response: &[u8]) -> u32 {
    read(response).unwrap_or(0)
}

fn read(response: &[u8]) -> Option<u32> {
    let [questions, answers, authorities] = [4, 6, 8].map(|at| number(response, at));
    let mut at = HEADER;
    for _ in 0..questions? {
        at = skip_name(response, at)? + 4;
    }
    let mut least = None;
    for _ in 0..answers? {
        let record = record(response, at)?;
        least = Some(least.map_or(record.ttl, |least: u32| least.min(record.ttl)));
        at = record.end;
    }
    if least.is_some() {
        return least;
    }
    for _ in 0..authorities? {
        let record = record(response, at)?;
        if record.record_type == RecordType::SOA.0 {
            let numbers = response.get(record.end.checked_sub(soa::NUMBERS)?..record.end)?;
            let minimum = u32::from_be_bytes(*numbers.last_chunk::<4>()?);
            return Some(record.ttl.min(minimum));
        }
        at = record.end;
    }
    None
}

struct Record {
    record_type: u16,
    ttl: u32,
    end: usize,
}

fn record(response: &[u8], at: usize) -> Option<Record> {
    let at = skip_name(response, at)?;
    let high = u32::from(number(response, at + 4)?);
    let ttl = high << 16 | u32::from(number(response, at + 6)?);
    let end = at + RECORD_FIXED + usize::from(number(response, at + 8)?);
    // A TTL with the highest bit set counts as 0 (RFC 2181 section 8).
    let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
    (end <= response.len()).then_some(Record { record_type: number(response, at)?, ttl, end })
}

/// Where a name ends; a pointer ends it (RFC 1035 section 4.1.4).
fn skip_name(response: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *response.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            192.. => return Some(at + 2),
            _ => return None,
        }
    }
}

fn number(response: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*response.get(at..)?.first_chunk::<2>()?))
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, MessageType, OpCode, Query};
    use hickory_proto::rr::rdata::{A, SOA};
    use hickory_proto::rr::{Name, RData, Record, RecordType};
    use proptest::prelude::*;

    use super::seconds;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn message(answers: &[u32], soa: Option<(u32, u32)>) -> Vec<u8> {
        let mut message = Message::new(0, MessageType::Response, OpCode::Query);
        message.queries.push(Query::query(name("a.example."), RecordType::A));
        for (index, ttl) in answers.iter().enumerate() {
            let address = RData::A(A::new(192, 0, 2, index as u8));
            message.answers.push(Record::from_rdata(name("a.example."), *ttl, address));
        }
        if let Some((ttl, minimum)) = soa {
            let soa = SOA::new(name("ns.example."), name("host.example."), 1, 2, 3, 4, minimum);
            message.authorities.push(Record::from_rdata(name("example."), ttl, RData::SOA(soa)));
        }
        message.to_vec().unwrap()
    }

    #[test]
    fn the_smallest_ttl_of_the_answers_or_what_the_soa_says() {
        for (answers, soa, expected) in [
            (vec![300], None, 300),
            (vec![300, 60, 900], Some((5, 5)), 60),
            (vec![0, 60], None, 0),
            (vec![u32::MAX, 60], None, 0),
            (vec![], Some((3600, 300)), 300),
            (vec![], Some((60, 300)), 60),
            (vec![], None, 0),
        ] {
            assert_eq!(seconds(&message(&answers, soa)), expected, "{answers:?} {soa:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_have_a_freshness(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            seconds(&octets);
        }
    }
}
