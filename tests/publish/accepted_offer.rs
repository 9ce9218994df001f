//! A version of a primary that was refused, accepted by an operator: just that one, whether it came whole or by differences.

use std::fs;

use anyns::publish::{AcceptError, Difference, Force, Settings, SingleZone, ZoneState};
use anyns::wire::{Name, Serial};
use anyns::zone::{RecordBatch, Zone};

use crate::support::{Pop, name, one, zone_text};

const ZONE: &str = "b.example.";

/// A version with so many hosts.
fn version(pop: &Pop, serial: u32, hosts: usize) -> Zone {
    pop.write("b", &zone_text(serial, hosts));
    anyns::zonefile::read_zone(&pop.path("b"), &name(ZONE), &Default::default()).unwrap().zone
}

/// From a version to one with the same hosts but these, which go.
fn shrinking(before: &Zone, to: &Zone) -> Difference {
    let zone: Name = name(ZONE);
    let [mut deleted, mut added] = [RecordBatch::new(&zone), RecordBatch::new(&zone)];
    let found = to.exact_difference(before, 1 << 20).unwrap();
    for (records, batch) in [(found.deleted, &mut deleted), (found.added, &mut added)] {
        for (owner, record_type, ttl, rdata) in records {
            batch.push(&owner, record_type, ttl, &rdata, Default::default());
        }
    }
    Difference { from: before.serial(), to: to.serial(), deleted, added }
}

#[tokio::test]
async fn the_refused_version_of_a_primary_that_is_kept_passes_by_its_serial() {
    let mut pop = Pop::new();
    let zone = name(ZONE);
    let settings = Settings { transferred: [zone.clone()].into(), ..pop.settings() };
    pop.start_with(settings).await;
    pop.wait_fault(ZONE, "no primary has given it yet").await;
    let primary = "192.0.2.1:53".parse().unwrap();
    let full = version(&pop, 5, 200);
    pop.handle().offer(full.clone(), primary, Force::No).await.unwrap();
    let none = pop.handle().accept(&zone, Serial(5)).await;
    assert!(matches!(none, Err(AcceptError::NothingRefused { .. })), "{none:?}");
    let refused_serial = |pop: &Pop| pop.handle().report().load().zones[&zone].refused_serial;

    // It came whole.
    pop.handle().offer(version(&pop, 6, 20), primary, Force::No).await.unwrap_err();
    assert_eq!(refused_serial(&pop), Some(Serial(6)));
    let other = pop.handle().accept(&zone, Serial(7)).await;
    assert!(matches!(other, Err(AcceptError::OtherSerial { .. })), "{other:?}");
    pop.handle().hold(one(&zone), Some("work".to_owned())).await.unwrap();
    // What is kept is not what was refused.
    let kept = pop.settings().state_directory.unwrap().join("refused/b.example.zone");
    let text = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, text.replace("10.0.0.6", "10.0.0.7")).unwrap();
    let changed = pop.handle().accept(&zone, Serial(6)).await;
    assert!(matches!(changed, Err(AcceptError::NotKept { .. })), "{changed:?}");
    fs::remove_file(&kept).unwrap();
    let gone = pop.handle().accept(&zone, Serial(6)).await;
    assert!(matches!(gone, Err(AcceptError::NotKept { .. })), "{gone:?}");
    assert_eq!(pop.served(ZONE), Some((5, 5)));
    fs::write(&kept, text).unwrap();
    assert_eq!(pop.handle().accept(&zone, Serial(6)).await.unwrap(), Serial(6), "also while it is held");
    pop.handle().hold(one(&zone), None).await.unwrap();
    assert_eq!((pop.served(ZONE), refused_serial(&pop)), (Some((6, 6)), None));
    let report = pop.handle().report().load();
    assert!(report.zones[&zone].state == ZoneState::Serving && report.zones[&zone].faults.is_empty());
    let again = pop.handle().accept(&zone, Serial(6)).await;
    assert!(matches!(again, Err(AcceptError::NothingRefused { .. })), "{again:?}");

    // It came by differences.
    pop.handle().offer(version(&pop, 7, 200), primary, Force::No).await.unwrap();
    let (before, small) = (version(&pop, 7, 200), version(&pop, 8, 10));
    pop.handle().apply(&zone, vec![shrinking(&before, &small)]).await.unwrap_err();
    assert_eq!((pop.served(ZONE), refused_serial(&pop)), (Some((7, 7)), Some(Serial(8))));
    assert_eq!(pop.handle().accept(&zone, Serial(8)).await.unwrap(), Serial(8));
    assert_eq!((pop.served(ZONE), refused_serial(&pop)), (Some((8, 8)), None));

    // One that passes makes that which was refused before pointless.
    pop.handle().offer(version(&pop, 4, 10), primary, Force::No).await.unwrap_err();
    assert_eq!(refused_serial(&pop), Some(Serial(4)));
    pop.handle().offer(version(&pop, 10, 10), primary, Force::No).await.unwrap();
    assert_eq!((pop.served(ZONE), refused_serial(&pop)), (Some((10, 10)), None));
    let old = pop.handle().accept(&zone, Serial(4)).await;
    assert!(matches!(old, Err(AcceptError::NothingRefused { .. })), "{old:?}");

    // The primary took it back.
    pop.handle().offer(version(&pop, 4, 10), primary, Force::No).await.unwrap_err();
    pop.wait(|report| report.zones[&zone].state == ZoneState::Kept).await;
    assert!(pop.handle().withdraw_refusals(vec![zone.clone(), name("none.example.")]).await);
    let report = pop.wait(|report| report.zones[&zone].state == ZoneState::Serving).await;
    assert!(report.zones[&zone].faults.is_empty() && report.zones[&zone].refused_serial.is_none());
    assert_eq!(pop.served(ZONE), Some((10, 10)));

    // What an operator accepted is there after a restart.
    pop.handle().offer(version(&pop, 3, 10), primary, Force::No).await.unwrap_err();
    pop.handle().accept(&zone, Serial(3)).await.unwrap();
    let settings = Settings { transferred: [zone.clone()].into(), ..pop.settings() };
    pop.stop().await;
    pop.start_with(settings).await;
    pop.wait(|report| report.zones[&zone].serial == Some(Serial(3))).await;
}

