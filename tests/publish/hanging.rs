//! Sources that do not answer: zones of other sources are deployed meanwhile, and huge zones delay no small one.
//!
//! The source that does not answer is a FUSE file system whose daemon is stopped.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use anyns::publish::{Settings, SourceFault, ZoneState};

use crate::fuse::Fuse;
use crate::skip::{is_full_run, skip};
use crate::support::{Pop, name, replace, zone_text};

/// A deploy that waits for a source that does not answer takes longer than any busy machine needs.
const DEPLOYED: Duration = Duration::from_secs(5);
/// A deploy takes some milliseconds, and 50 at most where nothing else wants the cores. On a busy machine half of them take no longer than
/// this: less than the patience with a source that does not answer (1 s), so none of these waited for one.
const MEDIAN: Duration = Duration::from_millis(500);
/// Zones on the source that does not answer: ten times as many as there are threads that load.
const ZONES: usize = 40;

fn zone(number: usize) -> String {
    format!("hung/z{number}.example.zone")
}

fn settings(pop: &Pop) -> Settings {
    Settings { directories: vec![pop.path("hung"), pop.path("zones")], ..pop.settings() }
}

/// Deploys a small zone so often, and returns how long each took from when its file was in place.
async fn deploy(pop: &Pop, serials: std::ops::Range<u32>) -> Vec<Duration> {
    let mut took = Vec::new();
    for serial in serials {
        let (fresh, path) = (pop.path("zones/.small.new"), pop.path("zones/small.example.zone"));
        fs::write(&fresh, zone_text(serial, 3)).unwrap();
        // ext4 writes the octets of the new file to the disk before this returns (auto_da_alloc, ext4(5)), beside whatever else is
        // written there: that is the time of the one who deploys.
        fs::rename(&fresh, &path).unwrap();
        let begun = Instant::now();
        while pop.published.load().zone(&name("small.example.")).is_none_or(|zone| zone.serial().0 != serial)
        {
            let report = || pop.report();
            assert!(
                begun.elapsed() < DEPLOYED,
                "serial {serial} is not served after {DEPLOYED:?}: {:?}",
                report()
            );
            tokio::task::yield_now().await;
        }
        took.push(begun.elapsed());
    }
    took.sort();
    took
}

/// Prints how long deploys took, which are sorted, and asserts the median.
fn judge(beside: &str, took: &[Duration]) {
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("beside {beside}: median {median:.1?}, longest {longest:.1?} of {}", took.len());
    assert!(median < MEDIAN, "beside {beside}: {took:?}");
}

