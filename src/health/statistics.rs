//! What the probes of one address over one transport have seen, for `status`.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::wire::Name;

/// Over what a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// What the probes of one address over one transport have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The service address.
    pub address: IpAddr,
    /// The transport.
    pub transport: ProbeTransport,
    /// `untested`, `up`, `pressure`, `wrong` or `silent`.
    pub standing: &'static str,
    /// Since when.
    pub since: Instant,
    /// Rounds that went well.
    pub good: u64,
    /// Rounds with a wrong answer.
    pub wrong: u64,
    /// Rounds without an answer.
    pub lost: u64,
    /// Questions that were asked; a round has one for each of two zones.
    pub questions: u64,
    /// Questions without an answer. A round is lost only if all of its questions are.
    pub questions_lost: u64,
    /// The same of the last questions alone.
    pub recent: RecentLosses,
    /// How long the last answer took.
    pub round_trip: Option<Duration>,
    /// What was wrong or missing in the last round that was not good; kept when all is well again.
    pub reason: Option<String>,
    /// When that round was.
    pub reason_at: Option<Instant>,
    /// The figures by which the last loss was taken for overload or not; kept when all is well again.
    pub evidence: Option<String>,
    /// The last fault of one zone that did not count against the address.
    pub zone_fault: Option<ZoneFault>,
}

/// Which of the last questions got no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentLosses {
    /// A bit for each, the latest lowest.
    lost: u64,
    asked: u32,
}

impl RecentLosses {
    /// How many questions it remembers.
    pub const MAX_REMEMBERED_QUESTIONS: u32 = u64::BITS;

    /// Notes questions, so many of them lost.
    pub(super) fn note(&mut self, asked: u64, lost: u64) {
        for number in 0..asked.min(Self::MAX_REMEMBERED_QUESTIONS.into()) {
            self.lost = self.lost << 1 | u64::from(number < lost);
            self.asked = (self.asked + 1).min(Self::MAX_REMEMBERED_QUESTIONS);
        }
    }

    /// How many of the last questions are remembered, at most [`MAX_REMEMBERED_QUESTIONS`](Self::MAX_REMEMBERED_QUESTIONS).
    pub fn asked(self) -> u32 {
        self.asked
    }

    /// How many of those got no answer.
    pub fn lost(self) -> u32 {
        self.lost.count_ones()
    }
}

/// One zone that was answered wrongly while others were answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFault {
    /// The zone.
    pub zone: Name,
    /// What was wrong.
    pub reason: String,
    /// When.
    pub at: Instant,
}

impl Statistics {
    pub(super) fn new(address: IpAddr, transport: ProbeTransport, now: Instant) -> Self {
        let standing = "untested";
        let (good, wrong, lost, questions, questions_lost) = (0, 0, 0, 0, 0);
        let (round_trip, reason, reason_at, evidence, zone_fault) = (None, None, None, None, None);
        Self {
            address,
            transport,
            standing,
            since: now,
            good,
            wrong,
            lost,
            questions,
            questions_lost,
            recent: RecentLosses::default(),
            round_trip,
            reason,
            reason_at,
            evidence,
            zone_fault,
        }
    }
}

impl fmt::Display for ProbeTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::RecentLosses;

    #[test]
    fn the_last_64_questions_count() {
        let mut recent = RecentLosses::default();
        recent.note(2, 1);
        assert_eq!((recent.asked(), recent.lost()), (2, 1));
        (0..31).for_each(|_| recent.note(2, 2));
        assert_eq!((recent.asked(), recent.lost()), (64, 63));
        (0..32).for_each(|_| recent.note(2, 0));
        assert_eq!((recent.asked(), recent.lost()), (64, 0));
        recent.note(0, 0);
        recent.note(1, 1);
        assert_eq!((recent.asked(), recent.lost()), (64, 1));
    }
}
