//! The order of a drain: prefer less, wait, withdraw (rule 6 of the crate). Pure: `now` is an argument.
//!
//! Two may ask for it, the operator (`anyns drain`) and a planned stop (SIGTERM); it goes the same way for both, and a
//! drain that is under way is not begun anew.

use std::time::{Duration, Instant};

use crate::policy::Operator;

/// How far a drain is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    /// Nobody asked for one.
    #[default]
    None,
    /// Announced less preferably until `withdraw_at`.
    Depreferred { reason: String, since: Instant, withdraw_at: Instant },
    /// Withdrawn.
    Withdrawn { reason: String, since: Instant },
}

impl Drain {
    /// Begins a drain; one that is under way goes on as it is, with the newer reason.
    pub(super) fn begin(&mut self, why: &str, deprefer: Duration, now: Instant) {
        match self {
            Self::None => {
                *self = Self::Depreferred { reason: why.to_owned(), since: now, withdraw_at: now + deprefer };
            }
            Self::Depreferred { reason, .. } | Self::Withdrawn { reason, .. } => why.clone_into(reason),
        }
    }

    /// A drain that was complete before a restart.
    pub(super) fn restored(reason: String, now: Instant) -> Self {
        Self::Withdrawn { reason, since: now }
    }

    /// Whether it is complete.
    pub(super) fn is_withdrawn(&self) -> bool {
        matches!(self, Self::Withdrawn { .. })
    }

    /// Ends it: health decides again.
    pub(super) fn end(&mut self) {
        *self = Self::None;
    }

    /// Moves on where the time has come, and says what policy is to be told.
    pub(super) fn operator(&mut self, now: Instant) -> Operator {
        if let Self::Depreferred { reason, since, withdraw_at } = self
            && now >= *withdraw_at
        {
            *self = Self::Withdrawn { reason: std::mem::take(reason), since: *since };
        }
        match self {
            Self::None => Operator::Automatic,
            Self::Depreferred { reason, .. } => Operator::Deprefer { reason: reason.clone() },
            Self::Withdrawn { reason, .. } => Operator::Withdraw { reason: reason.clone() },
        }
    }

    /// When it moves on by itself.
    pub(super) fn next_wakeup(&self) -> Option<Instant> {
        match self {
            Self::Depreferred { withdraw_at, .. } => Some(*withdraw_at),
            Self::None | Self::Withdrawn { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPREFER: Duration = Duration::from_secs(5);

    #[test]
    fn prefers_less_then_withdraws() {
        let start = Instant::now();
        let mut drain = Drain::default();
        assert_eq!(drain.operator(start), Operator::Automatic);
        drain.begin("work", DEPREFER, start);
        let almost = start + DEPREFER - Duration::from_nanos(1);
        assert_eq!(drain.operator(almost), Operator::Deprefer { reason: "work".into() });
        assert_eq!(drain.next_wakeup(), Some(start + DEPREFER));
        assert_eq!(drain.operator(start + DEPREFER), Operator::Withdraw { reason: "work".into() });
        assert_eq!(drain.next_wakeup(), None);
        drain.end();
        assert_eq!(drain.operator(start + DEPREFER), Operator::Automatic);
    }

    #[test]
    fn a_second_request_does_not_begin_anew() {
        let start = Instant::now();
        let mut drain = Drain::default();
        drain.begin("work", DEPREFER, start);
        drain.begin("stop", DEPREFER, start + DEPREFER / 2);
        assert_eq!(drain.operator(start + DEPREFER), Operator::Withdraw { reason: "stop".into() });
        drain.begin("again", DEPREFER, start + DEPREFER * 2);
        assert_eq!(drain.operator(start + DEPREFER * 2), Operator::Withdraw { reason: "again".into() });
    }
}
