//! From facts to decisions, prefix by prefix.

use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;

use super::damping::Damping;
use super::decision::{Decision, Intent, PrefixDecision};
use super::facts::{Facts, Operator};
use super::fitness::{Fitness, Onsets, judge};
use super::reason::Reason;
use super::settings::Settings;

/// Decides how each prefix is announced. Holds memory, no clock: the caller passes `now`, which must not go back, and
/// calls again when facts change and at [`Policy::next_wakeup`].
#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    prefixes: Vec<Member>,
    onsets: Onsets,
}

/// One prefix and what is remembered of it.
#[derive(Clone, Debug)]
struct Member {
    prefix: IpNet,
    addresses: Vec<IpAddr>,
    damping: Damping,
    /// The last intent and since when; `None` before the first decision.
    last: Option<(Intent, Instant)>,
    /// When the running hold is over.
    hold_over: Option<Instant>,
    /// How often it was withdrawn after it had been announced, for whatever reason.
    withdrawals: u64,
}

impl Policy {
    /// A policy for `prefixes`, each with the service addresses inside it that stand for it. Nothing is announced.
    ///
    /// The settings are expected to have passed [`Settings::check`].
    #[must_use]
    pub fn new(settings: Settings, prefixes: Vec<(IpNet, Vec<IpAddr>)>) -> Self {
        let prefixes =
            prefixes.into_iter().map(|(prefix, addresses)| Member::new(prefix, addresses)).collect();
        Self { settings, prefixes, onsets: Onsets::default() }
    }

    /// Goes on with other settings and prefixes. Holds that run and what damping remembers of a prefix that stays are measured by
    /// the new settings; a prefix that is new begins as in [`Policy::new`].
    pub fn change(&mut self, settings: Settings, prefixes: Vec<(IpNet, Vec<IpAddr>)>) {
        self.settings = settings;
        let mut known = std::mem::take(&mut self.prefixes);
        let mut member = |(prefix, addresses)| match known.iter().position(|one| one.prefix == prefix) {
            Some(index) => Member { addresses, ..known.swap_remove(index) },
            None => Member::new(prefix, addresses),
        };
        self.prefixes = prefixes.into_iter().map(&mut member).collect();
    }

    /// The decision that `facts` lead to at `now`, one per prefix, in the order given to [`Policy::new`].
    pub fn decide(&mut self, facts: &Facts, now: Instant) -> Decision {
        self.onsets.observe(facts, now);
        let (settings, onsets) = (self.settings, &self.onsets);
        let decide = |member: &mut Member| member.decide(&settings, facts, onsets, now);
        Decision { prefixes: self.prefixes.iter_mut().map(decide).collect() }
    }

    /// When the first running hold is over and [`Policy::decide`] says something new without new facts; `None` if
    /// nothing waits.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.prefixes.iter().filter_map(|member| member.hold_over).min()
    }
}

impl Member {
    fn new(prefix: IpNet, addresses: Vec<IpAddr>) -> Self {
        Self { prefix, addresses, damping: Damping::new(), last: None, hold_over: None, withdrawals: 0 }
    }

    fn decide(
        &mut self,
        settings: &Settings,
        facts: &Facts,
        onsets: &Onsets,
        now: Instant,
    ) -> PrefixDecision {
        let verdict = judge(facts, &self.addresses, settings, onsets);
        let (health, mut reasons) = self.health(settings, verdict, now);
        let intent = match &facts.operator {
            Operator::Automatic => health,
            Operator::Deprefer { reason } => {
                reasons.push(Reason::Operator(reason.clone()));
                health.min(Intent::Deprefer)
            }
            Operator::Withdraw { reason } => {
                reasons.push(Reason::Operator(reason.clone()));
                Intent::Withdraw
            }
        };
        let was_announced = self.last.is_some_and(|(last, _)| last != Intent::Withdraw);
        self.withdrawals += u64::from(was_announced && intent == Intent::Withdraw);
        let since = match self.last {
            Some((last, since)) if last == intent => since,
            _ => now,
        };
        self.last = Some((intent, since));
        PrefixDecision { prefix: self.prefix, intent, since, reasons, withdrawals: self.withdrawals }
    }

    /// What health alone says, and why.
    fn health(&mut self, settings: &Settings, verdict: Fitness, now: Instant) -> (Intent, Vec<Reason>) {
        self.hold_over = None;
        match verdict {
            Fitness::Fault(reasons) => {
                self.damping.fault(settings, now);
                (Intent::Withdraw, reasons)
            }
            // Rule 1 is about beginning. Later, a zone that is missing is a fact about data (rules 3 and 5: it can only
            // have been removed by order or lost with a restart's restore); going silent for it would take every other
            // zone down, at every POP at once. If the absence shows in answers, the probes call it wrong content.
            Fitness::Incomplete(reasons) => {
                self.damping.not_good();
                (self.if_announced(Intent::Deprefer), reasons)
            }
            // An announced prefix whose address has lost its record (probes begin anew) is not known to be ill.
            Fitness::NotReady(reasons) | Fitness::Pressure(reasons) => {
                self.damping.not_good();
                (self.if_announced(Intent::Announce), reasons)
            }
            Fitness::Degraded(mut reasons) => {
                self.hold_over = self.damping.good(settings, now);
                reasons.extend(self.hold_over.map(Reason::Hold));
                (self.if_announced(Intent::Deprefer), reasons)
            }
            Fitness::Good => {
                self.hold_over = self.damping.good(settings, now);
                let reasons = self.hold_over.map(Reason::Hold).into_iter().collect();
                (self.if_announced(Intent::Announce), reasons)
            }
        }
    }

    fn if_announced(&self, intent: Intent) -> Intent {
        if self.damping.is_announced() { intent } else { Intent::Withdraw }
    }
}
