//! Zone transfer between anyns and NSD, Knot DNS, BIND 9 and PowerDNS, in both directions.
//!
//! ```text
//!   zones (two versions, one zone for each feature) --> peer (primary)  --> Secondary --> Hub    compared record by record
//!                                                  \--> Hub --> Primary --> peer (secondary)     compared record by record
//! ```
//!
//! A zone of each kind is transferred whole, changed, told of by NOTIFY, and transferred again; the cell says how. Then each peer makes a
//! catalog of zones that anyns reads, and follows one that anyns makes. The matrix is
//! printed; an empty cell names what the peer lacks. `ANYNS_INTEROP_PEER=knot` runs one peer alone.

// A helper that cannot go on fails the test; clippy's leave for tests does not reach helpers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

mod catalog;
mod certificates;
mod expire;
mod from_peer;
mod hub;
mod matrix;
mod peers;
mod to_peer;
mod zones;

#[path = "../support/mod.rs"]
mod support;

use matrix::Matrix;
use peers::{PEERS, Peer};
use support::skip::has_programs;

const PROGRAMS: [&str; 10] = [
    "nsd",
    "knotd",
    "named",
    "pdns_server",
    "pdnsutil",
    "sqlite3",
    "dig",
    "ip",
    "setpriv",
    "dnssec-signzone",
];

#[test]
fn zones_go_between_anyns_and_each_peer() {
    if !has_programs("interop", &PROGRAMS) {
        return;
    }
    let mut matrix = Matrix::default();
    let only = std::env::var("ANYNS_INTEROP_PEER").ok();
    for peer in PEERS.into_iter().filter(|peer| only.as_deref().is_none_or(|only| only == peer.name())) {
        from_peer::run(peer, &mut matrix);
        to_peer::run(peer, &mut matrix);
        catalog::run(peer, &mut matrix);
    }
    matrix.finish();
}

/// The address of anyns in every lab.
pub const ANYNS: &str = "127.0.1.1";
/// The address of the peer.
pub const PEER: &str = "127.0.1.2";

/// The zone that is transferred over TLS (RFC 9103).
pub const XOT: &str = "xot.test";

/// The zones that a peer can have, by name.
pub fn zones_of(peer: Peer) -> impl Iterator<Item = &'static str> {
    zones::ZONES.iter().map(|(zone, _)| *zone).filter(move |zone| *zone != XOT || lacks(peer, XOT).is_none())
}

/// What a peer is known not to do, and which version that is.
pub fn lacks(peer: Peer, feature: &str) -> Option<&'static str> {
    match (peer, feature) {
        (Peer::PowerDns, "ixfr from") => Some("PowerDNS 4.7 answers IXFR with the whole zone"),
        (Peer::PowerDns, "ixfr to") => Some("PowerDNS 4.7 asks for the whole zone with its BIND backend"),
        (Peer::Knot, XOT) => Some("Knot 3.2 has no transfers over TLS"),
        (Peer::PowerDns, XOT) => Some("PowerDNS 4.7 has no transfers over TLS"),
        (Peer::Bind, "EXPIRE of transfers") => {
            Some("BIND 9.18 asks for it in SOA queries alone: what it transfers begins with SOA EXPIRE")
        }
        (Peer::Nsd, "EXPIRE") => Some("NSD 4.6 does not know the option"),
        (Peer::PowerDns, "EXPIRE") => Some("PowerDNS 4.7 does not know the option"),
        (Peer::Nsd, "catalog") => Some("NSD 4.6 has no catalogs"),
        _ => None,
    }
}
