//! What a response must be: what the case says, and what holds for every response.

use crate::query::FLAGS;
use crate::response::Response;
use crate::scenario::{Expected, Wanted};

const OPCODE: u16 = 0x7800;

pub(crate) fn faults(query: &[u8], response: &Response, expected: &Expected, limit: usize) -> Vec<String> {
    let mut faults = always(query, response, expected, limit);
    let mut compare = |what: &str, found: String, wanted: String| {
        if found != wanted {
            faults.push(format!("{what}: found {found}, expected {wanted}"));
        }
    };
    compare("RCODE", response.rcode(), expected.rcode.clone());
    compare("flags", response.flags(), ordered(&expected.flags));
    for (index, name) in ["answer", "authority", "additional"].into_iter().enumerate() {
        let found = response.section(index);
        match &expected.sections[index] {
            Wanted::Records(wanted) => {
                let mut wanted = wanted.clone();
                wanted.sort();
                compare(name, format!("{found:?}"), format!("{wanted:?}"));
            }
            Wanted::Count(wanted) => {
                compare(name, format!("{} records", found.len()), format!("{wanted} records"))
            }
            Wanted::Anything => {}
        }
    }
    let (found, wanted) = (response.options(), &expected.options);
    let agree = found.len() == wanted.len()
        && wanted.iter().all(|wanted| found.iter().any(|found| matches(found, wanted)));
    compare(
        "options",
        format!("{found:?}"),
        if agree { format!("{found:?}") } else { format!("{wanted:?}") },
    );
    if let Some(multiple) = expected.multiple_of {
        let octets = response.octets.len();
        compare("octets", format!("{octets}"), octets.next_multiple_of(multiple).to_string());
    }
    faults
}

/// What holds for every response.
fn always(query: &[u8], response: &Response, expected: &Expected, limit: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    must(response.octets[..2] == query[..2], "the ID is another one");
    must(response.flag_word() & 0x8000 != 0, "QR is clear");
    let opcode = u16::from_be_bytes([query[2], query[3]]) & OPCODE;
    must(response.flag_word() & OPCODE == opcode, "the opcode is another one");
    must(response.octets.len() <= limit, "longer than the client takes");
    must(response.message.edns.is_some() == expected.opt, "OPT: there where it must not be, or not there");
    if let Some(edns) = &response.message.edns {
        must(edns.version() == 0, "the EDNS version is not 0");
        let asked = anyns::wire::Query::parse(query).and_then(|query| query.edns);
        must(asked.is_some_and(|asked| asked.dnssec_ok) == edns.flags().dnssec_ok, "DO is not the query's");
        must(edns.flags().z == 0, "an unknown EDNS flag is set");
        must(edns.max_payload() >= 512, "a payload of less than 512 octets");
    }
    let length = question_length(query);
    let repeated =
        response.octets[4..6] == [0, 1] && query.get(12..12 + length) == response.octets.get(12..12 + length);
    let absent = response.octets[4..6] == [0, 0];
    must(
        if expected.question { repeated } else { absent },
        "question: not repeated octet by octet, or repeated",
    );
    faults
}

fn question_length(query: &[u8]) -> usize {
    anyns::wire::name_length(query.get(12..).unwrap_or(&[])).map_or(0, |name| name + 4)
}

fn ordered(flags: &str) -> String {
    let set = FLAGS.iter().filter(|(name, _)| flags.split_whitespace().any(|flag| flag == *name));
    set.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// `COOKIE=0011+16` stands for these octets and any 16 more, `PADDING=*` for anything.
fn matches(found: &str, wanted: &str) -> bool {
    if let Some(front) = wanted.strip_suffix('*') {
        return found.starts_with(front);
    }
    match wanted.rsplit_once('+') {
        Some((front, more)) => {
            found.starts_with(front) && found.len() == front.len() + 2 * more.parse::<usize>().unwrap()
        }
        None => found == wanted,
    }
}
