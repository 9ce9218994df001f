//! What the operator says about a canary.

use std::time::Duration;

/// What becomes of a version when the group cannot prove it for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// The others wait until the group serves it, or an operator releases it.
    #[default]
    Hold,
    /// The others get it.
    Release,
}

/// What the operator says about a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanaryRules {
    /// How long all of the group must serve a version before the others get it.
    pub time: Duration,
    /// How long one of the group may be unreachable or have another version before `when_unreachable` counts.
    pub patience: Duration,
    /// What happens then.
    pub when_unreachable: WhenUnreachable,
}

impl CanaryRules {
    /// Between two SOA queries for a zone to one secondary at least: answers of a local network take less.
    const LEAST_PAUSE: Duration = Duration::from_millis(250);
    /// The same at most: a secondary that fell back is noticed by then.
    const LONGEST_PAUSE: Duration = Duration::from_secs(10);
    /// How many times in `time` a secondary is asked.
    const LOOKS: u32 = 8;

    /// How long to wait between two SOA queries for a zone to one secondary.
    pub fn pause(&self) -> Duration {
        (self.time / Self::LOOKS).clamp(Self::LEAST_PAUSE, Self::LONGEST_PAUSE)
    }
}

impl Default for CanaryRules {
    /// Five minutes: resolvers of a busy POP have asked for most of a zone by then. Half an hour of patience is longer than a restart
    /// of a secondary or a short outage of its network, and an operator has seen the alarm by then.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(300),
            patience: Duration::from_secs(1800),
            when_unreachable: WhenUnreachable::Hold,
        }
    }
}
