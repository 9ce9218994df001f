//! Service addresses, in a network namespace.

use std::net::IpAddr;

use anyns::host::{AddressError, LostAddresses, ServiceAddresses};
use anyns::telemetry::keep_running;

use crate::namespace::{ip, is_inside, run_inside};
use crate::support::PATIENCE;

#[test]
fn service_addresses_are_checked_installed_watched_and_removed() {
    run_inside("address::inside_the_namespace");
}

fn on_loopback(address: &str) -> bool {
    ip("-o address show dev lo").contains(&format!(" {address} "))
}

async fn lost(told: &LostAddresses, expected: &[IpAddr]) {
    let mut lost = told.lost.clone();
    let waited = tokio::time::timeout(PATIENCE, lost.wait_for(|lost| *lost == expected)).await;
    assert!(waited.is_ok(), "never said {expected:?}, but {:?}", told.lost.load());
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
    let (mut watcher, told) = addresses.watcher();
    let beat = watcher.beat();
    let running = beat.clone();
    tokio::spawn(async move {
        keep_running(&running, &mut watcher, async |watcher| watcher.run().await).await;
    });
    lost(&told, &[]).await;
    ip("address del 192.0.2.53/32 dev lo");
    lost(&told, &[v4]).await;
    // It is watched again after a panic, and the checks go on without a change.
    beat.ask_panic();
    ip("address del 2001:db8::53/128 dev lo");
    lost(&told, &[v4, v6]).await;
    ip("address add 192.0.2.53/32 dev lo");
    lost(&told, &[v6]).await;
    let before = told.checks();
    let begin = tokio::time::Instant::now();
    while told.checks() < before + 3 || beat.panics() == 0 {
        assert!(begin.elapsed() < PATIENCE, "the addresses are looked at no more");
        tokio::task::yield_now().await;
    }
    // Removing what is gone already is no error.
    addresses.remove().await.unwrap();
}
