//! What the operator chose about rate limits.

use std::num::NonZeroU32;

use ipnet::IpNet;

/// What becomes of a query over the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is dropped, or answered truncated.
    #[default]
    Enforce,
    /// It is answered and counted.
    DryRun,
    /// There is no limit and no counting.
    Off,
}

/// What the operator chose about rate limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What becomes of a query over the limit.
    pub mode: Mode,
    /// Queries a second that one prefix may ask for ever.
    pub queries_per_second: NonZeroU32,
    /// Queries that one prefix may ask at once after a silence.
    pub burst: NonZeroU32,
    /// Bits of an IPv4 source that are counted together, 0 to 32.
    pub ipv4_prefix_length: u8,
    /// Bits of an IPv6 source that are counted together, 0 to 128.
    pub ipv6_prefix_length: u8,
    /// Of the refused queries of a prefix every n-th is answered empty with TC, so that a real resolver behind
    /// a spoofed address comes back over TCP; 1 is each, 0 is none.
    pub slip: u32,
    /// Sources without a limit, at most [`Settings::MAX_EXEMPT`].
    pub exempt: Vec<IpNet>,
    /// Slots in each of the two tables, [`Settings::MIN_SLOTS`] to [`Settings::MAX_SLOTS`]; rounded up to a power
    /// of two. A slot takes 16 octets in all.
    pub table_slots: usize,
}

impl Settings {
    /// A /24 of busy resolvers asks one name server some hundreds of queries a second, and all kinds of queries
    /// count; response rate limiting counts one kind of answer and is run at 5 to 200.
    pub const DEFAULT_QUERIES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);
    /// Two seconds' worth: a resolver that starts with an empty cache.
    pub const DEFAULT_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(1999);
    /// The longest prefix that is routed between networks.
    pub const DEFAULT_IPV4_PREFIX_LENGTH: u8 = 24;
    /// What one site gets (RFC 6177).
    pub const DEFAULT_IPV6_PREFIX_LENGTH: u8 = 56;
    /// Half of the refused queries, as BIND and NSD do.
    pub const DEFAULT_SLIP: u32 = 2;
    /// 2 MiB; with the default rate the tables fill up at 131 million queries a second, past any socket.
    pub const DEFAULT_TABLE_SLOTS: usize = 1 << 17;
    /// Below this, unrelated prefixes share slots all the time.
    pub const MIN_SLOTS: usize = 1 << 10;
    /// 1 GiB; a larger number is a typing error.
    pub const MAX_SLOTS: usize = 1 << 26;
    /// The list is walked for every query.
    pub const MAX_EXEMPT: usize = 64;

    /// Checks the ranges.
    ///
    /// # Errors
    /// The first of [`faults`](Self::faults).
    pub fn check(&self) -> Result<(), SettingsError> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every setting that is out of its range.
    pub fn faults(&self) -> Vec<SettingsError> {
        let table_slots = Self::MIN_SLOTS..=Self::MAX_SLOTS;
        let checks = [
            (self.ipv4_prefix_length <= 32, SettingsError::Ipv4PrefixLength(self.ipv4_prefix_length)),
            (self.ipv6_prefix_length <= 128, SettingsError::Ipv6PrefixLength(self.ipv6_prefix_length)),
            (table_slots.contains(&self.table_slots), SettingsError::TableSlots(self.table_slots)),
            (self.exempt.len() <= Self::MAX_EXEMPT, SettingsError::Exempt(self.exempt.len())),
        ];
        checks.into_iter().filter(|(fine, _)| !fine).map(|(_, fault)| fault).collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            queries_per_second: Self::DEFAULT_QUERIES_PER_SECOND,
            burst: Self::DEFAULT_BURST,
            ipv4_prefix_length: Self::DEFAULT_IPV4_PREFIX_LENGTH,
            ipv6_prefix_length: Self::DEFAULT_IPV6_PREFIX_LENGTH,
            slip: Self::DEFAULT_SLIP,
            exempt: Vec::new(),
            table_slots: Self::DEFAULT_TABLE_SLOTS,
        }
    }
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Longer than an IPv4 address.
    #[error("the IPv4 prefix length {0} is not within 0 to 32")]
    Ipv4PrefixLength(u8),
    /// Longer than an IPv6 address.
    #[error("the IPv6 prefix length {0} is not within 0 to 128")]
    Ipv6PrefixLength(u8),
    /// Too small to tell sources apart, or too large to be meant.
    #[error(
        "{0} table slots are not within {min} to {max}",
        min = Settings::MIN_SLOTS,
        max = Settings::MAX_SLOTS
    )]
    TableSlots(usize),
    /// Too many to walk for every query.
    #[error("{0} exempt prefixes are more than {max}", max = Settings::MAX_EXEMPT)]
    Exempt(usize),
}
