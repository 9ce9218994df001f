//! Loading: zone file to records to compiled zone, and compiling alone.

use anyns::zone::{Place, ZoneBuilder};
use anyns::zonefile::{Limits, read_zone};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

use crate::material::Material;
use crate::queries::Blend;

/// Records of the larger zone: that of `peers mix`.
const SIZES: [u32; 2] = [10_000, 180_000];

/// The file from the page cache, all of it: scan, check, compile, digest.
#[divan::bench(args = SIZES, sample_count = 10)]
fn read(bencher: Bencher<'_, '_>, records: u32) {
    let material = Material::new(Blend::Mix, records);
    let octets = std::fs::metadata(&material.file).expect("the file is there").len();
    let counted = bencher.counter(BytesCount::new(octets)).counter(ItemsCount::new(records));
    counted.bench_local(|| read_zone(&material.file, &material.origin, &Limits::default()).is_ok());
}

/// Records into the builder and a compiled zone out of it.
#[divan::bench(args = SIZES, sample_count = 10)]
fn compile(bencher: Bencher<'_, '_>, records: u32) {
    let material = Material::new(Blend::Mix, records);
    let inputs = || material.zone.records().collect::<Vec<_>>();
    bencher.counter(ItemsCount::new(records)).with_inputs(inputs).bench_local_values(|records| {
        let mut builder = ZoneBuilder::new(material.origin.clone());
        for record in records {
            builder.push(record, Place::default());
        }
        builder.finish().is_ok()
    });
}
