//! anyns as primary of a peer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::SystemTime;

use anyns::transfer::message::{Asked, Limits, Outcome, Progress, TransferReader};
use anyns::transfer::notify::{Allowed, AllowedSource, Target};
use anyns::transfer::primary::{Primary, PrimarySettings, Sent};
use anyns::transfer::tls::TlsServer;
use anyns::transfer::tsig::Exchange;
use anyns::wire::{RecordType, Serial};
use anyns::zone::{Record, ZoneBuilder};

use super::hub::Hub;
use super::matrix::Matrix;
use super::peers::{Peer, Role};
use super::support::lab::{Lab, Space};
use super::support::wait::looked_for;
use super::zones::{Files, ZONES, bound, compare, key_of, keys, name};
use super::{ANYNS, PEER, XOT, certificates, expire, lacks, zones_of};

/// Runs both versions through.
pub fn run(peer: Peer, matrix: &mut Matrix) {
    let mut lab = Lab::new();
    let space = lab.space("out");
    for address in [ANYNS, PEER] {
        space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    let files = Files::new(lab.subdirectory("versions"));
    let written = lab.subdirectory("zones");
    let hub = Arc::new(Hub::default());
    ZONES.iter().for_each(|(zone, _)| hub.put(files.zone(zone, 1)));
    certificates::make(&lab);
    let primary = space.inside(|| primary(&hub, &lab));
    let process = peer.start(&lab, &space, Role::Secondary, &written);
    let row = format!("anyns to {}", peer.name());
    if let Some(why) = lacks(peer, XOT) {
        matrix.set(&row, XOT, Ok(format!("- ({why})")));
    }
    for zone in zones_of(peer) {
        matrix.set(&row, zone, arrived(&space, &files, zone, 1).map(|()| "AXFR".to_owned()));
    }
    for (zone, _) in ZONES {
        hub.put(files.zone(zone, 2));
        assert!(primary.changed(name(zone)));
    }
    for zone in zones_of(peer) {
        let result = arrived(&space, &files, zone, 2).and_then(|()| {
            let seen = primary.seen().list().into_iter().find(|seen| seen.zone == name(zone));
            let sent = seen.and_then(|seen| seen.sent);
            match (sent, lacks(peer, "ixfr to")) {
                (Some(Sent::Differences), _) => Ok("NOTIFY, IXFR".to_owned()),
                (_, Some(why)) => Ok(format!("NOTIFY, AXFR ({why})")),
                (sent, None) => Err(format!("the change was sent as {sent:?}")),
            }
        });
        matrix.set(&row, zone, result);
    }
    expire::of_secondary(peer, &space, (&row, matrix));
    if std::env::var_os("ANYNS_INTEROP_LOG").is_some() {
        println!("{}", process.output());
    }
}

fn primary(hub: &Arc<Hub>, lab: &Lab) -> Primary {
    let from = |keys, encrypted| {
        let prefix = "127.0.0.0/8".parse().expect("a prefix");
        Allowed(vec![AllowedSource { prefix, keys, encrypted }])
    };
    let file = |name| certificates::file(lab, name);
    let tls = TlsServer::new(&file("certificate.pem"), &file("key.pem"), None).expect("TLS");
    let key = |zone: &str| key_of(zone).map(|key| name(&key));
    let target =
        |zone: &str| Target { address: format!("{PEER}:53").parse().expect("an address"), key: key(zone) };
    let settings = PrimarySettings {
        listen: vec![format!("{ANYNS}:53").parse().expect("an address")],
        tls: Some((vec![format!("{ANYNS}:853").parse().expect("an address")], tls)),
        keys: keys(),
        zones: ZONES
            .iter()
            .map(|(zone, _)| (name(zone), from(key(zone).into_iter().collect(), *zone == XOT)))
            .collect(),
        management: vec![ANYNS.parse().expect("an address")],
        notify_zones: ZONES.iter().map(|(zone, _)| (name(zone), vec![target(zone)])).collect(),
        ..PrimarySettings::default()
    };
    Primary::start(settings, hub.clone(), None).expect("a primary")
}

/// Waits until the peer gives this version, and compares it.
fn arrived(space: &Space, files: &Files, zone: &str, version: u32) -> Result<(), String> {
    let mut last = String::new();
    let found = looked_for(bound(), || match space.inside(|| transfer(zone)) {
        Ok((serial, records)) if serial == Serial(version) => Some(records),
        Ok((serial, _)) => {
            last = format!("it serves serial {serial}");
            None
        }
        Err(error) => {
            last = error;
            None
        }
    });
    let found = found.ok_or_else(|| format!("version {version} did not arrive: {last}"))?;
    compare(&files.zone(zone, version), &found)
}

/// The zone as the peer gives it by AXFR.
fn transfer(zone: &str) -> Result<(Serial, Vec<Record>), String> {
    let text = |error: std::io::Error| error.to_string();
    let address: SocketAddr = format!("{PEER}:53").parse().expect("an address");
    let mut stream = TcpStream::connect(address).map_err(text)?;
    stream.set_read_timeout(Some(bound())).map_err(text)?;
    let asked = Asked { zone: name(zone), id: 7, record_type: RecordType::AXFR };
    let mut query = asked.query(None);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let keys = keys();
    let key = key_of(zone).and_then(|key| keys.get(&name(&key)).cloned());
    let mut exchange = key.map(|key| Exchange::sign(&mut query, &key, now()));
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).map_err(text)?;
    let mut reader = TransferReader::new(asked, None, Limits::default());
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length).map_err(text)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut message).map_err(text)?;
        if let Some(exchange) = &mut exchange {
            exchange.verify(&message, now()).map_err(|fault| fault.to_string())?;
        }
        match reader.feed(&message).map_err(|fault| fault.to_string())? {
            Progress::More => {}
            Progress::Done(Outcome::Whole { soa, batches }) => {
                let mut builder = ZoneBuilder::new(name(zone));
                batches.into_iter().for_each(|batch| builder.add(batch));
                let zone = builder.finish().map_err(|faults| faults[0].to_string())?;
                return Ok((soa.serial, zone.records().collect()));
            }
            Progress::Done(other) => return Err(format!("{other:?}")),
        }
    }
}
