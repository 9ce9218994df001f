//! Reports: what one change of one zone costs beside one zone and beside 100,000, and what the first report costs.

use std::path::Path;
use std::sync::Arc;

use anyns::handoff::Latest;
use anyns::publish::Report;
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::reports::{name, report, zone};

/// All zones.
const ZONES: [usize; 2] = [1, 100_000];

/// A new version of one zone goes into the report that others read.
#[divan::bench(args = ZONES)]
fn change(bencher: Bencher<'_, '_>, zones: usize) {
    let (latest, changed, source) = (Latest::new(report(zones)), name(zones / 2), Path::new("a.zone").into());
    let mut serial = 1;
    bencher.bench_local(|| {
        serial += 1;
        latest.update(|report| report.put(changed.clone(), zone(serial, &source, true)));
    });
}

/// One zone leaves service and comes back; the next zone for the probes is asked for each time.
#[divan::bench(args = ZONES)]
fn leave_and_return(bencher: Bencher<'_, '_>, zones: usize) {
    let (latest, changed, source) = (Latest::new(report(zones)), name(zones / 2), Path::new("a.zone").into());
    bencher.bench_local(|| {
        for is_served in [false, true] {
            latest.update(|report| report.put(changed.clone(), zone(1, &source, is_served)));
            divan::black_box(latest.current().served_after(Some(&changed)).is_some());
        }
    });
}

/// A consumer takes what has changed since it last looked.
#[divan::bench(args = ZONES)]
fn follow(bencher: Bencher<'_, '_>, zones: usize) {
    let mut after = report(zones);
    let before = after.changes();
    after.put(name(zones / 2), zone(2, &Path::new("a.zone").into(), true));
    let look_up = |report: &Report| {
        let changed = report.changed_since(before).into_iter().flatten();
        changed.filter_map(|name| report.zones.get(name)).count()
    };
    bencher.bench_local(|| look_up(divan::black_box(&after)));
}

/// The first report, of all zones at once.
#[divan::bench(args = ZONES, sample_count = 10)]
fn first(bencher: Bencher<'_, '_>, zones: usize) {
    let source: Arc<Path> = Path::new("a.zone").into();
    let all = || (0..zones).map(|number| (name(number), zone(1, &source, true))).collect::<Vec<_>>();
    let counted = bencher.counter(ItemsCount::new(zones));
    counted.with_inputs(all).bench_local_values(|all| all.into_iter().collect::<Report>());
}