fn is_silent(fault: &SourceFault) -> bool {
    matches!(fault, SourceFault::Silent { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_does_not_answer_delays_no_other_one() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("hung")) else {
        return skip("a source that does not answer", "there is no FUSE");
    };
    for number in 0..ZONES {
        pop.write(&zone(number), &zone_text(1, 3));
    }
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    pop.start_with(settings(&pop)).await;
    pop.wait(|report| report.unkept == 0).await;
    fuse.stop();
    // A look at everything: its threads do not come back from the source.
    let begun = Instant::now();
    tokio::time::timeout(Duration::from_secs(20), pop.handle().reload())
        .await
        .expect("a reload ends all the same");
    println!("a reload with a source that does not answer: {:.2?}", begun.elapsed());
    assert!(pop.report().faults.iter().any(is_silent), "{:?}", pop.report().faults);
    let took = deploy(&pop, 2..42).await;
    judge("a source that does not answer", &took);
    let report = pop.report();
    for number in 0..ZONES {
        assert_eq!(report.zones[&name(&format!("z{number}.example."))].state, ZoneState::Serving);
    }
    fuse.go_on();
    pop.wait(|report| !report.faults.iter().any(is_silent)).await;
    pop.write(&zone(0), &zone_text(2, 3));
    pop.wait_serial("z0.example.", 2).await;
    // At a start: what the state directory has is served.
    pop.stop().await;
    fuse.stop();
    pop.published = Default::default();
    let begun = Instant::now();
    pop.start_with(settings(&pop)).await;
    println!("a start with a source that does not answer: {:.2?}", begun.elapsed());
    for number in 0..ZONES {
        let zone = name(&format!("z{number}.example."));
        assert!(pop.published.load().zone(&zone).is_some(), "{zone} is not restored");
    }
    fuse.go_on();
    pop.wait(|report| !report.faults.iter().any(is_silent)).await;
    pop.write(&zone(0), &zone_text(3, 3));
    pop.wait_serial("z0.example.", 3).await;
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_zones_delay_no_small_one() {
    const HUGE: usize = 4;
    let records = if is_full_run() { 1_000_000 } else { 100_000 };
    let mut pop = Pop::new();
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    pop.start().await;
    let text = zone_text(1, records);
    for number in 0..HUGE {
        replace(&pop.path(&format!("zones/huge{number}.example.zone")), &text);
    }
    let is_loaded = |number| pop.published.load().zone(&name(&format!("huge{number}.example."))).is_some();
    let (mut took, mut serial) = (Vec::new(), 2);
    while !(0..HUGE).all(is_loaded) {
        took.extend(deploy(&pop, serial..serial + 1).await);
        serial += 1;
    }
    took.sort();
    judge(&format!("{HUGE} zones of {records} records"), &took);
    pop.stop().await;
}

/// Settings with a source that is a link to a folder.
fn linked(pop: &Pop) -> Settings {
    Settings { directories: vec![pop.path("zones"), pop.path("current")], ..pop.settings() }
}

/// Makes a folder with a version of the small zone, and switches the link to it. Returns the moment before that.
fn switch(pop: &Pop, serial: u32) -> Instant {
    let folder = format!("versions/{serial}");
    fs::create_dir_all(pop.path(&folder)).unwrap();
    pop.write(&format!("{folder}/small.example.zone"), &zone_text(serial, 3));
    symlink(folder, pop.path("current.new")).unwrap();
    let begun = Instant::now();
    fs::rename(pop.path("current.new"), pop.path("current")).unwrap();
    begun
}

/// Switches the link, and returns how long it took until the version in the folder was served.
async fn deploy_by_link(pop: &Pop, serial: u32) -> Duration {
    let begun = switch(pop, serial);
    while pop.served("small.example.").is_none_or(|served| served.0 != serial) {
        assert!(begun.elapsed() < DEPLOYED, "serial {serial} is not served: {:?}", pop.report());
        tokio::task::yield_now().await;
    }
    begun.elapsed()
}

/// A burst of changes is over after 50 ms: whoever waited for that would not be served earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_a_link_is_switched_to_waits_for_no_end_of_a_burst() {
    const BURST: Duration = Duration::from_millis(50);
    let mut pop = Pop::new();
    switch(&pop, 1);
    pop.start_with(linked(&pop)).await;
    pop.wait_serial("small.example.", 1).await;
    let mut took = Vec::new();
    for serial in 2..32 {
        took.push(deploy_by_link(&pop, serial).await);
        // At each second time the look at all zones, which follows the burst, has come to its end.
        if serial % 2 == 0 {
            pop.handle().reload().await;
        }
    }
    took.sort();
    println!("by a link: median {:.1?}, longest {:.1?}", took[took.len() / 2], took[took.len() - 1]);
    assert!(took[0] < BURST, "{took:?}");
    // What left with the folder is found missing by the look at all zones, and served all the same.
    fs::create_dir_all(pop.path("versions/empty")).unwrap();
    symlink("versions/empty", pop.path("current.new")).unwrap();
    fs::rename(pop.path("current.new"), pop.path("current")).unwrap();
    pop.wait_fault("small.example.", "is gone").await;
    assert_eq!(pop.served("small.example."), Some((31, 31)));
    deploy_by_link(&pop, 32).await;
    pop.wait_serial("small.example.", 32).await;
    pop.stop().await;
}

/// A folder that a link is switched to is served while huge zones of another source compile: it is looked at beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_zones_delay_no_folder_that_a_link_is_switched_to() {
    const HUGE: usize = 4;
    let records = if is_full_run() { 1_000_000 } else { 100_000 };
    let mut pop = Pop::new();
    switch(&pop, 1);
    pop.start_with(linked(&pop)).await;
    pop.wait_serial("small.example.", 1).await;
    let text = zone_text(1, records);
    for number in 0..HUGE {
        replace(&pop.path(&format!("zones/huge{number}.example.zone")), &text);
    }
    let is_loaded = |number| pop.published.load().zone(&name(&format!("huge{number}.example."))).is_some();
    let deploys = async {
        let (mut took, mut serial) = (Vec::new(), 2);
        while !(0..HUGE).all(is_loaded) {
            took.push(deploy_by_link(&pop, serial).await);
            serial += 1;
        }
        took
    };
    // A look at all zones, which waits for the huge ones.
    let ((), mut took) = tokio::join!(pop.handle().reload(), deploys);
    took.sort();
    judge(&format!("{HUGE} zones of {records} records, by a link"), &took);
    pop.stop().await;
}
