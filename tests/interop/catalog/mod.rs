//! Catalog zones (RFC 9432) between anyns and each peer: the peer makes a catalog that anyns reads, and follows one that anyns makes.

mod peers;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyns::catalog::{CatalogZone, ListedMember, catalog_records, label_of};
use anyns::transfer::notify::{Allowed, AllowedSource, Target};
use anyns::transfer::primary::{Primary, PrimarySettings, Source as _};
use anyns::transfer::refresh::{Bounds, Order};
use anyns::transfer::secondary::{OnExpiry, PrimaryServer, Secondary, SecondarySettings, SecondaryZone};
use anyns::wire::{Name, Serial};
use anyns::zone::{Zone, ZoneBuilder};
use anyns::zonefile::{Limits, read_zone};

use super::hub::Hub;
use super::matrix::Matrix;
use super::peers::Peer;
use super::support::lab::{Lab, Space};
use super::support::process::Process;
use super::support::skip::skip;
use super::support::wait::looked_for;
use super::zones::name;
use super::{ANYNS, PEER, lacks};
use peers::Maker;

/// The catalog.
const CATALOG: &str = "catalog.test";
/// What the row is called.
const ROW: &str = "catalog";
/// The members of the first version, and of the second: one comes, one goes.
const FIRST: [&str; 2] = ["z0.test", "z1.test"];
const SECOND: [&str; 2] = ["z1.test", "z2.test"];
/// How long a zone may take to come, on a busy machine.
const BOUND: Duration = Duration::from_secs(20);

/// Both directions of one peer.
pub fn run(peer: Peer, matrix: &mut Matrix) {
    let why = lacks(peer, ROW).or_else(|| {
        let missing = peers::missing(peer)?;
        skip("catalogs of PowerDNS", missing);
        Some(missing)
    });
    let rows = [format!("{} to anyns", peer.name()), format!("anyns to {}", peer.name())];
    if let Some(why) = why {
        rows.iter().for_each(|row| matrix.set(row, ROW, Ok(format!("- ({why})"))));
        return;
    }
    let [from, to] = rows;
    matrix.set(&from, ROW, from_peer(peer));
    matrix.set(&to, ROW, to_peer(peer));
}

