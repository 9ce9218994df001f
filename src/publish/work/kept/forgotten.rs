//! Zones of which everything was forgotten in this process: what has the name of one next is another zone. Pure.

use std::collections::BTreeMap;

use crate::wire::Name;

/// So many are known: more than an operator removes or catalogs begin anew while nothing has their names. Of more the older half goes; what
/// has such a name next counts as the zone that was there before.
const MOST: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::publish) struct ForgottenZones {
    /// Each with a number; a later one has a higher one.
    zones: BTreeMap<Name, u64>,
    next: u64,
}

impl ForgottenZones {
    /// Everything that was kept of this zone is forgotten.
    pub(in crate::publish) fn add(&mut self, zone: Name) {
        if self.zones.len() >= MOST {
            let mut numbers: Vec<u64> = self.zones.values().copied().collect();
            numbers.sort_unstable();
            let middle = numbers.get(numbers.len() / 2).copied().unwrap_or_default();
            self.zones.retain(|_, number| *number >= middle);
        }
        self.next += 1;
        self.zones.insert(zone, self.next);
    }

    /// A zone has this name; whether it is another one than before.
    pub(in crate::publish) fn take(&mut self, zone: &Name) -> bool {
        self.zones.remove(zone).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_another_one_once_and_the_oldest_are_dropped() {
        let mut forgotten = ForgottenZones::default();
        let name = |number: usize| format!("z{number}.example.").parse::<Name>().unwrap();
        forgotten.add(name(0));
        assert!(forgotten.take(&"Z0.example.".parse().unwrap()));
        assert!(!forgotten.take(&name(0)));
        (0..=MOST).for_each(|number| forgotten.add(name(number)));
        assert_eq!(forgotten.zones.len(), MOST / 2 + 1);
        assert!(!forgotten.take(&name(MOST / 2 - 1)));
        assert!(forgotten.take(&name(MOST / 2)) && forgotten.take(&name(MOST)));
    }
}
