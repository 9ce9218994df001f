//! What counts of what is known of a zone when it comes under a canary. Pure: no I/O.
//!
//! | known of the name | what counts as released |
//! | --- | --- |
//! | this zone, under a canary | what was released, and whether it is halted |
//! | this zone, halted, while no canary covered it | what is served: all have it |
//! | another zone of the name | what is served: the zone is new to all |
//! | nothing, and the state directory may have it | nothing: it is halted |
//! | nothing | what the state directory had of the zone when it came, otherwise what is served |
//!
//! A version is told by its serial and by when it was accepted. One that the state directory did not get has another time when its source gives
//! it again: of one that was accepted after everything that the directory had, the serial alone counts.

use std::time::SystemTime;

use crate::publish::{KeptRelease, MissingReleases, ZoneReport};
use crate::transfer::canary::{CanaryPast, CanaryVersion};
use crate::wire::Serial;

/// Why a zone is halted that was halted by health before a restart.
const STOPPED_BEFORE: &str =
    "a canary became unhealthy before the hub was started again; the log of that time tells why";
/// Why a zone is halted of which it is not known what was released.
pub(super) const UNKNOWN_BEFORE: &str =
    "the state directory does not tell which version was released before the hub was started again";

/// What is known of a zone that is not under a canary now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownRelease {
    pub(super) kept: KeptRelease,
    /// Which of the zones of its name it was, as the report numbers them; 0: it was there in the last process.
    pub(super) number: u64,
}

/// A zone that comes under a canary.
#[derive(Clone, Copy, Debug)]
pub(super) struct ComingZone {
    /// Which of the zones of its name it is.
    pub(super) number: u64,
    /// Whether another zone had the name before.
    pub(super) is_another: bool,
    /// What the state directory had of it when it came.
    pub(super) kept: Option<(Serial, SystemTime)>,
    /// The version that is served.
    pub(super) newest: CanaryVersion,
}

impl ComingZone {
    pub(super) fn new(report: &ZoneReport, newest: CanaryVersion) -> Self {
        let ZoneReport { number, is_another, kept_version, .. } = *report;
        Self { number, is_another, kept: kept_version, newest }
    }

    /// What counts of what is known of its name, and why it is halted if no order says so; see the module. `missing`: why it may be that
    /// nothing is known though something is kept.
    pub(super) fn counting(
        &self,
        known: Option<KnownRelease>,
        missing: Option<MissingReleases>,
    ) -> (KeptRelease, Option<&'static str>) {
        match known.filter(|known| self.is_of(known)) {
            Some(known) if !known.kept.is_uncovered() => {
                let kept = self.told_by_what_is_kept(known);
                (kept, kept.is_unhealthy.then_some(STOPPED_BEFORE))
            }
            None if missing.is_some() && !self.is_another => {
                // One that is neither served nor was.
                let serial = Serial(self.newest.serial.0.wrapping_sub(1));
                let kept =
                    KeptRelease { is_halted: true, is_unhealthy: true, ..KeptRelease::running(serial) };
                (kept, Some(UNKNOWN_BEFORE))
            }
            _ => {
                let newest = (self.newest.serial, self.newest.accepted_at);
                let (serial, accepted_at) = self.kept.map_or(newest, |(serial, at)| (serial, Some(at)));
                (KeptRelease { accepted_at, ..KeptRelease::running(serial) }, None)
            }
        }
    }

    /// Whether that is known of this zone, and of no other one of its name.
    pub(super) fn is_of(&self, known: &KnownRelease) -> bool {
        known.number == self.number || !self.is_another
    }

    fn told_by_what_is_kept(&self, KnownRelease { kept, number }: KnownRelease) -> KeptRelease {
        let is_had = |at: &SystemTime| self.kept.is_some_and(|(_, last)| *at <= last);
        let is_told = |at: &SystemTime| number == self.number || is_had(at);
        KeptRelease { accepted_at: kept.accepted_at.filter(is_told), ..kept }
    }
}

