//! A record that fits a message alone, but not beside a signature: it reaches a secondary whose transfers are signed.

use super::*;

/// A TXT record with so many octets of RDATA.
fn text(octets: usize) -> crate::zone::Record {
    let mut rdata = Vec::new();
    while rdata.len() < octets {
        let length = (octets - rdata.len() - 1).min(255);
        rdata.push(length as u8);
        rdata.extend(std::iter::repeat_n(b'x', length));
    }
    record("t.example.", RecordType::TXT, &rdata)
}

#[test]
fn a_record_that_leaves_no_room_for_a_signature_is_transferred_whole_and_by_a_difference() {
    let (hub, _) = Hub::new();
    hub.put(zone(5, (0..9).map(|it| a(&format!("h{it}.example."), 1)).chain([text(65_480)])));
    let (pop, served) = Hub::new();
    let first = Primary::start(settings(&["new."]), hub.clone(), None).unwrap();
    let (running, listener) = secondary(first.addresses()[0], Some("new."), &pop);
    assert_eq!(next(&served), (5, By::Whole));
    assert_eq!(pop.records(), hub.records());
    let target = Target { address: listener.addresses()[0], key: Some(name("new.")) };
    let telling = PrimarySettings { listen: vec![], notify: vec![target], ..settings(&["new."]) };
    let telling = Primary::start(telling, hub.clone(), None).unwrap();
    hub.apply(difference(5, 6, &[text(65_480)], &[text(65_470)])).unwrap();
    assert!(telling.changed(name("example.")));
    assert_eq!(next(&served), (6, By::Differences));
    assert_eq!(pop.records(), hub.records());
    drop(running);
}
