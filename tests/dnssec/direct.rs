//! What must hold of every answer of ours by itself, without a validator: no record twice, referrals with their proof.

use std::collections::BTreeSet;

use hickory_proto::rr::Record;

use crate::wire::Response;

const NS: u16 = 2;
const CNAME: u16 = 5;
const DNAME: u16 = 39;
const DS: u16 = 43;
const RRSIG: u16 = 46;
const NSEC: u16 = 47;
const NSEC3: u16 = 50;

/// What is wrong with an answer of the zone `origin`.
pub(crate) fn fault(response: &Response, origin: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    for record in (0..3).flat_map(|index| response.section(index)) {
        if !seen.insert(format!("{record}").to_ascii_lowercase()) {
            return Some(format!("twice in the message: {record}"));
        }
    }
    let authority = response.section(1);
    for record in authority.iter().filter(|record| number(record) != NS && number(record) != RRSIG) {
        let signed = authority.iter().any(|other| number(other) == RRSIG && other.name == record.name);
        if !signed {
            return Some(format!("without a signature: {record}"));
        }
    }
    let cut = authority.iter().find(|record| number(record) == NS)?;
    let has = |wanted: u16| authority.iter().any(|record| number(record) == wanted);
    let denied = has(NSEC) || has(NSEC3);
    match has(DS) {
        true if denied => Some(format!("DS of {} is there and denied", cut.name)),
        false if !denied => Some(format!("nothing about the DS of {} below {origin}", cut.name)),
        _ => None,
    }
}

/// Whether some NSEC3 record of the answer has the opt-out flag.
pub(crate) fn is_opt_out(response: &Response) -> bool {
    response.section(1).iter().any(|record| number(record) == NSEC3 && rdata(record).get(1) == Some(&1))
}

/// Whether a DNAME made a CNAME that the question for this type asks for. Unbound 1.17 takes such an answer for bogus,
/// also an answer of NSD: on the way to the signer it asks for the DS of the name below the DNAME.
pub(crate) fn is_alias_below_dname(response: &Response, record_type: u16) -> bool {
    let answer = response.section(0);
    [CNAME, DNAME].contains(&record_type) && answer.iter().any(|record| number(record) == DNAME) && {
        answer.iter().any(|record| number(record) == CNAME)
    }
}

fn number(record: &Record) -> u16 {
    record.record_type().into()
}

/// RDATA in wire form, as types that hickory-proto does not know have it.
fn rdata(record: &Record) -> &[u8] {
    match &record.data {
        hickory_proto::rr::RData::Unknown { rdata, .. } => &rdata.anything,
        _ => &[],
    }
}
