//! What the hub serves, the POPs serve: by its catalog, and by differences.

use std::net::{IpAddr, SocketAddr};

use crate::support::dns::SOA;
use crate::support::stream::ask_udp;
use crate::support::zones::versioned;
use crate::tool::catchment::SERVICES;
use crate::tool::nodes::RunningLab;
use crate::tool::observe::wait;
use crate::tool::stack::status;
use crate::tool::topology::Role;
use crate::tool::zone;

/// A zone that no configuration names.
const NEW: &str = "example.net";

/// REFUSED (RFC 1035): the server has no such zone.
const REFUSED: u8 = 5;

/// A zone that is new at the hub is answered at every POP, its next version comes as a difference, and it goes with the hub's.
pub(crate) fn a_zone_comes_and_goes(lab: &RunningLab) {
    assert!(all_clients(lab, |rcode| rcode == REFUSED), "nobody has {NEW}");
    deploy(lab, 1);
    wait(&format!("every POP answers {NEW}"), || all_clients(lab, |rcode| rcode == 0)).unwrap();
    for server in lab.topology.with_role(Role::Server, None) {
        assert_eq!(member(lab, server)["catalog"], "catalog.lab.", "{server}");
    }
    deploy(lab, 2);
    for server in lab.topology.with_role(Role::Server, None) {
        let transfer = member(lab, server)["transfer"]["last_transfer"].clone();
        assert_eq!(
            (&transfer["whole"], &transfer["serial"]),
            (&false.into(), &2.into()),
            "{server}: {transfer}"
        );
    }
    let remove = format!("rm /var/lib/anyns/zones/{NEW}.zone && anyns zone remove {NEW}");
    lab.run("hub", &["sh", "-c", &remove]).unwrap_or_else(|error| panic!("{error}"));
    wait(&format!("no POP answers {NEW}"), || all_clients(lab, |rcode| rcode == REFUSED)).unwrap();
}

fn deploy(lab: &RunningLab, version: u32) {
    let deployed = zone::deploy(lab, NEW, &versioned(NEW, version));
    deployed.and_then(|()| zone::wait(lab, NEW, version)).unwrap_or_else(|error| panic!("{error}"));
}

/// The zone in the status of a server.
fn member(lab: &RunningLab, server: &str) -> serde_json::Value {
    let status = status(lab, server).expect("a status");
    let mut zones = status["zones"].as_array().into_iter().flatten();
    zones.find(|zone| zone["name"] == format!("{NEW}.")).expect("the zone").clone()
}

fn all_clients(lab: &RunningLab, is_wanted: impl Fn(u8) -> bool) -> bool {
    let services =
        SERVICES.map(|address| SocketAddr::new(address.parse::<IpAddr>().expect("an address"), 53));
    lab.topology.with_role(Role::Client, None).all(|client| {
        let answers = lab.space(client).inside(|| services.map(|service| ask_udp(service, NEW, SOA)));
        answers.into_iter().all(|answer| answer.is_some_and(|answer| is_wanted(answer.rcode)))
    })
}
