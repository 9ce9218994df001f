//! RFC 2181: where a reply comes from, TTLs of an RRset, and what no zone may hold: each fault at its place.

use std::net::{SocketAddr, UdpSocket};

use anyns::answer::TransportKind;
use anyns::serve::Engine;
use anyns::wire::RecordType;
use anyns::zone::{Place, Record, ZoneBuilder};

use crate::sockets::{PATIENCE, Server};
use crate::world::*;

/// The faults of a zone, each with its line among these, which stand behind `$TTL` and [`APEX`].
fn faults(lines: &str) -> Vec<(String, u32)> {
    let Err(error) = read("example.", &format!("{APEX}{lines}")) else { return Vec::new() };
    error.faults.iter().map(|fault| (fault.fault.to_string(), fault.line - 4)).collect()
}

#[test]
fn each_fault_between_records_has_its_text_and_place() {
    let cases: &[(&str, &str, u32)] = &[
        (
            "@ SOA ns hostmaster 2 7200 900 604800 300\n",
            "example. has a second SOA record; a zone has exactly one",
            1,
        ),
        (
            "sub SOA ns hostmaster 2 7200 900 604800 300\n",
            "sub.example. has an SOA record; only the apex example. may have one",
            1,
        ),
        ("www.test. A 192.0.2.1\n", "www.test. is outside the zone example.", 1),
        (
            "w CNAME ns\nw A 192.0.2.1\n",
            "w.example. has a CNAME record and A records; a CNAME stands alone",
            2,
        ),
        (
            "w CNAME ns\nw CNAME mx\n",
            "w.example. has a second CNAME record; an alias has one canonical name",
            2,
        ),
        ("d DNAME a\nd DNAME b\n", "d.example. has a second DNAME record; a name has one at most", 2),
        (
            "a.b.d A 192.0.2.1\nd DNAME x\n",
            "a.b.d.example. is below d.example., which has a DNAME record; no record may be below it",
            1,
        ),
        ("d DNAME a\nd NS b\n", "d.example. has NS and DNAME records; only at the apex may both stand", 1),
    ];
    for (lines, text, line) in cases {
        assert_eq!(faults(lines), [((*text).to_string(), *line)]);
    }
}

/// What the reader refuses by itself, the builder refuses from any other source.
#[test]
fn each_fault_of_a_record_has_its_text() {
    let cases: &[(RecordType, u32, &[u8], &str)] = &[
        (RecordType::OPT, 60, b"\0", "w.example. has a record of type OPT, which no zone may hold"),
        (RecordType::A, 60, b"\x01\x02", "w.example. has a malformed A record: the RDATA ends early"),
        (
            RecordType::NS,
            60,
            b"\xc0\x0c",
            "w.example. has a malformed NS record: the name at octet 0 of the RDATA is not one uncompressed domain name",
        ),
        (
            RecordType::A,
            0x8000_0000,
            b"\xc0\0\x02\x01",
            "w.example. has a TTL of 2147483648; 2147483647 is the most",
        ),
    ];
    for (record_type, ttl, rdata, text) in cases {
        let mut builder = ZoneBuilder::new("example.".parse().unwrap());
        let (owner, place) = ("w.example.".parse().unwrap(), Place { file: 0, line: 7, column: 3 });
        builder.push(Record { owner, record_type: *record_type, ttl: *ttl, rdata: (*rdata).into() }, place);
        let faults = builder.finish().unwrap_err();
        // Behind those for the missing SOA and NS, which have no place.
        let fault = faults.last().unwrap();
        assert_eq!((fault.to_string(), fault.place()), ((*text).to_string(), Some(place)));
    }
}

#[test]
fn what_looks_wrong_and_is_not() {
    let good = [
        "w CNAME ns\nw RRSIG CNAME 8 2 60 2 1 1 @ CQkJCQ==\nw NSEC x A\n",
        "w CNAME ns\nw CNAME NS\n",
        "w A 192.0.2.1\nw A 192.0.2.1\n",
        "d DNAME x\ndd A 192.0.2.1\n",
    ];
    for lines in good {
        assert_eq!(faults(lines), []);
    }
    // At the apex nothing may be below the DNAME.
    let soa = "@ SOA n.test. hostmaster.test. 1 7200 900 604800 300\n";
    assert!(read("example.", &format!("{soa}@ NS n.test.\n@ DNAME x.test.\n")).is_ok());
}

#[test]
fn faults_come_in_the_order_of_their_places_and_are_bounded() {
    let lines: String = (0..300).map(|n| format!("w{n}.test. A 192.0.2.1\n")).collect();
    let found = faults(&lines);
    assert_eq!(found.len(), 100);
    assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].1));
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
    let zone = read("example.", &lines).unwrap();
    let text = "the A records of www.example. have different TTLs; 50 is used for all";
    assert_eq!(zone.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    assert_eq!(zone.warnings()[0].place().line, 5);
    let both: &[&str] = &["www.example. 50 A 192.0.2.1", "www.example. 50 A 192.0.2.2"];
    expect(&world(&[("example.", &lines)]), "www.example.", "A", 0, true, [both, &[], &[]]);
}

#[test]
fn records_come_back_in_canonical_order() {
    let lines = format!("{APEX}b A 192.0.2.1\nx.a A 192.0.2.2\na MX 5 B\na MX 5 b\n");
    let zone = read("example.", &lines).unwrap();
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

/// TC is for what is required and does not fit: an answer that fills the message to the last octet is whole, although
/// there is no room left for an extended error, which nobody asked for.
#[test]
fn section_9_an_answer_that_just_fits_is_not_truncated() {
    // Header 12, question 18, owner, type, class, TTL and length 12, OPT 11; two strings of 255 and 202 octets.
    let text = |second: usize| format!("TXT \"{}\" \"{}\"", "t".repeat(255), "t".repeat(second));
    let world = world(&[("example.", &format!("{APEX}full {}\nover {}\n", text(202), text(203)))]);
    for (name, fits) in [("full.example.", true), ("over.example.", false)] {
        let octets = with_opt(query(name, "TXT"), 512, 0, 0, &[]);
        // hickory writes the first owner out, and has 12 octets less.
        let ours = ask(&world, &octets).into_iter().filter(|response| response.way != Way::Hickory);
        for response in ours.filter(|response| response.transport == TransportKind::Udp) {
            assert_eq!((response.tc(), response.section(0).len()), (!fits, usize::from(fits)), "{name}");
            assert_eq!(response.octets.len(), if fits { 512 } else { 41 }, "{name}");
        }
    }
}