fn place() -> (Lab, Space) {
    let mut lab = Lab::new();
    let space = lab.space("catalog");
    for address in [ANYNS, PEER] {
        space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    (lab, space)
}

/// The file of a member zone.
fn write_member(files: &Path, zone: &str) {
    let text = format!(
        "$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
    );
    std::fs::write(files.join(format!("{zone}.zone")), text).expect("written");
}

fn names(zones: [&str; 2]) -> BTreeSet<Name> {
    zones.map(name).into()
}

/// The peer makes the catalog, and anyns reads its members out of what was transferred.
fn from_peer(peer: Peer) -> Result<String, String> {
    let (lab, space) = place();
    let files = lab.subdirectory("zones");
    ["z0.test", "z1.test", "z2.test"].iter().for_each(|zone| write_member(&files, zone));
    let maker = Maker::start(peer, (&lab, &space), &files, FIRST);
    let hub = Arc::new(Hub::default());
    let (secondary, _listener) = space.inside(|| secondary(&hub));
    let members = || {
        let zone = hub.zone(&name(CATALOG))?;
        CatalogZone::read(&zone).ok().map(|catalog| catalog.members.into_keys().collect::<BTreeSet<Name>>())
    };
    let wait = |wanted: [&str; 2]| {
        let found = looked_for(BOUND, || (members() == Some(names(wanted))).then_some(()));
        found.ok_or_else(|| format!("expected {wanted:?}, found {:?}", members()))
    };
    wait(FIRST)?;
    let told = maker.change(&space, SECOND);
    if !told {
        // It tells of no change of a catalog by itself, or late.
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let order = || runtime.block_on(secondary.handle().order(None, Order::Refresh)).expect("taken");
        looked_for(BOUND, || {
            order();
            (members() == Some(names(SECOND))).then_some(())
        });
    }
    wait(SECOND)?;
    Ok(format!("{}, a member comes, one goes", if told { "NOTIFY" } else { "refresh" }))
}

/// A secondary of the catalog, and what takes its NOTIFYs.
fn secondary(hub: &Arc<Hub>) -> (Secondary, Primary) {
    let zone = SecondaryZone {
        name: name(CATALOG),
        primaries: vec![PrimaryServer {
            address: format!("{PEER}:53").parse().expect("an address"),
            key: None,
            tls: None,
        }],
        notify: anywhere(),
        expired: OnExpiry::default(),
    };
    let settings = SecondarySettings {
        zones: vec![zone],
        catalogs: [name(CATALOG)].into(),
        management: vec![ANYNS.parse().expect("an address")],
        bounds: Bounds { most_retry: Duration::from_secs(1), ..Bounds::default() },
        ..SecondarySettings::default()
    };
    let running = Secondary::start(settings, hub.clone(), Default::default()).expect("a secondary");
    let listen = PrimarySettings {
        listen: vec![format!("{ANYNS}:53").parse().expect("an address")],
        ..PrimarySettings::default()
    };
    let listener = Primary::start(listen, hub.clone(), Some(running.handle())).expect("a listener");
    (running, listener)
}

fn anywhere() -> Allowed {
    let prefix = "127.0.0.0/8".parse().expect("a prefix");
    Allowed(vec![AllowedSource { prefix, keys: vec![], encrypted: false }])
}

/// anyns makes the catalog, and the peer serves its members.
fn to_peer(peer: Peer) -> Result<String, String> {
    let (lab, space) = place();
    let files = lab.subdirectory("zones");
    let hub = Arc::new(Hub::default());
    for zone in ["z0.test", "z1.test", "z2.test"] {
        write_member(&files, zone);
        let path = files.join(format!("{zone}.zone"));
        hub.put(read_zone(&path, &name(zone), &Limits::default()).expect("a zone").zone);
    }
    hub.put(catalog(1, FIRST));
    let primary = space.inside(|| primary(&hub));
    let _process: Process = peers::follow(peer, (&lab, &space));
    let serves = |zone: &str| {
        let mut dig = space.command("dig");
        let said =
            dig.args(["+time=1", "+tries=1", &format!("@{PEER}"), zone, "SOA"]).output().expect("dig runs");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        said.contains("status: NOERROR") && said.contains("ANSWER: 1")
    };
    let wait = |wanted: [&str; 2], gone: &str| {
        let is_so = || wanted.iter().all(|zone| serves(zone)) && !serves(gone);
        let found = looked_for(BOUND, || is_so().then_some(()));
        found.ok_or_else(|| format!("{wanted:?} are not what is served, or {gone} is"))
    };
    wait(FIRST, "z2.test")?;
    hub.put(catalog(2, SECOND));
    assert!(primary.changed(name(CATALOG)));
    wait(SECOND, "z0.test")?;
    Ok("NOTIFY, a member comes, one goes".to_owned())
}

fn catalog(serial: u32, members: [&str; 2]) -> Zone {
    let member = |zone: &str| ListedMember {
        name: name(zone),
        label: label_of(&name(zone), None),
        groups: Vec::new(),
        new_owner: None,
    };
    let records = catalog_records(&name(CATALOG), Serial(serial), &members.map(member)).expect("a catalog");
    let mut builder = ZoneBuilder::new(name(CATALOG));
    builder.add(records);
    builder.finish().expect("a zone")
}

fn primary(hub: &Arc<Hub>) -> Primary {
    let target = Target { address: format!("{PEER}:53").parse().expect("an address"), key: None };
    let settings = PrimarySettings {
        listen: vec![format!("{ANYNS}:53").parse().expect("an address")],
        allowed: anywhere(),
        management: vec![ANYNS.parse().expect("an address")],
        notify: vec![target],
        ..PrimarySettings::default()
    };
    Primary::start(settings, hub.clone(), None).expect("a primary")
}
