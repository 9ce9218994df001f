//! Messages as octets: those that are read, and those that are not.

use super::*;

/// An UPDATE message about `example.`; records with their owners in full.
pub(super) fn message(prerequisites: &[UpdateRecord], changes: &[UpdateRecord]) -> Vec<u8> {
    message_of("example.", prerequisites, changes)
}

pub(super) fn message_of(zone: &str, prerequisites: &[UpdateRecord], changes: &[UpdateRecord]) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, 5 << 3, 0, 0, 1];
    octets.extend((prerequisites.len() as u16).to_be_bytes());
    octets.extend((changes.len() as u16).to_be_bytes());
    octets.extend([0, 0]);
    octets.extend(name(zone).as_wire());
    octets.extend([0, 6, 0, 1]);
    for UpdateRecord { owner, class, record_type, ttl, rdata } in prerequisites.iter().chain(changes) {
        octets.extend(owner.as_wire());
        octets.extend(record_type.0.to_be_bytes());
        octets.extend(class.to_be_bytes());
        octets.extend(ttl.to_be_bytes());
        octets.extend((rdata.len() as u16).to_be_bytes());
        octets.extend(&**rdata);
    }
    octets
}

#[test]
fn a_message_is_read_as_it_was_written() {
    let prerequisites = records(&[
        "any www.example. 0 A",
        "none x.example. 0 ANY",
        "none z.example. 0 CNAME",
        "in y.example. 0 A 1",
    ]);
    let changes = records(&[
        "in www.example. 300 MX mail.example.",
        "any x.example. 0 ANY",
        "any z.example. 0 NS",
        "none y.example. 0 A 1",
    ]);
    let octets = message(&prerequisites, &changes);
    let read = UpdateMessage::read(&octets).unwrap();
    assert_eq!(read, UpdateMessage { id: 0x1234, zone: name("example."), prerequisites, changes });
    // Every shorter message is a fault, and none panics.
    for length in 0..octets.len() {
        assert!(UpdateMessage::read(&octets[..length]).is_err(), "{length}");
    }
    let response = UpdateMessage::response(&octets, 8);
    assert_eq!(response[..12], [0x12, 0x34, 0x80 | 5 << 3, 8, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(response[12..], octets[12..12 + 9 + 4]);
    assert_eq!(UpdateMessage::response(&octets[..20], 1).len(), 12);
}

#[test]
fn names_may_be_compressed_where_they_may_be() {
    // In MX, which RFC 1035 defines, as nsupdate of BIND does.
    let mut octets = message(&[], &records(&["in a.example. 300 MX b.example."]));
    let end = octets.len() - b"\x01b\x07example\0".len();
    octets.truncate(end);
    octets[end - 3] = 6;
    octets.extend(b"\x01b\xc0\x0c");
    let read = UpdateMessage::read(&octets).unwrap();
    assert_eq!(read.changes, records(&["in a.example. 300 MX b.example."]));
}

#[test]
fn what_is_no_update_has_its_rcode() {
    const FORMERR: Option<u8> = Some(1);
    const NOTAUTH: Option<u8> = Some(9);
    let good = message(&[], &records(&["in a.example. 300 A 1"]));
    let with = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        octets
    };
    let zone_type = 12 + 9 + 1;
    let table = [
        (with(2, 0), None),
        (with(2, 0x80 | 5 << 3), None),
        (with(5, 0), FORMERR),
        (with(5, 2), FORMERR),
        (with(zone_type, 1), FORMERR),
        (with(zone_type + 2, 3), NOTAUTH),
        // Fewer records than promised, RDATA of another length, a pointer forwards.
        (with(9, 2), FORMERR),
        (with(good.len() - 5, 3), FORMERR),
        (with(12 + 9 + 4, 0xc0), FORMERR),
        (good[..11].to_vec(), None),
    ];
    for (octets, expected) in table {
        let fault = UpdateFault::from(UpdateMessage::read(&octets).unwrap_err());
        assert_eq!(fault.rcode(), expected, "{fault}: {octets:?}");
    }
    assert!(UpdateMessage::read(&good).is_ok());
    // Deletions say nothing of RDATA, and a record that is to be deleted has RDATA of its type.
    assert!(UpdateMessage::read(&message(&[], &records(&["any a.example. 0 A"]))).is_ok());
    let short = UpdateRecord { rdata: Box::new([1]), ..record("none a.example. 0 A 1") };
    assert!(UpdateMessage::read(&message(&[], &[short])).is_err());
}
