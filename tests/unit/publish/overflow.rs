//! The watcher's queue overflows: everything is looked at.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::publish::Settings;
use crate::publish::work::core::Core;
use crate::telemetry::pulse::Pulse;
use crate::test_support::skip::skip;
use crate::zone::Published;

pub(super) const ZONE: &str = "@ 60 IN SOA ns.example. host.example. 1 1 1 1 1\n@ 60 IN NS ns.example.\n";
/// The kernel's default; with a much longer queue the test would take long.
const MOST_EVENTS: usize = 65_536;

/// Goes on until the look that goes on is over.
pub(super) async fn end_of_look(core: &mut Core, wake: &Notify) {
    let end = async {
        while core.looks.round.is_some() {
            wake.notified().await;
            core.listen();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("the look never ended");
}

#[tokio::test]
async fn an_overflowing_queue_leads_to_a_look_at_everything() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > MOST_EVENTS {
        skip("an overflowing queue of notifications", &format!("it takes {limit} events"));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let zones = directory.path().join("zones");
    fs::create_dir(&zones).unwrap();
    let settings = Settings { directories: vec![zones.clone()], ..Settings::default() };
    let (wake, published) = (Arc::new(Notify::new()), Arc::<Published>::default());
    let pulse = Arc::new(Pulse::new(8));
    let mut core = Core::open(settings, published.clone(), wake.clone(), pulse).unwrap();
    let report = core.reporter().reader();
    core.start();
    end_of_look(&mut core, &wake).await;
    let held = core.watching.watch.hold();
    // Created, closed, deleted: three events that the kernel cannot make one of. Half as many again as fit,
    // for the watcher takes some before it is stopped.
    for _ in 0..=limit / 2 {
        File::create(zones.join("x.zone")).unwrap();
        fs::remove_file(zones.join("x.zone")).unwrap();
    }
    fs::write(zones.join("a.example.zone"), ZONE).unwrap();
    drop(held);
    let heard = async {
        while !core.watching.heard.overflowed {
            wake.notified().await;
            core.listen();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("the overflow was not heard");
    assert!(core.after().changed);
    core.check_heard();
    end_of_look(&mut core, &wake).await;
    assert_eq!(report.load().rescans, 1);
    assert!(published.load().zone(&"a.example.".parse().unwrap()).is_some());
}
