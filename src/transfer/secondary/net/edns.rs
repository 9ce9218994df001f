//! Which primaries take a query with an OPT record (RFC 6891), as far as their answers tell.
//!
//! A query for the EXPIRE option has one. There are servers that answer it with FORMERR or NOTIMP, or close the connection, and there are
//! middleboxes that drop it. Such a primary is asked without, and that is remembered for [`KNOWN_FOR`], as is the opposite: a primary
//! that has answered an OPT record and fails once has another trouble. If it fails again it may have become another one.
//!
//! Remembers two facts of each primary that the configuration or a catalog names, and none for longer than [`KNOWN_FOR`]. No I/O, no clock of its own.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::telemetry::locked;
use crate::wire::rcode;

/// How long an answer counts: a primary that has other software now, or another way to it, is found out as late.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// Whether a query has an EXPIRE option, and so an OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transfer::secondary) enum WithExpire {
    Yes,
    /// It is not known whether the primary takes that: where a query is sent several times, the last one goes without.
    ToTry,
    No,
}

/// What is asked for: a server may have other code for transfers, and a middlebox may look at UDP alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::transfer::secondary) enum AskedWhat {
    Soa,
    Transfer,
}

/// What the failure of a query with an OPT record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdnsDoubt {
    /// FORMERR or NOTIMP, as servers without EDNS answer (RFC 6891 section 7).
    Refused,
    /// The end of the connection instead of an answer: there may be other reasons.
    Broken,
    /// Nothing came.
    Silent,
}

/// Whether a primary takes an OPT record, and until when that counts.
#[derive(Clone, Copy, Debug)]
struct KnownEdns {
    is_taken: bool,
    until: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::transfer::secondary) struct EdnsPeers {
    known: Mutex<HashMap<(SocketAddr, AskedWhat), KnownEdns>>,
}

impl EdnsDoubt {
    /// What an RCODE says, signed or not: to ask without an option makes nothing less secure. SERVFAIL says nothing: servers with EDNS that
    /// have no version yet answer so, and soon otherwise.
    pub(in crate::transfer::secondary) fn of_rcode(code: u8) -> Option<Self> {
        match code {
            rcode::FORMERR | rcode::NOTIMP => Some(Self::Refused),
            _ => None,
        }
    }
}

impl EdnsPeers {
    /// Whether this primary takes an OPT record; `None` if that is not known.
    fn is_taken(&self, peer: SocketAddr, what: AskedWhat, now: Instant) -> Option<bool> {
        let known = locked(&self.known).get(&(peer, what)).copied();
        known.filter(|known| known.until > now).map(|known| known.is_taken)
    }

    /// How to ask this primary.
    pub(in crate::transfer::secondary) fn with(
        &self,
        peer: SocketAddr,
        what: AskedWhat,
        now: Instant,
    ) -> WithExpire {
        match self.is_taken(peer, what, now) {
            Some(true) => WithExpire::Yes,
            None => WithExpire::ToTry,
            Some(false) => WithExpire::No,
        }
    }

    /// It has answered a query with an OPT record.
    pub(in crate::transfer::secondary) fn note_taken(&self, peer: SocketAddr, what: AskedWhat, now: Instant) {
        self.note((peer, what), true, now);
    }

    /// It has answered a query without an OPT record, after one with it had failed in this way.
    pub(in crate::transfer::secondary) fn note_not_taken(
        &self,
        peer: SocketAddr,
        (what, doubt): (AskedWhat, EdnsDoubt),
        now: Instant,
    ) {
        let all = [AskedWhat::Soa, AskedWhat::Transfer];
        // One that knows nothing of EDNS knows nothing of it at all.
        for what in all.into_iter().filter(|it| *it == what || doubt == EdnsDoubt::Refused) {
            // That may be an accident, or a false answer.
            if self.is_taken(peer, what, now) != Some(true) {
                self.note((peer, what), false, now);
            }
        }
    }

    /// A query with an OPT record has failed in this way, and none without was sent.
    pub(in crate::transfer::secondary) fn note_failed(
        &self,
        peer: SocketAddr,
        (what, doubt): (AskedWhat, EdnsDoubt),
        now: Instant,
    ) {
        match (doubt, self.is_taken(peer, what, now)) {
            (EdnsDoubt::Silent, None) => self.note((peer, what), false, now),
            (EdnsDoubt::Silent | EdnsDoubt::Broken, Some(true)) => {
                locked(&self.known).remove(&(peer, what));
            }
            _ => {}
        }
    }

