//! The task that follows and makes catalogs, and how others reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::{Moment, unix_now};
use crate::config::Catalogs;
use crate::handoff::{Latest, Reader};
use crate::publish::{Force, KeptState, MADE_HERE, MemberChanges, PublisherHandle, Report, StepSource};
use crate::telemetry::{Beat, keep_beating, keep_running, with_causes};
use crate::transfer::secondary::{AwaitedZones, MemberZones, SecondaryHandle};
use crate::wire::{Name, Serial};
use crate::zone::Published;

use super::facts::{CatalogFact, CatalogFacts};
use super::following::{Following, MemberOrders};
use super::producing::{NewVersion, Produced, Producing};
use crate::daemon::DaemonError;
use crate::daemon::thread::Thread;

/// Orders that wait: reloads and operators.
const MOST_ORDERS: usize = 16;
/// Zones that come or go together become one version of a catalog that is made here.
const PRODUCE_PAUSE: Duration = Duration::from_millis(200);
/// The longest that a reload keeps catalogs from being made: a zone file that hangs must not stop them for ever.
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked for data whose time is over, and tried again what failed.
const TICK: Duration = Duration::from_secs(30);

/// What the task works with.
pub(in crate::daemon) struct CatalogContext {
    pub(in crate::daemon) publisher: Arc<PublisherHandle>,
    pub(in crate::daemon) published: Arc<Published>,
    pub(in crate::daemon) secondary: SecondaryHandle,
}

/// Gives orders to the task, and reads its facts.
#[derive(Clone)]
pub(in crate::daemon) struct CatalogControl {
    orders: mpsc::Sender<CatalogOrder>,
    facts: Reader<CatalogFacts>,
}

/// What others ask of it.
enum CatalogOrder {
    /// The configuration says this now.
    Configure(Box<Catalogs>, oneshot::Sender<ProducePause>),
    /// Let removals pass that wait; what came of it, in words.
    Accept(Name, Serial, oneshot::Sender<Result<String, String>>),
}

/// While it is held no version of a catalog is made: the publisher does not know yet what the configuration says.
pub(in crate::daemon) struct ProducePause {
    _resumed: oneshot::Sender<()>,
}

impl CatalogControl {
    /// What is known of catalogs.
    pub(in crate::daemon) fn facts(&self) -> Reader<CatalogFacts> {
        self.facts.clone()
    }

    /// Takes what the configuration says now; the members are known to the publisher and the transfers when this returns. It must be
    /// told before the publisher forgets zones that the configuration names no more: a catalog may have them. What it gives is to be held until
    /// the publisher has taken the configuration, too.
    pub(in crate::daemon) async fn configure(&self, catalogs: Catalogs) -> Option<ProducePause> {
        let (reply, done) = oneshot::channel();
        self.orders.send(CatalogOrder::Configure(Box::new(catalogs), reply)).await.ok()?;
        done.await.ok()
    }

