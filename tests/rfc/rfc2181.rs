//! RFC 2181: where a reply comes from, TTLs of an RRset; and what else no zone may hold: faults of the zone builder, each at its place.

use std::net::{SocketAddr, UdpSocket};

use anyns::serve::Engine;

use crate::sockets::{PATIENCE, Server};
use crate::world::*;

fn fault(lines: &str) -> (String, Option<u32>) {
    let found = faults("example.", lines);
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].to_string(), found[0].place().map(|place| place.line))
}

#[test]
fn each_fault_has_its_text_and_place() {
    let cases: &[(&str, &str, Option<u32>)] = &[
        ("@ NS ns\n", "the zone example. has no SOA record at its apex", None),
        ("@ SOA ns 1\n", "the zone example. has no NS record at its apex", None),
        (
            "@ SOA ns 1\n@ NS ns\n@ SOA ns 2\n",
            "example. has a second SOA record; a zone has exactly one",
            Some(3),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nsub SOA ns 2\n",
            "sub.example. has an SOA record; only the apex example. may have one",
            Some(3),
        ),
        ("@ SOA ns 1\n@ NS ns\nwww.test. A 192.0.2.1\n", "www.test. is outside the zone example.", Some(3)),
        (
            "@ SOA ns 1\n@ NS ns\nw CNAME ns\nw A 192.0.2.1\n",
            "w.example. has a CNAME record and A records; a CNAME stands alone",
            Some(4),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nw CNAME ns\nw CNAME mx\n",
            "w.example. has a second CNAME record; an alias has one canonical name",
            Some(4),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nd DNAME a\nd DNAME b\n",
            "d.example. has a second DNAME record; a name has one at most",
            Some(4),
        ),
        (
            "@ SOA ns 1\n@ NS ns\na.b.d A 192.0.2.1\nd DNAME x\n",
            "a.b.d.example. is below d.example., which has a DNAME record; no record may be below it",
            Some(3),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nd DNAME a\nd NS b\n",
            "d.example. has NS and DNAME records; only at the apex may both stand",
            Some(3),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nw OPT \\# 00\n",
            "w.example. has a record of type OPT, which no zone may hold",
            Some(3),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nw A \\# 0102\n",
            "w.example. has a malformed A record: the RDATA ends early",
            Some(3),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nw NS \\# c00c\n",
            "w.example. has a malformed NS record: the name at octet 0 of the RDATA is not one uncompressed domain name",
            Some(3),
        ),
        (
            "@ SOA ns 1\n@ NS ns\nw 2147483648 A 192.0.2.1\n",
            "w.example. has a TTL of 2147483648; 2147483647 is the most",
            Some(3),
        ),
    ];
    for (lines, text, line) in cases {
        assert_eq!(fault(lines), ((*text).to_string(), *line));
    }
}

#[test]
fn what_looks_wrong_and_is_not() {
    let good = [
        "w CNAME ns\nw RRSIG CNAME @\nw NSEC x\n",
        "w CNAME ns\nw CNAME NS\n",
        "w A 192.0.2.1\nw A 192.0.2.1\n",
        "d DNAME x\ndd A 192.0.2.1\n",
        "@ DNAME x.test.\n",
    ];
    for lines in good {
        let apex = if lines.starts_with('@') { "@ SOA n.test. 1\n@ NS n.test.\n" } else { APEX };
        assert_eq!(faults("example.", &format!("{apex}{lines}")), []);
    }
}

#[test]
fn faults_come_in_the_order_of_their_places_and_are_bounded() {
    let lines: String = (0..300).map(|n| format!("w{n}.test. A 192.0.2.1\n")).collect();
    let found = faults("example.", &format!("{lines}{APEX}"));
    assert_eq!(found.len(), 100);
    assert!(found.windows(2).all(|pair| pair[0].place().unwrap().line < pair[1].place().unwrap().line));
}

/// Asks from a socket that hears anybody; where the response came from.
fn replier(server: SocketAddr) -> SocketAddr {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&query("example.", "SOA"), server).unwrap();
    socket.recv_from(&mut [0; 512]).unwrap().1
}

#[test]
fn section_4_a_reply_comes_from_the_address_and_port_that_were_asked() {
    let world = world(&[("example.", APEX)]);
    for server in world.servers() {
        for address in server.addresses() {
            assert_eq!(replier(address), address);
        }
    }
    // Of a wildcard, too; hickory refuses to listen on one.
    let wildcards = &["0.0.0.0:0", "[::]:0"];
    let server = Server::start_on(wildcards, Engine::Native, &world.snapshot, &world.settings);
    let [v4, v6] = server.addresses().map(|address| address.port());
    for (address, port) in [("127.0.0.1", v4), ("127.0.0.2", v4), ("127.1.2.3", v4), ("::1", v6)] {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        assert_eq!(replier(address), address);
    }
}

#[test]
fn section_5_2_the_lowest_ttl_counts() {
    let lines = format!("{APEX}www 60 A 192.0.2.1\nwww 50 A 192.0.2.2\n");
    let zone = builder("example.", &lines).finish().unwrap();
    let text = "the A records of www.example. have different TTLs; 50 is used for all";
    assert_eq!(zone.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    assert_eq!(zone.warnings()[0].place().line, 4);
    let both: &[&str] = &["www.example. 50 A 192.0.2.1", "www.example. 50 A 192.0.2.2"];
    expect(&world(&[("example.", &lines)]), "www.example.", "A", 0, true, [both, &[], &[]]);
}

#[test]
fn records_come_back_in_canonical_order() {
    let lines = format!("{APEX}b A 192.0.2.1\nx.a A 192.0.2.2\na MX 5 B\na MX 5 b\n");
    let zone = builder("example.", &lines).finish().unwrap();
    let records: Vec<String> =
        zone.records().map(|r| format!("{} {} {}", r.owner, r.ttl, r.record_type)).collect();
    assert_eq!(zone.record_count(), records.len());
    assert_eq!(zone.serial(), anyns::wire::Serial(1));
    let expected = [
        "example. 3600 SOA",
        "example. 3600 NS",
        "a.example. 3600 MX",
        "x.a.example. 3600 A",
        "b.example. 3600 A",
        "ns.example. 3600 A",
    ];
    assert_eq!(records, expected);
}
