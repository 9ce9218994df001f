//! Versions that were refused and are not to be had any more.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::bad_primaries::{LOOPBACK, settings, told};
use super::*;
use crate::transfer::hub::{Hub, a, name, zone};
use crate::transfer::notify::Allowed;
use crate::wire::Serial;

/// A hub with version 6, and a secondary that serves version 5 and has refused that one.
fn with_a_refused_version() -> (Arc<Hub>, crate::transfer::primary::Primary, Arc<Hub>, Secondary) {
    let (hub, _) = Hub::new();
    hub.put(zone(6, [a("a.example.", 2)]));
    let serving = crate::transfer::primary::PrimarySettings {
        listen: vec![SocketAddr::new(LOOPBACK, 0)],
        allowed: Allowed(vec![crate::transfer::notify::AllowedSource {
            prefix: "127.0.0.0/8".parse().unwrap(),
            keys: vec![],
            encrypted: false,
        }]),
        management: vec![LOOPBACK],
        ..Default::default()
    };
    let primary = crate::transfer::primary::Primary::start(serving, hub.clone(), None).unwrap();
    let (pop, _served) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    pop.refuse(Serial(6));
    let settings = settings(primary.addresses()[0], None);
    let secondary = Secondary::start(settings, pop.clone(), Default::default()).unwrap();
    told(&secondary, |report| report.status.refused == Some(Serial(6)));
    (hub, primary, pop, secondary)
}

/// The publisher hears when the version that was refused is not to be had any more.
#[test]
fn a_refused_version_that_its_primary_took_back_is_told() {
    let (hub, _primary, pop, secondary) = with_a_refused_version();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let look = || {
        let order = crate::transfer::refresh::Order::Refresh;
        runtime.block_on(secondary.handle().order(None, order)).unwrap();
    };
    // It is refused once more: nothing was taken back.
    look();
    told(&secondary, |report| report.status.refused == Some(Serial(6)));
    assert_eq!(*pop.withdrawn.lock().unwrap(), []);
    hub.put(zone(5, [a("a.example.", 1)]));
    look();
    let is_told = || *pop.withdrawn.lock().unwrap() == [name("example.")];
    crate::test_support::wait::wait_until("it is told", Duration::from_secs(20), is_told);
}

/// The same when its primary is asked no more: another one is configured, which does not even answer, or none.
#[test]
fn a_refused_version_of_a_primary_that_is_configured_no_more_is_told() {
    let closed = TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    let none = SecondarySettings { zones: Vec::new(), ..settings(closed, None) };
    for other in [settings(closed, None), none.clone()] {
        let (_hub, _primary, pop, secondary) = with_a_refused_version();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = secondary.handle();
        assert_eq!(*pop.withdrawn.lock().unwrap(), []);
        runtime.block_on(async { handle.change(other).unwrap() });
        let is_told = || *pop.withdrawn.lock().unwrap() == [name("example.")];
        crate::test_support::wait::wait_until("it is told", Duration::from_secs(20), is_told);
    }
    // The same of a member of a catalog, which gets another primary.
    let (_hub, primary, pop, secondary) = with_a_refused_version();
    drop(secondary);
    let secondary = Secondary::start(none, pop.clone(), Default::default()).unwrap();
    let (runtime, handle) =
        (tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(), secondary.handle());
    let member = |address| MemberZones { set: settings(address, None).zones, ..MemberZones::default() };
    runtime.block_on(handle.change_members(member(primary.addresses()[0]))).unwrap();
    told(&secondary, |report| report.status.refused == Some(Serial(6)));
    assert_eq!(*pop.withdrawn.lock().unwrap(), []);
    runtime.block_on(handle.change_members(member(closed))).unwrap();
    let is_told = || *pop.withdrawn.lock().unwrap() == [name("example.")];
    crate::test_support::wait::wait_until("it is told", Duration::from_secs(20), is_told);
}
