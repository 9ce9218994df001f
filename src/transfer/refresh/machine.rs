//! The state machine of one secondary zone.

use std::time::{Duration, Instant, SystemTime};

use crate::clock::{at_unix, unix_seconds};
use crate::publish::ZoneTimers as Saved;
use crate::transfer::message::Soa;
use crate::wire::Serial;

use super::again::Again;
use super::asking::{Asking, RoundResult};
use super::refused::RefusedVersions;
use super::settings::Bounds;
use super::status::{Behind, Phase, Status};
use super::{Action, Now, Order, Transferred};

/// Part of an interval that chance takes off, so that zones loaded at one time do not ask at one time.
const JITTER: f64 = 0.1;
/// After a start zones that are due already ask within this time; the limits of queries a second hold beside it.
const MOST_SPREAD: Duration = Duration::from_secs(30);
/// Doublings of a pause at most: past this every bound is reached.
const MOST_DOUBLINGS: u32 = 16;

/// One secondary zone.
#[derive(Debug)]
pub struct Refresh {
    bounds: Bounds,
    served: Option<Soa>,
    step: Step,
    /// When to ask, if idle.
    due: Instant,
    expires: Option<Instant>,
    checked: Option<SystemTime>,
    failing_since: Option<SystemTime>,
    failures: u32,
    seen: Vec<Option<Serial>>,
    behind: Option<Behind>,
    refused: RefusedVersions,
    /// Whether the whole zone is wanted whatever its serial.
    is_forced: bool,
    /// Whether a NOTIFY began what is under way.
    is_hinted: bool,
    /// Whether a primary has answered since it began, with a version that is not to be transferred.
    is_answered: bool,
    /// What came while something was under way: looked at when that is over.
    again: Option<Again>,
    rng: fastrand::Rng,
}

#[derive(Clone, Debug)]
enum Step {
    Idle,
    Asking(Asking),
    Transferring {
        primary: usize,
        from: Option<Serial>,
        /// Whom to ask when this one fails, the freshest first; `None` unless every primary was asked what it has.
        others: Option<Vec<usize>>,
    },
}

impl Refresh {
    /// A zone with this many primaries, of which a version is served or none; it asks at once. Of a version that was kept,
    /// `saved` tells when it was checked.
    pub fn new(
        bounds: Bounds,
        primaries: usize,
        served: Option<Soa>,
        saved: Option<Saved>,
        now: Now,
        rng: fastrand::Rng,
    ) -> Self {
        let mut refresh = Self {
            bounds,
            served,
            step: Step::Idle,
            due: now.instant,
            expires: None,
            checked: None,
            failing_since: None,
            failures: 0,
            seen: vec![None; primaries],
            behind: None,
            refused: RefusedVersions::default(),
            is_forced: false,
            is_hinted: false,
            is_answered: false,
            again: None,
            rng,
        };
        match (served, saved) {
            (Some(soa), Some(saved)) => refresh.restore(soa, saved, now),
            // When it was confirmed is not known: not before now, for all that can be proven.
            (Some(soa), None) => refresh.expires = now.instant.checked_add(refresh.expire_of(soa)),
            (None, _) => {}
        }
        refresh
    }

    /// What survives a restart. Ages are told by the timer and not by the clock, which may have been set since.
    pub fn save(&self, now: Now) -> Saved {
        let wall = unix_seconds(now.wall);
        let wait = self.due.saturating_duration_since(now.instant);
        let checked = match (self.served, self.expires) {
            (Some(soa), Some(expires)) if self.checked.is_some() => {
                let left = expires.saturating_duration_since(now.instant);
                let over = now.instant.saturating_duration_since(expires);
                let age = self.expire_of(soa).saturating_add(over).saturating_sub(left);
                Some(wall.saturating_sub(age.as_secs()))
            }
            _ => self.checked.map(unix_seconds),
        };
        Saved { checked, due: wall.saturating_add(wait.as_secs()), failures: self.failures, saved: wall }
    }

    /// When what is served expires, or has expired.
    pub fn expires(&self) -> Option<Instant> {
        self.expires.filter(|_| self.served.is_some())
    }

    /// Whether the last attempts brought a version, or the word that there is none.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether a version is served, or an attempt to get one has failed.
    pub fn is_tried(&self) -> bool {
        self.served.is_some() || self.is_failing()
    }

    /// When [`Refresh::wake`] is due; `None` while something is under way whose result will come.
    pub fn due(&self) -> Option<Instant> {
        match &self.step {
            Step::Idle => Some(self.due),
            Step::Asking(asking) => asking.grace,
            Step::Transferring { .. } => None,
        }
    }

