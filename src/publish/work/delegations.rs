//! Zones whose delegation may be another one, because the zone above them has a new version: whether its DS records still match.
//!
//! Names flow in when a version is published; a few zones are looked at in each turn, so that a zone above many others holds nobody up.
//! Costs nothing where a difference changes no DS record, otherwise a lookup for each zone below. Reads no file: what is served counts.

use std::ops::Bound;

use crate::publish::validate::delegation::broken_above;
use crate::publish::work::core::Core;
use crate::publish::work::zone::entry::WorkState;
use crate::publish::work::zone::zones_below::ZonesBelow;
use crate::wire::Name;
use crate::zone::Snapshot;

/// Zones that are looked at in a turn: a digest or two each.
const MOST_ZONES: usize = 256;
/// Versions in a turn whose zones below are listed; most have none.
const MOST_VERSIONS: usize = 4096;

impl Core {
    /// Looks at some of the zones that wait for it.
    pub(in crate::publish) fn look_at_delegations(&mut self) {
        let (mut left, mut versions) = (MOST_ZONES, MOST_VERSIONS);
        let served = self.publication.published.load();
        while left > 0
            && versions > 0
            && let Some(below) = self.publication.delegations.waiting.pop_front()
        {
            let (names, rest) = self.next_below(below, left);
            (left, versions) = (left - names.len(), versions - 1);
            self.publication.delegations.waiting.extend(rest);
            names.iter().for_each(|name| self.look_at_delegation(name, &served));
        }
    }

    /// The next zones, and the rest.
    fn next_below(&self, below: ZonesBelow, most: usize) -> (Vec<Name>, Option<ZonesBelow>) {
        match below {
            ZonesBelow::Of(mut names) => {
                let rest = names.split_off(names.len().min(most));
                (names, (!rest.is_empty()).then_some(ZonesBelow::Of(rest)))
            }
            ZonesBelow::All(zone, from) => {
                let names = self
                    .zones
                    .range((Bound::Excluded(from.as_ref().unwrap_or(&zone)), Bound::Unbounded))
                    .map(|(name, _)| name);
                let names = names.take_while(|name| name.is_at_or_below(&zone)).take(most);
                let names: Vec<Name> = names.cloned().collect();
                let last = names.last().filter(|_| names.len() == most).cloned();
                (names, last.map(|last| ZonesBelow::All(zone, Some(last))))
            }
        }
    }

    fn look_at_delegation(&mut self, name: &Name, served: &Snapshot) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        if matches!(entry.work, WorkState::Running | WorkState::RunningAgain) {
            self.publication.delegations.in_check.insert(name.clone());
            return;
        }
        let zone = served.zone(name).filter(|_| entry.serving);
        let above = zone.and_then(|zone| broken_above(served, zone));
        let was_known = entry.delegation.is_some();
        if above.is_none() && !was_known {
            return;
        }
        entry.take_delegation(above.map(|above| above.origin()));
        if let Some(fault) = entry.delegation.as_ref().filter(|_| !was_known) {
            tracing::warn!(zone = %name, serving = entry.serving, "{fault}");
        }
        self.reporting.note(name);
    }
}
