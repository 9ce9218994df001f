//! The announcement is a lease: it holds only while the deciding task renews it. Pure: `now` and what was found out are arguments.
//!
//! | state | the deciding task | the speaker's own questions | routes |
//! | --- | --- | --- | --- |
//! | held | renews | are not asked | as decided |
//! | expired | has not renewed for the lease's time | not answered yet | as decided |
//! | expired | the same | every address of the prefix answered | as decided, but de-preferred |
//! | expired | the same | one address did not answer | withdrawn, until the lease is held again |
//!
//! An input that stops every deciding task must not withdraw the whole fleet, and a POP that does not answer must not stay
//! announced: so the speaker asks the service addresses itself. A lease that expired is held again after [`FULL_TURNS`] renewals: the first may end
//! a turn whose facts are as old as the pause.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::driver::{Preference, Wanted};
use super::status::preference;
use crate::policy::{Decision, PrefixDecision};
use crate::telemetry::{Freshness, RunTime};

/// Renewals after which a lease that expired is held again.
const FULL_TURNS: u64 = 2;

/// The lease of all prefixes of this process.
#[derive(Debug)]
pub(super) struct Lease {
    limit: Duration,
    time: RunTime,
    renewed: Freshness,
    expired: Option<ExpiredLease>,
}

/// What is known since the lease expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpiredLease {
    pub(super) since: Instant,
    /// Renewals seen when it expired.
    renewals: u64,
    /// What each service address answered the last time, or why not; once an address has failed it stays failed.
    pub(super) answers: BTreeMap<IpAddr, Result<(), String>>,
}

impl Lease {
    /// A lease that is held, of this length.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, time: RunTime::new(now), renewed: Freshness::default(), expired: None }
    }

    /// Makes it as long as this from now on.
    pub(super) fn change(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Takes how often the deciding task has renewed it by `now`. To be called at least every `Beat::PERIOD`.
    pub(super) fn observe(&mut self, renewals: u64, now: Instant) {
        let age = self.renewed.observe(renewals, self.time.advance(now));
        match &self.expired {
            Some(expired) if renewals >= expired.renewals + FULL_TURNS => self.expired = None,
            None if age >= self.limit => {
                self.expired = Some(ExpiredLease { since: now, renewals, answers: BTreeMap::new() });
            }
            _ => {}
        }
    }

    /// What is known since it expired; `None` while it is held.
    pub(super) fn expired(&self) -> Option<&ExpiredLease> {
        self.expired.as_ref()
    }

    /// Takes what one service address answered to the speaker's own question.
    pub(super) fn answered(&mut self, address: IpAddr, answer: Result<(), String>) {
        let Some(expired) = &mut self.expired else { return };
        match expired.answers.get(&address) {
            Some(Err(_)) => {}
            _ => drop(expired.answers.insert(address, answer)),
        }
    }

    /// What should be announced, given the last decision.
    pub(super) fn wanted(&self, decision: &Decision, services: &[(IpNet, Vec<IpAddr>)]) -> Wanted {
        let route = |decided: &PrefixDecision| {
            let decided_preference = preference(decided.intent)?;
            Some((decided.prefix, self.lease_of(decided.prefix, services).apply(decided_preference)?))
        };
        Wanted { routes: decision.prefixes.iter().filter_map(route).collect() }
    }

    fn lease_of(&self, prefix: IpNet, services: &[(IpNet, Vec<IpAddr>)]) -> Effect {
        let Some(expired) = &self.expired else { return Effect::AsDecided };
        let addresses = services.iter().filter(|(of, _)| *of == prefix).flat_map(|(_, addresses)| addresses);
        let answers: Vec<_> = addresses.map(|address| expired.answers.get(address)).collect();
        if answers.iter().any(|answer| matches!(answer, Some(Err(_)))) {
            Effect::Withdraw
        } else if answers.iter().any(Option::is_none) {
            Effect::AsDecided
        } else {
            Effect::Deprefer
        }
    }
}

/// What the lease makes of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    AsDecided,
    Deprefer,
    Withdraw,
}