/// What a zone begins with.
pub(super) fn past(kept: &KeptRelease) -> CanaryPast {
    let version = |(serial, accepted_at)| CanaryVersion { serial, accepted_at };
    CanaryPast {
        released: version((kept.serial, kept.accepted_at)),
        highest: kept.highest.map(version),
        is_halted: kept.is_halted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn version(serial: u32, seconds: u64) -> CanaryVersion {
        CanaryVersion { serial: Serial(serial), accepted_at: Some(at(seconds)) }
    }

    fn kept(serial: u32, accepted_at: Option<u64>) -> KeptRelease {
        KeptRelease { accepted_at: accepted_at.map(at), ..KeptRelease::running(Serial(serial)) }
    }

    #[test]
    fn what_is_known_counts_for_the_zone_that_it_is_of() {
        let halted = |release| KeptRelease { is_halted: true, ..release };
        let unwell = KeptRelease { is_unhealthy: true, ..halted(kept(5, Some(50))) };
        let uncovered = kept(5, Some(50)).uncovered();
        let unread = KeptRelease { is_unhealthy: true, ..halted(kept(5, None)) };
        let highest = KeptRelease { highest: Some((Serial(9), Some(at(90)))), ..kept(5, Some(50)) };
        let [told, by_serial] = [kept(5, Some(50)), kept(5, None)];
        let [new, before] = [kept(6, Some(60)), kept(4, Some(40))];
        let [of_last, of_this, of_other] = [0, 7, 3];
        // The zone has the number 7; its newest version is 6, accepted at 60. Of which zone is known what, whether this is another
        // one, the version that was kept when it came, whether something may be missing; what counts, and why it is halted.
        let rows = [
            (Some((told, of_last)), false, Some((6, 60)), false, told, None),
            (Some((told, of_last)), false, Some((5, 50)), false, told, None),
            (Some((halted(told), of_last)), false, Some((6, 60)), false, halted(told), None),
            (Some((unwell, of_last)), false, Some((6, 60)), false, unwell, Some(STOPPED_BEFORE)),
            (Some((highest, of_last)), false, Some((6, 60)), false, highest, None),
            // It came later than what was kept, or nothing was kept.
            (Some((told, of_last)), false, Some((4, 40)), false, by_serial, None),
            (Some((told, of_last)), false, None, false, by_serial, None),
            // It left and came back, with what is kept of it or, from primaries, without.
            (Some((told, of_other)), false, Some((6, 60)), false, told, None),
            (Some((told, of_other)), false, None, false, by_serial, None),
            (Some((halted(told), of_other)), false, None, false, halted(by_serial), None),
            // Another zone is new to all, halted or not.
            (Some((told, of_other)), true, None, false, new, None),
            (Some((halted(told), of_other)), true, None, false, new, None),
            (Some((unwell, of_last)), true, None, false, new, None),
            (Some((halted(told), of_other)), true, None, true, new, None),
            // The zone itself, known to be another one than a zone before it: a reload changes nothing.
            (Some((told, of_this)), true, None, false, told, None),
            (Some((halted(told), of_this)), true, None, false, halted(told), None),
            // What all have while no group covers it.
            (Some((uncovered, of_last)), false, Some((6, 60)), false, new, None),
            (Some((uncovered, of_last)), false, None, true, new, None),
            // Nothing is known.
            (None, false, None, false, new, None),
            (None, false, Some((4, 40)), false, before, None),
            (None, false, Some((6, 60)), true, unread, Some(UNKNOWN_BEFORE)),
            (None, true, None, true, new, None),
        ];
        for (index, (known, is_another, had, is_missing, expected, why)) in rows.into_iter().enumerate() {
            let coming = ComingZone {
                number: of_this,
                is_another,
                kept: had.map(|(serial, seconds)| (Serial(serial), at(seconds))),
                newest: version(6, 60),
            };
            let known = known.map(|(kept, number)| KnownRelease { kept, number });
            for missing in [MissingReleases::Unread, MissingReleases::Lost] {
                let counting = coming.counting(known, is_missing.then_some(missing));
                assert_eq!(counting, (expected, why), "row {index}");
            }
        }
    }
}
