//! Zones that an operator removes while something of them is under way.

use std::fs;
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::overflow_tests::{ZONE, end_of_look};
use crate::publish::work::core::Core;
use crate::publish::work::orders::order::Then;
use crate::publish::work::zone::check_context::OfferedDifferences;
use crate::publish::work::zone::entry::WorkState;
use crate::publish::{ApplyError, Settings};
use crate::telemetry::pulse::Pulse;
use crate::wire::Name;
use crate::zone::Published;

#[tokio::test]
async fn what_waits_of_a_zone_that_is_removed_is_refused_and_is_nothing_to_another_one_of_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let zones = directory.path().join("zones");
    let (file, zone) = (zones.join("a.example.zone"), "a.example.".parse::<Name>().unwrap());
    fs::create_dir(&zones).unwrap();
    fs::write(&file, ZONE).unwrap();
    let settings = Settings { directories: vec![zones], ..Settings::default() };
    let (wake, published) = (Arc::new(Notify::new()), Arc::<Published>::default());
    let mut core = Core::open(settings, published.clone(), wake.clone(), Arc::new(Pulse::new(8))).unwrap();
    core.start();
    end_of_look(&mut core, &wake).await;
    assert!(published.load().zone(&zone).is_some());
    fs::remove_file(&file).unwrap();
    core.ask(None, None);
    end_of_look(&mut core, &wake).await;
    // A check goes on when the difference comes, and the order follows.
    core.zones.get_mut(&zone).unwrap().work = WorkState::Running;
    let (reply, mut answer) = oneshot::channel();
    let offered = OfferedDifferences { differences: Vec::new(), source: None, reply };
    core.order_differences(zone.clone(), offered);
    assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
    let (reply, mut removed) = oneshot::channel();
    core.finish_order(Then::Remove(zone.clone(), reply));
    assert!(matches!(removed.try_recv(), Ok(Ok(()))), "removed");
    let answer = answer.try_recv();
    assert!(matches!(answer, Ok(Err(ApplyError::NotServed { .. }))), "{answer:?}");
    assert!(core.board.take_waiting(&zone).is_empty());
    assert!(published.load().zone(&zone).is_none());
}
