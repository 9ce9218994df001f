//! Service addresses, in a network namespace.

use std::net::IpAddr;
use std::time::Duration;

use anyns::host::{AddressError, ServiceAddresses};

use crate::namespace::{ip, is_inside, run_inside};
use crate::support::PATIENCE;

#[test]
fn service_addresses_are_checked_installed_watched_and_removed() {
    run_inside("address::inside_the_namespace");
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
    if !is_inside() {
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
