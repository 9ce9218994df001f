//! The EXPIRE option (RFC 7314): which answers of a peer have it, and how long a zone may be served that went from anyns to the peer and from there
//! to anyns again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyns::transfer::message::{Asked, TimeLeft};
use anyns::transfer::notify::Allowed;
use anyns::transfer::secondary::{
    OnExpiry, PrimaryServer, Remaining, Secondary, SecondarySettings, SecondaryZone,
};
use anyns::wire::{RecordType, Serial};

use super::hub::Hub;
use super::matrix::Matrix;
use super::peers::Peer;
use super::support::lab::Space;
use super::support::wait::looked_for;
use super::zones::{bound, keys, name};
use super::{ANYNS, PEER, lacks};

/// The zone that is looked at: it has no key.
const ZONE: &str = "plain.test";
/// Its EXPIRE, in seconds.
const EXPIRE: u64 = 864_000;
/// What anyns says as primary of the peers: less than EXPIRE, as a POP that has not heard of the hub for some days.
pub const TOLD: Duration = Duration::from_secs(400_000);

/// What the peer says as primary of the zone, whose second version it has.
pub fn of_primary(peer: Peer, space: &Space, (row, matrix): (&str, &mut Matrix)) {
    matrix.set(row, "EXPIRE", cell(peer, &said(space), |left| left == EXPIRE));
}

/// What it says as secondary of anyns, and what a secondary behind it makes of that.
pub fn of_secondary(peer: Peer, space: &Space, (row, matrix): (&str, &mut Matrix)) {
    let is_less = |left: u64| left <= TOLD.as_secs() && left + 600 > TOLD.as_secs();
    let result = match (lacks(peer, "EXPIRE"), lacks(peer, "EXPIRE of transfers")) {
        (Some(_), _) => cell(peer, &said(space), is_less),
        (None, Some(why)) => cell(peer, &said(space), |left| left <= EXPIRE && !is_less(left))
            .map(|cell| format!("{cell} ({why})")),
        (None, None) => cell(peer, &said(space), is_less)
            .and_then(|cell| behind(space, is_less).map(|left| format!("{cell}; {left} s behind it"))),
    };
    matrix.set(row, "EXPIRE", result);
}

/// How long the zone may be served by each kind of answer, if it says so.
type Said = Vec<(&'static str, Result<Option<u64>, String>)>;

fn said(space: &Space) -> Said {
    let ask = |record_type, from: Option<u32>| space.inside(|| asked(record_type, from.map(Serial)));
    vec![
        ("SOA", ask(RecordType::SOA, None)),
        ("AXFR", ask(RecordType::AXFR, None)),
        ("IXFR", ask(RecordType::IXFR, Some(1))),
        ("IXFR of what is served", ask(RecordType::IXFR, Some(2))),
    ]
}

/// The answer to an SOA query is to have what it `should` say, and so is each other one that has the option, unless the peer lacks it.
fn cell(peer: Peer, said: &Said, should: impl Fn(u64) -> bool) -> Result<String, String> {
    let has = |(_, left): &&(&str, Result<Option<u64>, String>)| matches!(left, Ok(Some(_)));
    if let Some(why) = lacks(peer, "EXPIRE") {
        return match said.iter().find(has) {
            None => Ok(format!("- ({why})")),
            Some((kind, left)) => Err(format!("{kind} has the option, which the peer lacks: {left:?}")),
        };
    }
    let is_right = |(kind, left): &(&str, Result<Option<u64>, String>)| match left {
        Ok(Some(left)) => should(*left),
        // The origin of a zone says nothing by it that its SOA record does not say.
        Ok(None) => *kind != "SOA",
        Err(_) => false,
    };
    match said.iter().all(is_right) {
        true => Ok(said.iter().filter(has).map(|(kind, _)| *kind).collect::<Vec<_>>().join(", ")),
        false => Err(format!("{said:?}")),
    }
}

/// What the first message of an answer says.
fn asked(record_type: RecordType, from: Option<Serial>) -> Result<Option<u64>, String> {
    let text = |error: std::io::Error| error.to_string();
    let address: SocketAddr = format!("{PEER}:53").parse().expect("an address");
    let mut stream = TcpStream::connect(address).map_err(text)?;
    stream.set_read_timeout(Some(bound())).map_err(text)?;
    let query = Asked { zone: name(ZONE), id: 7, record_type }.query_with_expire(from);
    let sent = Instant::now();
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).map_err(text)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).map_err(text)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).map_err(text)?;
    match message[3] & 0xf {
        0 => Ok(TimeLeft::read(&message, sent).map(|it| it.left.as_secs())),
        rcode => Err(format!("RCODE {rcode}")),
    }
}

/// How long a secondary of the peer may serve the zone.
fn behind(space: &Space, is_right: impl Fn(u64) -> bool) -> Result<u64, String> {
    let zone = SecondaryZone {
        name: name(ZONE),
        primaries: vec![PrimaryServer {
            address: format!("{PEER}:53").parse().expect("an address"),
            key: None,
            tls: None,
        }],
        notify: Allowed::default(),
        expired: OnExpiry::default(),
    };
    let settings = SecondarySettings {
        zones: vec![zone],
        keys: keys(),
        management: vec![ANYNS.parse().expect("an address")],
        ..SecondarySettings::default()
    };
    let start = || Secondary::start(settings, Arc::new(Hub::default()), Default::default());
    let running = space.inside(start).expect("a secondary");
    let left = looked_for(bound(), || match running.handle().remaining(&name(ZONE)) {
        Remaining::Left(left) => Some(left.as_secs()),
        Remaining::Origin | Remaining::Unknown => None,
    });
    match left.ok_or("the zone did not come to a secondary behind the peer")? {
        left if is_right(left) => Ok(left),
        left => Err(format!("{left} s are left behind it")),
    }
}
