//! What becomes of the zones when time has passed that no timer has counted, or the clock was set.

use crate::sys::suspended::suspended;
use crate::wire::Name;

use crate::transfer::secondary::coordinator::clock_watch::ClockStep;
use crate::transfer::secondary::coordinator::{Coordinator, now};

impl Coordinator {
    /// Looks whether both clocks went on alike.
    pub(super) fn look_at_clock(&mut self) {
        if let Some(step) = self.clock.look(now(), suspended()) {
            self.clock_stepped(step);
        }
    }

    /// The timers that are kept by the clock say something else now: all are kept anew. Where it went forwards, NOTIFYs may have come while
    /// nobody ran: all zones ask soon. They are older only if the host says that it was suspended: a clock that was wrong makes nothing old.
    pub(super) fn clock_stepped(&mut self, step: ClockStep) {
        match step {
            ClockStep::Suspended(time) => {
                let seconds = time.as_secs();
                tracing::warn!(
                    seconds,
                    "the host was suspended: all zones from primaries are older by that, and are asked for soon"
                );
            }
            ClockStep::Forwards => {
                tracing::warn!(
                    "the clock went forwards: all zones from primaries are asked for soon, and their timers are kept anew"
                );
            }
            ClockStep::Backwards => {
                tracing::warn!(
                    "the clock was set back: the timers of all zones from primaries are kept anew"
                );
            }
        }
        if step != ClockStep::Backwards {
            // The other side has given them up.
            self.idle.close_all();
            let zones: Vec<Name> = self.zones.keys().cloned().collect();
            for zone in zones {
                self.step(&zone, |refresh| {
                    match step {
                        ClockStep::Suspended(time) => refresh.was_suspended(time, now()),
                        ClockStep::Forwards | ClockStep::Backwards => refresh.wake_soon(now()),
                    }
                    None
                });
            }
        }
        let now = now();
        self.zones.keys().for_each(|zone| self.outward.note_timers(zone, now.instant));
    }
}