    /// Whether no primary has said for EXPIRE which version it has, or only that there is a newer one, which did not come
    /// (RFC 1034 section 4.3.5).
    pub fn is_expired(&self, now: Now) -> bool {
        self.served.is_some() && self.expires.is_some_and(|expires| expires <= now.instant)
    }

    /// The facts.
    pub fn status(&self, now: Now) -> Status {
        let phase = match &self.step {
            Step::Idle => Phase::Idle,
            Step::Asking(_) => Phase::Asking,
            Step::Transferring { primary, from, .. } => {
                Phase::Transferring { primary: *primary, whole: from.is_none() }
            }
        };
        Status {
            serial: self.served.map(|soa| soa.serial),
            phase,
            due: self.due,
            checked: self.checked,
            expires: self.expires(),
            stale_since: self.stale_since(now),
            failing_since: self.failing_since,
            failures: self.failures,
            seen: self.seen.clone(),
            behind: self.behind,
            refused: self.refused.last(),
            refused_since: self.refused.since(),
        }
    }

    /// The time has come, maybe.
    pub fn wake(&mut self, now: Now) -> Option<Action> {
        if self.due().is_none_or(|due| due > now.instant) {
            return None;
        }
        match &self.step {
            Step::Idle => self.begin_round(),
            Step::Asking(_) => self.judge(now),
            Step::Transferring { .. } => None,
        }
    }

    /// A NOTIFY of this primary, or of another server that may send some, with the serial in it if there is one: a hint,
    /// because it is not authenticated (RFC 1996 section 3.7). So it has nothing transferred that was refused, and never puts off what the timer does.
    pub fn notified(&mut self, primary: Option<usize>, hint: Option<Serial>) -> Option<Action> {
        if !matches!(self.step, Step::Idle) {
            self.again = Some(Again::with_notify(self.again, primary, hint));
            return None;
        }
        let served = self.served.map(|soa| soa.serial);
        (self.is_hinted, self.is_answered) = (true, false);
        match (hint, primary) {
            (Some(hint), _) if served == Some(hint) || self.refused.contains(hint) => None,
            (Some(hint), Some(primary)) if self.refused.is_empty() && self.is_wanted(hint) => {
                self.transfer(primary, served, None)
            }
            (_, Some(primary)) => self.ask(vec![primary]),
            (_, None) => self.begin(),
        }
    }

    /// An operator's order.
    pub fn ordered(&mut self, order: Order) -> Option<Action> {
        if !matches!(self.step, Step::Idle) {
            self.again = Some(Again::with_order(self.again, order));
            return None;
        }
        self.refused.clear();
        self.is_forced = order == Order::Retransfer;
        self.begin_round()
    }

    /// The answer of a primary to an SOA query; `None` if there was none.
    pub fn answered(&mut self, now: Now, primary: usize, soa: Option<Soa>) -> Option<Action> {
        let serial = soa.map(|soa| soa.serial);
        if let (Some(place), Some(serial)) = (self.seen.get_mut(primary), serial) {
            *place = Some(serial);
        }
        let is_wanted = serial.is_some_and(|serial| self.is_wanted(serial));
        let Step::Asking(asking) = &mut self.step else { return None };
        if !asking.take(primary, serial) {
            return None;
        }
        if asking.is_complete() {
            return self.judge(now);
        }
        if is_wanted && asking.grace.is_none() {
            asking.grace = Some(now.instant + self.bounds.grace);
        }
        None
    }

    /// The end of a transfer.
    pub fn transferred(&mut self, now: Now, end: Transferred) -> Option<Action> {
        let Step::Transferring { primary, from, others } = &mut self.step else { return None };
        let (primary, from, others) = (*primary, *from, others.take());
        let are_all_asked = others.is_some() || self.seen.len() == 1;
        self.step = Step::Idle;
        match end {
            Transferred::Served(soa) => {
                self.see(primary, soa.serial);
                self.served = Some(soa);
                self.refused.clear();
                self.confirmed(now, are_all_asked)
            }
            Transferred::NotNewer(soa) => {
                self.see(primary, soa.serial);
                match self.served.is_some_and(|served| served.serial == soa.serial) {
                    true => self.confirmed(now, are_all_asked),
                    false => {
                        self.is_answered = true;
                        self.next(now, others)
                    }
                }
            }
            Transferred::AskWhole | Transferred::Faulty if from.is_some() => {
                self.transfer(primary, None, others)
            }
            Transferred::AskWhole | Transferred::Faulty | Transferred::Unreachable => self.next(now, others),
            Transferred::NotKept => {
                self.is_answered = true;
                self.next(now, others)
            }
            Transferred::Refused(serial) => {
                self.see(primary, serial);
                self.refused.add(serial, self.seen.len(), now.wall);
                self.is_answered = true;
                let others = others.map(|others| self.without_refused(others));
                self.next(now, others)
            }
        }
    }