    fn note(&self, of: (SocketAddr, AskedWhat), is_taken: bool, now: Instant) {
        locked(&self.known).insert(of, KnownEdns { is_taken, until: now + KNOWN_FOR });
    }

    /// Whether a query that failed in this way is worth another one without an OPT record, at once. A silent primary may be dead: the next
    /// round asks it so, which [`EdnsPeers::note_failed`] has it do.
    pub(in crate::transfer::secondary) fn is_worth_another(
        &self,
        peer: SocketAddr,
        (what, doubt): (AskedWhat, EdnsDoubt),
        now: Instant,
    ) -> bool {
        match doubt {
            EdnsDoubt::Refused => true,
            EdnsDoubt::Broken => self.is_taken(peer, what, now).is_none(),
            EdnsDoubt::Silent => false,
        }
    }

    /// Whether it has answered an OPT record, whatever was asked for.
    pub(in crate::transfer::secondary) fn takes_any(&self, peer: SocketAddr, now: Instant) -> bool {
        [AskedWhat::Soa, AskedWhat::Transfer].into_iter().any(|it| self.is_taken(peer, it, now) == Some(true))
    }

    /// An operator wants to know what primaries say now.
    pub(in crate::transfer::secondary) fn forget_all(&self) {
        locked(&self.known).clear();
    }

    /// Forgets addresses that are in use no more.
    pub(in crate::transfer::secondary) fn forget_other_peers(&self, in_use: &HashSet<SocketAddr>) {
        locked(&self.known).retain(|(peer, _), _| in_use.contains(peer));
    }
}

#[cfg(test)]
mod tests {
    use super::AskedWhat::{Soa, Transfer};
    use super::EdnsDoubt::{Broken, Refused, Silent};
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    #[test]
    fn what_a_failure_says_depends_on_what_was_answered_before() {
        let now = Instant::now();
        use WithExpire::{No, ToTry, Yes};
        // What is known of SOA queries; the failure of one; whether it is asked again at once; how SOA and transfers are asked for after an answer to
        // that, or how SOA is when there was none.
        for (is_known, doubt, again, soa, transfer) in [
            (false, Refused, true, No, No),
            (false, Broken, true, No, ToTry),
            (false, Silent, false, No, ToTry),
            (true, Refused, true, Yes, No),
            (true, Broken, false, ToTry, ToTry),
            (true, Silent, false, ToTry, ToTry),
        ] {
            let peers = EdnsPeers::default();
            if is_known {
                peers.note_taken(peer(1), Soa, now);
            }
            let with = |what| peers.with(peer(1), what, now);
            assert_eq!((peers.takes_any(peer(1), now), with(Soa) == Yes), (is_known, is_known));
            assert_eq!(peers.is_worth_another(peer(1), (Soa, doubt), now), again, "{is_known} {doubt:?}");
            match again {
                true => peers.note_not_taken(peer(1), (Soa, doubt), now),
                false => peers.note_failed(peer(1), (Soa, doubt), now),
            }
            assert_eq!((with(Soa), with(Transfer)), (soa, transfer), "{is_known} {doubt:?}");
            assert_eq!(peers.with(peer(2), Soa, now), ToTry);
        }
    }

    #[test]
    fn nothing_is_known_for_longer_than_an_hour_or_of_others_than_the_primaries() {
        let now = Instant::now();
        let peers = EdnsPeers::default();
        let with = |last, at| peers.with(peer(last), Soa, at);
        (1..=2).for_each(|last| peers.note_not_taken(peer(last), (Soa, Broken), now));
        peers.note_taken(peer(3), Soa, now);
        let last = now + KNOWN_FOR - Duration::from_nanos(1);
        assert_eq!((with(1, last), with(1, now + KNOWN_FOR)), (WithExpire::No, WithExpire::ToTry));
        assert!(peers.takes_any(peer(3), last) && !peers.takes_any(peer(3), now + KNOWN_FOR));
        peers.forget_other_peers(&HashSet::from([peer(2)]));
        assert_eq!((with(1, now), with(2, now)), (WithExpire::ToTry, WithExpire::No));
        assert_eq!(locked(&peers.known).len(), 1);
        peers.forget_all();
        assert_eq!(with(2, now), WithExpire::ToTry);
    }

    #[test]
    fn the_rcodes_of_servers_without_edns_are_told_from_others() {
        let of = |code| EdnsDoubt::of_rcode(code);
        assert_eq!((of(rcode::FORMERR), of(rcode::NOTIMP)), (Some(Refused), Some(Refused)));
        assert_eq!((of(rcode::SERVFAIL), of(rcode::REFUSED), of(rcode::NOTAUTH)), (None, None, None));
    }
}
