//! Network namespaces: an outer test makes one with `unshare` and starts its inner test in there. The namespace goes
//! with the process. And what needs addresses that loopback does not have.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream};
use std::process::Command;

use anyns::serve::{Engine, Settings, TcpSettings};

use crate::skip::skip;
use crate::support::*;

/// Says to the inner test that it is inside.
const INSIDE: &str = "ANYNS_TEST_INSIDE_NAMESPACE";

/// Runs an ignored test of this binary in a new network namespace; says so and does nothing where that is not allowed.
pub(crate) fn run_inside(test: &str) {
    let allowed = Command::new("unshare").args(["--net", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        skip(test, "unshare --net is not allowed here");
        return;
    }
    let binary = std::env::current_exe().unwrap();
    let arguments = ["--exact", test, "--ignored", "--nocapture"];
    let output =
        Command::new("unshare").arg("--net").arg(binary).args(arguments).env(INSIDE, "1").output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
}

/// Whether an inner test was started by its outer one, and not in the namespace of the host.
pub(crate) fn is_inside() -> bool {
    let inside = std::env::var_os(INSIDE).is_some();
    if !inside {
        skip("an inner test of a namespace", "its outer test did not start it");
    }
    inside
}

/// Runs `ip` with these arguments.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_link_local_peer_is_answered_over_its_link() {
    run_inside("namespace::inside_link_local");
}

#[test]
#[ignore = "runs inside a namespace"]
fn inside_link_local() {
    if !is_inside() {
        return;
    }
    ip("link set lo up");
    // Two links with the same addresses: only the scope tells them apart.
    for pair in ["a", "b"] {
        ip(&format!("link add {pair}0 type veth peer name {pair}1"));
        ip(&format!("link set {pair}0 up"));
        ip(&format!("link set {pair}1 up"));
        ip(&format!("address add fe80::53/64 dev {pair}0 nodad"));
        // The kernel takes the address at once and what comes for it a little later.
        let route = format!("local fe80::53 dev {pair}0 ");
        eventually("the address is in use", || ip("-6 route show table local").contains(&route));
    }
    let server = start(&settings(Engine::Native, &["[::]:0"]));
    for link in ["a0", "b0"] {
        let listed = ip(&format!("-o link show dev {link}"));
        let scope: u32 = listed.split(':').next().unwrap().parse().unwrap();
        let asked = SocketAddrV6::new("fe80::53".parse().unwrap(), server.address(0).port(), 0, scope);
        let client = udp_client(SocketAddr::V6(asked));
        client.send_to(&query(5), asked).unwrap();
        let mut response = [0; 512];
        let (length, from) = client.recv_from(&mut response).unwrap();
        assert_eq!(response_id(&response[..length]), 5);
        assert_eq!(from, SocketAddr::V6(asked));
    }
}

#[test]
fn connections_of_one_source_and_of_all_are_capped() {
    run_inside("namespace::inside_caps");
}

#[test]
#[ignore = "runs inside a namespace"]
fn inside_caps() {
    if !is_inside() {
        return;
    }
    ip("link set lo up");
    for address in ["192.0.2.1/32", "198.51.100.1/32", "203.0.113.1/32"] {
        ip(&format!("address add {address} dev lo"));
    }
    let exempt = vec!["203.0.113.0/24".parse().unwrap()];
    let tcp = TcpSettings { connections: 3, connections_per_source: 2, exempt, ..TcpSettings::default() };
    let server = start(&Settings { tcp, ..settings(Engine::Native, &["127.0.0.1:0"]) });
    let mut kept = Vec::new();
    for (source, let_in) in [
        ("192.0.2.1", true),
        ("192.0.2.1", true),
        ("192.0.2.1", false),
        ("198.51.100.1", true),
        ("198.51.100.1", false),
        ("203.0.113.1", true),
        ("127.0.0.1", true),
    ] {
        // The reset may come before connect(2) has come back.
        let Ok(mut stream) = connect_from(source.parse().unwrap(), server.address(0)) else {
            assert!(!let_in, "{source}");
            continue;
        };
        let answered = ask_over(&mut stream, &query(1)).is_ok();
        assert_eq!(answered, let_in, "{source}");
        if !answered {
            assert!(stream.read(&mut [0; 1]).map_or(true, |octets| octets == 0), "closed");
        }
        kept.push(stream);
    }
    assert_eq!((server.sum(|it| &it.tcp_refused), server.sum(|it| &it.tcp_connections)), (2, 5));
}

fn connect_from(source: IpAddr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&server.into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}