    /// What is served has changed by another way than a transfer, or is gone.
    pub fn serves(&mut self, now: Now, served: Option<Soa>) {
        self.served = served;
        // What was refused, or behind, was so beside another version.
        self.refused.clear();
        self.behind = None;
        self.expires = match served {
            Some(soa) => self.expires.or_else(|| now.instant.checked_add(self.expire_of(soa))),
            None => None,
        };
    }

    /// Other bounds from the next time on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Other primaries from now on: what is known of the version that is served stays, and they are asked at once. The results of
    /// what is under way must not be told any more.
    pub fn change_primaries(&mut self, primaries: usize, now: Now) {
        self.seen = vec![None; primaries];
        (self.step, self.again, self.behind) = (Step::Idle, None, None);
        (self.is_forced, self.due) = (false, now.instant);
        self.refused.clear();
    }

    fn restore(&mut self, soa: Soa, saved: Saved, now: Now) {
        // Of a clock that went backwards nothing can be said but that no time has passed.
        let wall = unix_seconds(now.wall).max(saved.saved);
        // Timers of a zone that had never come were kept, then it came, and the process ended before they were kept again.
        let checked = saved.checked.unwrap_or(saved.saved);
        let age = Duration::from_secs(wall.saturating_sub(checked));
        let expire = self.expire_of(soa);
        self.expires = match expire.checked_sub(age) {
            Some(left) => now.instant.checked_add(left),
            // Since when it has expired; a timer does not reach back behind the start of the host.
            None => now.instant.checked_sub(age - expire).or(Some(now.instant)),
        };
        self.checked = saved.checked.and_then(at_unix);
        let wait = Duration::from_secs(saved.due.saturating_sub(wall)).min(self.refresh_of(soa));
        // After a long stop all zones are due at once; no primary is to be asked about all of them at once.
        let spread = self.refresh_of(soa).mul_f64(JITTER).min(MOST_SPREAD).mul_f64(self.rng.f64());
        self.due = now.instant + wait + spread;
        self.failures = saved.failures;
        if saved.failures > 0 {
            let due = |checked| at_unix(checked)?.checked_add(soa.refresh);
            let last = saved.checked.and_then(due).unwrap_or(now.wall);
            self.failing_since = Some(last.min(now.wall));
        }
    }

    /// Since when no primary has been reached although REFRESH was over; `None` while one was, or before it is over.
    fn stale_since(&self, now: Now) -> Option<SystemTime> {
        let (soa, expires) = (self.served?, self.expires?);
        let left = self.expire_of(soa).saturating_sub(self.refresh_of(soa));
        let began = expires.checked_sub(left).unwrap_or(expires);
        let age = now.instant.checked_duration_since(began).filter(|_| self.is_failing())?;
        now.wall.checked_sub(age)
    }

    /// Begins a round by the timer or an order.
    fn begin_round(&mut self) -> Option<Action> {
        (self.is_hinted, self.is_answered) = (false, false);
        self.begin()
    }

    /// Begins a round: asks all, or, where there is nothing to compare, transfers at once.
    fn begin(&mut self) -> Option<Action> {
        match self.seen.len() {
            0 => None,
            1 if self.served.is_none() && self.refused.is_empty() => self.transfer(0, None, Some(Vec::new())),
            count => self.ask((0..count).collect()),
        }
    }

    fn ask(&mut self, primaries: Vec<usize>) -> Option<Action> {
        self.step = Step::Asking(Asking::new(primaries.clone()));
        Some(Action::AskSoa(primaries))
    }

    fn transfer(
        &mut self,
        primary: usize,
        from: Option<Serial>,
        others: Option<Vec<usize>>,
    ) -> Option<Action> {
        let from = from.filter(|_| !self.is_forced);
        self.step = Step::Transferring { primary, from, others };
        Some(Action::Transfer { primary, from, is_forced: self.is_forced })
    }

    /// Whether a version is worth a transfer.
    fn is_wanted(&self, serial: Serial) -> bool {
        let is_newer = self.served.is_none_or(|served| serial.is_after(served.serial));
        self.is_forced || (is_newer && !self.refused.contains(serial))
    }

