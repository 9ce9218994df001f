//! The state machine of one service address over one transport. Pure: no I/O, no clock.
//!
//! | from | good `rise` times | wrong `fall` times (at most 2) | lost `fall` times, no evidence | lost `fall` times, else | refused |
//! | --- | --- | --- | --- | --- | --- |
//! | untested | up | wrong | silent | untested | silent |
//! | up | up | wrong | silent | pressure | silent |
//! | pressure | up | wrong | silent | pressure | silent |
//! | wrong | up | wrong | silent | wrong | silent |
//! | silent | up | wrong | silent | silent | silent |
//!
//! "In a row" means: a good outcome ends a row of wrong or lost ones and the other way round; a lost outcome does not
//! end a row of wrong ones (a server that is wrong or late is no better than one that is wrong). A loss that is proven to be
//! overload ends the row of losses without evidence, so pressure never becomes silence while that is proven.

use crate::policy::Probe;

/// Neither load nor chance makes content wrong: twice in a row is enough, whatever `fall` says.
const MAX_WRONG: u32 = 2;

/// What one round says about one address over one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered well.
    Good,
    /// Answered wrongly.
    Wrong {
        /// What was wrong.
        reason: String,
    },
    /// Not answered in time.
    Lost {
        /// What was missing.
        reason: String,
        /// What the loss says.
        evidence: Evidence,
    },
}

/// What a loss says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The system says that no socket listens there: silent at once.
    Refused,
    /// Nothing shows that the address is overloaded.
    Idle,
    /// Overload, or a fault on the asking side: never a sign of ill health.
    Busy,
}

/// The state of an address over one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not good `rise` times yet, nor bad `fall` times.
    Untested,
    /// Answers well.
    Up,
    /// Was up; probes are lost to overload, which is proven.
    Pressure,
    /// Answers wrongly.
    Wrong(String),
    /// Does not answer, without any evidence of overload, or no socket listens.
    Silent(String),
}

/// The rows of outcomes and the standing they led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    rise: u32,
    fall: u32,
    standing: Standing,
    good: u32,
    wrong: u32,
    lost: u32,
    lost_idle: u32,
}

impl Track {
    /// Untested; `rise` and `fall` are at least 1.
    pub(super) fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, standing: Standing::Untested, good: 0, wrong: 0, lost: 0, lost_idle: 0 }
    }

    /// Goes on with other numbers of rounds; the standing and the rows stay.
    pub(super) fn retune(&mut self, rise: u32, fall: u32) {
        (self.rise, self.fall) = (rise, fall);
    }

    /// Its state.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether the next rounds may soon change the standing: they should come fast.
    pub(super) fn is_unsettled(&self) -> bool {
        let under_way = self.wrong > 0 || self.lost > 0;
        match self.standing {
            Standing::Up => under_way,
            // Pressure may last for hours; more probes would only add to it.
            Standing::Pressure => false,
            Standing::Untested | Standing::Wrong(_) | Standing::Silent(_) => true,
        }
    }

    /// Takes the outcome of one round.
    pub(super) fn observe(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Good => self.observe_good(),
            Outcome::Wrong { reason } => self.observe_wrong(reason),
            Outcome::Lost { reason, evidence } => self.observe_lost(reason, *evidence),
        }
    }

    fn observe_good(&mut self) {
        self.good = self.good.saturating_add(1);
        (self.wrong, self.lost, self.lost_idle) = (0, 0, 0);
        if self.good >= self.rise {
            self.standing = Standing::Up;
        }
    }

    fn observe_wrong(&mut self, reason: &str) {
        self.wrong = self.wrong.saturating_add(1);
        (self.good, self.lost, self.lost_idle) = (0, 0, 0);
        if self.wrong >= self.fall.min(MAX_WRONG) {
            self.standing = Standing::Wrong(reason.into());
        }
    }

    fn observe_lost(&mut self, reason: &str, evidence: Evidence) {
        self.good = 0;
        self.lost = self.lost.saturating_add(1);
        self.lost_idle = match evidence {
            Evidence::Refused => self.fall,
            Evidence::Idle => self.lost_idle.saturating_add(1),
            Evidence::Busy => 0,
        };
        if self.lost_idle >= self.fall {
            self.standing = Standing::Silent(reason.into());
        } else if self.lost >= self.fall && self.standing == Standing::Up {
            self.standing = Standing::Pressure;
        }
    }
}

/// What both transports together say about an address: the worse of the two. A resolver needs both, because it asks over
/// UDP first and comes back over TCP when an answer is truncated. An address that is silent over one and answers over the other is
/// told apart: policy decides.
pub(super) fn combine(udp: &Standing, tcp: &Standing) -> Probe {
    use Standing::{Pressure, Silent, Untested, Up, Wrong};
    match (udp, tcp) {
        (Silent(reason), Up | Pressure) => {
            return Probe::OneTransportDead { reason: format!("UDP: {reason}") };
        }
        (Up | Pressure, Silent(reason)) => {
            return Probe::OneTransportDead { reason: format!("TCP: {reason}") };
        }
        _ => {}
    }
    let named = [("UDP", udp), ("TCP", tcp)];
    let worst = named.into_iter().max_by_key(|(_, standing)| standing.gravity());
    match worst {
        Some((transport, Wrong(reason))) => Probe::Wrong { reason: format!("{transport}: {reason}") },
        Some((transport, Silent(reason))) => Probe::Silent { reason: format!("{transport}: {reason}") },
        Some((_, Pressure)) => Probe::Pressure,
        Some((_, Up)) => Probe::Up,
        Some((_, Untested)) | None => Probe::Untested,
    }
}

impl Standing {
    /// Untested outranks pressure: what was never seen to work is not announced because of load.
    fn gravity(&self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Pressure => 1,
            Self::Untested => 2,
            Self::Silent(_) => 3,
            Self::Wrong(_) => 4,
        }
    }

    /// One word for `status`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Untested => "untested",
            Self::Up => "up",
            Self::Pressure => "pressure",
            Self::Wrong(_) => "wrong",
            Self::Silent(_) => "silent",
        }
    }
}

#[cfg(test)]
#[path = "../../tests/unit/health/track.rs"]
mod tests;