impl Effect {
    fn apply(self, decided: Preference) -> Option<Preference> {
        match self {
            Self::AsDecided => Some(decided),
            Self::Deprefer => Some(Preference::Depreferred),
            Self::Withdraw => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Intent;

    const LEASE: Duration = Duration::from_secs(2);

    /// A lease of two prefixes, each with an address, at a time that the test moves.
    struct Table {
        lease: Lease,
        now: Instant,
        decision: Decision,
        services: Vec<(IpNet, Vec<IpAddr>)>,
    }

    impl Table {
        fn new() -> Self {
            let now = Instant::now();
            let services: Vec<(IpNet, Vec<IpAddr>)> =
                [("192.0.2.0/24", "192.0.2.53"), ("2001:db8::/48", "2001:db8::53")]
                    .map(|(prefix, address)| (prefix.parse().unwrap(), vec![address.parse().unwrap()]))
                    .into();
            let decided = |(prefix, _): &(IpNet, Vec<IpAddr>)| PrefixDecision {
                prefix: *prefix,
                intent: Intent::Announce,
                since: now,
                reasons: Vec::new(),
                withdrawals: 0,
            };
            let decision = Decision { prefixes: services.iter().map(decided).collect() };
            Self { lease: Lease::new(LEASE, now), now, decision, services }
        }

        /// Lets time pass in steps of 100 ms, with this many renewals at each of them.
        fn pass(&mut self, milliseconds: u64, renewals: &mut u64, each: u64) {
            for _ in 0..milliseconds / 100 {
                self.now += Duration::from_millis(100);
                *renewals += each;
                self.lease.observe(*renewals, self.now);
            }
        }

        fn answer(&mut self, address: &str, good: bool) {
            let answer = if good { Ok(()) } else { Err("no answer".to_owned()) };
            self.lease.answered(address.parse().unwrap(), answer);
        }

        /// `N` normal, `D` de-preferred, `-` withdrawn, of the two prefixes.
        fn routes(&self) -> String {
            let wanted = self.lease.wanted(&self.decision, &self.services);
            let letter = |(prefix, _): &(IpNet, Vec<IpAddr>)| match wanted.routes.get(prefix) {
                Some(Preference::Normal) => 'N',
                Some(Preference::Depreferred) => 'D',
                None => '-',
            };
            self.services.iter().map(letter).collect()
        }
    }

    #[test]
    fn it_holds_while_it_is_renewed() {
        let (mut table, mut renewals) = (Table::new(), 0);
        table.pass(60_000, &mut renewals, 1);
        assert_eq!((table.routes().as_str(), table.lease.expired()), ("NN", None));
    }

    #[test]
    fn without_renewals_the_answers_decide_prefix_by_prefix() {
        let (mut table, mut renewals) = (Table::new(), 0);
        table.pass(1900, &mut renewals, 0);
        assert_eq!(table.lease.expired(), None);
        table.pass(200, &mut renewals, 0);
        assert!(table.lease.expired().is_some());
        assert_eq!(table.routes(), "NN", "nothing was found out yet");
        table.answer("192.0.2.53", true);
        assert_eq!(table.routes(), "DN");
        table.answer("2001:db8::53", false);
        assert_eq!(table.routes(), "D-");
        table.answer("2001:db8::53", true);
        assert_eq!(table.routes(), "D-", "once withdrawn it stays so until the lease is held again");
        table.answer("192.0.2.53", false);
        assert_eq!(table.routes(), "--", "it is asked again and again");
        table.pass(100, &mut renewals, 1);
        assert_eq!(table.routes(), "--", "the first renewal may be of old facts");
        table.pass(100, &mut renewals, 1);
        assert_eq!((table.routes().as_str(), table.lease.expired()), ("NN", None));
    }

    #[test]
    fn a_pause_of_the_whole_process_does_not_count() {
        let mut table = Table::new();
        table.lease.observe(7, table.now);
        table.now += Duration::from_secs(60);
        table.lease.observe(7, table.now);
        assert_eq!(table.lease.expired(), None);
    }

    #[test]
    fn what_was_not_to_be_announced_is_not() {
        let (mut table, mut renewals) = (Table::new(), 0);
        table.decision.prefixes[0].intent = Intent::Withdraw;
        table.decision.prefixes[1].intent = Intent::Deprefer;
        assert_eq!(table.routes(), "-D");
        table.pass(3000, &mut renewals, 0);
        table.answer("192.0.2.53", true);
        table.answer("2001:db8::53", true);
        assert_eq!(table.routes(), "-D");
    }
}
