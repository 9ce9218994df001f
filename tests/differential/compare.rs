//! Two answers to one question: what differs, and what is wrong with one by itself.

use super::message::{AA, Message, RRSIG, Record, TC};
use super::model;
use super::name::Name;
use super::questions::{ANY, Question};
use super::zone::Zone;

/// QR, opcode, RD, RA, Z, AD and CD by name; AA and TC are looked at apart.
const FLAGS: [(u16, &str); 7] = [
    (0x8000, "qr"),
    (0x7800, "opcode"),
    (0x0100, "rd"),
    (0x0080, "ra"),
    (0x0040, "z"),
    (0x0020, "ad"),
    (0x0010, "cd"),
];
const A: u16 = 1;
const AAAA: u16 = 28;
const NS: u16 = 2;

/// What differs between two answers. `all` is the answer sections of every server: an ANY answer may be any part of
/// it (RFC 8482 section 4.1), and so may one to RRSIG, for which no section wants all of them. `zones` is the family.
pub fn differences(
    question: &Question,
    ours: Option<&Message>,
    theirs: Option<&Message>,
    all: &[&Record],
    zones: &[Zone],
) -> Vec<&'static str> {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return if ours.is_some() == theirs.is_some() { Vec::new() } else { vec!["no-answer"] };
    };
    let mut differs = Vec::new();
    let mut note = |what, equal: bool| {
        if !equal {
            differs.push(what);
        }
    };
    note("rcode", ours.rcode == theirs.rcode);
    note("aa", ours.flags & AA == theirs.flags & AA);
    for (bits, name) in FLAGS {
        note(name, ours.flags & bits == theirs.flags & bits);
    }
    note("question", ours.question == theirs.question);
    note("opt", ours.opt == theirs.opt);
    let answer = match question.record_type {
        ANY | RRSIG if !ours.sections[0].is_empty() && !theirs.sections[0].is_empty() => {
            ours.sections[0].iter().all(|record| all.contains(&record))
        }
        _ => ours.sections[0] == theirs.sections[0],
    };
    note("answer", answer);
    note("authority", ours.sections[1] == theirs.sections[1]);
    note("glue", !is_referral(ours) || !is_referral(theirs) || glue(ours) == glue(theirs));
    note("additional", additional_agree(ours, theirs, zones));
    differs
}

/// A referral: no answer, not authoritative, NS records (RFC 1034 section 4.3.2 step 3b).
fn is_referral(message: &Message) -> bool {
    let has_ns = message.sections[1].iter().any(|record| record.record_type == NS);
    message.sections[0].is_empty() && has_ns && message.flags & AA == 0
}

/// The addresses of servers inside the delegated zone: those that must be there (RFC 9471 section 3.1). Which others go
/// along is each server's own choice.
fn glue(message: &Message) -> Vec<&Record> {
    let cut = message.sections[1].iter().find(|record| record.record_type == NS).map(|record| &record.owner);
    let inside = |record: &&Record| cut.is_some_and(|cut| record.owner.ends_with(cut));
    let addresses = message.sections[2].iter().filter(|record| matches!(record.record_type, A | AAAA));
    addresses.filter(inside).collect()
}

/// Whether the additional sections hold the same records wherever both have any of one owner and type. What they add
/// to MX, SRV, NS and others is each server's own choice (RFC 1034 section 4.3.2 step 6: "attempt to"), and no setting
/// makes it the same. So it is where a zone has glue for a name of another zone that is served: either may be added.
fn additional_agree(ours: &Message, theirs: &Message, zones: &[Zone]) -> bool {
    ours.sections[2].iter().all(|record| {
        let others = additional_set(theirs, record);
        let is_same = || others == additional_set(ours, record);
        others.is_empty() || is_same() || model::stands_twice(zones, &Name::from_wire(&record.owner))
    })
}

/// The additional records with this one's owner, type and, for signatures, covered type.
fn additional_set<'m>(message: &'m Message, like: &Record) -> Vec<&'m Record> {
    let key = |record: &Record| (record.owner.clone(), record.record_type, record.kind());
    message.sections[2].iter().filter(|record| key(record) == key(like)).collect()
}

/// What is wrong with an answer of anyns, whatever the others say. `whole` is the answer over TCP, if it was asked for.
pub fn faults(question: &Question, message: &Message, whole: Option<&Message>) -> Vec<String> {
    let mut faults = Vec::new();
    let sent = question.message(0);
    let question_end = 12 + question.name.wire_length() + 4;
    if message.question != sent[12..question_end] {
        faults.push("the question is not repeated octet by octet".to_owned());
    }
    let limit = question.limit();
    if message.length > limit {
        faults.push(format!("{} octets, {limit} are allowed", message.length));
    }
    if let Some(record) = &message.repeated {
        faults.push(format!("a record stands twice: {}", record.text()));
    }
    if let Some(whole) = whole {
        let truncated = message.flags & TC != 0;
        if whole.flags & TC != 0 {
            faults.push("TC over TCP".to_owned());
        }
        if truncated && whole.length <= limit {
            faults.push(format!("TC, although the whole answer is {} of {limit} octets", whole.length));
        }
        if !truncated && message.sections[..2] != whole.sections[..2] {
            faults.push("no TC, but over TCP answer or authority say more".to_owned());
        }
    }
    faults
}
