//! Updates that come over a connection.

use super::*;

#[test]
fn a_copy_of_an_update_that_is_being_done_does_not_end_the_connection() {
    let (hub, _) = Hub::new();
    let receivers = Receivers { secondary: None, updates: Some(Arc::new(Counting)) };
    let primary = Primary::start(settings(&[]), hub, receivers).unwrap();
    let mut stream = TcpStream::connect(primary.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    for octets in [UNANSWERED, 20] {
        let message = update(octets);
        stream.write_all(&[&(octets as u16).to_be_bytes()[..], &message].concat()).unwrap();
    }
    let mut answer = [0; 16];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[14..], 20_u16.to_be_bytes());
}

#[test]
fn who_may_change_a_zone_learns_which_zone_a_name_is_in() {
    use super::super::request::{Answer, Transport, judge};
    let (hub, _) = Hub::new();
    hub.put(zone(
        5,
        [a("a.example.", 1), record("sub.example.", RecordType::NS, name("ns.example.").as_wire())],
    ));
    let client = "192.0.2.1".parse().unwrap();
    let asks = |owner: &str, record_type, key: Option<&str>| {
        let mut message = Asked { zone: name(owner), id: 9, record_type }.query(None);
        let key = key.map(|key| keys().get(&name(key)).unwrap().clone());
        let mut exchange = key.map(|key| Exchange::sign(&mut message, &key, 1_800_000_000));
        let allows = |zone: &crate::wire::Name, key: Option<&crate::wire::Name>, asked| {
            asked == AskedFor::Soa && *zone == name("example.") && key == Some(&name("new."))
        };
        let request = (&*message, client, Transport::Tcp);
        let answer = match judge(request, (&keys(), &*hub), allows, 1_800_000_000).0 {
            Answer::Message(answer) => answer,
            Answer::Stream(_) => return "stream".to_owned(),
            Answer::Nothing => panic!("an answer"),
        };
        if let Some(exchange) = &mut exchange {
            exchange.verify(&answer, 1_800_000_000).unwrap();
        }
        let read = hickory_proto::op::Message::from_vec(&answer).unwrap();
        let soa: Vec<String> =
            read.authorities.iter().map(|it| format!("{} {}", it.name, it.record_type())).collect();
        format!("{} {soa:?}", answer[3] & 0xf)
    };
    for (owner, record_type, key, expected) in [
        ("example.", RecordType::SOA, Some("new."), "stream"),
        ("example.", RecordType::AXFR, Some("new."), "5 []"),
        ("x.y.example.", RecordType::SOA, Some("new."), "3 [\"example. SOA\"]"),
        ("a.example.", RecordType::SOA, Some("new."), "0 [\"example. SOA\"]"),
        ("a.example.", RecordType::AXFR, Some("new."), "9 []"),
        ("sub.example.", RecordType::SOA, Some("new."), "9 []"),
        ("x.sub.example.", RecordType::SOA, Some("new."), "9 []"),
        ("a.example.", RecordType::SOA, Some("old."), "9 []"),
        ("a.example.", RecordType::SOA, None, "9 []"),
        ("other.", RecordType::SOA, Some("new."), "9 []"),
    ] {
        assert_eq!(asks(owner, record_type, key), expected, "{owner} {record_type} {key:?}");
    }
}
