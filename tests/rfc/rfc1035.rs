//! RFC 1035: the message, section 4.1, and what is answered to a broken one.

use std::sync::LazyLock;

use anyns::answer::{Outcome, truncated};
use anyns::wire::RecordType;

use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let many: String = (0..200).map(|n| format!("many A 10.0.0.{n}\n")).collect();
        world(&[("example.", &format!("{APEX}www A 192.0.2.1\n{many}mail MX 10 mx\n"))])
    });
    &WORLD
}

#[test]
fn section_4_1_1_flags() {
    each(zones(), &query("www.example.", "A"), |response| {
        // QR, AA, RD; opcode, TC, RA, Z, AD, CD clear.
        assert_eq!(response.octets[2..4], [0x85, 0x00]);
    });
    let mut all = query("www.example.", "A");
    // AA, TC, RD, RA, Z, AD, CD and an RCODE in a query: only RD comes back (RFC 4035 section 3.1.6 for CD).
    all[2] = 0x07;
    all[3] = 0xff;
    each(zones(), &all, |response| assert_eq!(response.octets[2..4], [0x85, 0x00]));
}

#[test]
fn responses_and_fragments_are_not_answered() {
    let mut response = query("www.example.", "A");
    response[2] |= 0x80;
    ignored(zones(), &response);
    ignored(zones(), &query("www.example.", "A")[..11]);
    ignored(zones(), &[]);
}

#[test]
fn broken_queries_are_formerr() {
    let whole = query("www.example.", "A");
    let mut no_question = whole[..12].to_vec();
    no_question[5] = 0;
    let mut two_questions = whole.clone();
    two_questions[5] = 2;
    two_questions.extend_from_slice(&whole[12..]);
    let mut trailing = whole.clone();
    trailing.push(0);
    let mut pointer = whole[..12].to_vec();
    pointer.extend([0xc0, 0x0c, 0, 1, 0, 1]);
    for octets in [&no_question, &two_questions, &trailing, &pointer, &whole[..20].to_vec()] {
        each(zones(), octets, |response| {
            assert_eq!((response.rcode(), response.aa()), (1, false), "{octets:?}");
            assert!(response.message.answers.is_empty());
        });
    }
}

#[test]
fn other_opcodes_are_not_implemented() {
    for opcode in 1..16_u8 {
        let mut octets = query("example.", "SOA");
        octets[2] = opcode << 3;
        each(zones(), &octets, |response| {
            assert_eq!(response.rcode(), 4);
            assert_eq!(response.octets[2] >> 3 & 15, opcode);
        });
    }
}

#[test]
fn meta_types() {
    for (record_type, rcode) in [
        ("AXFR", 5),
        ("IXFR", 5),
        ("MAILB", 4),
        ("MAILA", 4),
        ("TKEY", 4),
        ("TSIG", 1),
        ("OPT", 1),
        ("TYPE128", 1),
    ] {
        each(zones(), &query("example.", record_type), |response| {
            assert_eq!((response.rcode(), response.aa()), (rcode, false), "{record_type}");
        });
    }
}

#[test]
fn other_classes_are_refused() {
    for class in [0, 2, 4, 254, 255, 65535] {
        let octets = query_of(&"www.example.".parse().unwrap(), RecordType::A, class);
        each(zones(), &octets, |response| assert_eq!((response.rcode(), response.aa()), (5, false)));
    }
}

#[test]
fn section_4_1_4_names_are_compressed() {
    each(zones(), &query("mail.example.", "MX"), |response| {
        // hickory writes the first owner out.
        if response.way == Way::Hickory {
            return;
        }
        // Header, question, pointer, 8 fixed octets, RDLENGTH, preference, `mx` and a pointer.
        assert_eq!(response.octets.len(), 12 + 18 + 2 + 8 + 2 + 2 + 5);
        assert_eq!(response.section(0), ["mail.example. 3600 MX 10 mx.example."]);
    });
}

#[test]
fn section_4_2_1_truncation_leaves_whole_rrsets() {
    each(zones(), &query("many.example.", "A"), |response| match response.transport {
        anyns::answer::TransportKind::Udp => {
            assert!(response.tc());
            assert!(response.octets.len() <= 512);
            assert!(response.message.answers.is_empty());
        }
        _ => {
            assert!(!response.tc());
            assert_eq!(response.message.answers.len(), 200);
        }
    });
}

#[test]
fn the_slipped_answer_is_the_question_with_tc() {
    let world = zones();
    let mut output = vec![0; 65_535];
    for (octets, additional) in [(query("WWW.example.", "A"), 0), (with_do(query("WWW.example.", "A")), 11)] {
        let outcome =
            truncated(&octets, &client(anyns::answer::TransportKind::Udp), &world.settings, &mut output);
        let length = 12 + 17 + additional;
        assert_eq!(outcome, Outcome::Reply { length, rcode: 0, truncated: true });
        assert_eq!(output[2..4], [0x83, 0]);
        assert_eq!(output[12..29], octets[12..29]);
    }
    assert_eq!(
        truncated(&[0; 5], &client(anyns::answer::TransportKind::Udp), &world.settings, &mut output),
        Outcome::Ignore
    );
}

#[test]
fn section_4_1_4_pointers_reach_16383_octets_and_no_further() {
    let names: String = (0..1500).map(|n| format!("far MX 1 mail{n:04}.mx{}\n", n % 100)).collect();
    let world = world(&[("example.", &format!("{APEX}{names}"))]);
    each(&world, &query("far.example.", "MX"), |response| match response.transport {
        anyns::answer::TransportKind::Udp => assert!(response.tc()),
        _ => {
            assert!(!response.tc() && response.octets.len() > 0x4000);
            let mut expected: Vec<String> = (0..1500)
                .map(|n| format!("far.example. 3600 MX 1 mail{n:04}.mx{}.example.", n % 100))
                .collect();
            expected.sort();
            let mut answer = response.section(0);
            answer.sort();
            assert_eq!(answer, expected);
        }
    });
}

#[test]
fn an_rrset_larger_than_any_message_is_truncated_over_tcp_too() {
    let names: String = (0..5000).map(|n| format!("far A 10.0.{}.{}\n", n / 250, n % 250)).collect();
    let world = world(&[("example.", &format!("{APEX}{names}"))]);
    each(&world, &query("far.example.", "A"), |response| {
        assert!(response.tc() && response.message.answers.is_empty());
    });
}
