//! What the operator says about the zones that come from primaries.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::transfer::message::Limits;
use crate::transfer::notify::{Allowed, Target};
use crate::transfer::refresh::Bounds;
use crate::transfer::tls::TlsClient;
use crate::transfer::tsig::Keys;
use crate::wire::Name;
use crate::zone::Expiry;

/// What becomes of a zone that no primary has confirmed for as long as its SOA record says (RFC 1035 section 3.3.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpiry {
    /// It is answered SERVFAIL, so that resolvers ask elsewhere.
    #[default]
    ServFail,
    /// It is answered from all the same, and the answers say so: for zones whose data are better old than none (in the spirit of
    /// RFC 8767).
    Stale,
}

impl OnExpiry {
    /// What is told to the query path of such a zone.
    pub(super) fn when(self, is_expired: bool) -> Expiry {
        match (is_expired, self) {
            (false, _) => Expiry::Current,
            (true, Self::ServFail) => Expiry::Expired,
            (true, Self::Stale) => Expiry::Stale,
        }
    }
}

/// One primary of a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct PrimaryServer {
    /// Where it answers SOA queries and transfers.
    pub address: SocketAddr,
    /// The key that signs what is asked of it. Its NOTIFYs must be signed, too, with this key or another one that is known.
    pub key: Option<Name>,
    /// TLS, if it is asked over TLS alone (RFC 9103).
    pub tls: Option<TlsClient>,
}

/// A zone that comes from primaries.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondaryZone {
    /// Its apex.
    pub name: Name,
    /// Its primaries; of equally fresh ones the first is preferred.
    pub primaries: Vec<PrimaryServer>,
    /// Who may send NOTIFY beside the addresses of the primaries; also a primary with a key that does not sign them.
    pub notify: Allowed,
    /// What becomes of it when it expires.
    pub expired: OnExpiry,
}

impl PrimaryServer {
    /// Whether it is spoken to in the same way: with the same key, which is none of those that have `changed`, and over the same TLS.
    fn is_known_by_the_same(&self, other: &Self, changed: &HashSet<Name>) -> bool {
        self.tls == other.tls
            && self.key == other.key
            && self.key.as_ref().is_none_or(|key| !changed.contains(key))
    }
}

/// In what the primaries of a zone differ from those that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrimariesDiffer {
    /// In nothing.
    Not,
    /// In a key or in TLS: what failed may go well now, and what was refused may be other content.
    InCredentials,
    /// In their addresses.
    InAddresses,
}

impl SecondaryZone {
    /// In what its primaries differ from those of `before`; `changed` are the names of keys that have another secret now.
    pub(super) fn differ_from(&self, before: &Self, changed: &HashSet<Name>) -> PrimariesDiffer {
        if self.addresses() != before.addresses() {
            return PrimariesDiffer::InAddresses;
        }
        let mut pairs = self.primaries.iter().zip(&before.primaries);
        match pairs.all(|(now, before)| now.is_known_by_the_same(before, changed)) {
            true => PrimariesDiffer::Not,
            false => PrimariesDiffer::InCredentials,
        }
    }

    /// Which primary a source is, if it is one.
    pub(super) fn primary_at(&self, source: IpAddr) -> Option<usize> {
        self.primaries.iter().position(|primary| primary.address.ip() == source)
    }

    /// Where its primaries are, in order.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.primaries.iter().map(|primary| primary.address).collect()
    }
}

/// What is to change of the zones that catalogs list.
#[derive(Clone, Debug, Default)]
pub struct MemberZones {
    /// Zones that come from primaries no more; one that is also in `set` begins anew. So that nothing of the old one goes into
    /// service beside the new one, it is first removed by a change of its own.
    pub removed: Vec<Name>,
    /// Zones that come from primaries, new or by other settings.
    pub set: Vec<SecondaryZone>,
    /// Those of `removed` that go on here from a file or by updates: see [`SecondarySettings::elsewhere`].
    pub elsewhere: Vec<Name>,
}

/// What the operator says about secondary zones.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondarySettings {
    /// The zones.
    pub zones: Vec<SecondaryZone>,
    /// Which of them are catalogs (RFC 9432).
    pub catalogs: BTreeSet<Name>,
    /// Zones that came from primaries until now and go on here from a file or by updates. When a primary confirmed them says nothing about
    /// what is served of them when they come from primaries again.
    pub elsewhere: BTreeSet<Name>,
    /// Where NOTIFYs that came to a service address are forwarded to: management addresses of other POPs.
    pub forward_notify: Vec<Target>,
    /// All keys.
    pub keys: Arc<Keys>,
    /// The addresses of this POP that outgoing sockets bind: the first of the primary's family.
    pub management: Vec<IpAddr>,
    /// Bounds of what SOA records ask for.
    pub bounds: Bounds,
    /// Bounds of one transfer.
    pub limits: Limits,
    /// Octets that all transfers take in memory at one time; without it half of what is free.
    pub memory: Option<u64>,
    /// Transfers at one time.
    pub transfers: usize,
    /// Transfers at one time from one primary.
    pub transfers_per_primary: usize,
    /// SOA queries a second.
    pub soa_queries: NonZeroU32,
    /// SOA queries a second to one primary.
    pub soa_queries_per_primary: NonZeroU32,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long a primary may take to its first message, and between two: it may have to compute a difference first.
    pub silence: Duration,
    /// How long a primary that has sent one SOA record for differences, with a newer serial, may take to what follows: none may follow, and then
    /// the whole zone is asked for.
    pub follows: Duration,
    /// Over how long the rate of a transfer is measured.
    pub rate_window: Duration,
    /// Octets a second that a transfer must bring, on average over a window.
    pub least_rate: u64,
    /// How long a transfer may take, however fast it is.
    pub longest: Duration,
}

impl Default for SecondarySettings {
    /// Sixteen transfers keep a link busy, and hold at most sixteen zones in memory beside those that are served; eight leave room for other primaries when
    /// one is slow, and BIND gives ten at one time by default. A hundred SOA queries a second refresh 20,000 zones in some three minutes. A kilobyte a second is slower than any
    /// link, faster than an attacker who sends an octet now and then. Who sends one record in each message has computed what follows the first one, so that it
    /// comes within the time of some lost packets.
    fn default() -> Self {
        Self {
            zones: Vec::new(),
            catalogs: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            forward_notify: Vec::new(),
            keys: Arc::default(),
            management: Vec::new(),
            bounds: Bounds::default(),
            limits: Limits::default(),
            memory: None,
            transfers: 16,
            transfers_per_primary: 8,
            soa_queries: NonZeroU32::MIN.saturating_add(99),
            soa_queries_per_primary: NonZeroU32::MIN.saturating_add(49),
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(60),
            follows: Duration::from_secs(5),
            rate_window: Duration::from_secs(30),
            least_rate: 1024,
            longest: Duration::from_secs(4 * 3600),
        }
    }
}
