//! Both engines give the same answers: same header, RCODE, sections with their TTLs and OPT, whatever is asked.
//!
//! [`ask`] compares them for every query of this suite; here, a product of names, types and EDNS without exception.

use std::sync::LazyLock;

use hickory_proto::op::Message;

use crate::sockets::{ask_tcp, ask_udp, connect};
use crate::world::*;

fn zones() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let example = format!(
            "{APEX}@ MX 10 mail\n@ TXT apex\nwww A 192.0.2.1\nwww AAAA 2001:db8::1\nwww RRSIG A 8 2 60 2 1 1 @ CQkJCQ==\nmail A 192.0.2.25\n\
             a.ent TXT x\nx TYPE65280 \\# 2 0102\nalias CNAME www\nalias2 CNAME alias\ngone CNAME nothing\n\
             across CNAME www.other.test.\nout CNAME www.elsewhere.test.\nl1 CNAME l2\nl2 CNAME l1\n\
             *.w TXT wild\n*.w MX 5 mail\n*.c CNAME www\nchild NS ns.child\nchild NS ns.sib\nchild DS 1 13 2 {DIGEST}\n\
             child RRSIG DS 8 2 60 2 1 1 @ CQkJCQ==\nns.child A 192.0.2.9\nns.child AAAA 2001:db8::9\nsib NS ns.sib\nns.sib A 192.0.2.8\n\
             into CNAME host.child\nd DNAME target\nwww.target A 192.0.2.7\nfar DNAME other.test.\n\
             up DNAME x.up2\nup2 DNAME up\nboth NS ns\n"
        );
        let other = format!("{APEX}www A 198.51.100.1\nwww TXT other\n");
        world(&[("example.", &example), ("other.test.", &other), ("both.example.", APEX)])
    });
    &WORLD
}

/// Existing, missing, wildcard, below a cut, below a DNAME, in other zones, in none.
const NAMES: &[&str] = &[
    "example.",
    "www.example.",
    "wWw.eXaMpLe.",
    "x.example.",
    "ent.example.",
    "a.ent.example.",
    "b.ent.example.",
    "missing.example.",
    "x.www.example.",
    "alias.example.",
    "alias2.example.",
    "gone.example.",
    "across.example.",
    "out.example.",
    "l1.example.",
    "w.example.",
    "any.w.example.",
    "deep.any.w.example.",
    "*.w.example.",
    "any.c.example.",
    "child.example.",
    "ns.child.example.",
    "a.b.child.example.",
    "sib.example.",
    "into.example.",
    "d.example.",
    "www.d.example.",
    "missing.d.example.",
    "far.example.",
    "www.far.example.",
    "a.up.example.",
    "both.example.",
    "ns.both.example.",
    "www.other.test.",
    "missing.other.test.",
    "elsewhere.test.",
    ".",
];

const TYPES: &[&str] = &[
    "A",
    "AAAA",
    "NS",
    "SOA",
    "MX",
    "TXT",
    "CNAME",
    "DNAME",
    "DS",
    "ANY",
    "TYPE65280",
    "RRSIG",
    "AXFR",
    "OPT",
];

#[test]
fn every_name_type_and_edns_gets_the_same_answer_in_all_six_ways() {
    let nsid = &b"\0\x03\0\0"[..];
    for name in NAMES {
        for record_type in TYPES {
            let plain = query(name, record_type);
            let variants = [
                plain.clone(),
                with_opt(plain.clone(), 1232, 0, 0, nsid),
                with_opt(plain.clone(), 512, 0, 0, &[]),
                with_opt(plain.clone(), 1232, 1, 0, &[]),
                with_do(plain),
            ];
            for octets in variants {
                assert_eq!(ask(zones(), &octets).len(), 6, "{name} {record_type}");
            }
        }
    }
}

#[test]
fn either_engine_answers_over_each_family_and_transport() {
    let octets = with_do(query("child.example.", "DS"));
    let expected = ask(zones(), &octets);
    for server in zones().servers() {
        for address in server.addresses() {
            let (_, over_tcp) = ask_tcp(connect(address), &octets).unwrap();
            for response in [ask_udp(address, &octets), over_tcp] {
                let message = Message::from_vec(&response).unwrap();
                assert_eq!(message, expected[0].message, "{address}");
            }
        }
    }
}
