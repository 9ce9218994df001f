//! RFC 7766: DNS over TCP, with both engines over both families.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;

use crate::sockets::{connect, framed, read_message};
use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let many: String = (0..2000).map(|n| format!("large TXT text-number-{n}\n")).collect();
        world(&[("example.", &format!("{APEX}www A 192.0.2.1\n{many}"))])
    });
    &WORLD
}

fn addresses() -> impl Iterator<Item = SocketAddr> {
    zones().servers().iter().flat_map(|server| server.addresses())
}

/// `www.example. A` with this ID.
fn numbered(id: u16) -> Vec<u8> {
    let mut octets = query("www.example.", "A");
    octets[..2].copy_from_slice(&id.to_be_bytes());
    octets
}

/// The IDs of this many responses, each of which must hold the address, in ascending order.
fn ids(stream: &mut TcpStream, count: usize) -> Vec<u16> {
    let mut ids: Vec<u16> = (0..count)
        .map(|_| {
            let response = read_message(stream).unwrap();
            assert!(response.ends_with(&[0, 4, 192, 0, 2, 1]));
            u16::from_be_bytes([response[0], response[1]])
        })
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn section_6_2_1_one_connection_takes_query_after_query() {
    for address in addresses() {
        let mut stream = connect(address);
        for id in 0..20 {
            stream.write_all(&framed(&numbered(id))).unwrap();
            assert_eq!(ids(&mut stream, 1), [id]);
        }
    }
}

#[test]
fn section_6_2_1_1_pipelined_queries_are_all_answered() {
    for address in addresses() {
        let mut stream = connect(address);
        let all: Vec<u8> = (0..100).flat_map(|id| framed(&numbered(id))).collect();
        stream.write_all(&all).unwrap();
        assert_eq!(ids(&mut stream, 100), (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn section_8_a_message_may_come_in_pieces() {
    for address in addresses() {
        let mut stream = connect(address);
        // The length apart from the message, then octet by octet, two messages.
        for octet in [framed(&numbered(1)), framed(&numbered(2))].concat() {
            stream.write_all(&[octet]).unwrap();
        }
        assert_eq!(ids(&mut stream, 2), [1, 2]);
    }
}

#[test]
fn section_8_length_and_message_leave_together() {
    // One read gets both, because small answers go out in one segment.
    for address in addresses() {
        let mut stream = connect(address);
        stream.write_all(&framed(&numbered(1))).unwrap();
        let mut octets = [0; 512];
        let length = stream.read(&mut octets).unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([octets[0], octets[1]])), length - 2, "{address}");
    }
}

#[test]
fn section_5_what_udp_truncates_comes_whole_over_tcp() {
    each(zones(), &with_opt(query("large.example.", "TXT"), 1232, 0, 0, &[]), |response| {
        let count = response.message.answers.len();
        match response.transport {
            anyns::answer::TransportKind::Udp => assert_eq!((response.tc(), count), (true, 0)),
            _ => assert_eq!((response.tc(), count), (false, 2000)),
        }
    });
}

#[test]
fn section_6_2_3_a_client_that_closes_its_side_gets_its_answers_and_then_the_end() {
    for address in addresses() {
        let mut stream = connect(address);
        stream.write_all(&[framed(&numbered(1)), framed(&numbered(2))].concat()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(ids(&mut stream, 2), [1, 2], "{address}");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}
