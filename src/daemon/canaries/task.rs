//! The task that says which version of a zone each secondary may have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{CanaryGroup, Transfers};
use crate::handoff::{Latest, Reader};
use crate::publish::{History, KeptRelease, KeptState, MissingReleases, PublisherHandle, Report};
use crate::telemetry::{Beat, keep_beating, keep_running};
use crate::transfer::canary::{CanaryOutcome, CanaryVersion, MemberHealth, ReleaseReason};
use crate::transfer::primary::Primary;
use crate::transfer::secondary::AskOver;
use crate::wire::Name;
use crate::zone::{Published, Zone};

use super::away::AwayReleases;
use super::control::{CanaryControl, CanaryOrder};
use super::entries::Entries;
use super::facts::{CanaryFact, CanaryFacts};
use super::health::HealthChecks;
use super::known::KnownRelease;
use super::queries::{Answered, Queries, Question};
use super::restoring::Restoring;
use super::versions::ReleasedVersions;
use crate::daemon::DaemonError;
use crate::daemon::thread::Thread;

/// Orders that wait: reloads and operators.
const MOST_ORDERS: usize = 16;
/// How often it is tried again what the state directory did not take.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What the task works with.
pub(in crate::daemon) struct CanaryContext {
    pub(in crate::daemon) publisher: Arc<PublisherHandle>,
    pub(in crate::daemon) published: Arc<Published>,
    pub(in crate::daemon) versions: Arc<ReleasedVersions>,
    /// Tells secondaries of a version; `None` where no zone is sent.
    pub(in crate::daemon) primary: Option<Arc<Primary>>,
}

/// Starts the thread.
pub(in crate::daemon) fn start(
    transfers: &Transfers,
    context: CanaryContext,
) -> Result<(Thread, CanaryControl, Beat), DaemonError> {
    let (orders, received) = mpsc::channel(MOST_ORDERS);
    let facts = Latest::new(CanaryFacts::default());
    let control = CanaryControl { orders, facts: facts.reader(), versions: context.versions.clone() };
    let beat = Beat::new("canaries");
    let task_beat = beat.clone();
    let transfers = transfers.clone();
    let thread = Thread::start("canaries", CancellationToken::new(), move || async move {
        let groups: Arc<[CanaryGroup]> = transfers.canaries.as_slice().into();
        let mut task = CanaryTask {
            report: context.publisher.report(),
            history: context.publisher.history(),
            queries: Queries::new(groups.clone(), &transfers.secondary),
            health: health_checks(&groups, &transfers),
            restoring: Restoring::default(),
            groups,
            state: context.publisher.kept(),
            taken: None,
            missing: Some(MissingReleases::Unread),
            unknown: None,
            kept: BTreeMap::new(),
            away: AwayReleases::default(),
            uncovered: BTreeSet::new(),
            has_settled: false,
            context,
            entries: Entries::default(),
            seen: None,
            released: BTreeMap::new(),
            unkept: BTreeMap::new(),
            keep_at: None,
            orders: received,
            facts,
        };
        tokio::select! {
            () = keep_beating(task_beat.clone()) => {}
            () = keep_running(&task_beat, &mut task, async |task| task.run().await) => {}
        }
    })?;
    Ok((thread, control, beat))
}

pub(super) struct CanaryTask {
    pub(super) context: CanaryContext,
    pub(super) groups: Arc<[CanaryGroup]>,
    pub(super) entries: Entries,
    pub(super) queries: Queries,
    health: HealthChecks,
    pub(super) restoring: Restoring,
    pub(super) report: Reader<Report>,
    pub(super) history: History,
    /// What the last process kept, and what was taken of it.
    pub(super) state: Reader<Option<KeptState>>,
    pub(super) taken: Option<Arc<Option<KeptState>>>,
    /// What the last process kept of zones that were not looked at yet.
    pub(super) kept: BTreeMap<Name, KnownRelease>,
    /// What is kept of zones that are not there.
    pub(super) away: AwayReleases,
    /// Zones that were halted and that no group covers any more.
    pub(super) uncovered: BTreeSet<Name>,
    /// Why others may be missing: then no version of them counts as released.
    pub(super) missing: Option<MissingReleases>,
    /// Of which zones that is so: those that the first load found and that nothing is known of. `None` until it is over.
    pub(super) unknown: Option<BTreeSet<Name>>,
    /// Whether every zone was looked at since the start.
    pub(super) has_settled: bool,
    /// After how many changes the report was looked at last.
    pub(super) seen: Option<u64>,
    /// Versions that go to the others with the next write.
    pub(super) released: BTreeMap<Name, (Arc<Zone>, CanaryVersion, ReleaseReason)>,
    /// What is to be kept, and when that is tried again.
    pub(super) unkept: BTreeMap<Name, Option<KeptRelease>>,
    keep_at: Option<Instant>,
    orders: mpsc::Receiver<CanaryOrder>,
    facts: Latest<CanaryFacts>,
}

