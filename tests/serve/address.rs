//! Service addresses, in a network namespace that the test makes with `unshare`: the test starts itself in there.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyns::serve::{AddressError, ServiceAddresses};

use crate::support::PATIENCE;

/// Says to the inner test that it is inside.
const INSIDE: &str = "ANYNS_TEST_INSIDE_NAMESPACE";

#[test]
fn service_addresses_are_checked_installed_watched_and_removed() {
    let allowed = Command::new("unshare").args(["--net", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        println!("skipped: unshare --net is not allowed here");
        return;
    }
    let test = std::env::current_exe().unwrap();
    let inside = ["--exact", "address::inside_the_namespace", "--ignored", "--nocapture"];
    let output =
        Command::new("unshare").arg("--net").arg(test).args(inside).env(INSIDE, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn on_loopback(address: &str) -> bool {
    ip("-o address show dev lo").contains(&format!(" {address} "))
}

async fn lost(addresses: &ServiceAddresses, expected: &[IpAddr]) {
    let mut lost = addresses.lost();
    let told = tokio::time::timeout(PATIENCE, lost.wait_for(|lost| lost == expected)).await;
    assert!(told.is_ok(), "never said {expected:?}, but {:?}", addresses.lost().borrow());
}

#[tokio::test]
#[ignore = "runs inside the namespace that service_addresses_are_checked_… makes"]
async fn inside_the_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        println!("skipped: not started by its outer test");
        return;
    }
    ip("link set lo up");
    let v4: IpAddr = "192.0.2.53".parse().unwrap();
    let v6: IpAddr = "2001:db8::53".parse().unwrap();

    let missing = ServiceAddresses::ensure(&[v4, v6], false).await.unwrap_err();
    assert!(matches!(&missing, AddressError::Missing(them) if *them == [v4, v6]), "{missing}");

    // The operator has put one there: only the other is installed, and only that one is removed.
    ip("address add 192.0.2.53/32 dev lo");
    let addresses = ServiceAddresses::ensure(&[v4, v6], true).await.unwrap();
    assert_eq!(addresses.installed(), [v6]);
    assert!(on_loopback("2001:db8::53/128"));
    // At once usable, no duplicate detection.
    std::net::UdpSocket::bind((v6, 0)).unwrap();
    addresses.remove().await.unwrap();
    assert!(on_loopback("192.0.2.53/32") && !on_loopback("2001:db8::53/128"));

    let addresses = ServiceAddresses::ensure(&[v4, v6, "127.0.0.53".parse().unwrap()], true).await.unwrap();
    let again = ServiceAddresses::ensure(&[v4, v6], true).await.unwrap();
    assert!(again.installed().is_empty(), "idempotent");
    again.remove().await.unwrap();
    lost(&addresses, &[]).await;
    let begin = tokio::time::Instant::now();
    ip("address del 192.0.2.53/32 dev lo");
    lost(&addresses, &[v4]).await;
    assert!(begin.elapsed() < Duration::from_secs(4), "by the event, not by the recheck");
    ip("address del 2001:db8::53/128 dev lo");
    lost(&addresses, &[v4, v6]).await;
    ip("address add 192.0.2.53/32 dev lo");
    lost(&addresses, &[v6]).await;
    // Removing what is gone already is no error.
    addresses.remove().await.unwrap();
}
