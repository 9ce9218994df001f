//! How often the busiest zones were asked, over all workers: totals that only rise for as long as a zone is told.
//!
//! A zone loses its place in the sketch of one worker while it keeps that of another, and a sketch counts from 0 then: a sum over the
//! sketches would fall by a part, which a monitoring system takes for a restart with a burst of queries. So what each sketch counted
//! since the last look is added up here. A zone that leaves the table and comes back begins at 0.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::MOST_BUSY;
use crate::publish::Report;
use crate::telemetry::{BusyZones, Counters};
use crate::wire::Name;
use crate::zone::apex_key;

/// The samples of the busiest zones, at most [`MOST_BUSY`], and of all others.
#[derive(Debug, Default)]
pub(in crate::daemon::status) struct BusyTable {
    zones: BTreeMap<u64, BusyZone>,
    /// By worker and key, what its sketch counted at the last look.
    seen: Vec<BTreeMap<u64, u64>>,
    /// What was counted for zones of the table, also for those that have left it.
    told: u64,
    /// The samples of all others; never falls.
    others: u64,
    names: BusyNames,
}

/// A zone of the table.
#[derive(Debug, Default)]
struct BusyZone {
    /// Samples since it came into the table.
    total: u64,
    /// Samples of late: half of it goes at each look.
    lately: u64,
}

/// The names of busy zones by their keys.
#[derive(Debug, Default)]
struct BusyNames {
    known: BTreeMap<u64, Name>,
    /// The keys that no zone of the report has, and how many changes that report had.
    unknown: (BTreeSet<u64>, u64),
}

impl BusyTable {
    /// The busiest zones with estimated counts of queries, the busiest first, and an estimate of all other queries.
    pub(in crate::daemon::status) fn totals(
        &mut self,
        counters: &Counters,
        report: &Report,
    ) -> (Vec<(String, u64)>, u64) {
        let sketches = counters.workers().iter().map(|worker| worker.zones.read());
        let (new, all) = self.look(sketches);
        self.names.look_up(new.keys().chain(self.zones.keys()).copied().collect(), report);
        self.take(&new, all);
        let mut zones: Vec<(&u64, &BusyZone)> = self.zones.iter().collect();
        zones.sort_by_key(|(key, zone)| (Reverse(zone.total), **key));
        let named = |(key, zone): (&u64, &BusyZone)| {
            let name = self.names.known.get(key)?;
            Some((name.to_string(), zone.total * BusyZones::SAMPLE))
        };
        (zones.into_iter().filter_map(named).collect(), self.others * BusyZones::SAMPLE)
    }

    /// By key, what the sketches counted since the last look; and all samples since the beginning.
    fn look(&mut self, sketches: impl Iterator<Item = (Vec<(u64, u64)>, u64)>) -> (BTreeMap<u64, u64>, u64) {
        let (mut new, mut all) = (BTreeMap::new(), 0);
        for (worker, (zones, others)) in sketches.enumerate() {
            all += others;
            if self.seen.len() <= worker {
                self.seen.push(BTreeMap::new());
            }
            let Some(before) = self.seen.get_mut(worker) else { continue };
            let now: BTreeMap<u64, u64> = zones.into_iter().collect();
            for (key, count) in &now {
                all += count;
                let before = before.get(key).copied().unwrap_or_default();
                // A count that fell is that of a zone that lost its slot and has one again.
                let added = if *count < before { *count } else { count - before };
                *new.entry(*key).or_default() += added;
            }
            *before = now;
        }
        (new, all)
    }

    /// Adds what is new. A zone that has no place takes that of the zone that is asked least of late, if it is asked more.
    fn take(&mut self, new: &BTreeMap<u64, u64>, all: u64) {
        let known = &self.names.known;
        self.zones.retain(|key, _| known.contains_key(key));
        for (key, zone) in &mut self.zones {
            let added = new.get(key).copied().unwrap_or_default();
            zone.total += added;
            zone.lately = zone.lately / 2 + added;
            self.told += added;
        }
        let mut others: Vec<(u64, u64)> = new
            .iter()
            .map(|(key, added)| (*key, *added))
            .filter(|(key, added)| *added > 0 && known.contains_key(key) && !self.zones.contains_key(key))
            .collect();
        others.sort_by_key(|(key, added)| (Reverse(*added), *key));
        for (key, added) in others {
            if self.zones.len() >= MOST_BUSY {
                let least = self.zones.iter().min_by_key(|(_, zone)| zone.lately);
                let Some((least, lately)) = least.map(|(key, zone)| (*key, zone.lately)) else { break };
                if lately >= added {
                    break;
                }
                self.zones.remove(&least);
            }
            self.zones.insert(key, BusyZone { total: added, lately: added });
            self.told += added;
        }
        // The sketches go on counting while they are read.
        self.others = self.others.max(all.saturating_sub(self.told));
    }
}

