//! The query path: parse, look up, answer.

use std::net::Ipv4Addr;

use anyns::answer::{self, Client, Identity, Settings, TransportKind};
use anyns::wire::Query;
use divan::{Bencher, black_box};

use crate::material::Material;
use crate::queries::Blend;

/// Records: a zone in the first-level cache, one in the last-level cache, and the zone of `peers mix`.
const SIZES: [u32; 3] = [100, 10_000, 180_000];

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let queries = Material::new(Blend::Mix, 100).queries(Blend::Mix);
    let mut next = queries.iter().cycle();
    bencher.bench_local(|| Query::parse(black_box(next.next().expect("a cycle has no end"))).is_some());
}

#[divan::bench(args = SIZES)]
fn lookup_hit(bencher: Bencher<'_, '_>, records: u32) {
    // NODATA asks for names that exist.
    lookup(bencher, Blend::Nodata, records);
}

#[divan::bench(args = SIZES)]
fn lookup_miss(bencher: Bencher<'_, '_>, records: u32) {
    lookup(bencher, Blend::Nxdomain, records);
}

#[divan::bench(args = SIZES)]
fn lookup_wildcard(bencher: Bencher<'_, '_>, records: u32) {
    lookup(bencher, Blend::Wildcard, records);
}

#[divan::bench(args = SIZES)]
fn lookup_referral(bencher: Bencher<'_, '_>, records: u32) {
    lookup(bencher, Blend::Referral, records);
}

#[divan::bench(args = SIZES)]
fn answer_mix(bencher: Bencher<'_, '_>, records: u32) {
    answer(bencher, Blend::Mix, records);
}

#[divan::bench(args = SIZES)]
fn answer_nxdomain(bencher: Bencher<'_, '_>, records: u32) {
    answer(bencher, Blend::Nxdomain, records);
}

#[divan::bench(args = SIZES)]
fn answer_wildcard(bencher: Bencher<'_, '_>, records: u32) {
    answer(bencher, Blend::Wildcard, records);
}

#[divan::bench(args = SIZES)]
fn answer_referral(bencher: Bencher<'_, '_>, records: u32) {
    answer(bencher, Blend::Referral, records);
}

fn lookup(bencher: Bencher<'_, '_>, blend: Blend, records: u32) {
    let material = Material::new(blend, records);
    let names = material.names(blend);
    let mut next = names.iter().cycle();
    bencher.bench_local(|| {
        black_box(material.zone.lookup(black_box(next.next().expect("a cycle has no end"))));
    });
}

fn answer(bencher: Bencher<'_, '_>, blend: Blend, records: u32) {
    let material = Material::new(blend, records);
    let queries = material.queries(blend);
    let settings = Settings::new(Identity { instance: "bench".into(), version: None });
    let client = Client { transport: TransportKind::Udp, address: Ipv4Addr::LOCALHOST.into(), time: 0 };
    let mut output = vec![0; 65_535];
    let mut next = queries.iter().cycle();
    bencher.bench_local(|| {
        let query = black_box(next.next().expect("a cycle has no end"));
        answer::answer(query, &client, &material.snapshot, &settings, &mut output)
    });
}
