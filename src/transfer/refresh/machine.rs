//! The state machine of one secondary zone.

use std::time::{Instant, SystemTime};

use crate::publish::ZoneTimers as Saved;
use crate::transfer::message::Soa;
use crate::wire::Serial;

use super::again::Again;
use super::asking::{Asking, RoundResult};
use super::lineage::{BeforeTransfer, Lineage};
use super::newer_hint::NewerHint;
use super::refused::{RefusedTransfer, RefusedVersions};
use super::settings::Bounds;
use super::status::{Behind, Phase};
use super::told::{Another, ToldSerials};
use super::{Action, Now, Order, Transferred};

/// Part of an interval that chance takes off, so that zones loaded at one time do not ask at one time.
pub(super) const JITTER: f64 = 0.1;
/// Doublings of a pause at most: past this every bound is reached.
const MOST_DOUBLINGS: u32 = 16;

/// One secondary zone.
#[derive(Clone, Debug)]
pub struct Refresh {
    pub(super) bounds: Bounds,
    pub(super) served: Option<Soa>,
    step: Step,
    /// When to ask, if idle.
    pub(super) due: Instant,
    pub(super) expires: Option<Instant>,
    pub(super) checked: Option<SystemTime>,
    /// The same for timers, of this process.
    pub(super) confirmed_at: Option<Instant>,
    pub(super) failing_since: Option<SystemTime>,
    pub(super) failures: u32,
    pub(super) seen: ToldSerials,
    /// Who has what is served.
    pub(super) lineage: Lineage,
    /// Whether another version is in service since the transfer that is under way began: maybe the one that it brings.
    pub(super) is_unexplained: bool,
    /// Since when there is a newer version, but not at a primary that has what is served.
    pub(super) waits_since: Option<Instant>,
    /// When a zone came whole last because the serial of a primary went backwards.
    pub(super) forked_whole_at: Option<Instant>,
    pub(super) behind: Option<Behind>,
    pub(super) refused: RefusedVersions,
    /// Whether the whole zone is wanted whatever its serial.
    pub(super) is_forced: bool,
    /// Whether a transfer of this round was not begun: then an order stays one.
    is_put_off: bool,
    /// Whether a NOTIFY began what is under way.
    pub(super) is_hinted: bool,
    /// What NOTIFYs tell of a newer version that has not come.
    pub(super) newer: NewerHint,
    /// Whether the last NOTIFY with a serial was false: until a version comes again, primaries are asked before a transfer begins.
    doubts_hints: bool,
    /// Whether it was out of service, and the version that was kept is served until a primary has said what the zone is now.
    pub(super) is_listed_again: bool,
    /// Until when what is served may be served by what primaries have said since it began that have at least that version, and none that is
    /// to be transferred; `None`: none has said so.
    pub(super) confirmed_until: Option<Instant>,
    /// What came while something was under way: looked at when that is over.
    again: Option<Again>,
    pub(super) rng: fastrand::Rng,
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
        /// The serial that the primary told in an SOA response of this round.
        told: Option<Serial>,
        /// What was so when it began: what it brings may be in service before it ends.
        before: BeforeTransfer,
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
            confirmed_at: None,
            failing_since: None,
            failures: 0,
            seen: ToldSerials::new(primaries),
            lineage: Lineage::new(primaries, now.instant),
            is_unexplained: false,
            waits_since: None,
            forked_whole_at: None,
            behind: None,
            refused: RefusedVersions::default(),
            is_forced: false,
            is_put_off: false,
            is_hinted: false,
            newer: NewerHint::default(),
            doubts_hints: false,
            is_listed_again: false,
            confirmed_until: None,
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

    /// When [`Refresh::wake`] is due; `None` while something is under way whose result will come.
    pub fn due(&self) -> Option<Instant> {
        match &self.step {
            Step::Idle => Some(self.due),
            Step::Asking(asking) => asking.grace,
            Step::Transferring { .. } => None,
        }
    }

    /// What it is doing.
    pub(super) fn phase(&self) -> Phase {
        match &self.step {
            Step::Idle => Phase::Idle,
            Step::Asking(_) => Phase::Asking,
            Step::Transferring { primary, from, .. } => {
                Phase::Transferring { primary: *primary, whole: from.is_none() }
            }
        }
    }

    /// The version of which it is known who has it: while a transfer goes on that may have brought what is served, the one before.
    pub(super) fn explained(&self) -> Option<Serial> {
        match &self.step {
            Step::Transferring { before, .. } if self.is_unexplained => before.serial,
            _ => self.served.map(|soa| soa.serial),
        }
    }

