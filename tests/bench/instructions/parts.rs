//! The parts: a fixed zone, fixed queries, one pass over them counted. Each is warmed up first, so that what is made once
//! is not counted.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyns::admission::{self, Limiter};
use anyns::answer::{self, Client, Identity, TransportKind};
use anyns::handoff::Latest;
use anyns::telemetry::Counters;
use anyns::wire::Query;

use crate::material::Material;
use crate::measured;
use crate::queries::Blend;
use crate::reports;

/// Queries of one pass.
pub(crate) const QUERIES: usize = 4096;

/// Records of the zone: a tree as deep as a usual one, and made quickly under valgrind.
const RECORDS: u32 = 10_000;

/// Name and pass.
pub(crate) const PARTS: &[(&str, fn())] = &[
    ("parse", parse),
    ("limit", limit),
    ("count", count),
    ("lookup-hit", || lookup(Blend::Nodata)),
    ("lookup-miss", || lookup(Blend::Nxdomain)),
    ("lookup-wildcard", || lookup(Blend::Wildcard)),
    ("lookup-referral", || lookup(Blend::Referral)),
    ("answer-mix", || answer(Blend::Mix)),
    ("answer-nxdomain", || answer(Blend::Nxdomain)),
    ("answer-wildcard", || answer(Blend::Wildcard)),
    ("answer-referral", || answer(Blend::Referral)),
    ("report-1", || report(1)),
    ("report-100000", || report(100_000)),
];

fn parse() {
    let queries = Material::new(Blend::Mix, 100).queries(Blend::Mix);
    twice(&mut || {
        for query in queries.iter().take(QUERIES) {
            black_box(Query::parse(black_box(query)));
        }
    });
}

/// Sixteen busy prefixes in turn.
fn limit() {
    let start = Instant::now();
    let settings = admission::Settings::default();
    let limiter = Limiter::new(&settings, start).expect("the defaults are right").expect("it is on");
    let mut limiter = Arc::new(limiter).worker(1);
    limiter.set_time(start);
    twice(&mut || {
        for query in 0..QUERIES as u32 {
            black_box(limiter.check(black_box(Ipv4Addr::from(0xc000_0200 + ((query % 16) << 8))).into()));
        }
    });
}

/// What a worker counts of a query, with three busy zones.
fn count() {
    const TYPES: [u16; 8] = [1, 28, 1, 15, 2, 6, 65, 16];
    let counters = Counters::new(1);
    let worker = &counters.workers()[0];
    twice(&mut || {
        for query in 0..QUERIES as u64 {
            if black_box(query) % 2 == 0 {
                worker.ipv6_queries.add(0, 1);
            }
            worker.count_type(black_box(TYPES[query as usize % TYPES.len()]));
            worker.zones.note(|| Some(black_box(query % 3 + 1)));
            worker.count_rcode(black_box(0));
        }
    });
}

fn lookup(blend: Blend) {
    let material = Material::new(blend, RECORDS);
    let names = material.names(blend);
    twice(&mut || {
        for name in names.iter().take(QUERIES) {
            black_box(material.zone.lookup(black_box(name)));
        }
    });
}

fn answer(blend: Blend) {
    let material = Material::new(blend, RECORDS);
    let queries = material.queries(blend);
    let settings = answer::Settings::new(Identity { instance: "bench".into(), version: None });
    let client = Client { transport: TransportKind::Udp, address: Ipv4Addr::LOCALHOST.into(), time: 0 };
    let mut output = vec![0; 65_535];
    twice(&mut || {
        for query in queries.iter().take(QUERIES) {
            let query = black_box(query);
            black_box(answer::answer(query, &client, &material.snapshot, &settings, &mut output));
        }
    });
}

/// A new version of one zone, beside so many zones: the report that others read is replaced, and one of them follows.
fn report(zones: usize) {
    let (latest, changed) = (Latest::new(reports::report(zones)), reports::name(zones / 2));
    let (source, mut serial) = (Path::new("a.zone").into(), 0);
    let mut seen = latest.current().changes();
    twice(&mut || {
        for _ in 0..QUERIES {
            serial += 1;
            latest.update(|report| report.put(changed.clone(), reports::zone(serial, &source, true)));
            let report = latest.current();
            for name in report.changed_since(seen).into_iter().flatten() {
                black_box(report.zones.get(name));
            }
            seen = report.changes();
        }
    });
}

/// Once to warm up, once counted.
fn twice(run: &mut dyn FnMut()) {
    run();
    measured(run);
}
