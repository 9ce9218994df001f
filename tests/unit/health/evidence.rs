//! The table of evidence, row by row, and the ledger.

use super::*;
use crate::telemetry::BacklogLoad;

const NOTHING: Seen = Seen {
    answers: 0,
    left_lately: false,
    accepted: 0,
    refused: 0,
    drops: 0,
    syn_cookies: 0,
    backlog_permille: 0,
    is_queue_full: false,
    is_handshake_queue_full: false,
    threads: 2,
    busy_threads: 0,
};

#[test]
fn only_evidence_of_that_address_and_transport_is_overload() {
    let answered = Seen { answers: 1, left_lately: true, ..NOTHING };
    let rows = [
        // UDP: answers alone, or signs of load alone, prove nothing.
        (Stage::Asked, answered, false),
        (
            Stage::Asked,
            Seen { drops: 9, is_queue_full: true, busy_threads: 2, backlog_permille: 900, ..NOTHING },
            false,
        ),
        (Stage::Asked, Seen { drops: 1, ..answered }, true),
        (Stage::Asked, Seen { is_queue_full: true, ..answered }, true),
        (Stage::Asked, Seen { busy_threads: 1, ..answered }, true),
        (Stage::Asked, Seen { backlog_permille: 50, ..answered }, true),
        (Stage::Asked, Seen { backlog_permille: 49, ..answered }, false),
        (Stage::Asked, Seen { refused: 9, accepted: 9, syn_cookies: 9, ..answered }, false),
        // TCP without a handshake: workers have no part in it.
        (Stage::Connecting, Seen { busy_threads: 2, accepted: 5, ..answered }, false),
        (Stage::Connecting, Seen { drops: 1, ..NOTHING }, false),
        (Stage::Connecting, Seen { drops: 1, accepted: 1, ..NOTHING }, true),
        (Stage::Connecting, Seen { is_queue_full: true, accepted: 1, ..NOTHING }, true),
        (Stage::Connecting, Seen { is_handshake_queue_full: true, ..NOTHING }, false),
        (Stage::Connecting, Seen { is_handshake_queue_full: true, syn_cookies: 1, ..NOTHING }, true),
        (Stage::Connecting, Seen { syn_cookies: 1, ..NOTHING }, false),
        (Stage::Connecting, Seen { backlog_permille: 200, ..NOTHING }, false),
        (Stage::Connecting, Seen { backlog_permille: 200, ..answered }, true),
        // TCP after the handshake: it is the workers' turn.
        (Stage::Connected, Seen { answers: 99, drops: 9, refused: 9, ..NOTHING }, false),
        (Stage::Connected, Seen { busy_threads: 1, ..NOTHING }, true),
        (Stage::Connected, Seen { is_queue_full: true, ..NOTHING }, true),
        // A reset is the caps' work, or nobody's that is known.
        (Stage::Reset, Seen { busy_threads: 2, drops: 3, accepted: 3, ..answered }, false),
        (Stage::Reset, Seen { refused: 1, ..NOTHING }, true),
    ];
    for (stage, seen, overload) in rows {
        let evidence = judge(stage, &seen, &NOTHING);
        assert_eq!(evidence == Evidence::Busy, overload, "{stage:?} {seen:?}");
        let text = describe(stage, &seen, evidence);
        assert_eq!(text.ends_with(": overload"), overload, "{text}");
        println!("{stage:?}: {text}");
    }
}

#[test]
fn a_cpu_that_drops_packets_excuses_tcp_while_udp_answers_leave_the_address() {
    let dropping = Seen { backlog_permille: 500, ..NOTHING };
    let udp = Seen { answers: 10, left_lately: true, ..NOTHING };
    assert_eq!(judge(Stage::Connecting, &dropping, &udp), Evidence::Busy);
    assert_eq!(judge(Stage::Connecting, &NOTHING, &udp), Evidence::Idle);
}

fn load(answers: u64, drops: u64) -> Load {
    let listener = ListenerLoad {
        address: "0.0.0.0:53".parse().unwrap(),
        is_tcp: false,
        answers: [answers, 1_000_000 * answers],
        accepted: 0,
        refused: 0,
        drops,
        is_queue_full: false,
        threads: 1,
        busy_threads: 0,
        is_handshake_queue_full: false,
    };
    Load { listeners: vec![listener], backlog: BacklogLoad::default(), syn_cookies: 0 }
}

#[test]
fn answers_count_for_some_seconds_and_what_was_before_the_first_round_does_not() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    let address = "192.0.2.1:53".parse().unwrap();
    for (milliseconds, total, answers, left_lately) in [
        (0, 100, 0, false),
        (200, 100, 0, false),
        (400, 102, 2, true),
        (600, 102, 0, true),
        (6300, 102, 0, true),
        (6400, 102, 0, false),
        (6600, 103, 1, true),
    ] {
        let now = start + Duration::from_millis(milliseconds);
        let seen = ledger.observe(&load(total, 0), address, ProbeTransport::Udp, now);
        assert_eq!((seen.answers, seen.left_lately), (answers, left_lately), "at {milliseconds} ms");
    }
}

#[test]
fn only_the_family_and_the_transport_that_were_asked_count() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    let ipv4 = "192.0.2.1:53".parse().unwrap();
    ledger.observe(&load(1, 0), ipv4, ProbeTransport::Udp, now);
    let seen = ledger.observe(&load(4, 7), ipv4, ProbeTransport::Udp, now);
    assert_eq!((seen.answers, seen.drops), (3, 7));
    assert_eq!(ledger.observe(&load(9, 9), ipv4, ProbeTransport::Tcp, now), Seen::default());
    let other_port = "192.0.2.1:54".parse().unwrap();
    assert_eq!(ledger.observe(&load(9, 9), other_port, ProbeTransport::Udp, now), Seen::default());
}
