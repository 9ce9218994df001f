//! What the operator says about the delay.

use std::path::PathBuf;
use std::time::Duration;

/// How long versions wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayRules {
    /// From when this POP first saw a version until it serves it.
    pub delay: Duration,
    /// The same of a version whose DNSKEY, CDS or CDNSKEY records differ from those of the one before.
    pub key_delay: Duration,
    /// How long before the first signature of the served version expires the next version is served.
    pub signature_margin: Duration,
}

impl DelayRules {
    /// The shortest delay.
    pub const SHORTEST: Duration = Duration::from_secs(1);
    /// The longest delay: half of what SOA EXPIRE usually is, and far below the two weeks for which signatures usually are valid.
    pub const LONGEST: Duration = Duration::from_secs(7 * 86_400);
    /// The default of `key_delay`. Signers count on every secondary having a new DNSKEY RRset after some time (Dprp in RFC 7583): BIND after five minutes
    /// (`zone-propagation-delay`), Knot DNS after an hour (`propagation-delay`). Two minutes leave room for the transfer.
    pub const DEFAULT_KEY_DELAY: Duration = Duration::from_secs(120);
    /// The default of `signature_margin`: signers replace signatures days before they expire, and resolvers keep records for a day at most.
    pub const DEFAULT_SIGNATURE_MARGIN: Duration = Duration::from_secs(86_400);
    /// The longest `signature_margin`.
    pub const LONGEST_SIGNATURE_MARGIN: Duration = Duration::from_secs(30 * 86_400);
}

/// What the configuration says of a last-resort POP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelaySettings {
    /// How long versions wait.
    pub rules: DelayRules,
    /// The state directory: there it is kept when each version was first seen.
    pub directory: PathBuf,
}
