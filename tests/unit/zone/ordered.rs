//! Zones compiled as their records come, in canonical order or not, against zones compiled from all their records.

use std::collections::BTreeMap;

use crate::zone::tests::signed::{assert_same_signed, plain, signed, signing, sound};
use crate::zone::tests::*;

/// A record and its TTL.
type Timed = (Plain, u32);

fn of_parts<'r>(
    parts: impl Iterator<Item = &'r [Timed]>,
    builder: ZoneBuilder,
) -> Result<Zone, Vec<ZoneFault>> {
    let mut builder = builder;
    for part in parts {
        let mut batch = RecordBatch::new(&ORIGIN.parse().unwrap());
        for ((owner, record_type, rdata), ttl) in part {
            batch.push(owner.as_wire(), *record_type, *ttl, rdata, Place::default());
        }
        builder.add(batch);
    }
    builder.finish()
}

/// Both ways, with the same outcome.
fn assert_both_ways(records: &[Timed], batches: usize, names: &[Name], is_kept: bool) {
    let parts = || records.chunks(records.len().div_ceil(batches).max(1));
    let builder = || match is_kept {
        true => ZoneBuilder::of_kept(ORIGIN.parse().unwrap()),
        false => ZoneBuilder::new(ORIGIN.parse().unwrap()),
    };
    match (of_parts(parts(), builder().in_order()), of_parts(parts(), builder())) {
        (Ok(ordered), Ok(whole)) => {
            assert_same_signed(&ordered, &whole, names);
            // A record that comes twice with two TTLs is one record: whether both are seen depends on where the batches end.
            let mut ttls = BTreeMap::new();
            let has_two = records.iter().any(|(record, ttl)| *ttls.entry(record).or_insert(ttl) != ttl);
            let told = |zone: &Zone| -> BTreeSet<String> {
                let is_told = |text: &String| !(has_two && text.contains("have different ttls"));
                said(zone).into_iter().filter(is_told).collect()
            };
            assert_eq!(told(&ordered), told(&whole));
        }
        (Err(ordered), Err(whole)) => {
            let told = |faults: Vec<ZoneFault>| {
                faults.iter().map(|fault| fault.to_string().to_lowercase()).collect::<BTreeSet<_>>()
            };
            assert_eq!(told(ordered), told(whole));
        }
        (ordered, whole) => panic!("{:?} but {:?}", ordered.err(), whole.err()),
    }
}

/// How records come.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// In canonical order.
    Ordered,
    /// But for one that comes elsewhere.
    OneElsewhere(prop::sample::Index, prop::sample::Index),
    /// Those of NSEC3 last, as anyns and Knot send them.
    HashedLast,
    /// The other way round.
    Backwards,
}

impl Arrival {
    fn arrange(self, records: &mut Vec<Timed>) {
        // As transfers do, the SOA record first.
        records.sort_by_key(|(record, _)| record.1 != RecordType::SOA);
        match self {
            Self::Ordered => {}
            Self::OneElsewhere(from, to) => {
                let record = records.remove(from.index(records.len()));
                records.insert(to.index(records.len() + 1), record);
            }
            Self::HashedLast => records.sort_by_key(|((_, record_type, rdata), _)| {
                *record_type == RecordType::NSEC3
                    || (*record_type == RecordType::RRSIG && rdata.starts_with(&[0, 50]))
            }),
            Self::Backwards => records.reverse(),
        }
    }
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        3 => Just(Arrival::Ordered),
        3 => (any(), any()).prop_map(|(from, to)| Arrival::OneElsewhere(from, to)),
        2 => Just(Arrival::HashedLast),
        1 => Just(Arrival::Backwards),
    ]
}

proptest! {
    /// Sound records and others, some twice, some with another TTL.
    #[test]
    fn records_in_order_make_what_compiling_makes(
        records in prop::collection::vec((record(), 60..62_u32), 0..60),
        lacks_apex in prop::bool::weighted(0.1),
        batches in 1..9_usize,
        arrival in arrival(),
        is_kept in any::<bool>(),
        names in prop::collection::vec(name(), 0..20),
    ) {
        let apex = apex(1).into_iter().skip(usize::from(lacks_apex)).map(|record| (record, 60));
        let mut records: Vec<Timed> = apex.chain(records).collect();
        records.sort();
        arrival.arrange(&mut records);
        assert_both_ways(&records, batches, &names, is_kept);
    }

    /// The same of those that make a zone.
    #[test]
    fn sound_records_in_order_make_what_compiling_makes(
        records in prop::collection::vec((record(), 60..62_u32), 0..60),
        batches in 1..9_usize,
        arrival in arrival(),
        names in prop::collection::vec(name(), 0..20),
    ) {
        let ttls: Vec<u32> = records.iter().map(|(_, ttl)| *ttl).chain([60, 60]).collect();
        let sound = sound(1, records.into_iter().map(|(record, _)| record));
        let mut records: Vec<Timed> = sound.into_iter().zip(ttls).collect();
        arrival.arrange(&mut records);
        assert_both_ways(&records, batches, &names, false);
    }

    /// Signed zones, whole or with a record missing.
    #[test]
    fn signed_records_in_order_make_what_compiling_makes(
        signing in signing(),
        records in prop::collection::vec(plain(), 0..25),
        missing in prop::option::weighted(0.5, any::<prop::sample::Index>()),
        batches in 1..9_usize,
        arrival in arrival(),
        is_kept in any::<bool>(),
    ) {
        let mut records: Vec<Timed> =
            signed(&sound(1, records), signing).into_iter().map(|record| (record, 60)).collect();
        if let Some(missing) = missing {
            records.remove(missing.index(records.len()));
        }
        arrival.arrange(&mut records);
        assert_both_ways(&records, batches, &[], is_kept);
    }
}

#[test]
fn what_comes_in_order_is_not_kept_as_records() {
    let host = |number: u32| {
        let owner = format!("h{number:05}.{ORIGIN}").parse().unwrap();
        ((owner, RecordType::A, number.to_be_bytes().to_vec()), 60)
    };
    let mut records: Vec<Timed> = apex(1).into_iter().map(|record| (record, 60)).collect();
    records.extend((0..20_000).map(host));
    let mut builder = ZoneBuilder::new(ORIGIN.parse().unwrap()).in_order();
    for part in records.chunks(1000) {
        builder.add(batch(part.iter().map(|(record, _)| record)));
        assert!(builder.record_count() <= 1, "{}", builder.record_count());
    }
    builder.add(batch([&host(0).0, &host(1).0]));
    assert_eq!(builder.record_count(), records.len() + 2, "out of order, so all are kept");
    assert_eq!(builder.finish().unwrap().record_count(), records.len());
}
