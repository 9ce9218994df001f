//! Two answers to one question: what differs, and what is wrong with one by itself.

use super::message::{AA, Message, Record, TC};
use super::questions::{ANY, Question};

/// Whether the additional section is compared only where it holds glue. The others add addresses to MX, SRV and NS
/// answers by policies of their own, which no setting switches off.
const ADDITIONAL_IS_GLUE_ONLY: bool = true;

/// Octets that anyns keeps free for an extended error (RFC 8914), used or not.
const RESERVED: usize = 6;

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
/// it (RFC 8482 section 4.1).
pub fn differences(
    question: &Question,
    ours: Option<&Message>,
    theirs: Option<&Message>,
    all: &[&Record],
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
        ANY if !ours.sections[0].is_empty() && !theirs.sections[0].is_empty() => {
            ours.sections[0].iter().all(|record| all.contains(&record))
        }
        _ => ours.sections[0] == theirs.sections[0],
    };
    note("answer", answer);
    note("authority", ours.sections[1] == theirs.sections[1]);
    if ADDITIONAL_IS_GLUE_ONLY {
        note("glue", !is_referral(ours) || !is_referral(theirs) || glue(ours) == glue(theirs));
    } else {
        note("additional", ours.sections[2] == theirs.sections[2]);
    }
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
    if let Some(record) = message.repeated() {
        faults.push(format!("a record stands twice: {}", record.text()));
    }
    if let Some(whole) = whole {
        let truncated = message.flags & TC != 0;
        if whole.flags & TC != 0 {
            faults.push("TC over TCP".to_owned());
        }
        if truncated && whole.length + RESERVED <= limit {
            faults.push(format!("TC, although the whole answer is {} of {limit} octets", whole.length));
        }
        if !truncated && message.sections[..2] != whole.sections[..2] {
            faults.push("no TC, but over TCP answer or authority say more".to_owned());
        }
    }
    faults
}
