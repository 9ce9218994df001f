//! What policy says.

use std::time::Instant;

use ipnet::IpNet;

use super::reason::Reason;

/// How a prefix should be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// Not at all.
    Withdraw,
    /// Less preferably (RFC 8326 GRACEFUL_SHUTDOWN, MED, prepends).
    Deprefer,
    /// As configured.
    Announce,
}

impl Intent {
    /// One word, as in the status and the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Withdraw => "withdraw",
            Self::Deprefer => "deprefer",
            Self::Announce => "announce",
        }
    }
}

/// The decision for one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixDecision {
    /// The prefix.
    pub prefix: IpNet,
    /// How it should be announced.
    pub intent: Intent,
    /// Since when the intent is this one.
    pub since: Instant,
    /// Why it is not simply announced. [`Intent::Announce`] may carry what weighs on it without changing it:
    /// [`Reason::Pressure`], [`Reason::Untested`].
    pub reasons: Vec<Reason>,
    /// How often it was withdrawn after it had been announced.
    pub withdrawals: u64,
}

/// The decision for every configured prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// One per prefix, in the order of the config.
    pub prefixes: Vec<PrefixDecision>,
}