#[tokio::test]
async fn what_was_refused_of_a_file_is_nothing_to_a_zone_that_comes_from_primaries_now() {
    let mut pop = Pop::new();
    let zone = name(ZONE);
    pop.write("b", &zone_text(5, 20));
    let file = Some(pop.path("b").into());
    let single = SingleZone { name: zone.clone(), file, serial: None, dnssec: None };
    let with_file = Settings { zones: vec![single].into(), ..pop.settings() };
    let transferred = Settings { transferred: [zone.clone()].into(), ..pop.settings() };
    pop.start_with(with_file.clone()).await;
    pop.wait_serial(ZONE, 5).await;
    for refused in [zone_text(4, 20), "no zone".to_owned()] {
        pop.write("b", &refused);
        pop.handle().reconfigure(with_file.clone()).await.unwrap();
        pop.wait(|report| report.zones[&zone].state == ZoneState::Kept).await;
        pop.handle().reconfigure(transferred.clone()).await.unwrap();
        let report = pop.wait(|report| report.zones[&zone].state == ZoneState::Serving).await;
        assert!(report.zones[&zone].faults.is_empty() && report.zones[&zone].refused_serial.is_none());
        let accepted = pop.handle().accept(&zone, Serial(4)).await;
        assert!(matches!(accepted, Err(AcceptError::NothingRefused { .. })), "{accepted:?}");
    }
    assert_eq!(pop.served(ZONE), Some((5, 5)));
}
