//! Dynamic updates: messages read, prerequisites and changes held against a zone.
//!
//! An input is a message as it comes from a socket.

use std::sync::LazyLock;

use anyns::update::{Grant, Policy, Types, UpdateMessage, change, check_prerequisites, prescan};
use anyns::wire::{Name, RecordType};
use anyns::zone::{Place, Record, Zone, ZoneBuilder};

/// `example.` with a few names of every kind that rules are about.
static ZONE: LazyLock<Zone> = LazyLock::new(|| {
    let soa = b"\x02ns\x07example\0\x04host\x07example\0\0\0\0\x05\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01";
    let records: &[(&str, RecordType, &[u8])] = &[
        ("example.", RecordType::SOA, soa),
        ("example.", RecordType::NS, b"\x02ns\x07example\0"),
        ("ns.example.", RecordType::A, &[192, 0, 2, 1]),
        ("www.example.", RecordType::A, &[192, 0, 2, 2]),
        ("www.example.", RecordType::A, &[192, 0, 2, 3]),
        ("alias.example.", RecordType::CNAME, b"\x03www\x07example\0"),
        ("d.example.", RecordType::DNAME, b"\x04test\0"),
        ("a.ent.example.", RecordType::TXT, b"\x01x"),
        ("*.w.example.", RecordType::MX, b"\0\x01\x01m\x07example\0"),
        ("cut.example.", RecordType::NS, b"\x02ns\x03cut\x07example\0"),
        ("ns.cut.example.", RecordType::A, &[192, 0, 2, 4]),
    ];
    let mut builder = ZoneBuilder::new(name("example."));
    for (owner, record_type, rdata) in records {
        let record =
            Record { owner: name(owner), record_type: *record_type, ttl: 300, rdata: (*rdata).into() };
        builder.push(record, Place::default());
    }
    builder.finish().expect("a zone")
});

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// A message is read or refused, with an RCODE; what it changes leads to a version that begins where it must, keeps its SOA and NS
/// records, and is a zone or refused by name.
pub fn check(data: &[u8]) {
    let response = UpdateMessage::response(data, 5);
    assert!(response.len() >= 12);
    let Ok(update) = UpdateMessage::read(data) else { return };
    assert!(UpdateMessage::is_update(data));
    let zone = &*ZONE;
    if let Err(fault) = check_prerequisites(zone, &update.prerequisites) {
        assert!(fault.rcode().is_some_and(|rcode| rcode > 0), "{fault}");
    }
    let policy = Policy(vec![Grant { key: name("k."), names: Vec::new(), types: Types::Every }]);
    if let Err(fault) = prescan(zone, &update.changes, (&policy, &name("k."))) {
        assert!(fault.rcode().is_some_and(|rcode| rcode > 0), "{fault}");
        return;
    }
    let Some(difference) = change(zone, &update.changes).expect("the zone is small") else { return };
    assert_eq!(difference.from, zone.serial());
    assert!(difference.to.is_after(difference.from));
    let to = difference.to;
    match zone.with_changes(difference.deleted, difference.added) {
        Ok(next) => {
            assert_eq!(next.serial(), to);
            assert!(next.apex().set(RecordType::NS).is_some());
            // The same again changes nothing but what the client asks for twice: the serial.
            let again = change(&next, &update.changes).expect("the zone is small");
            assert!(again.is_none_or(|again| again.to.is_after(to)));
        }
        // A record below a DNAME, a TTL that is too large: the publisher refuses it.
        Err(faults) => assert!(!faults.is_empty()),
    }
}
