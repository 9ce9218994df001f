//! The status task on its own, with sources that the test moves.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::zones::tests::{many, name, zone};
use super::*;
use crate::admission::Limits;
use crate::config;
use crate::control::{Verdict, ZoneFilter, render};
use crate::handoff::Latest;
use crate::publish::ZoneState;
use crate::sys::priority::CpuSpan;

/// What the test moves.
struct Scene {
    report: Latest<Arc<Report>>,
    ordered: Latest<Ordered>,
    reload: Latest<Reload>,
    decide: Beat,
    /// Seconds for which the publisher has been silent.
    updates: Arc<AtomicU64>,
    status_task: StatusTask,
}

fn scene(report: Report, test_hooks: bool) -> Scene {
    let config = config::parse(std::path::Path::new("test.toml"), config::DEFAULT).unwrap().config;
    let (report, ordered) = (Latest::new(Arc::new(report)), Latest::new(Ordered::default()));
    let (reload, decide, updates) =
        (Latest::new(Reload::default()), Beat::new("decide"), Arc::<AtomicU64>::default());
    let (reports, orders, reloads) = (report.reader(), ordered.reader(), reload.reader());
    let silence = updates.clone();
    let sources = StatusSources {
        started: Instant::now(),
        settings: Settings::new(&config, Arc::new(Limits::new(&config.rate_limit, Instant::now()).unwrap())),
        report: Box::new(move || (*reports.load()).clone()),
        updates: Box::new(move |_| match silence.load(Relaxed) {
            0 => None,
            seconds => Some(format!("the publisher has sent no heartbeat for {seconds} s")),
        }),
        serve_facts: Box::new(serve::Facts::default),
        counters: Counters::new(1),
        statistics: Box::new(|| Arc::new(Vec::new())),
        routes: Box::new(RouteStatus::default),
        ordered: Box::new(move || orders.load()),
        reload: Box::new(move || reloads.load()),
        published: Arc::default(),
        contents: Arc::default(),
        transfers: TransferSources::default(),
        tls_files: None,
        beats: vec![decide.clone()],
        neighbor_beats: Box::new(Arc::default),
        other_alarms: vec![Box::new(Vec::new)],
        catchment: None,
        metrics: MetricSources::default(),
    };
    let status_task = StatusTask::new(sources, Beat::new("status"), test_hooks);
    Scene { report, ordered, reload, decide, updates, status_task }
}

fn page(scene: &Scene) -> Status {
    scene.status_task.status(&Selection { zones: ZoneFilter::All, most: Some(20) })
}

#[test]
fn three_hundred_thousand_zones_are_one_page() {
    const MOST_LINES: usize = 80;
    let scene = scene(many(300_000), false);
    let status = page(&scene);
    let text = render(&status);
    let lines = text.lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines:\n{text}");
    assert!(
        text.contains("  ! 2700 zones are kept at an older version: the first is z100.example.: 100.zone"),
        "{text}"
    );
    assert!(text.contains("  ! 300 zones are refused and not served: the first is z0.example.: "), "{text}");
    assert!(
        text.contains("\n  and 299980 more zones, 2980 not well: see anyns status --zones bad\n"),
        "{text}"
    );
    let one =
        scene.status_task.status(&Selection { zones: ZoneFilter::parse("z77777.example"), most: Some(20) });
    assert_eq!(one.zones.len(), 1);
    assert_eq!(one.zones[0].name, "z77777.example.");
    let asked = CpuSpan::begin();
    for _ in 0..100 {
        page(&scene);
    }
    // A walk over so many zones takes some milliseconds; a page of a report that was walked does not.
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?} for 100 pages", asked.elapsed());
}

#[test]
fn updates_that_stopped_are_said_since_when_and_why() {
    let report = [(name("a"), zone(ZoneState::Serving, Vec::new()))].into_iter().collect();
    let scene = scene(report, false);
    let start = Instant::now();
    scene.status_task.lock().observe(start);
    let status = page(&scene);
    assert_eq!(status.overall.verdict, Verdict::Ok, "{:?}", status.overall.reasons);
    let alive = status.updates_alive;
    assert!(alive.is_some());
    scene.updates.store(7, Relaxed);
    scene.decide.beat();
    scene.status_task.lock().observe(start + Duration::from_millis(100));
    let status = page(&scene);
    assert_eq!(
        status.overall.reasons,
        ["zone updates have stopped: the publisher has sent no heartbeat for 7 s"]
    );
    assert_eq!(status.updates_alive, alive, "it is not the time of the question");
    let silent = |order: &Request| scene.status_task.silent(order).is_some();
    assert!(silent(&Request::Reload {}) && !silent(&Request::Undrain {}));
    scene.ordered.publish(Ordered { stopping: true, ..Ordered::default() });
    assert_eq!(page(&scene).updates_fault, None, "a planned stop ends the publisher");
}