    /// The time has come, maybe. Where nobody can be asked, what is served gets older.
    pub fn wake(&mut self, now: Now) -> Option<Action> {
        match &self.step {
            _ if self.due().is_none_or(|due| due > now.instant) => None,
            Step::Idle if self.seen.count() == 0 => self.failed(now),
            Step::Idle => self.look_by_timer(now),
            Step::Asking(_) => self.judge(now),
            Step::Transferring { .. } => None,
        }
    }

    /// A NOTIFY of this primary, or of another server that may send some, with the serial in it if there is one: a hint,
    /// because it is not authenticated (RFC 1996 section 3.7). So it has nothing transferred that was refused, and never puts off what the timer does;
    /// and after one that was false the primary is asked first, so that the limits of SOA queries hold for the next ones.
    pub fn notified(&mut self, primary: Option<usize>, hint: Option<Serial>) -> Option<Action> {
        let (primary, served) = (self.seen.known(primary), self.served.map(|soa| soa.serial));
        self.newer.note(hint, served, matches!(self.step, Step::Idle));
        if !matches!(self.step, Step::Idle) {
            self.again = Some(Again::with_notify(self.again, primary, hint));
            return None;
        }
        self.is_hinted = true;
        self.forget_words();
        match (hint, primary) {
            (Some(hint), _) if self.refused.contains(hint) => None,
            (Some(hint), _)
                if served == Some(hint)
                    && !self.may_be_forked(primary)
                    && !self.may_be_repaired(primary, hint) =>
            {
                None
            }
            (Some(hint), Some(primary))
                if self.refused.is_empty()
                    && !(self.doubts_hints || self.may_be_another(primary))
                    && self.gives_differences(primary)
                    && self.is_wanted(hint) =>
            {
                self.transfer(primary, served, (None, None))
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
        self.is_forced |= order == Order::Retransfer;
        self.note_order();
        self.begin_round()
    }

    /// The answer of a primary to an SOA query; `None` if there was none.
    pub fn answered(&mut self, now: Now, primary: usize, soa: Option<Soa>) -> Option<Action> {
        let serial = soa.map(|soa| soa.serial);
        if let Some(serial) = serial {
            self.note_told(primary, serial);
        }
        let is_wanted = serial.is_some_and(|serial| self.is_wanted(serial));
        let grace = self.grace_after(primary);
        let Step::Asking(asking) = &mut self.step else { return None };
        if !asking.take(primary, serial) {
            return None;
        }
        self.seen.note_answer(primary, serial.is_some(), now);
        if asking.is_complete() {
            return self.judge(now);
        }
        if is_wanted {
            let until = now.instant + grace;
            asking.grace = Some(asking.grace.map_or(until, |known| known.min(until)));
        }
        None
    }

    /// The end of a transfer.
    pub fn transferred(&mut self, now: Now, end: Transferred) -> Option<Action> {
        let Step::Transferring { primary, from, others, told, before } = &mut self.step else { return None };
        let (primary, from, others, told, before) = (*primary, *from, others.take(), *told, *before);
        let are_all_asked = others.is_some() || self.seen.count() == 1;
        self.step = Step::Idle;
        self.note_end(end);
        if !matches!(end, Transferred::Unreachable | Transferred::NotBegun | Transferred::Faulty) {
            self.seen.note_answer(primary, true, now);
        }
        match end {
            Transferred::Served(soa) => {
                self.note_given(now, (primary, from.is_none(), before), soa);
                self.refused.clear();
                self.doubts_hints = false;
                self.newer.came(soa.serial);
                self.begins_by(primary, now);
                self.confirmed(now, are_all_asked)
            }
            // It contradicts its own SOA response: several servers behind one address, or a cache. What it told does not come.
            Transferred::NotNewer(soa) if told.is_some_and(|told| told.is_after(soa.serial)) => {
                self.next(now, others)
            }
            Transferred::NotNewer(soa) => {
                self.note_told(primary, soa.serial);
                // Without an SOA response it was a NOTIFY that said so.
                self.doubts_hints |= self.is_hinted && told.is_none();
                match self.served.is_some_and(|served| served.serial == soa.serial) {
                    true => {
                        self.confirmed_by(primary, now);
                        self.confirmed(now, are_all_asked)
                    }
                    // It lags: that is no word on what is served.
                    false => self.next(now, others),
                }
            }
            Transferred::AskWhole | Transferred::Faulty if from.is_some() => {
                self.transfer(primary, None, (others, told))
            }
            Transferred::AskWhole | Transferred::Faulty | Transferred::Unreachable => self.next(now, others),
            Transferred::NotBegun => {
                self.is_put_off = true;
                self.next(now, others)
            }
            Transferred::NotKept => {
                self.confirmed_by(primary, now);
                self.next(now, others)
            }
            Transferred::Refused(serial) | Transferred::NoZone(serial) => {
                self.seen.note(primary, serial);
                let by = RefusedTransfer { primary, whole: from.is_none(), before };
                let by = Some(by).filter(|_| matches!(end, Transferred::Refused(_)));
                self.refused.add((serial, by), self.seen.count(), now.wall);
                self.confirmed_by(primary, now);
                let others = others.map(|others| self.without_refused(others));
                self.next(now, others)
            }
        }
    }

    /// What is served has changed by another way than a transfer, or is gone.
    pub fn serves(&mut self, now: Now, served: Option<Soa>) {
        let accepted = self.accepted(served);
        self.served = served;
        // What was refused, or behind, was so beside another version; but for what is proven of the primaries.
        self.refused.clear();
        self.behind = self.behind.filter(|behind| self.is_forked(behind.primary));
        self.waits_since = None;
        match accepted {
            Some((soa, RefusedTransfer { primary, whole, before })) => {
                self.note_given(now, (primary, whole, before), soa);
            }
            None => self.note_served(served.is_some()),
        }
        self.expires = match served {
            Some(soa) => self.expires.or_else(|| now.instant.checked_add(self.expire_of(soa))),
            None => None,
        };
    }

    /// Other primaries from now on: what is known of the version that is served stays, and they are asked at once. The results of
    /// what is under way must not be told any more.
    pub fn change_primaries(&mut self, primaries: usize, now: Now) {
        self.change_told(primaries);
        (self.lineage, self.waits_since) = (Lineage::new(primaries, now.instant), None);
        self.is_unexplained = false;
        (self.step, self.again) = (Step::Idle, None);
        (self.is_forced, self.is_put_off, self.due) = (false, false, now.instant);
        self.doubts_hints = false;
        self.refused.clear();
    }

    /// Begins a round by the timer or an order.
    pub(super) fn begin_round(&mut self) -> Option<Action> {
        self.is_hinted = false;
        self.forget_words();
        self.begin()
    }

    /// Begins a round: asks all, or, where there is nothing to compare, transfers at once.
    fn begin(&mut self) -> Option<Action> {
        match self.seen.count() {
            0 => None,
            1 if self.served.is_none() && self.refused.is_empty() => {
                self.transfer(0, None, (Some(Vec::new()), None))
            }
            count => self.ask((0..count).collect()),
        }
    }

    fn ask(&mut self, primaries: Vec<usize>) -> Option<Action> {
        self.step = Step::Asking(Asking::new(primaries.clone()));
        Some(Action::AskSoa(primaries))
    }

    pub(super) fn transfer(
        &mut self,
        primary: usize,
        from: Option<Serial>,
        (others, told): (Option<Vec<usize>>, Option<Serial>),
    ) -> Option<Action> {
        let (force, gives_differences) = (self.force_of(primary), self.gives_differences(primary));
        let from = from.filter(|_| gives_differences);
        let before = self.before_transfer(primary);
        self.step = Step::Transferring { primary, from, others, told, before };
        Some(Action::Transfer { primary, from, force })
    }

    /// Whether a version is worth a transfer.
    pub(super) fn is_wanted(&self, serial: Serial) -> bool {
        let is_newer = self.served.is_none_or(|served| serial.is_after(served.serial));
        self.is_forced || (is_newer && !self.refused.contains(serial))
    }

    /// Acts on the answers so far.
    fn judge(&mut self, now: Now) -> Option<Action> {
        let Step::Asking(asking) = &self.step else { return None };
        let served = self.served.map(|soa| soa.serial);
        let has_served = |primary| self.lineage.has_served(primary);
        let verdict = asking.verdict(served, |serial| self.is_wanted(serial), has_served);
        let has_giver = asking.has_answer_of(served, has_served);
        let confirming = asking.confirming(served, |serial| self.is_wanted(serial));
        let others = asking.others(self.seen.count());
        let same = self.another_under(asking, served);
        let older = asking.older_than(served);
        let have_all_answered = asking.have_all_answered();
        confirming.into_iter().for_each(|primary| self.confirmed_by(primary, now));
        if others.is_empty() {
            // All are asked: what was found before counts no more, but for what is proven.
            self.behind = self.behind.filter(|behind| self.is_forked(behind.primary));
        }
        match verdict {
            RoundResult::Newer(primaries) => self.take_newer(primaries, (others, has_giver), now),
            RoundResult::Fresh => match same {
                Some(Another::Wanted(primary)) => match self.fork_pause(primary, now) {
                    Some(until) => self.put_off(until, now),
                    None => {
                        self.transfer(primary, None, (Some(Vec::new()).filter(|_| others.is_empty()), None))
                    }
                },
                Some(Another::Refused) if !others.is_empty() => self.ask_more(others, None),
                Some(Another::Refused) => self.failed(now),
                None => self.confirmed(now, others.is_empty()),
            },
            // One primary was asked alone: what it does not know the others may.
            RoundResult::Behind(..) | RoundResult::Nothing if !others.is_empty() => {
                self.ask_more(others, None)
            }
            RoundResult::Behind(primary, serial)
                if have_all_answered && self.is_listed_again && !self.refused.contains(serial) =>
            {
                self.transfer(primary, None, (Some(Vec::new()), None))
            }
            RoundResult::Behind(primary, serial) => {
                // One that never had what is served, and one that had it does not answer: no serial went backwards.
                let is_proven = have_all_answered || self.seen.has_fallen(primary) || self.is_forked(primary);
                if is_proven {
                    self.note_forked(primary, older.into_iter().filter(|_| have_all_answered));
                }
                self.behind = Some(Behind { primary, serial, is_proven });
                self.failed(now)
            }
            RoundResult::Nothing => self.failed(now),
        }
    }

    pub(super) fn ask_more(&mut self, primaries: Vec<usize>, until: Option<Instant>) -> Option<Action> {
        let Step::Asking(asking) = &mut self.step else { return None };
        asking.grace = asking.grace.or(until);
        asking.ask_more(&primaries);
        Some(Action::AskSoa(primaries))
    }

    /// Goes on with the next primary; if nobody was asked before, with asking all.
    fn next(&mut self, now: Now, others: Option<Vec<usize>>) -> Option<Action> {
        let Some(mut others) = others else { return self.ask((0..self.seen.count()).collect()) };
        if others.is_empty() {
            return self.failed(now);
        }
        let primary = others.remove(0);
        let from = self.served.map(|soa| soa.serial);
        let told = self.seen.of(primary);
        self.transfer(primary, from, (Some(others), told))
    }

    /// Ends a round that found a version which is not transferred before this time.
    pub(super) fn put_off(&mut self, until: Instant, now: Now) -> Option<Action> {
        // A NOTIFY, which may come under a false address, makes no pause longer.
        self.due = if self.is_hinted { self.due.min(until) } else { until };
        self.end(now)
    }

    /// What is served is the newest, for all that those know who were asked.
    fn confirmed(&mut self, now: Now, are_all_asked: bool) -> Option<Action> {
        (self.failures, self.failing_since, self.behind, self.waits_since) = (0, None, None, None);
        (self.is_forced, self.is_put_off, self.is_listed_again) = (false, false, false);
        self.extend(now);
        if let Some(soa) = self.served {
            let wait = self.next_look(soa, now);
            let due = now.instant + self.with_jitter(wait);
            // Others may have a newer one: they are asked when they would have been.
            self.due = if are_all_asked { due } else { self.due.min(due) };
            if let Some(at) = self.newer.look_again(now, self.bounds.after_notify) {
                self.due = self.due.min(at);
            }
        }
        self.end(now)
    }

    /// This round brought nothing, and every primary was asked.
    fn failed(&mut self, now: Now) -> Option<Action> {
        self.failing_since.get_or_insert(now.wall);
        let doublings = self.failures.min(MOST_DOUBLINGS);
        self.is_forced &= std::mem::take(&mut self.is_put_off);
        let (base, most) = match self.served {
            Some(soa) => (self.retry_of(soa), self.most_retry_of(soa)),
            None => (self.bounds.first_retry, self.bounds.most_retry),
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
        self.extend(now);
        match self.again.take()? {
            // The timer's turn: it asks all.
            Again::Notified(..) if self.due <= now.instant => self.begin_round(),
            Again::Notified(primary, hint) => self.notified(primary, hint),
            Again::Ordered(order) => self.ordered(order),
        }
    }
}
