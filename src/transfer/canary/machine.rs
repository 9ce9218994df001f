//! One zone under a canary.

use std::time::{Instant, SystemTime};

use crate::wire::Serial;

use super::rules::{CanaryRules, WhenUnreachable};

/// A version of a zone. Its serial alone does not tell it: a zone that went back may reach a serial twice.
#[derive(Clone, Copy, Debug)]
pub struct CanaryVersion {
    /// Its serial.
    pub serial: Serial,
    /// When it was accepted here; `None` where that is not known.
    pub accepted_at: Option<SystemTime>,
}

impl CanaryVersion {
    /// Whether both are the same, as far as it is known.
    pub fn is(self, other: Self) -> bool {
        let times = self.accepted_at.zip(other.accepted_at);
        self.serial == other.serial && times.is_none_or(|(one, other)| one == other)
    }
}

impl From<Serial> for CanaryVersion {
    fn from(serial: Serial) -> Self {
        Self { serial, accepted_at: None }
    }
}

/// What a secondary of the group answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberAnswer {
    /// It serves the version with this serial.
    Serves(Serial),
    /// It gave no answer, or none that counts.
    Failed,
}

/// What is known of how well a secondary of the group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberHealth {
    /// It tells nothing: only its serial is checked.
    NotTold,
    /// It was healthy at this time.
    Good(Instant),
    /// It should tell and does not, or it takes no queries by order: it proves nothing.
    Unknown,
    /// It has been unhealthy since this time.
    Bad(Instant),
}

/// How the newest version of a zone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CanaryState {
    /// The others have it.
    Released,
    /// Only the group has it.
    Trial,
    /// Only the group has it, for longer than it should take.
    Overdue,
    /// Only the group has it, and an operator says when the others get it: by an order to halt, or since one of the group became unhealthy.
    /// Also: the next version is halted.
    Halted,
}

/// Why a version goes to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseReason {
    /// All of the group have served it long enough.
    Proven,
    /// One of the group did not serve it for too long, and the operator chose that the others get it then.
    PatienceOver,
    /// An operator ordered it.
    Ordered,
}

/// What an answer, or the time, leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryOutcome {
    /// This version goes to the others.
    Release(Release),
    /// One of the group has become unhealthy since a version waits: the zone is halted.
    Stop,
}

/// A version that is to go to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its serial.
    pub serial: Serial,
    /// Why.
    pub reason: ReleaseReason,
}

/// What is known of a zone from before.
#[derive(Clone, Copy, Debug)]
pub struct CanaryPast {
    /// The version that the others have.
    pub released: CanaryVersion,
    /// The version with the highest serial that one of the group may have; `None`: it is not after what is released.
    pub highest: Option<CanaryVersion>,
    /// Whether nothing more goes to the others until an order.
    pub is_halted: bool,
}

impl<V: Into<CanaryVersion>> From<V> for CanaryPast {
    fn from(released: V) -> Self {
        Self { released: released.into(), highest: None, is_halted: false }
    }
}

/// One zone.
#[derive(Clone, Debug)]
pub struct CanaryZone {
    rules: CanaryRules,
    released: CanaryVersion,
    newest: CanaryVersion,
    /// The first version with the highest serial that one of the group may have, also one that was given up: the serial of a later version
    /// is told by it alone if it is after this one.
    highest: CanaryVersion,
    is_halted: bool,
    trial: Option<Trial>,
    members: Vec<Member>,
}

/// The newest version is not released.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// When a version that is not released first came; a newer one does not change it.
    since: Instant,
    /// Since when one of the group does not serve the newest version; `None` while all of them do.
    lagging_since: Option<Instant>,
    /// When the group is asked next.
    ask_at: Instant,
}

/// A secondary of the group.
#[derive(Clone, Copy, Debug, Default)]
struct Member {
    /// Whether an answer is awaited.
    is_asked: bool,
    /// Whether the answer that is awaited may be older than the newest version.
    is_late: bool,
    /// The first and the last of the answers in a row that told the newest serial, while nothing is known against it.
    serves: Option<(Instant, Instant)>,
    /// Whether it was unhealthy when it was last asked.
    is_unhealthy: bool,
    /// The serial that it told last since the newest version came.
    told: Option<Serial>,
    /// Whether it may have another version with the serial of the newest: then this serial proves nothing until it has told another one.
    is_blind: bool,
}