    /// Lets removals of a catalog pass that wait under this serial; what came of it, in words.
    pub(in crate::daemon) async fn accept(&self, catalog: Name, serial: Serial) -> Result<String, String> {
        let (reply, done) = oneshot::channel();
        let ended = || "the task catalogs has ended".to_owned();
        let order = CatalogOrder::Accept(catalog, serial, reply);
        self.orders.send(order).await.map_err(|_| ended())?;
        done.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// Starts the thread.
pub(in crate::daemon) fn start(
    catalogs: Catalogs,
    context: CatalogContext,
) -> Result<(Thread, CatalogControl, Beat), DaemonError> {
    let (orders, received) = mpsc::channel(MOST_ORDERS);
    let facts =
        Latest::new(CatalogFacts { is_settled: catalogs.followed.is_empty(), ..CatalogFacts::default() });
    let control = CatalogControl { orders, facts: facts.reader() };
    let beat = Beat::new("catalogs");
    let task_beat = beat.clone();
    let thread = Thread::start("catalogs", CancellationToken::new(), move || async move {
        let mut task = CatalogTask {
            report: context.publisher.report(),
            awaited: context.secondary.awaited(),
            kept: context.publisher.kept(),
            begun_with: None,
            following: Following::new(catalogs.clone(), &BTreeMap::new()),
            producing: catalogs.produced.iter().cloned().map(Producing::new).collect(),
            is_settled: catalogs.followed.is_empty(),
            settings: catalogs,
            context,
            has_begun: false,
            has_settled: false,
            produce_at: None,
            resumed: None,
            orders: received,
            facts,
            told: None,
        };
        tokio::select! {
            () = keep_beating(task_beat.clone()) => {}
            () = keep_running(&task_beat, &mut task, async |task| task.run().await) => {}
        }
    })?;
    Ok((thread, control, beat))
}

struct CatalogTask {
    context: CatalogContext,
    report: Reader<Report>,
    awaited: Reader<AwaitedZones>,
    settings: Catalogs,
    /// What the last process kept.
    kept: Reader<Option<KeptState>>,
    /// With which members it has begun; `None` while the state directory does not answer. No catalog is followed or made before that:
    /// who was a member, and which removals wait, is not known.
    begun_with: Option<Arc<Option<KeptState>>>,
    following: Following,
    producing: Vec<Producing>,
    /// Whether the transfers know the members that were kept.
    has_begun: bool,
    is_settled: bool,
    /// Whether that stays.
    has_settled: bool,
    /// When the next versions of catalogs that are made here may come.
    produce_at: Option<Instant>,
    /// Ends with the [`ProducePause`] of a reload, or at this time; none is made until then.
    resumed: Option<(oneshot::Receiver<()>, Instant)>,
    orders: mpsc::Receiver<CatalogOrder>,
    facts: Latest<CatalogFacts>,
    /// The facts of followed catalogs, and after how many changes of them.
    told: Option<(u64, Vec<CatalogFact>)>,
}

impl CatalogTask {
    async fn run(&mut self) {
        loop {
            self.begin().await;
            if self.has_begun {
                self.check_zones().await;
            }
            self.tell();
            let retries = self.producing.iter().filter_map(|one| one.retry_at);
            let at = self.produce_at.into_iter().chain(retries).chain(self.following.next_look()).min();
            let until = at.map_or(TICK, |at| at.saturating_duration_since(Instant::now()).min(TICK));
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                () = has_resumed(&mut self.resumed) => self.resumed = None,
                () = self.report.changed() => {}
                () = self.awaited.changed() => {}
                () = self.kept.changed() => {}
                () = tokio::time::sleep(until) => self.forget_the_old().await,
            }
        }
    }

    /// Begins with the members that were kept; anew when more of what was kept can be read.
    async fn begin(&mut self) {
        let kept = self.kept.load();
        let is_new = self.begun_with.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &kept));
        if let (Some(KeptState { members, .. }), true) = (&*kept, is_new) {
            self.following = Following::new(self.settings.clone(), members).after(&self.following);
            (self.begun_with, self.has_begun) = (Some(kept.clone()), false);
            self.read_anew().await;
        }
        if self.begun_with.is_some() && !self.has_begun {
            self.transfer(self.following.all()).await;
            self.has_begun = true;
        }
    }

    /// Has noted from now on which zones begin anew, if a catalog is made here, and tells it which did before.
    async fn read_anew(&mut self) {
        let publisher = &self.context.publisher;
        if self.producing.is_empty() {
            return publisher.notes_none_anew().await;
        }
        match publisher.begun_anew().await {
            Ok(zones) => self.producing.iter_mut().for_each(|one| one.begin_anew(&zones)),
            Err(error) => {
                tracing::error!(%error, "which zones began anew before the last end cannot be read: catalogs list them as they did")
            }
        }
    }

    /// What every catalog that is made here has said is not noted any more.
    async fn tell_said(&mut self) {
        let said: BTreeSet<Name> = self.producing.iter_mut().flat_map(Producing::take_said).collect();
        let said = said.into_iter().filter(|name| !self.producing.iter().any(|one| one.has_to_say(name)));
        let said: BTreeSet<Name> = said.collect();
        if !said.is_empty() {
            self.context.publisher.said_anew(said).await;
        }
    }

    /// Looks for versions of catalogs and for zones that come or go.
    async fn check_zones(&mut self) {
        let report = self.report.load();
        if !report.settled {
            return;
        }
        if let Some(orders) = self.following.look_for_files(&report, Moment::now()) {
            self.carry_out(orders).await;
        }
        if let Some(orders) = self.following.settle_left(unix_now()) {
            self.carry_out(orders).await;
        }
        if self.resumed.is_none()
            && let Some(orders) = self.following.end_reload(&report, unix_now())
        {
            self.carry_out(orders).await;
        }
        // Before the snapshot: a catalog that is not awaited is in it, or has failed.
        let awaited = self.awaited.load().catalogs;
        for name in self.following.in_turn(awaited) {
            let Some(zone) = self.context.published.load().zone(&name).cloned() else { continue };
            if !self.following.is_news(&zone) {
                continue;
            }
            // The newest report: the orders before have changed which members there are.
            let report = self.report.load();
            if let Some(orders) = self.following.take(&zone, &report, unix_now()) {
                self.carry_out(orders).await;
            }
        }
        self.settle(awaited);
        let now = Instant::now();
        let is_over = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        if self.resumed.is_none() && is_over(self.produce_at) {
            self.produce_at = None;
            for index in 0..self.producing.len() {
                if self.producing.get(index).is_some_and(|one| is_over(one.retry_at)) {
                    self.produce(index, None).await;
                }
            }
            self.tell_said().await;
        }
    }

    async fn carry_out(&self, orders: MemberOrders) {
        let MemberOrders { publish, transfer } = orders;
        if !publish.reset.is_empty() {
            // Nothing that was begun for them is offered any more when the publisher has forgotten them.
            let removed = publish.reset.iter().map(|(name, _)| name.clone()).collect();
            self.transfer(MemberZones { removed, ..MemberZones::default() }).await;
        }
        if publish != MemberChanges::default() {
            self.context.publisher.change_members(publish).await;
        }
        if !(transfer.set.is_empty() && transfer.removed.is_empty()) {
            self.transfer(transfer).await;
        }
    }

    async fn transfer(&self, zones: MemberZones) {
        if let Err(error) = self.context.secondary.change_members(zones).await {
            tracing::error!(error = with_causes(&error), "the transfers do not take the members of catalogs");
        }
    }

    /// Whether every catalog and every member has come or failed, or as many as the operator asks for; `catalogs` had not, when their versions
    /// were looked at. Once all catalogs have come that stays true.
    fn settle(&mut self, catalogs: usize) {
        let followed = self.following.catalogs();
        if self.has_settled || !self.has_begun {
            return;
        }
        // In this order: a catalog that is awaited no more is served.
        let awaited = self.awaited.load();
        let is_ready = self.following.is_ready(*awaited, &self.context.published.load());
        self.is_settled = catalogs == 0 && is_ready;
        // A catalog that has failed may still bring its zones, and they are waited for when it does.
        self.has_settled =
            self.is_settled && followed.iter().all(|one| self.following.is_in_force(&one.name));
        if self.has_settled && !followed.is_empty() {
            let members = self.following.owners().size();
            tracing::info!(
                members,
                awaited = awaited.members,
                "the zones of the catalogs have come, or have failed"
            );
        }
    }

    /// Makes the next version of a catalog, if its list has changed; whether one is served now.
    async fn produce(&mut self, index: usize, accepts: Option<Serial>) -> bool {
        let report = self.report.load();
        let Some(producing) = self.producing.get_mut(index).filter(|_| self.resumed.is_none()) else {
            return false;
        };
        producing.note_left(&report);
        if producing.is_held_by_operator(&report) {
            return false;
        }
        let name = producing.settings.name.clone();
        // Which zones there are is not known either while the state directory is not read.
        let served = self.context.published.load();
        let is_known = producing.restore(served.zone(&name), &report) && !report.is_state_unread;
        if !is_known || self.begun_with.is_none() {
            return false;
        }
        let held = producing.held();
        let produced = match producing.next(&report, accepts, (Instant::now(), unix_now())) {
            Ok(produced) => produced,
            Err(error) => {
                producing.failed(with_causes(&error));
                return false;
            }
        };
        if producing.held() != held && producing.held().is_some() {
            tracing::error!(catalog = %name, "many zones go at once: they stay in the catalog until an operator accepts it");
        }
        let Some(produced) = produced else { return false };
        self.produce_at = Some(Instant::now() + PRODUCE_PAUSE);
        self.serve(index, &name, produced).await
    }

    async fn serve(&mut self, index: usize, name: &Name, produced: Produced) -> bool {
        let (version, listing) = produced.split();
        let publisher = &self.context.publisher;
        let outcome = match version {
            NewVersion::Whole(zone) => {
                publisher.offer(*zone, MADE_HERE, Force::No).await.map_err(|error| with_causes(&error))
            }
            NewVersion::Difference(difference) => {
                let applied = publisher.apply_from(name, vec![*difference], Some(StepSource::Catalog)).await;
                applied.map(drop).map_err(|error| with_causes(&error))
            }
        };
        let Some(producing) = self.producing.get_mut(index) else { return false };
        match outcome {
            Ok(()) => {
                producing.served(listing);
                let fact = producing.fact();
                let serial = fact.serial.map_or(0, |serial| serial.0);
                tracing::info!(catalog = %name, serial, members = fact.members, "a version of a catalog was made");
                true
            }
            Err(error) => {
                tracing::error!(catalog = %name, error, "a version of a catalog could not be made; it is tried again");
                producing.failed(error);
                producing.retry_at = Some(Instant::now() + TICK);
                false
            }
        }
    }

    async fn obey(&mut self, order: CatalogOrder) {
        match order {
            CatalogOrder::Configure(catalogs, reply) => {
                let (_resumed, resumed) = oneshot::channel();
                self.resumed = Some((resumed, Instant::now() + MOST_PAUSE));
                self.configure(*catalogs).await;
                // Without a reload that holds it the pause is over.
                let _ = reply.send(ProducePause { _resumed });
            }
            CatalogOrder::Accept(catalog, serial, reply) => {
                let outcome = self.accept(&catalog, serial).await;
                self.tell();
                let _ = reply.send(outcome);
            }
        }
    }

    async fn configure(&mut self, catalogs: Catalogs) {
        let mut before = std::mem::take(&mut self.producing);
        for settings in &catalogs.produced {
            let known = before.iter().position(|one| one.settings.name == settings.name);
            let producing = match known.map(|at| before.swap_remove(at)) {
                Some(mut producing) => {
                    producing.configure(settings.clone());
                    producing
                }
                None => Producing::new(settings.clone()),
            };
            self.producing.push(producing);
        }
        let makes_none = self.settings.produced.is_empty();
        self.settings = catalogs.clone();
        if self.begun_with.is_some() && makes_none != self.producing.is_empty() {
            self.read_anew().await;
        }
        if self.begun_with.is_none() {
            self.following = Following::new(catalogs, &BTreeMap::new()).after(&self.following);
            return;
        }
        let report = self.report.load();
        let orders = self.following.configure(catalogs, &report, unix_now());
        self.carry_out(orders).await;
    }

    async fn accept(&mut self, catalog: &Name, serial: Serial) -> Result<String, String> {
        if let Some(orders) = self.following.accept(catalog, serial, unix_now()) {
            return Ok(self.removed(catalog, serial, orders).await);
        }
        if let Some(index) = self.producing.iter().position(|one| one.settings.name == *catalog) {
            let held = self.producing.get(index).and_then(Producing::held);
            self.named(catalog, held, serial)?;
            return match self.produce(index, Some(serial)).await {
                true => Ok(format!(
                    "{catalog}: the zones are removed; the secondaries that follow it remove them, too"
                )),
                false => Err(format!(
                    "{catalog}: the version without the zones is not served yet; see `anyns status`"
                )),
            };
        }
        let held = self.following.facts().into_iter().find(|fact| fact.name == *catalog);
        let Some(fact) = held else { return Err(format!("there is no catalog {catalog} here")) };
        self.named(catalog, fact.held.map(|held| held.serial), serial)?;
        Err(format!("{catalog}: other removals wait now; see `anyns status`"))
    }

    /// Members go or begin anew by an order; what came of it, in words.
    async fn removed(&self, catalog: &Name, serial: Serial, orders: MemberOrders) -> String {
        let (removed, anew) = (orders.publish.removed.len(), orders.publish.reset.len());
        self.carry_out(orders).await;
        tracing::warn!(%catalog, %serial, removed, anew, "what waited for an order was accepted");
        format!(
            "{catalog}: {removed} zones are removed, whose data is kept for a while; {anew} zones begin anew"
        )
    }

    fn named(&self, catalog: &Name, held: Option<Serial>, serial: Serial) -> Result<(), String> {
        match held {
            None => Err(format!("{catalog}: no removals wait")),
            Some(held) if held != serial => {
                Err(format!("{catalog}: the removals that wait are those of serial {held}, not of {serial}"))
            }
            Some(_) => Ok(()),
        }
    }

    async fn forget_the_old(&mut self) {
        if self.following.forget_the_old(Moment::now()) {
            self.context.publisher.change_members(Default::default()).await;
        }
    }

    /// Publishes the facts, if one has changed. The report changes with each zone that comes, the members seldom.
    fn tell(&mut self) {
        let changes = self.following.changes();
        if self.told.as_ref().is_none_or(|(told, _)| *told != changes) {
            self.told = Some((changes, self.following.facts()));
        }
        let mut catalogs = self.told.iter().flat_map(|(_, facts)| facts).cloned().collect::<Vec<_>>();
        let is_too_large =
            |fact: &&CatalogFact| self.following.is_too_large_to_leave(&fact.name, fact.members);
        let too_large = catalogs.iter().filter(is_too_large);
        let too_large_to_leave = too_large.map(|fact| (fact.name.clone(), fact.members)).collect();
        if let [only] = &mut *catalogs {
            only.awaited = self.awaited.load().members;
        }
        catalogs.extend(self.producing.iter().map(Producing::fact));
        let facts = CatalogFacts {
            changes,
            is_settled: self.is_settled,
            too_large_to_leave,
            catalogs,
            owners: self.following.owners().clone(),
        };
        let current = self.facts.current();
        let key = |facts: &CatalogFacts| (facts.changes, facts.is_settled);
        if key(&current) != key(&facts) || current.catalogs != facts.catalogs {
            self.facts.publish(facts);
        }
    }
}

/// Waits for the end of a pause; without one for ever.
async fn has_resumed(resumed: &mut Option<(oneshot::Receiver<()>, Instant)>) {
    match resumed {
        Some((resumed, latest)) => drop(tokio::time::timeout_at((*latest).into(), resumed).await),
        None => std::future::pending().await,
    }
}