impl CanaryTask {
    async fn run(&mut self) {
        loop {
            self.take_kept();
            self.follow();
            self.wake();
            self.carry_out().await;
            self.tell();
            let due = [self.entries.due(), self.queries.due(), self.health.due(), self.keep_at];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                () = self.report.changed() => {}
                () = self.state.changed() => {}
                answered = self.queries.next() => {
                    if let Some(answered) = answered {
                        self.answered(answered);
                    }
                    while let Some(answered) = self.queries.try_next() {
                        self.answered(answered);
                    }
                }
                made = self.restoring.next() => self.restored(made),
                () = self.health.next() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    /// Looks at the zones that changed.
    fn follow(&mut self) {
        let knows_none = self.entries.zones.is_empty() && self.kept.is_empty() && self.away.is_empty();
        if self.groups.is_empty() && knows_none && self.uncovered.is_empty() {
            return;
        }
        let report = self.report.load();
        if self.seen == Some(report.changes()) && self.has_settled {
            return;
        }
        let names: BTreeSet<Name> = match self.seen.and_then(|seen| report.changed_since(seen)) {
            Some(changed) => changed.cloned().collect(),
            None => {
                let known = self.entries.zones.keys().chain(&self.uncovered);
                report.zones.keys().chain(known).cloned().collect()
            }
        };
        self.seen = Some(report.changes());
        for name in names {
            self.check_zone(&name, &report);
        }
        if report.settled && !self.has_settled {
            self.has_settled = true;
            // Zones that went while nobody ran may come back; one that is only not served yet stays known.
            for (name, known) in std::mem::take(&mut self.kept) {
                match (report.zones.get(&name).is_some(), self.covers(&name)) {
                    (true, true) => drop(self.kept.insert(name, known)),
                    (true, false) => self.no_group_covers(name, known.kept),
                    (false, _) => self.away.add(name, known, Instant::now()),
                }
            }
            if self.unknown.is_none() {
                let is_unknown = |name: &&Name| {
                    self.covers(name)
                        && !self.kept.contains_key(*name)
                        && !self.entries.zones.contains_key(*name)
                };
                self.unknown = Some(report.zones.keys().filter(is_unknown).cloned().collect());
            }
        }
    }

    /// Does what is due.
    fn wake(&mut self) {
        let now = Instant::now();
        while let Some(name) = self.entries.next_due(now) {
            let Some(entry) = self.entries.zones.get_mut(&name) else { continue };
            let (asks, release) = entry.machine.wake(now);
            let (group, generation, newest) = (entry.group, entry.generation, entry.machine.newest());
            for member in asks {
                let (zone, over) = (name.clone(), AskOver::Usual);
                self.queries.push(Question { zone, generation, group, member, newest, over });
            }
            if entry.take_turn(now) {
                self.restoring.push(name.clone());
            }
            self.take_release(&name, release);
            self.settle(&name, now);
        }
        self.restore();
        self.queries.send(now);
        let entries = &self.entries;
        self.health.send(|group| entries.waits(group), now);
    }

    fn answered(&mut self, Answered { question, answer, refusal }: Answered) {
        let now = Instant::now();
        let Question { zone, generation, group, member, newest, .. } = question;
        let entry = self.entries.zones.get_mut(&zone);
        let Some(entry) = entry.filter(|entry| entry.generation == generation) else { return };
        // What it says of an earlier version does not count for this one.
        let refusal = refusal.filter(|_| newest == entry.machine.newest());
        let health = match refusal {
            Some(_) => MemberHealth::Bad(now),
            None => self.health.health(group, member),
        };
        match entry.machine.answered(member, (answer, health), now) {
            Some(CanaryOutcome::Release(release)) => self.take_release(&zone, Some(release)),
            Some(CanaryOutcome::Stop) => {
                let (serial, reason) = (entry.machine.newest(), self.health.reason(group, member, refusal));
                tracing::error!(%zone, %serial, reason, "a canary became unhealthy: the version goes to no other secondary until an order");
                entry.stopped = Some(reason);
                self.keep_at = None;
                self.released.remove(&zone);
            }
            None => {}
        }
        self.settle(&zone, now);
    }

    /// After each change of a zone: how it counts, when it is due, and what is kept of it.
    pub(super) fn settle(&mut self, name: &Name, now: Instant) {
        self.entries.settle(name, &self.groups, now);
        let Some(entry) = self.entries.zones.get(name) else { return };
        let row = Some(entry.kept());
        if entry.row == row || self.may_be_kept(entry) {
            return;
        }
        self.unkept.insert(name.clone(), row);
        if let Some(entry) = self.entries.zones.get_mut(name) {
            entry.row = row;
        }
    }

    /// Keeps what changed, and then lets the others have what is released.
    pub(super) async fn carry_out(&mut self) {
        let released = std::mem::take(&mut self.released);
        let is_due = self.keep_at.is_none_or(|at| at <= Instant::now());
        if released.is_empty() && (self.unkept.is_empty() || !is_due) {
            return;
        }
        let mut rows = std::mem::take(&mut self.unkept);
        for (name, (_, version, _)) in &released {
            if let Some(entry) = self.entries.zones.get_mut(name) {
                entry.row = Some(entry.kept_with(*version));
                rows.insert(name.clone(), entry.row);
            }
        }
        self.keep_at = None;
        let list = rows.iter().map(|(name, row)| (name.clone(), *row)).collect();
        if let Err(error) = self.context.publisher.keep_releases(list).await {
            tracing::error!(zones = rows.len(), %error, "which versions are released is not kept: a restart holds newer ones back again");
            self.unkept = rows;
            self.keep_at = Some(Instant::now() + TRY_AGAIN);
        }
        for (name, (zone, version, reason)) in released {
            self.release(&name, (zone, version), reason);
        }
    }

    /// What is known of these zones is to be kept after something else was, or may have been.
    pub(super) fn keep_again(&mut self, zones: &BTreeSet<Name>) {
        for name in zones {
            let entry = self.entries.zones.get(name).filter(|entry| !self.may_be_kept(entry));
            self.unkept.extend(entry.map(|entry| (name.clone(), Some(entry.kept()))));
        }
        self.keep_at = Some(Instant::now() + TRY_AGAIN);
    }

    fn release(&mut self, name: &Name, (zone, version): (Arc<Zone>, CanaryVersion), reason: ReleaseReason) {
        let now = Instant::now();
        let Some(entry) = self.entries.zones.get_mut(name) else { return };
        let serial = zone.serial();
        match reason {
            ReleaseReason::Proven => {
                tracing::info!(zone = %name, %serial, "the canaries serve the version: all secondaries get it")
            }
            ReleaseReason::PatienceOver => {
                tracing::warn!(zone = %name, %serial, "the canaries do not serve the version for too long: all secondaries get it")
            }
            ReleaseReason::Ordered => {
                tracing::warn!(zone = %name, %serial, "all secondaries get the version, by order")
            }
        }
        (entry.missing, entry.stopped) = (None, None);
        if entry.offered.as_ref().is_some_and(|offered| Arc::ptr_eq(offered, &zone)) {
            entry.offered = None;
        }
        entry.machine.commit(version, now);
        self.context.versions.put(zone);
        self.settle(name, now);
        self.tell_secondaries(name);
    }

    pub(super) fn tell_secondaries(&self, name: &Name) {
        let Some(primary) = &self.context.primary else { return };
        if !primary.changed(name.clone()) {
            tracing::warn!(zone = %name, "too many changed zones wait for their NOTIFY; the secondaries' timers have to do");
        }
    }

    /// Takes what the configuration says now. What is released stays; where something changed, what is on trial begins again.
    pub(super) fn configure(&mut self, transfers: &Transfers) {
        if self.queries.goes_by(&transfers.canaries, &transfers.secondary) {
            return;
        }
        self.groups = transfers.canaries.as_slice().into();
        self.queries = Queries::new(self.groups.clone(), &transfers.secondary);
        self.health = health_checks(&self.groups, transfers);
        let before = self.entries.take();
        let (stay, go): (Vec<_>, Vec<_>) = before.into_iter().partition(|(name, _)| self.covers(name));
        let groups = self.groups.clone();
        self.context.versions.change(|released| {
            released.groups = groups;
            for (name, _) in &go {
                released.zones.remove_mut(name);
            }
        });
        for (name, entry) in go {
            self.no_group_covers(name.clone(), entry.kept());
            self.tell_secondaries(&name);
        }
        let unknown = self.keep_known(stay);
        self.begin_to_cover(&unknown);
        // All zones are looked at anew.
        (self.seen, self.has_settled) = (None, false);
    }

    /// Publishes the facts, if one has changed.
    pub(super) fn tell(&mut self) {
        let mut groups = Vec::with_capacity(self.groups.len());
        for (index, group) in self.groups.iter().enumerate() {
            let fact = self.entries.fact(index, group);
            if fact.counts.iter().skip(1).sum::<usize>() == 0 {
                self.queries.forget(index);
            }
            let mut secondaries = self.queries.secondaries(index);
            for (member, secondary) in secondaries.iter_mut().enumerate() {
                secondary.health = self.health.fact(index, member);
            }
            groups.push(CanaryFact { secondaries, ..fact });
        }
        let changes = self.entries.changes;
        let (waiting, uncovered) = (self.entries.waiting.clone(), self.uncovered.first().cloned());
        let uncovered = uncovered.map(|first| (self.uncovered.len(), first));
        let facts = CanaryFacts { groups, changes, waiting, uncovered };
        let current = self.facts.current();
        if !current.is_same(&facts) {
            self.facts.publish(facts);
        }
    }
}

fn health_checks(groups: &Arc<[CanaryGroup]>, transfers: &Transfers) -> HealthChecks {
    HealthChecks::new(groups.clone(), &transfers.secondary.management, Instant::now())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