impl CanaryZone {
    /// A zone of which this is known, and of which the group is to have `newest`, with so many secondaries in the group.
    pub fn new(
        rules: CanaryRules,
        members: usize,
        (past, newest): (impl Into<CanaryPast>, impl Into<CanaryVersion>),
        now: Instant,
    ) -> Self {
        let CanaryPast { released, highest, is_halted } = past.into();
        let (members, highest) = (vec![Member::default(); members], highest.unwrap_or(released));
        let mut it = Self { rules, released, newest: released, highest, is_halted, trial: None, members };
        it.offered(newest, now);
        it
    }

    /// The serial that the others have.
    pub fn released(&self) -> Serial {
        self.released.serial
    }

    /// The version that the others have.
    pub fn released_version(&self) -> CanaryVersion {
        self.released
    }

    /// The serial that the group is to have.
    pub fn newest(&self) -> Serial {
        self.newest.serial
    }

    /// The version that the group is to have.
    pub fn newest_version(&self) -> CanaryVersion {
        self.newest
    }

    /// The version with the highest serial that one of the group may have, where `released` is what the others have; `None` if it is that
    /// one, or the newest.
    pub fn highest_beside(&self, released: CanaryVersion) -> Option<CanaryVersion> {
        Some(self.highest).filter(|highest| !highest.is(released) && !highest.is(self.newest))
    }

    /// Whether an operator has halted it.
    pub fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Since when a version waits; `None` if none does.
    pub fn since(&self) -> Option<Instant> {
        self.trial.map(|trial| trial.since)
    }

    /// Which secondaries of the group served the newest version when they were last asked.
    pub fn serving(&self) -> impl Iterator<Item = bool> {
        self.members.iter().map(|member| member.serves.is_some())
    }

    /// How it stands.
    pub fn state(&self, now: Instant) -> CanaryState {
        match self.trial {
            _ if self.is_halted => CanaryState::Halted,
            None => CanaryState::Released,
            Some(trial) if self.is_impatient(trial, now) || self.is_long(trial, now) => CanaryState::Overdue,
            Some(_) => CanaryState::Trial,
        }
    }

    /// What was known as `before` is known as `version`: more is known of it, or the same content was accepted again.
    pub fn identify(&mut self, before: CanaryVersion, version: CanaryVersion) {
        for known in [&mut self.released, &mut self.newest, &mut self.highest] {
            if known.is(before) {
                *known = version;
            }
        }
    }

    /// The hub serves this version.
    pub fn offered(&mut self, newest: impl Into<CanaryVersion>, now: Instant) {
        let newest = newest.into();
        let is_news = !newest.is(self.newest);
        if is_news {
            self.begin(newest);
        }
        let lagging_since = Some(now);
        self.trial = match self.trial {
            _ if newest.is(self.released) => None,
            Some(trial) if !is_news => Some(trial),
            trial => {
                let since = trial.map_or(now, |trial| trial.since);
                Some(Trial { since, lagging_since, ask_at: now + self.rules.pause() })
            }
        };
    }

    /// Another version is the newest. Where its serial is not after all that were served before, a secondary may have another version with it:
    /// an earlier one that was served with this serial, which it keeps because the serial went back (RFC 1982 section 3.2).
    fn begin(&mut self, newest: CanaryVersion) {
        let is_highest = newest.serial.is_after(self.highest.serial);
        let may_be_another = !is_highest && !newest.is(self.highest);
        if is_highest {
            self.highest = newest;
        }
        self.newest = newest;
        for member in &mut self.members {
            // What it told before the version before this one may be over.
            let told = member.told.take();
            member.is_blind = may_be_another && told.is_none_or(|told| told == newest.serial);
            member.is_late = member.is_asked;
            member.serves = None;
        }
    }

    /// An operator halts it: nothing more goes to the others until an order.
    pub fn halt(&mut self) {
        self.is_halted = true;
    }

    /// The others have this version from now on. What was halted goes on.
    pub fn commit(&mut self, released: impl Into<CanaryVersion>, now: Instant) {
        (self.released, self.is_halted, self.trial) = (released.into(), false, None);
        self.offered(self.newest, now);
    }

