//! A host whose routes go away, and queries from spoofed sources, in a network namespace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyns::host::{Facts, HostFacts, Observed, Observer};
use anyns::serve::{Engine, Serving};
use anyns::telemetry::{Beat, keep_running};
use socket2::{Domain, Protocol, Socket, Type};

use crate::namespace::{ip, is_inside, run_inside};
use crate::support::*;

#[test]
fn only_a_host_without_a_route_to_its_references_has_no_route_back() {
    run_inside("route_back::inside_without_routes");
}

/// A query in a packet that says it comes from elsewhere (RFC 791, RFC 768; no UDP checksum).
fn spoof(socket: &Socket, from: Ipv4Addr, to: SocketAddr) {
    let IpAddr::V4(destination) = to.ip() else { unreachable!("the test asks over IPv4") };
    let query = query(7);
    let length = |octets: usize| (octets as u16).to_be_bytes();
    let packet = [
        &[0x45, 0][..],
        &length(28 + query.len()),
        &[0, 0, 0, 0, 64, 17, 0, 0],
        &from.octets(),
        &destination.octets(),
        &4711u16.to_be_bytes(),
        &to.port().to_be_bytes(),
        &length(8 + query.len()),
        &[0, 0],
        &query,
    ]
    .concat();
    socket.send_to(&packet, &SocketAddr::new(to.ip(), 0).into()).unwrap();
}

fn observe(serving: &Serving, references: &[&str]) -> (HostFacts, Beat) {
    let references: Vec<IpAddr> = references.iter().map(|one| one.parse().unwrap()).collect();
    let (mut observer, told) = Observer::new(Observed {
        sockets: Vec::new(),
        service_addresses: vec![serving.local_addresses()[0].ip()],
        references: Box::new(move || references.clone()),
        sends: Box::new(serving.sends()),
        asked: Box::new(|| [0, 0]),
        clients: Box::new(serving.recent_clients()),
    });
    let beat = observer.beat();
    let running = beat.clone();
    tokio::spawn(async move {
        keep_running(&running, &mut observer, async |observer| observer.run().await).await;
    });
    (told, beat)
}

/// Sends spoofed queries until the facts fit, at least three looks long.
async fn flood(told: &HostFacts, socket: &Socket, to: SocketAddr, what: &str, fits: impl Fn(&Facts) -> bool) {
    let (begin, before) = (Instant::now(), told.checks());
    let mut seen = told.facts.clone();
    loop {
        (0..20).for_each(|host| spoof(socket, Ipv4Addr::new(203, 0, 113, host), to));
        let _ = tokio::time::timeout(Duration::from_millis(100), seen.changed()).await;
        if told.checks() >= before + 3 && fits(&told.facts.load()) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "never {what}: {:?}", told.facts.load());
    }
}

#[tokio::test]
#[ignore = "runs inside a namespace"]
async fn inside_without_routes() {
    if !is_inside() {
        return;
    }
    ip("link set lo up");
    ip("address add 192.0.2.53/32 dev lo");
    ip("link add d0 type veth peer name d1");
    ip("link set d0 up");
    ip("link set d1 up");
    ip("address add 198.51.100.1/24 dev d0");
    ip("route add default via 198.51.100.254");
    let server = start(&settings(Engine::Native, &["192.0.2.53:0"]));
    let to = server.address(0);
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
    let (far, _) = observe(&server.serving, &["203.0.113.99"]);
    let (near, _) = observe(&server.serving, &["198.51.100.200"]);
    let (none, beat) = observe(&server.serving, &[]);
    let lost: IpAddr = "203.0.113.99".parse().unwrap();

    flood(&far, &raw, to, "well with a default route", |facts| *facts == Facts::default()).await;
    let sends = server.serving.sends();
    assert!(sends().unwrap().left[0] > 0 && sends().unwrap().without_route == [0, 0]);

    ip("route del default");
    flood(&far, &raw, to, "lost", |facts| facts.no_route_back == [vec![lost], vec![]]).await;
    // A reference that is on the link is still reached: the sources may all be spoofed.
    flood(&near, &raw, to, "well", |facts| *facts == Facts::default()).await;
    // Without a reference it is an alarm only; also after a panic.
    beat.ask_panic();
    flood(&none, &raw, to, "an alarm", |facts| {
        facts.no_route_back.iter().all(Vec::is_empty)
            && facts.alarms.iter().any(|one| one.contains("IPv4 answers failed"))
    })
    .await;
    eventually("it panicked", || beat.panics() == 1);
    assert!(sends().unwrap().without_route[0] > 0);

    ip("route add unreachable default");
    flood(&far, &raw, to, "lost by an unreachable route", |facts| facts.no_route_back[0] == [lost]).await;
    ip("route del unreachable default");
    ip("route add default via 198.51.100.254");
    flood(&far, &raw, to, "well again", |facts| *facts == Facts::default()).await;
}
