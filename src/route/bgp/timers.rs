//! The timers of one connection. Pure: `now` and randomness are arguments.

use std::time::{Duration, Instant};

use rustbgpd_fsm::{Event, TimerType};

use super::backoff::jittered;

/// The longest hold time before the neighbor's OPEN. RFC 4271 suggests 4 minutes; a neighbor that takes the
/// connection and sends nothing is tried again sooner.
const LONGEST_OPEN_WAIT: Duration = Duration::from_secs(30);

/// The timers of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    hold: Option<Instant>,
    keepalive: Option<Instant>,
    /// When the neighbor must have taken an octet (RFC 9687).
    send_hold: Option<Instant>,
}

/// A timer that went off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpiredTimer {
    /// For the session's state machine.
    Hold,
    /// For the session's state machine.
    Keepalive,
    /// The neighbor takes nothing (RFC 9687).
    SendHold,
}

impl Timers {
    /// Starts a timer of the session's state machine. `opening` until the neighbor's OPEN has come.
    pub(super) fn start(&mut self, timer: TimerType, seconds: u32, opening: bool, now: Instant, random: f64) {
        let time = Duration::from_secs(seconds.into());
        match timer {
            TimerType::Hold if opening => self.hold = Some(now + time.min(LONGEST_OPEN_WAIT)),
            TimerType::Hold => self.hold = Some(now + time),
            TimerType::Keepalive => self.keepalive = Some(now + jittered(time, random)),
            // Reconnecting is the neighbor task's business.
            _ => {}
        }
    }

    pub(super) fn stop(&mut self, timer: TimerType) {
        match timer {
            TimerType::Hold => self.hold = None,
            TimerType::Keepalive => self.keepalive = None,
            _ => {}
        }
    }

    /// Octets wait for the neighbor (`Some`: by when it must have taken some), or none do.
    pub(super) fn set_send_hold(&mut self, deadline: Option<Instant>) {
        self.send_hold = deadline;
    }

    pub(super) fn send_hold_runs(&self) -> bool {
        self.send_hold.is_some()
    }

    /// Whether the deadline of the hold timer has passed and [`Timers::expire`] has not taken it yet.
    pub(super) fn hold_is_due(&self, now: Instant) -> bool {
        self.hold.is_some_and(|deadline| deadline <= now)
    }

    /// When the next timer goes off.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.hold, self.keepalive, self.send_hold].into_iter().flatten().min()
    }

    /// Takes a timer that has gone off. The timers that end the session come first: a session that is over sends no keepalive.
    pub(super) fn expire(&mut self, now: Instant) -> Option<ExpiredTimer> {
        let due = |timer: &mut Option<Instant>| timer.take_if(|deadline| *deadline <= now).is_some();
        if due(&mut self.send_hold) {
            Some(ExpiredTimer::SendHold)
        } else if due(&mut self.hold) {
            Some(ExpiredTimer::Hold)
        } else if due(&mut self.keepalive) {
            Some(ExpiredTimer::Keepalive)
        } else {
            None
        }
    }
}

impl ExpiredTimer {
    /// The event of the session's state machine; `None` if it knows no such timer.
    pub(super) fn event(self) -> Option<Event> {
        match self {
            Self::Hold => Some(Event::HoldTimerExpires),
            Self::Keepalive => Some(Event::KeepaliveTimerExpires),
            Self::SendHold => None,
        }
    }
}
