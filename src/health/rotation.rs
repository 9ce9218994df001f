//! Which zones the next round asks for. Pure.
//!
//! A round asks for at most two zones: a *canary zone* and one more in rotation. With required zones the canary zone is the
//! next required one, and it stays until it answers well, so that its faults come in a row. Without them it is a zone
//! that answered well before: one bad zone is then never taken for a bad server, however many zones are bad.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::wire::Name;

/// The zones in service.
pub trait ServedZones: Send + Sync + std::fmt::Debug {
    /// Whether this zone is in service.
    fn serves(&self, zone: &Name) -> bool;

    /// The zone that comes after this one, in an order that stays; the first of all after `None`. `None` after the last.
    fn after(&self, zone: Option<&Name>) -> Option<Name>;

    /// Whether there are zones in service, but all of them have expired and are answered SERVFAIL: then the server is asked who it is,
    /// because an expiry is no reason to withdraw.
    fn all_expired(&self) -> bool {
        false
    }
}

impl ServedZones for BTreeSet<Name> {
    fn serves(&self, zone: &Name) -> bool {
        self.contains(zone)
    }

    fn after(&self, zone: Option<&Name>) -> Option<Name> {
        let start = zone.map_or(Bound::Unbounded, Bound::Excluded);
        self.range((start, Bound::Unbounded)).next().cloned()
    }
}

/// Where the rotation stands for one address.
#[derive(Clone, Debug, Default)]
pub(super) struct Rotation {
    next_required: usize,
    /// The zone that had its turn last.
    last_other: Option<Name>,
    canary_zone: Option<Name>,
}

/// The zones of one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    /// Asked in every round.
    pub(super) canary_zone: Name,
    /// Whether the canary zone is a required zone: then what it says counts, whatever the other says.
    pub(super) required: bool,
    /// The next zone in rotation; `None` if the canary zone is the only zone.
    pub(super) other: Option<Name>,
    /// Whether no zone is asked for, but who answers.
    pub(super) is_identity: bool,
}

impl Pick {
    /// Asks who answers.
    fn identity() -> Self {
        Self { canary_zone: Name::root(), required: false, other: None, is_identity: true }
    }
}

impl Rotation {
    /// The zones to ask for, out of those served; `None` if nothing is served.
    pub(super) fn pick(&mut self, served: &dyn ServedZones, required: &[Name]) -> Option<Pick> {
        let required = self.pick_required(served, required);
        let is_required = required.is_some();
        let kept = || self.canary_zone.take().filter(|name| served.serves(name));
        let Some(canary_zone) = required.or_else(kept).or_else(|| served.after(None)) else {
            return served.all_expired().then(Pick::identity);
        };
        let other = self.pick_other(served, &canary_zone);
        self.canary_zone = Some(canary_zone.clone());
        Some(Pick { canary_zone, required: is_required, other, is_identity: false })
    }

    /// Takes what the round said: whether the canary zone and the other zone answered well.
    pub(super) fn learn(&mut self, pick: &Pick, canary_good: bool, other_good: bool) {
        if pick.required && canary_good {
            self.next_required = self.next_required.wrapping_add(1);
        }
        if !pick.required && !canary_good && other_good {
            self.canary_zone = pick.other.clone();
        }
    }

    fn pick_required(&self, served: &dyn ServedZones, required: &[Name]) -> Option<Name> {
        let after = (0..required.len()).map(|step| self.next_required.wrapping_add(step) % required.len());
        let mut names = after.filter_map(|index| required.get(index));
        names.find(|name| served.serves(name)).cloned()
    }

    fn pick_other(&mut self, served: &dyn ServedZones, canary_zone: &Name) -> Option<Name> {
        // Two steps are enough: at most one of two consecutive zones is the canary zone.
        for _ in 0..2 {
            let last = self.last_other.as_ref();
            let name = last.and_then(|last| served.after(Some(last))).or_else(|| served.after(None))?;
            self.last_other = Some(name.clone());
            if name != *canary_zone {
                return Some(name);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn picked(pick: &Pick) -> String {
        let other = pick.other.as_ref().map_or("-".into(), Name::to_string);
        format!("{}{} {other}", pick.canary_zone, if pick.required { "!" } else { "" })
    }

    fn rounds(served: &str, required: &str, good: &str, count: usize) -> Vec<String> {
        let (required, good) = (names(required), names(good));
        let served: BTreeSet<Name> = names(served).into_iter().collect();
        let mut rotation = Rotation::default();
        let mut round = || {
            let pick = rotation.pick(&served, &required).unwrap();
            let other_good = pick.other.as_ref().is_some_and(|other| good.contains(other));
            rotation.learn(&pick, good.contains(&pick.canary_zone), other_good);
            picked(&pick)
        };
        (0..count).map(|_| round()).collect()
    }

    #[test]
    fn nothing_served_nothing_asked() {
        assert_eq!(Rotation::default().pick(&BTreeSet::new(), &names("a")), None);
    }

    #[test]
    fn every_zone_has_its_turn() {
        assert_eq!(rounds("a b c", "", "a b c", 5), ["a. b.", "a. c.", "a. b.", "a. c.", "a. b."]);
        assert_eq!(rounds("a", "", "a", 2), ["a. -", "a. -"]);
    }

    #[test]
    fn required_zones_in_turn_and_the_others_too() {
        assert_eq!(rounds("a b c", "b c", "a b c", 4), ["b.! a.", "c.! b.", "b.! c.", "c.! a."]);
    }

    #[test]
    fn a_bad_required_zone_is_asked_until_it_is_good() {
        assert_eq!(rounds("a b c", "b c", "a c", 3), ["b.! a.", "b.! c.", "b.! a."]);
    }

    #[test]
    fn a_required_zone_that_is_not_served_is_not_asked() {
        assert_eq!(rounds("a b", "z b", "a b", 2), ["b.! a.", "b.! a."]);
        assert_eq!(rounds("a b", "z", "a b", 2), ["a. b.", "a. b."]);
    }

    #[test]
    fn the_mainstay_moves_to_the_first_good_zone_and_stays() {
        assert_eq!(rounds("a b c d", "", "c", 5), ["a. b.", "a. c.", "c. d.", "c. a.", "c. b."]);
    }
}
