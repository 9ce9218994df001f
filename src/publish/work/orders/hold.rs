//! Zones that an operator holds at the version that is served.
//!
//! An order flows in, the answer flows out when a restart would know of it. A held zone goes on being served, probed and sent to
//! secondaries; what is new is refused until the hold ends, but for what an operator forces.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::publish::error::HoldError;
use crate::publish::state::files::holds::{Hold, Holds};
use crate::publish::work::core::Core;
use crate::wire::Name;

/// Zones of one order that are named in the log.
const MOST_LOGGED: usize = 100;

/// Zones that are held at the version that is served, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldsSet {
    /// The zones.
    pub zones: Vec<Name>,
    /// Whether a restart will know of it.
    pub is_kept: bool,
}

/// Which zones an order is about.
#[derive(Debug)]
pub enum HoldZones {
    /// Those of these that are known, or are held.
    These(Vec<Name>),
    /// The known ones that a pattern takes, found beforehand because there may be very many; and which names it takes, for those that are
    /// held and not known.
    Matching(Vec<Name>, NamePredicate),
    /// All.
    All,
}

/// Which names a pattern takes.
pub struct NamePredicate(Box<dyn Fn(&Name) -> bool + Send>);

impl NamePredicate {
    /// Those for which this is true.
    pub fn new(takes: impl Fn(&Name) -> bool + Send + 'static) -> Self {
        Self(Box::new(takes))
    }
}

impl fmt::Debug for NamePredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamePredicate").finish_non_exhaustive()
    }
}

impl Core {
    /// Takes in which zones are held, as the state directory has it.
    pub(in crate::publish) fn list_holds(&mut self) {
        self.keeping.read_holds();
        self.context = None;
        if let Some(fault) = self.keeping.hold_fault() {
            tracing::error!("{fault}");
        }
    }

    /// Reads again which zones are held: the directory could not be written, and so no order was taken since.
    pub(in crate::publish) fn list_holds_again(&mut self) {
        self.list_holds();
        for (name, entry) in &mut self.zones {
            // What was refused because nobody knew is judged again.
            entry.read &= !entry.is_refused_as_held() || self.keeping.holds.get(name).is_some();
        }
        self.reporting.all_are_news = true;
    }

    /// Holds zones for this reason, or with `None` no longer. All at once: the file of the holds is written once.
    pub(in crate::publish) fn hold(
        &mut self,
        zones: HoldZones,
        reason: Option<String>,
        reply: oneshot::Sender<Result<HoldsSet, HoldError>>,
    ) {
        let is_held = reason.is_some();
        let was_of_all = self.keeping.holds.all().is_some();
        let outcome = self.with_holds(zones, reason.as_deref()).and_then(|(zones, holds)| {
            let is_kept = self.keeping.keep_holds(holds)?;
            Ok(HoldsSet { zones, is_kept })
        });
        if let Ok(HoldsSet { zones, .. }) = &outcome {
            for zone in zones.iter().take(MOST_LOGGED) {
                match is_held {
                    true => tracing::warn!(%zone, "the zone is held at the version that is served"),
                    false => tracing::warn!(%zone, "the zone is held no longer"),
                }
            }
            if let more @ 1.. = zones.len().saturating_sub(MOST_LOGGED) {
                tracing::warn!(more, is_held, "and more zones");
            }
            // What checks may use has changed.
            self.context = None;
            self.reporting.news.extend(zones.iter().cloned());
            match self.keeping.holds.all().is_some() == was_of_all {
                true => self.report_changed(),
                // One fault less.
                false => self.report_all(),
            }
            for zone in zones.iter().filter(|_| !is_held) {
                if let Some(entry) = self.zones.get_mut(zone) {
                    entry.read = false;
                    self.push(zone, true);
                }
            }
        }
        // Who ordered it may be gone.
        let _ = reply.send(outcome);
    }

    /// The holds as they are to be, and of which zones that is new.
    fn with_holds(
        &self,
        zones: HoldZones,
        reason: Option<&str>,
    ) -> Result<(Vec<Name>, Arc<Holds>), HoldError> {
        let mut holds = Holds::clone(&self.keeping.holds);
        let ends_all = matches!((&zones, &reason), (HoldZones::All, None));
        let zones: Vec<Name> = match zones {
            HoldZones::These(zones) => zones,
            HoldZones::Matching(mut zones, takes) => {
                // As below. One that is known, too, is let go once.
                if reason.is_none() {
                    zones.extend(holds.named().filter(|zone| takes.0(zone)).cloned());
                }
                zones
            }
            HoldZones::All => {
                // A zone that is held by name need not be known.
                let all: BTreeSet<&Name> = self.zones.keys().chain(holds.named()).collect();
                all.into_iter().cloned().collect()
            }
        };
        let hold = reason.map(Hold::new);
        let mut set = |zone: &Name| match &hold {
            Some(hold) => {
                let is_known = self.zones.contains_key(zone);
                is_known.then(|| holds.insert(zone.clone(), hold.clone())).is_some()
            }
            None => holds.remove(zone),
        };
        let zones: Vec<Name> = zones.into_iter().filter(|zone| set(zone)).collect();
        if zones.is_empty() && !(ends_all && holds.all().is_some()) {
            return Err(if hold.is_some() { HoldError::NoSuchZone } else { HoldError::NotHeld });
        }
        if ends_all {
            holds = Holds::default();
        } else if self.reporting.settled {
            holds.end_all(self.zones.len(), self.zones.keys());
        }
        let holds = Arc::new(holds);
        Ok((zones, holds))
    }
}