    /// When [`CanaryZone::wake`] is due; `None` while nothing waits.
    pub fn due(&self) -> Option<Instant> {
        let trial = self.trial?;
        let patience = trial.lagging_since.map(|since| since + self.rules.patience);
        let patience = patience.filter(|_| self.releases_unproven());
        Some(patience.map_or(trial.ask_at, |at| at.min(trial.ask_at)))
    }

    /// The time has come: which secondaries of the group to ask for their serial, and what to release.
    pub fn wake(&mut self, now: Instant) -> (Vec<usize>, Option<Release>) {
        let release = self.judge(now);
        let pause = self.rules.pause();
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.ask_at <= now) else {
            return (Vec::new(), release);
        };
        trial.ask_at = now + pause;
        let mut asks = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate().filter(|(_, member)| !member.is_asked) {
            member.is_asked = true;
            asks.push(index);
        }
        (asks, release)
    }

    /// A secondary of the group has answered, or has not, and so much is known of how well it is.
    pub fn answered(
        &mut self,
        member: usize,
        (answer, health): (MemberAnswer, MemberHealth),
        now: Instant,
    ) -> Option<CanaryOutcome> {
        let newest = self.newest.serial;
        let member = self.members.get_mut(member)?;
        member.is_asked = false;
        let is_late = std::mem::take(&mut member.is_late);
        if let MemberAnswer::Serves(told) = answer
            && !is_late
        {
            member.told = Some(told);
            member.is_blind &= told == newest;
        }
        member.is_unhealthy = matches!(health, MemberHealth::Bad(_));
        let first = member.serves.map_or(now, |(first, _)| first);
        // It has proved the version for as long as it was known to be healthy.
        let proved = match health {
            MemberHealth::NotTold => Some(now),
            MemberHealth::Good(at) => Some(at.clamp(first, now)),
            MemberHealth::Unknown | MemberHealth::Bad(_) => None,
        };
        let serves = answer == MemberAnswer::Serves(newest) && !member.is_blind;
        member.serves = proved.filter(|_| serves).map(|last| (first, last));
        let all = self.members.iter().all(|member| member.serves.is_some());
        let trial = self.trial.as_mut()?;
        trial.lagging_since = if all { None } else { Some(trial.lagging_since.unwrap_or(now)) };
        if let MemberHealth::Bad(since) = health
            && since >= trial.since
            && !self.is_halted
        {
            self.is_halted = true;
            return Some(CanaryOutcome::Stop);
        }
        self.judge(now).map(CanaryOutcome::Release)
    }

    fn judge(&self, now: Instant) -> Option<Release> {
        let trial = self.trial.filter(|_| !self.is_halted)?;
        let release = |reason| Some(Release { serial: self.newest.serial, reason });
        if self.is_proven() {
            return release(ReleaseReason::Proven);
        }
        match self.releases_unproven() && self.is_impatient(trial, now) {
            true => release(ReleaseReason::PatienceOver),
            false => None,
        }
    }

    /// Whether all of the group served the newest version for long enough, by what they answered: from when the last of them began to
    /// until the earliest of their last answers.
    fn is_proven(&self) -> bool {
        let mut begun = None;
        let mut seen = None;
        for member in &self.members {
            let Some((first, last)) = member.serves else { return false };
            begun = begun.max(Some(first));
            seen = Some(seen.map_or(last, |seen: Instant| seen.min(last)));
        }
        let Some((begun, seen)) = begun.zip(seen) else { return false };
        seen.checked_duration_since(begun).is_some_and(|served| served >= self.rules.time)
    }

    /// Never while one of the group is unhealthy: it can be reached, and it reports a fault.
    fn releases_unproven(&self) -> bool {
        let is_unhealthy = self.members.iter().any(|member| member.is_unhealthy);
        self.rules.when_unreachable == WhenUnreachable::Release && !self.is_halted && !is_unhealthy
    }

    /// Whether one of the group does not serve the newest version for too long.
    fn is_impatient(&self, trial: Trial, now: Instant) -> bool {
        let since = trial.lagging_since;
        since.is_some_and(|since| now.saturating_duration_since(since) >= self.rules.patience)
    }

    /// Whether versions come faster than they can be proven.
    fn is_long(&self, trial: Trial, now: Instant) -> bool {
        now.saturating_duration_since(trial.since) >= self.rules.patience + self.rules.time
    }
}
