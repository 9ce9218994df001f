//! Both sides against each other, and each against messages that are wrong in one thing.

use super::*;
use crate::wire::Name;
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(algorithm: Algorithm) -> Key {
    Key::new(name("Key.Example."), algorithm, b"a secret of some octets").unwrap()
}

fn keys(algorithm: Algorithm) -> Keys {
    Keys::new([key(algorithm)]).unwrap()
}

/// A query, or a response with these flags, for the SOA of `example.`.
fn message(flags: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34];
    message.extend_from_slice(&flags.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(b"\x07example\x00\x00\x06\x00\x01");
    message
}

fn signed(algorithm: Algorithm) -> (Vec<u8>, Exchange) {
    let mut request = message(0);
    let exchange = Exchange::sign(&mut request, &Arc::new(key(algorithm)), NOW);
    (request, exchange)
}

#[test]
fn every_algorithm_signs_requests_and_streams() {
    for algorithm in Algorithm::ALL {
        let (request, mut exchange) = signed(algorithm);
        assert!(request.len() <= message(0).len() + key(algorithm).record_octets());
        let mut replies = verify_request(&request, &keys(algorithm), NOW + 300).unwrap().unwrap();
        for _ in 0..3 {
            let mut response = message(0x8400);
            replies.sign(&mut response, NOW);
            exchange.verify(&response, NOW).unwrap();
        }
        exchange.finish().unwrap();
    }
}

#[test]
fn ninety_nine_messages_may_be_unsigned_but_not_the_first_nor_the_last() {
    let (request, mut exchange) = signed(Algorithm::Sha256);
    let mut replies = verify_request(&request, &keys(Algorithm::Sha256), NOW).unwrap().unwrap();
    let plain = message(0x8400);
    let missing = Err(TsigFault::Missing { key: name("key.example."), rcode: 0 });
    assert_eq!(exchange.verify(&plain, NOW), missing);
    assert!(exchange.finish().is_err(), "nothing came");
    let mut first = plain.clone();
    replies.sign(&mut first, NOW);
    exchange.verify(&first, NOW).unwrap();
    for _ in 0..2 {
        for _ in 0..MOST_UNSIGNED {
            replies.pass(&plain);
            exchange.verify(&plain, NOW).unwrap();
        }
        let last = Err(TsigFault::LastUnsigned { key: name("key.example.") });
        assert_eq!(exchange.finish(), last);
        let mut next = plain.clone();
        replies.sign(&mut next, NOW);
        exchange.verify(&next, NOW).unwrap();
        exchange.finish().unwrap();
    }
    for _ in 0..MOST_UNSIGNED {
        exchange.verify(&plain, NOW).unwrap();
    }
    let many = Err(TsigFault::TooManyUnsigned { key: name("key.example.") });
    assert_eq!(exchange.verify(&plain, NOW), many);
}

#[test]
fn a_message_that_was_left_out_or_changed_is_noticed() {
    let (request, exchange) = signed(Algorithm::Sha256);
    let mut replies = verify_request(&request, &keys(Algorithm::Sha256), NOW).unwrap().unwrap();
    let responses = [0; 3].map(|_| {
        let mut response = message(0x8400);
        replies.sign(&mut response, NOW);
        response
    });
    let mut other = exchange;
    other.verify(&responses[0], NOW).unwrap();
    let bad = Err(TsigFault::BadSignature { key: name("key.example.") });
    assert_eq!(other.verify(&responses[2], NOW), bad);
    let mut changed = responses[1].clone();
    changed[14] ^= 0x20;
    assert_eq!(other.verify(&changed, NOW), bad);
    other.verify(&responses[1], NOW).unwrap();
}

/// The refusal of a request, and what the client makes of it.
fn refused(request: &[u8], keys: &Keys, now: u64, exchange: &mut Exchange) -> (u8, TsigFault, TsigFault) {
    let mut refusal = verify_request(request, keys, now).unwrap_err();
    let mut response = message(0x8400 | u16::from(refusal.rcode()));
    refusal.attach(&mut response);
    (refusal.rcode(), refusal.fault, exchange.verify(&response, NOW).unwrap_err())
}

#[test]
fn each_refusal_tells_the_client_why() {
    let key_name = || name("key.example.");
    let peer = |error| TsigFault::Peer { key: key_name(), error };
    let (request, mut exchange) = signed(Algorithm::Sha256);
    let unknown = TsigFault::UnknownKey { key: key_name() };
    let other_algorithm = keys(Algorithm::Sha512);
    for keys in [Keys::default(), other_algorithm] {
        let seen = refused(&request, &keys, NOW, &mut exchange);
        assert_eq!(seen, (9, unknown.clone(), peer(PeerError::BadKey)));
    }
    let other = Key::new(key_name(), Algorithm::Sha256, b"other").unwrap();
    let seen = refused(&request, &Keys::new([other]).unwrap(), NOW, &mut exchange);
    let bad = TsigFault::BadSignature { key: key_name() };
    assert_eq!(seen, (9, bad, peer(PeerError::BadSignature)));
    for now in [NOW + 301, NOW - 301] {
        let seen = refused(&request, &keys(Algorithm::Sha256), now, &mut exchange);
        let late = TsigFault::BadTime { key: key_name(), signed: NOW, now, fudge: 300 };
        assert_eq!(seen, (9, late, peer(PeerError::BadTime { server_time: now })));
    }
}