#[test]
fn a_silent_task_is_found_in_the_run_time_of_the_status_task() {
    let scene = scene(many(1), false);
    let start = Instant::now();
    let alarms = |milliseconds: u64| {
        scene.status_task.lock().observe(start + Duration::from_millis(milliseconds));
        page(&scene).alarms.into_iter().map(|alarm| alarm.message).collect::<Vec<_>>()
    };
    assert!(alarms(0).is_empty());
    assert!(alarms(60_000).is_empty(), "the status_task did not run either");
    let mut last = Vec::new();
    for tick in 1..=30 {
        last = alarms(60_000 + tick * 100);
    }
    assert_eq!(last, ["the task decide has sent no heartbeat for 3 s"]);
    assert!(scene.status_task.silent(&Request::Undrain {}).is_some());
    scene.decide.beat();
    assert!(alarms(63_100).is_empty());
}

#[test]
fn a_reload_and_new_required_zones_are_shown() {
    let scene = scene(many(1), false);
    scene.reload.publish(Reload::Running { since: Instant::now() });
    assert!(page(&scene).reload.is_some_and(|reload| !reload.failed));
    let reason = "the old configuration stays: line 7".to_owned();
    scene.reload.publish(Reload::Failed { since: Instant::now(), reason });
    let told = page(&scene).overall.reasons;
    assert!(
        told.contains(&"the last reload failed: the old configuration stays: line 7".to_owned()),
        "{told:?}"
    );
    scene.reload.publish(Reload::Done);
    scene.ordered.publish(Ordered { required: Arc::new([name("absent")].into()), ..Ordered::default() });
    scene.report.publish(Arc::new(many(1)));
    let status = page(&scene);
    assert_eq!(status.reload, None);
    let absent = status.zones.iter().find(|zone| zone.name == "absent.").unwrap();
    assert_eq!((absent.required, absent.state), (true, control::ZoneState::Refused));
    let told = status.overall.reasons;
    let expected = "required zone absent. is refused and not served: required, but no source holds it";
    assert!(told.contains(&expected.to_owned()), "{told:?}");
}

#[test]
fn a_task_panics_on_request_only_in_tests() {
    for (test_hooks, task, done) in
        [(false, "decide", false), (true, "decide", true), (true, "nobody", false)]
    {
        let scene = scene(many(1), test_hooks);
        let response = scene.status_task.test_panic(task);
        assert_eq!(matches!(response, Response::Done { .. }), done, "{task} {response:?}");
        let beat = scene.decide.clone();
        assert_eq!(std::panic::catch_unwind(move || beat.beat()).is_err(), done);
    }
}

/// It counts ticks by itself and remembers beginnings though nobody asks.
#[tokio::test]
async fn what_is_wrong_has_its_beginning_though_nobody_asks() {
    let scene = scene(many(2), false);
    let remembers = async {
        while scene.status_task.lock().memory.verdict().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = scene.status_task.run() => {}
        done = tokio::time::timeout(Duration::from_secs(20), remembers) => done.unwrap(),
    }
}

/// Octets of a scrape at most, whatever the number of zones.
const MOST_SCRAPED: usize = 2_000_000;

#[test]
fn a_scrape_of_a_hundred_thousand_zones_is_short_and_names_those_that_are_busy() {
    let scene = scene(many(100_000), false);
    let counters = scene.status_task.lock().sources.counters.clone();
    // Two zones that are served, and one that is not: its name is not known.
    for (zone, queries) in [("z77777.example", 320), ("z5.example", 32), ("gone.example", 16)] {
        let key = crate::zone::apex_key(&name(zone));
        (0..queries).for_each(|_| counters.workers()[0].zones.note(|| Some(key)));
    }
    // What is known of all zones is counted once, before.
    page(&scene);
    let asked = Instant::now();
    let text = scene.status_task.metrics(false);
    println!("a scrape with 100,000 zones: {:?}, {} octets", asked.elapsed(), text.len());
    assert!(text.len() <= MOST_SCRAPED, "{} octets", text.len());
    assert!(text.lines().count() < 400, "{text}");
    let has = |line: &str| assert!(text.contains(line), "{line}: {text}");
    has("state=\"kept\"} 900\n");
    has("zone=\"z77777.example.\"} 320\n");
    has("zone=\"z5.example.\"} 32\n");
    has("zone=\"other\"} 16\n");
    assert!(!text.contains("anyns_zone_serial"));

    // Required zones have samples of their own.
    let required = (0..1000).map(|index| name(&format!("z{index}.example"))).collect();
    scene.ordered.publish(Ordered { required: Arc::new(required), ..Ordered::default() });
    let text = scene.status_task.metrics(true);
    let zones = text.lines().filter(|line| line.starts_with("anyns_zone_healthy{"));
    assert_eq!(zones.count(), crate::metrics::MOST_ZONES);
    assert!(text.len() <= MOST_SCRAPED, "{} octets", text.len());
}

#[test]
fn long_names_make_no_long_scrape() {
    let long = |index: u32| {
        let label = "\\000".repeat(61);
        name(&format!("{index:02}{label}.{label}.{label}"))
    };
    let report =
        |count| (0..count).map(|index| (long(index), zone(ZoneState::Serving, Vec::new()))).collect();
    for (count, least) in [(50, 50), (99, 50)] {
        let scene = scene(report(count), false);
        page(&scene);
        let text = scene.status_task.metrics(false);
        let shown = text.lines().filter(|line| line.starts_with("anyns_zone_healthy{")).count();
        assert!((least..=89).contains(&shown), "{shown} zones");
        assert!(text.len() <= MOST_SCRAPED, "{} octets", text.len());
    }
}