    /// Acts on the answers so far.
    fn judge(&mut self, now: Now) -> Option<Action> {
        let Step::Asking(asking) = &self.step else { return None };
        let served = self.served.map(|soa| soa.serial);
        let verdict = asking.verdict(served, |serial| self.is_wanted(serial));
        let is_answered = asking.is_answered(|serial| self.is_wanted(serial));
        let others = asking.others(self.seen.len());
        self.is_answered |= is_answered;
        if others.is_empty() {
            // All are asked: what was found before counts no more.
            self.behind = None;
        }
        match verdict {
            RoundResult::Newer(mut primaries) => {
                let first = primaries.remove(0);
                self.transfer(first, served, Some(primaries).filter(|_| others.is_empty()))
            }
            RoundResult::Fresh => self.confirmed(now, others.is_empty()),
            // One primary was asked alone: what it does not know the others may.
            RoundResult::Behind(..) | RoundResult::Nothing if !others.is_empty() => self.ask_more(others),
            RoundResult::Behind(primary, serial) => {
                self.behind = Some(Behind { primary, serial });
                self.failed(now)
            }
            RoundResult::Nothing => self.failed(now),
        }
    }

    fn ask_more(&mut self, primaries: Vec<usize>) -> Option<Action> {
        let Step::Asking(asking) = &mut self.step else { return None };
        asking.ask_more(&primaries);
        Some(Action::AskSoa(primaries))
    }

    /// Goes on with the next primary; if nobody was asked before, with asking all.
    fn next(&mut self, now: Now, others: Option<Vec<usize>>) -> Option<Action> {
        let Some(mut others) = others else { return self.ask((0..self.seen.len()).collect()) };
        if others.is_empty() {
            return self.failed(now);
        }
        let primary = others.remove(0);
        let from = self.served.map(|soa| soa.serial);
        self.transfer(primary, from, Some(others))
    }

    fn without_refused(&self, mut primaries: Vec<usize>) -> Vec<usize> {
        let seen = |primary: &usize| self.seen.get(*primary).copied().flatten();
        primaries.retain(|primary| seen(primary).is_none_or(|serial| self.is_wanted(serial)));
        primaries
    }

    /// What is served is the newest, for all that those know who were asked.
    fn confirmed(&mut self, now: Now, are_all_asked: bool) -> Option<Action> {
        (self.failures, self.failing_since, self.behind) = (0, None, None);
        self.is_forced = false;
        self.is_answered = true;
        if let Some(soa) = self.served {
            let wait = self.refresh_of(soa);
            let due = now.instant + self.with_jitter(wait);
            // Others may have a newer one: they are asked when they would have been.
            self.due = if are_all_asked { due } else { self.due.min(due) };
        }
        self.end(now)
    }

    /// This round brought nothing, and every primary was asked.
    fn failed(&mut self, now: Now) -> Option<Action> {
        self.failing_since.get_or_insert(now.wall);
        let doublings = self.failures.min(MOST_DOUBLINGS);
        self.is_forced = false;
        let Bounds { least_retry, most_retry, first_retry, .. } = self.bounds;
        let (base, most) = match self.served {
            // Never rarer than after a success.
            Some(soa) => (soa.retry.max(least_retry), most_retry.min(self.refresh_of(soa).max(least_retry))),
            None => (first_retry, most_retry),
        };
        let wait = base.saturating_mul(1 << doublings).min(most);
        let due = now.instant + self.with_jitter(wait);
        match self.is_hinted {
            // Who repeats a NOTIFY, maybe under a false address, makes no pause longer.
            true => (self.failures, self.due) = (self.failures.max(1), self.due.min(due)),
            false => (self.failures, self.due) = (self.failures.saturating_add(1), due),
        }
        self.end(now)
    }

    /// Ends a round, and goes on with what came in between.
    fn end(&mut self, now: Now) -> Option<Action> {
        self.step = Step::Idle;
        if let Some(soa) = self.served.filter(|_| self.is_answered) {
            self.checked = Some(now.wall);
            self.expires = now.instant.checked_add(self.expire_of(soa));
        }
        match self.again.take()? {
            // The timer's turn: it asks all.
            Again::Notified(..) if self.due <= now.instant => self.begin_round(),
            Again::Notified(primary, hint) => self.notified(primary, hint),
            Again::Ordered(order) => self.ordered(order),
        }
    }

    fn see(&mut self, primary: usize, serial: Serial) {
        if let Some(place) = self.seen.get_mut(primary) {
            *place = Some(serial);
        }
    }

    fn refresh_of(&self, soa: Soa) -> Duration {
        // Bounds that cross each other: the lower one counts.
        soa.refresh.min(self.bounds.most_refresh).max(self.bounds.least_refresh)
    }

    /// EXPIRE; one that is shorter than the time until a second look would end a zone whose primary answers every time.
    fn expire_of(&self, soa: Soa) -> Duration {
        let least = self.refresh_of(soa).saturating_add(soa.retry.max(self.bounds.least_retry));
        soa.expire.max(least)
    }

    fn with_jitter(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 - JITTER * self.rng.f64())
    }
}
