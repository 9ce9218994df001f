//! What the operator chose about holds and about addresses that answer over one transport only.

use std::time::Duration;

/// How long facts must be good before a prefix is announced, and what a fault that policy may weigh leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Before the first announcement after the start: facts good for this long. The probes' `rise` already ensures
    /// that one good answer by chance is not enough, so this is short.
    pub hold_initial: Duration,
    /// Before an announcement that follows one withdrawal; doubles with each further withdrawal.
    pub hold: Duration,
    /// What doubling never exceeds; at least `hold`.
    pub hold_max: Duration,
    /// One doubling is forgotten for each such time that a prefix stays announced (RFC 2439 in spirit); not zero.
    pub decay: Duration,
    /// What becomes of a prefix with an address that answers over only one of UDP and TCP.
    pub one_transport_dead: OneTransportDead,
}

/// What becomes of a prefix with an address that answers over only one of UDP and TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OneTransportDead {
    /// It is withdrawn: a resolver needs both, because it asks over UDP and comes back over TCP when an answer is truncated.
    #[default]
    Withdraw,
    /// It is announced less preferably: another POP takes the queries if there is one.
    Deprefer,
}

/// An invalid setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `hold-max` below `hold`.
    #[error("policy hold-max is {hold_max:?}, less than hold ({hold:?}); it must be at least hold")]
    MaxBelowHold {
        /// The setting `hold`.
        hold: Duration,
        /// The setting `hold-max`.
        hold_max: Duration,
    },
    /// A hold of zero would let a route flap as fast as probes do.
    #[error("policy hold is zero; it must be more than zero")]
    ZeroHold,
    /// A decay of zero would forget every withdrawal at once.
    #[error("policy decay is zero; it must be more than zero")]
    ZeroDecay,
    /// A time beyond [`Settings::LONGEST`].
    #[error("policy {name} is {value:?}; it must be at most {longest:?}", longest = Settings::LONGEST)]
    TooLong {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: Duration,
    },
}

impl Settings {
    /// The longest time that any setting may have: a day. A longer wait is a mistake in the config, and
    /// sums of such times cannot overflow a clock.
    pub const LONGEST: Duration = Duration::from_secs(86_400);

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// The first of [`faults`](Self::faults).
    pub fn check(&self) -> Result<(), SettingsError> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every invalid setting.
    pub fn faults(&self) -> Vec<SettingsError> {
        let below = SettingsError::MaxBelowHold { hold: self.hold, hold_max: self.hold_max };
        let checks = [
            (!self.hold.is_zero(), SettingsError::ZeroHold),
            (!self.decay.is_zero(), SettingsError::ZeroDecay),
            (self.hold_max >= self.hold, below),
        ];
        let all = [("hold-initial", self.hold_initial), ("hold-max", self.hold_max), ("decay", self.decay)];
        let long = all.map(|(name, value)| (value <= Self::LONGEST, SettingsError::TooLong { name, value }));
        checks.into_iter().chain(long).filter(|(fine, _)| !fine).map(|(_, fault)| fault).collect()
    }
}

impl Default for Settings {
    /// No wait at the start beyond the probes' own, 5 s after a withdrawal, doubling to 5 min, forgotten at one
    /// doubling per 5 min.
    fn default() -> Self {
        Self {
            hold_initial: Duration::ZERO,
            hold: Duration::from_secs(5),
            hold_max: Duration::from_secs(300),
            decay: Duration::from_secs(300),
            one_transport_dead: OneTransportDead::Withdraw,
        }
    }
}