impl BusyNames {
    /// Finds the names of these keys: walks all zones, if some are new and the zones were not walked for them yet.
    fn look_up(&mut self, keys: BTreeSet<u64>, report: &Report) {
        self.known.retain(|key, name| keys.contains(key) && report.zones.get(name).is_some());
        let missing: BTreeSet<u64> = keys.into_iter().filter(|key| !self.known.contains_key(key)).collect();
        let (unknown, changes) = &self.unknown;
        if missing.is_empty() || (*changes == report.changes() && missing.is_subset(unknown)) {
            return;
        }
        for name in report.zones.keys() {
            let key = apex_key(name).max(1);
            if missing.contains(&key) {
                self.known.insert(key, name.clone());
            }
        }
        let unknown = missing.into_iter().filter(|key| !self.known.contains_key(key)).collect();
        self.unknown = (unknown, report.changes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that knows these keys.
    fn table(keys: impl Iterator<Item = u64>) -> BusyTable {
        let mut table = BusyTable::default();
        table.names.known = keys.map(|key| (key, format!("z{key}.").parse().unwrap())).collect();
        table
    }

    fn look(table: &mut BusyTable, sketches: &[(&[(u64, u64)], u64)]) -> (Vec<(u64, u64)>, u64) {
        let (new, all) = table.look(sketches.iter().map(|(zones, others)| (zones.to_vec(), *others)));
        table.take(&new, all);
        (table.zones.iter().map(|(key, zone)| (*key, zone.total)).collect(), table.others)
    }

    #[test]
    fn a_zone_that_loses_a_slot_keeps_its_total() {
        let mut table = table([7, 8].into_iter());
        assert_eq!(look(&mut table, &[(&[(7, 100)], 1), (&[(7, 40)], 0)]), (vec![(7, 140)], 1));
        // One worker gave the slot away: its samples are in the rest now.
        assert_eq!(look(&mut table, &[(&[(8, 1)], 101), (&[(7, 45)], 0)]), (vec![(7, 145), (8, 1)], 1));
        // It has a slot again and counts from 0.
        assert_eq!(look(&mut table, &[(&[(7, 3)], 103), (&[(7, 45)], 0)]), (vec![(7, 148), (8, 1)], 2));
        // A zone without a name is one of the others.
        assert_eq!(
            look(&mut table, &[(&[(7, 3), (9, 5)], 103), (&[(7, 45)], 0)]),
            (vec![(7, 148), (8, 1)], 7)
        );
    }

    #[test]
    fn no_total_falls_and_the_table_is_bounded() {
        let mut table = table(1..=2000);
        let sketches = [BusyZones::default(), BusyZones::default()];
        let (mut before, mut others, mut asked) = (BTreeMap::new(), 0, 0_u64);
        for round in 0..200_u64 {
            for query in 0..400_u64 {
                let number = round * 400 + query;
                let key = if query % 4 == 0 { 1 } else { 1 + number * 7919 % 2000 };
                for _ in 0..BusyZones::SAMPLE {
                    sketches[number as usize % 2].note(|| Some(key));
                }
                asked += 1;
            }
            let (new, all) = table.look(sketches.iter().map(BusyZones::read));
            table.take(&new, all);
            assert_eq!(all, asked);
            assert!(table.zones.len() <= MOST_BUSY && table.others >= others);
            others = table.others;
            let now: BTreeMap<u64, u64> = table.zones.iter().map(|(key, zone)| (*key, zone.total)).collect();
            // A zone that was told at the last look, too.
            assert!(now.iter().all(|(key, total)| before.get(key).is_none_or(|before| before <= total)));
            before = now;
        }
        assert_eq!(table.told + table.others, asked);
        assert!(before[&1] > 15_000, "{}", before[&1]);
    }
}
