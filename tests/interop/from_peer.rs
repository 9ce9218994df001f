//! anyns as secondary of a peer.

use std::sync::Arc;
use std::time::Duration;

use anyns::transfer::notify::{Allowed, AllowedSource};
use anyns::transfer::primary::Source as _;
use anyns::transfer::primary::{self, Primary};
use anyns::transfer::refresh::Bounds;
use anyns::transfer::secondary::{self, Secondary, SecondarySettings, SecondaryZone};
use anyns::transfer::tls::{Authentication, TlsClient};
use anyns::wire::Serial;

use super::hub::{By, Hub};
use super::matrix::Matrix;
use super::peers::{Peer, Role};
use super::support::lab::Lab;
use super::support::wait::looked_for;
use super::zones::{Files, ZONES, bound, compare, key_of, keys, name};
use super::{ANYNS, PEER, XOT, certificates, expire, lacks, zones_of};

/// Runs both versions through.
pub fn run(peer: Peer, matrix: &mut Matrix) {
    let mut lab = Lab::new();
    let space = lab.space("in");
    for address in [ANYNS, PEER] {
        space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    let files = Files::new(lab.subdirectory("versions"));
    let deployed = lab.subdirectory("zones");
    ZONES.iter().for_each(|(zone, _)| files.deploy(zone, 1, &deployed));
    certificates::make(&lab);
    let process = peer.start(&lab, &space, Role::Primary, &deployed);
    let hub = Arc::new(Hub::default());
    let running = space.inside(|| secondary(&hub, &lab, peer));
    let row = format!("{} to anyns", peer.name());
    if let Some(why) = lacks(peer, XOT) {
        matrix.set(&row, XOT, Ok(format!("- ({why})")));
    }
    for zone in zones_of(peer) {
        matrix.set(&row, zone, first(&hub, &files, zone));
    }
    ZONES.iter().for_each(|(zone, _)| files.deploy(zone, 2, &deployed));
    peer.reload(&process, &lab, &space);
    for zone in zones_of(peer) {
        let result = second(&hub, &files, zone).and_then(|by| match (by, lacks(peer, "ixfr from")) {
            (By::Differences, _) => Ok("NOTIFY, IXFR".to_owned()),
            (By::Whole, Some(why)) => Ok(format!("NOTIFY, AXFR ({why})")),
            (By::Whole, None) => Err("the change came whole, not as a difference".to_owned()),
        });
        matrix.set(&row, zone, result);
    }
    expire::of_primary(peer, &space, (&row, matrix));
    if std::env::var_os("ANYNS_INTEROP_REPORT").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        println!("{:#?}", runtime.block_on(running.0.handle().report()));
    }
    drop(running);
}

/// A secondary of all zones, and what takes its NOTIFYs.
fn secondary(hub: &Arc<Hub>, lab: &Lab, peer: Peer) -> (Secondary, Primary) {
    let anywhere = Allowed(vec![AllowedSource {
        prefix: "127.0.0.0/8".parse().expect("a prefix"),
        keys: vec![],
        encrypted: false,
    }]);
    let (file, name_of) = (certificates::file(lab, "ca.pem"), certificates::PEER_NAME.to_owned());
    let tls = TlsClient::new(&Authentication::Authority { file, name: name_of }, None).expect("TLS");
    let zone = |zone: &str| SecondaryZone {
        name: name(zone),
        primaries: vec![secondary::PrimaryServer {
            address: format!("{PEER}:{}", if zone == XOT { 853 } else { 53 }).parse().expect("an address"),
            key: key_of(zone).map(|key| name(&key)),
            tls: (zone == XOT).then(|| tls.clone()),
        }],
        notify: anywhere.clone(),
        expired: secondary::OnExpiry::default(),
    };
    let settings = SecondarySettings {
        zones: zones_of(peer).map(zone).collect(),
        keys: keys(),
        management: vec![ANYNS.parse().expect("an address")],
        // The peer may still be loading: the first tries are short.
        bounds: Bounds { most_retry: Duration::from_secs(1), ..Bounds::default() },
        ..SecondarySettings::default()
    };
    let running = Secondary::start(settings, hub.clone(), Default::default()).expect("a secondary");
    let listen = primary::PrimarySettings {
        listen: vec![format!("{ANYNS}:53").parse().expect("an address")],
        keys: keys(),
        ..primary::PrimarySettings::default()
    };
    let listener = Primary::start(listen, hub.clone(), Some(running.handle())).expect("a listener");
    (running, listener)
}

fn first(hub: &Hub, files: &Files, zone: &str) -> Result<String, String> {
    let came = looked_for(bound(), || hub.came(&name(zone), Serial(1)));
    came.ok_or("the first version did not come")?;
    let found: Vec<_> = hub.zone(&name(zone)).ok_or("it is gone")?.records().collect();
    compare(&files.zone(zone, 1), &found)?;
    Ok("AXFR".to_owned())
}

fn second(hub: &Hub, files: &Files, zone: &str) -> Result<By, String> {
    let came = looked_for(bound(), || hub.came(&name(zone), Serial(2)));
    let by = came.ok_or("the second version did not come")?;
    let found: Vec<_> = hub.zone(&name(zone)).ok_or("it is gone")?.records().collect();
    compare(&files.zone(zone, 2), &found)?;
    Ok(by)
}
