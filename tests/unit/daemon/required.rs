//! Who follows changes knows the same missing zones as who looks all of them up, and looks up what changed only.

use std::path::Path;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::publish::{ZoneReport, ZoneState};

fn name(number: usize) -> Name {
    format!("z{number}.example.").parse().unwrap()
}

fn zone(state: ZoneState) -> ZoneReport {
    ZoneReport {
        state,
        since: SystemTime::UNIX_EPOCH,
        serial: None,
        source_serial: None,
        records: 2,
        source: Path::new("a.zone").into(),
        file: Default::default(),
        accepted_at: None,
        durable: true,
        refused_serial: None,
        signatures: None,
        expiry: crate::zone::Expiry::Current,
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
        faults: Vec::new(),
    }
}

fn required(numbers: impl IntoIterator<Item = usize>) -> RequiredZones {
    Arc::new(numbers.into_iter().map(name).collect())
}

/// One step: changes that become one report, and whether other zones are required from then on.
type Step = (Vec<(usize, Option<bool>)>, Option<Vec<usize>>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (0..12_usize, prop::option::weighted(0.8, any::<bool>()));
    // Some steps are longer than what a report remembers.
    let changes = prop_oneof![
        9 => prop::collection::vec(change.clone(), 0..8),
        1 => prop::collection::vec(change, 300..301),
    ];
    let others = prop::option::weighted(0.1, prop::collection::vec(0..12_usize, 0..6));
    prop::collection::vec((changes, others), 0..20)
}

proptest! {
    #[test]
    fn what_is_followed_is_what_is_looked_up(steps in steps()) {
        let (mut report, mut wanted) = (Report::default(), required([1, 5, 9]));
        let mut missing = MissingZones::default();
        for (changes, others) in steps {
            for (number, served) in changes {
                match served {
                    Some(true) => report.put(name(number), zone(ZoneState::Serving)),
                    Some(false) => report.put(name(number), zone(ZoneState::Refused)),
                    None => report.take_out(&name(number)),
                }
            }
            if let Some(others) = others {
                wanted = required(others);
            }
            let looked_up: BTreeSet<Name> =
                wanted.iter().filter(|name| !report.serves(name)).cloned().collect();
            prop_assert_eq!(missing.follow(&report, &wanted), &looked_up);
        }
    }
}

#[test]
fn one_change_is_one_lookup_however_many_zones_are_required() {
    let lookups = [1, 10_000].map(|zones| {
        let mut report: Report = (0..zones).map(|number| (name(number), zone(ZoneState::Serving))).collect();
        let wanted = required(0..zones);
        let mut missing = MissingZones::default();
        assert!(missing.follow(&report, &wanted).is_empty());
        let before = missing.lookups;
        report.put(name(0), zone(ZoneState::Refused));
        assert_eq!(missing.follow(&report, &wanted).len(), 1);
        assert_eq!(missing.follow(&report, &wanted).len(), 1, "nothing has changed");
        missing.lookups - before
    });
    assert_eq!(lookups, [1, 1]);
}