#[test]
fn a_response_that_is_too_old_or_of_another_key_is_refused() {
    let (request, mut exchange) = signed(Algorithm::Sha256);
    let mut replies = verify_request(&request, &keys(Algorithm::Sha256), NOW).unwrap().unwrap();
    let mut response = message(0x8400);
    replies.sign(&mut response, NOW - 301);
    assert!(matches!(exchange.verify(&response, NOW), Err(TsigFault::BadTime { .. })));
    let mut other_request = message(0);
    let other = Key::new(name("other."), Algorithm::Sha256, b"x").unwrap();
    Exchange::sign(&mut other_request, &Arc::new(other), NOW);
    assert!(matches!(exchange.verify(&other_request, NOW), Err(TsigFault::OtherKey { .. })));
}

#[test]
fn macs_are_truncated_as_far_as_the_key_says() {
    let server = |octets| Keys::new([key(Algorithm::Sha256).truncated(octets).unwrap()]).unwrap();
    let request = |octets| {
        let mut request = message(0);
        let key = Arc::new(key(Algorithm::Sha256).truncated(octets).unwrap());
        let exchange = Exchange::sign(&mut request, &key, NOW);
        (request, exchange)
    };
    // Half of the MAC is what a key accepts where it says nothing.
    let (short, mut exchange) = request(16);
    let mut replies = verify_request(&short, &keys(Algorithm::Sha256), NOW).unwrap().unwrap();
    let mut response = message(0x8400);
    replies.sign(&mut response, NOW);
    exchange.verify(&response, NOW).unwrap();
    // Longer is asked for: a signed refusal.
    let (short, mut exchange) = request(20);
    let (rcode, fault, seen) = refused(&short, &server(32), NOW, &mut exchange);
    assert_eq!(
        (rcode, fault),
        (9, TsigFault::BadTruncation { key: name("key.example."), octets: 20, least: 32 })
    );
    assert_eq!(seen, TsigFault::Peer { key: name("key.example."), error: PeerError::BadTruncation });
    for octets in [9, 15, 33] {
        assert!(key(Algorithm::Sha256).truncated(octets).is_err());
    }
    assert!(key(Algorithm::Sha1).truncated(10).is_ok() && key(Algorithm::Sha1).truncated(9).is_err());
    // Too far for any policy: FORMERR, without a TSIG record.
    let mut cut = message(0);
    let fields = exchange::fields;
    let (key, mac) = (key(Algorithm::Sha256), [1; 15]);
    record::append(&mut cut, &fields(&key, NOW), &mac);
    let mut refusal = verify_request(&cut, &keys(Algorithm::Sha256), NOW).unwrap_err();
    assert_eq!(refusal.fault, TsigFault::MacLength { algorithm: Algorithm::Sha256, octets: 15 });
    let mut response = message(0x8401);
    refusal.attach(&mut response);
    assert_eq!((refusal.rcode(), response), (1, message(0x8401)));
}

#[test]
fn a_record_that_does_not_stand_last_or_is_cut_is_malformed() {
    let (request, _) = signed(Algorithm::Sha256);
    let malformed = |message: &[u8]| {
        let refusal = verify_request(message, &keys(Algorithm::Sha256), NOW).unwrap_err();
        assert_eq!((refusal.rcode(), &refusal.fault), (1, &TsigFault::Malformed), "{message:02x?}");
    };
    malformed(&[&request[..], &[0]].concat());
    for end in message(0).len()..request.len() {
        malformed(&request[..end]);
    }
    let mut twice = request.clone();
    let record = request[message(0).len()..].to_vec();
    twice.extend_from_slice(&record);
    twice[11] = 2;
    malformed(&twice);
    let mut in_answer = request.clone();
    (in_answer[7], in_answer[11]) = (1, 0);
    malformed(&in_answer);
    assert!(verify_request(&message(0), &Keys::default(), NOW).unwrap().is_none());
}

#[test]
fn keys_that_are_none_have_a_name() {
    let new = |secret: &str| Key::from_base64(name("k."), Algorithm::Sha256, secret);
    assert!(matches!(new("not base64!"), Err(KeyFault::NotBase64 { .. })));
    assert!(matches!(new(""), Err(KeyFault::Length { octets: 0, .. })));
    assert!(new(" c2VjcmV0\n").is_ok());
    assert!(!format!("{:?}", new("c2VjcmV0").unwrap()).contains("c2Vj"));
    let two = [new("c2VjcmV0").unwrap(), new("b3RoZXI=").unwrap()];
    assert_eq!(Keys::new(two).unwrap_err(), KeyFault::Twice { name: name("k.") });
}

#[test]
fn a_client_cannot_make_its_request_valid_for_longer() {
    use super::exchange::fields;
    use super::mac::Digest;
    use super::record::{self, Fields};
    let keys = keys(Algorithm::Sha256);
    let key = keys.get(&name("key.example.")).unwrap();
    let mut request = message(0);
    let fields = Fields { fudge: u16::MAX, ..fields(key, NOW) };
    let mut digest = Digest::new(key, None);
    digest.unsigned(&request);
    digest.variables(&fields);
    let mac = digest.finish(key.sent_octets());
    record::append(&mut request, &fields, &mac);
    assert!(verify_request(&request, &keys, NOW + 300).is_ok());
    let refusal = verify_request(&request, &keys, NOW + 301).unwrap_err();
    assert!(matches!(refusal.fault, TsigFault::BadTime { fudge: 300, .. }), "{}", refusal.fault);
}
