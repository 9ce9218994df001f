//! Zones: all of them by state, and some by name.

use crate::control::{CanaryStatus, Status};

use super::exposition::Exposition;
use super::facts::{Facts, TransferFacts, ZoneFacts};
use super::metric::Metric;
use super::table;

/// A metric of single zones, and where it has no value.
type OfZone = (Metric, fn(&ZoneFacts) -> Option<u64>);

const OF_ZONE: [OfZone; 10] = [
    (table::ZONE_UP, |zone| Some(u64::from(zone.is_well))),
    (table::ZONE_SERIAL, |zone| zone.serial.map(u64::from)),
    (table::ZONE_RECORDS, |zone| Some(zone.records)),
    (table::ZONE_ACCEPTED, |zone| zone.accepted),
    (table::ZONE_EXPIRES, |zone| zone.signatures_expire),
    (table::ZONE_PRIMARY_SERIAL, |zone| transfer(zone)?.primary_serial.map(u64::from)),
    (table::ZONE_CHECKED, |zone| transfer(zone)?.checked),
    (table::ZONE_TRANSFER_EXPIRES, |zone| transfer(zone)?.expires),
    (table::ZONE_NEXT, |zone| transfer(zone)?.next),
    (table::ZONE_FAILURES, |zone| Some(transfer(zone)?.failures)),
];

fn transfer(zone: &ZoneFacts) -> Option<&TransferFacts> {
    zone.transfer.as_ref()
}

pub(super) fn write(text: &mut Exposition, status: &Status, facts: &Facts) {
    let counts = &status.zone_counts;
    let mut family = text.family(&table::ZONES);
    for (state, count) in [
        ("loading", counts.loading),
        ("served", counts.served),
        ("kept", counts.kept),
        ("refused", counts.refused),
        ("expired", counts.expired),
    ] {
        family.row(&[state], count);
    }
    text.single(&table::ZONES_NOT_WELL, counts.not_well);
    text.single(&table::ZONES_NOT_KEPT, status.zones_not_kept);
    let transfers = &facts.transfers;
    let mut family = text.family(&table::ZONES_TRANSFER);
    for (fault, count) in [
        ("empty", transfers.empty),
        ("stale", transfers.stale),
        ("behind", transfers.behind),
        ("diverged", transfers.diverged),
        ("contradicting", transfers.contradicting),
        ("refused", transfers.refused),
    ] {
        family.row(&[fault], count);
    }
    text.single(&table::ZONES_BEHIND_PRIMARY, transfers.behind_primary);
    text.single(&table::ZONES_BEHIND_PRIMARY_FOR, transfers.behind_primary_for.as_secs());
    let mut family = text.family(&table::ZONES_CANARY);
    let count = |of: fn(&CanaryStatus) -> u64| status.canaries.iter().map(of).sum::<u64>();
    for (state, count) in [
        ("released", count(|it| it.released)),
        ("trial", count(|it| it.trial)),
        ("overdue", count(|it| it.overdue)),
        ("halted", count(|it| it.halted)),
        ("withheld", count(|it| it.withheld)),
        ("stopped", count(|it| it.stopped)),
    ] {
        family.row(&[state], count);
    }
    let mut family = text.family(&table::CANARIES);
    let all = || status.canaries.iter().flat_map(|canary| &canary.secondaries);
    for (state, words) in [
        ("good", &["good"][..]),
        ("bad", &["bad"]),
        ("unknown", &["unknown", "not-asked"]),
        ("serial-only", &[""]),
    ] {
        let count = all().filter(|secondary| words.contains(&secondary.health.as_str())).count();
        family.row(&[state], count as u64);
    }
    text.optional(&table::DELAY, status.delay);
    text.optional(&table::ZONES_WAITING, status.delay.map(|_| status.zones_waiting));
    text.optional(&table::ZONES_EXPIRE, facts.signatures_expire);
    let mut family = text.family(&table::TRANSFERS);
    family.row(&["axfr"], transfers.whole);
    family.row(&["ixfr"], transfers.differences);
    text.single(&table::TRANSFER_OCTETS, transfers.octets);
    let mut family = text.family(&table::ZONE_CONTENT);
    for zone in &facts.zones {
        if let (Some(serial), Some(digest)) = (zone.serial, &zone.digest) {
            family.row(&[&zone.name, &serial.to_string(), digest], 1);
        }
    }
    for (metric, value) in &OF_ZONE {
        let mut family = text.family(metric);
        for zone in &facts.zones {
            if let Some(value) = value(zone) {
                family.row(&[&zone.name], value);
            }
        }
    }
}
