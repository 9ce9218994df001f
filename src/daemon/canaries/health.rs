//! How well the secondaries of the groups are: those that a `[[fleet.pop]]` names are asked over HTTP, all the time, so that it is known
//! how they were before a version came.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};

use crate::config::CanaryGroup;
use crate::fleet::{FleetPop, PopClient, PopHealth, ServerHealth};
use crate::telemetry::with_causes;
use crate::transfer::canary::MemberHealth;
use crate::wire::{Name, Serial};

use super::error_share::{AnswerCounts, ErrorShare};
use super::facts::{CanaryHealth, HealthFact};

/// Between two questions while no version waits and all is well: what is known of before a version is as old at most.
const IDLE_PAUSE: Duration = Duration::from_secs(10);
/// How long a POP may take for an answer: far more than it needs, and less than an operator waits.
const LIMIT: Duration = Duration::from_secs(3);

/// See the module.
pub(super) struct HealthChecks {
    groups: Arc<[CanaryGroup]>,
    /// The management addresses that questions leave from.
    sources: Arc<[IpAddr]>,
    /// Of each group and secondary what it says; `None` where nobody tells it.
    members: Vec<Vec<Option<Watched>>>,
    tasks: JoinSet<Result<PopHealth, String>>,
    asked: HashMap<Id, (usize, usize)>,
}

/// One POP.
#[derive(Debug)]
struct Watched {
    /// Since when it is asked.
    begun: Instant,
    ask_at: Instant,
    is_asked: bool,
    /// When it was last well.
    good_at: Option<Instant>,
    state: PopState,
    errors: ErrorShare,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PopState {
    NotAsked,
    Good,
    Unknown { since: SystemTime, why: String },
    Bad { since: SystemTime, from: Instant, why: String },
}

impl Watched {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            ask_at: now,
            is_asked: false,
            good_at: None,
            state: PopState::NotAsked,
            errors: ErrorShare::default(),
        }
    }

    /// What came of a question; whether that is news, and bad.
    fn take(&mut self, outcome: Result<PopHealth, String>, now: Instant) -> Option<&str> {
        let next = match outcome {
            Ok(health) => self.read(health, now),
            Err(why) => ServerHealth::Away(why),
        };
        let before = std::mem::replace(&mut self.state, PopState::Good);
        let is_same = matches!(
            (&before, &next),
            (PopState::Unknown { .. }, ServerHealth::Away(_)) | (PopState::Bad { .. }, ServerHealth::Bad(_))
        );
        self.state = match (next, before) {
            (ServerHealth::Good, _) => {
                self.good_at = Some(now);
                return None;
            }
            (ServerHealth::Away(why), PopState::Unknown { since, .. }) => PopState::Unknown { since, why },
            (ServerHealth::Away(why), _) => PopState::Unknown { since: SystemTime::now(), why },
            (ServerHealth::Bad(why), PopState::Bad { since, from, .. }) => PopState::Bad { since, from, why },
            // One that was never well since it is asked was not before either, as far as anybody knows.
            (ServerHealth::Bad(why), _) => {
                let from = if self.good_at.is_some() { now } else { self.begun };
                PopState::Bad { since: SystemTime::now(), from, why }
            }
        };
        match &self.state {
            PopState::Unknown { why, .. } | PopState::Bad { why, .. } if !is_same => Some(why),
            _ => None,
        }
    }

    fn read(&mut self, health: PopHealth, now: Instant) -> ServerHealth {
        let PopHealth { server, started, answers, servfail } = health;
        let risen = self.errors.observe(started, AnswerCounts { answers, servfail }, now);
        match (server, risen) {
            (ServerHealth::Good, Some(why)) => ServerHealth::Bad(why),
            (server, _) => server,
        }
    }

    fn health(&self) -> MemberHealth {
        match (&self.state, self.good_at) {
            (PopState::Bad { from, .. }, _) => MemberHealth::Bad(*from),
            (PopState::Good, Some(at)) => MemberHealth::Good(at),
            _ => MemberHealth::Unknown,
        }
    }

    fn fact(&self) -> HealthFact {
        match &self.state {
            PopState::NotAsked => HealthFact::NotAsked,
            PopState::Good => HealthFact::Good,
            PopState::Unknown { since, why } => HealthFact::Unknown(*since, why.clone()),
            PopState::Bad { since, why, .. } => HealthFact::Bad(*since, why.clone()),
        }
    }
}

impl HealthChecks {
    /// Asks for the secondaries of these groups, from these addresses.
    pub(super) fn new(groups: Arc<[CanaryGroup]>, sources: &[IpAddr], now: Instant) -> Self {
        let watched = |pop: &Option<FleetPop>| pop.as_ref().map(|_| Watched::new(now));
        let members = groups.iter().map(|group| group.pops.iter().map(watched).collect()).collect();
        Self { groups, sources: sources.into(), members, tasks: JoinSet::new(), asked: HashMap::new() }
    }

    /// When [`HealthChecks::send`] is due, beside the end of a question.
    pub(super) fn due(&self) -> Option<Instant> {
        let watched = self.members.iter().flatten().flatten();
        watched.filter(|one| !one.is_asked).map(|one| one.ask_at).min()
    }

    /// Asks those whose turn it is; `waits` says of which groups a version waits.
    pub(super) fn send(&mut self, waits: impl Fn(usize) -> bool, now: Instant) {
        for (group, members) in self.members.iter_mut().enumerate() {
            let Some(settings) = self.groups.get(group) else { continue };
            for (member, (watched, pop)) in members.iter_mut().zip(&settings.pops).enumerate() {
                let (Some(watched), Some(pop)) = (watched, pop) else { continue };
                let is_quiet = watched.state == PopState::Good && !waits(group);
                let pause = if is_quiet { IDLE_PAUSE } else { settings.rules.pause() };
                // A version that comes shortens a long pause.
                watched.ask_at = watched.ask_at.min(now + pause);
                if watched.is_asked || watched.ask_at > now {
                    continue;
                }
                (watched.is_asked, watched.ask_at) = (true, now + pause);
                let task = self.tasks.spawn(ask(pop.clone(), self.sources.clone()));
                self.asked.insert(task.id(), (group, member));
            }
        }
    }

    /// Waits for an answer, and takes it; for ever if none is awaited.
    pub(super) async fn next(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.take(ended),
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, ended: Result<(Id, Result<PopHealth, String>), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err("the task that asked has failed".to_owned())),
        };
        let Some((group, member)) = self.asked.remove(&id) else { return };
        let watched = self.members.get_mut(group).and_then(|members| members.get_mut(member));
        let Some(watched) = watched.and_then(Option::as_mut) else { return };
        watched.is_asked = false;
        if let Some(why) = watched.take(outcome, Instant::now()) {
            let settings = self.groups.get(group);
            let name = settings.map(|group| group.name.as_str()).unwrap_or_default();
            let pop =
                settings.and_then(|group| group.pops.get(member)?.as_ref()).map(|pop| pop.name.as_str());
            tracing::warn!(
                canary = name,
                pop,
                why,
                "a canary is not known to be healthy: it proves no version"
            );
        }
    }

    /// How well a secondary is.
    pub(super) fn health(&self, group: usize, member: usize) -> MemberHealth {
        let watched = self.members.get(group).and_then(|members| members.get(member));
        watched.and_then(Option::as_ref).map_or(MemberHealth::NotTold, Watched::health)
    }

    /// What speaks against a secondary, in words: why it refuses a version, or what it tells of itself.
    pub(super) fn reason(&self, group: usize, member: usize, refusal: Option<String>) -> String {
        let watched = self.members.get(group).and_then(|members| members.get(member));
        let told = watched.and_then(Option::as_ref).and_then(|watched| match &watched.state {
            PopState::Unknown { why, .. } | PopState::Bad { why, .. } => Some(why.clone()),
            PopState::NotAsked | PopState::Good => None,
        });
        let pop = self.groups.get(group).and_then(|group| group.pops.get(member)?.as_ref());
        let pop = pop.map(|pop| pop.name.as_str()).unwrap_or_default();
        format!("{pop}: {}", refusal.or(told).unwrap_or_default())
    }

    /// What is known of a secondary; `None` where nobody tells it.
    pub(super) fn fact(&self, group: usize, member: usize) -> Option<CanaryHealth> {
        let pop = self.groups.get(group)?.pops.get(member)?.as_ref()?.name.clone();
        let fact = self.members.get(group)?.get(member)?.as_ref()?.fact();
        Some(CanaryHealth { pop, fact })
    }
}

/// Asks one POP.
async fn ask(pop: FleetPop, sources: Arc<[IpAddr]>) -> Result<PopHealth, String> {
    client(pop, sources).await?.health(LIMIT).await.map_err(|error| with_causes(&error))
}

/// Why a POP refuses the version with this serial, if it does and tells it.
pub(super) async fn refusal(
    pop: FleetPop,
    sources: Arc<[IpAddr]>,
    (zone, serial): (&Name, Serial),
) -> Option<String> {
    client(pop, sources).await.ok()?.refusal(&zone.to_string(), serial.0, LIMIT).await.ok()?
}

/// The files of a POP are read each time: a token or a certificate that was renewed is used at once.
async fn client(pop: FleetPop, sources: Arc<[IpAddr]>) -> Result<PopClient, String> {
    let client = spawn_blocking(move || PopClient::new(&pop, &sources)).await;
    client.map_err(|error| error.to_string())?.map_err(|error| with_causes(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(server: ServerHealth) -> Result<PopHealth, String> {
        Ok(PopHealth { server, started: 1, answers: 0, servfail: 0 })
    }

    #[test]
    fn since_when_it_is_unhealthy_counts_from_the_first_bad_answer_in_a_row() {
        use MemberHealth::{Bad, Good, Unknown};
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut watched = Watched::new(start);
        let bad = || ServerHealth::Bad("silent".to_owned());
        let away = || ServerHealth::Away("drained".to_owned());
        assert_eq!(watched.health(), Unknown);
        let mut step = |seconds: u64, outcome, news: Option<&str>, expected: MemberHealth| {
            assert_eq!(watched.take(outcome, at(seconds)), news, "{seconds} s");
            assert_eq!(watched.health(), expected, "{seconds} s");
        };
        step(1, told(ServerHealth::Good), None, Good(at(1)));
        step(2, told(bad()), Some("silent"), Bad(at(2)));
        step(3, told(bad()), None, Bad(at(2)));
        step(4, Err("no answer".to_owned()), Some("no answer"), Unknown);
        step(5, told(away()), None, Unknown);
        step(6, told(bad()), Some("silent"), Bad(at(6)));
        step(7, told(ServerHealth::Good), None, Good(at(7)));
    }

    /// The hub has been started again, or a reload has changed a key: no version came before it asks.
    #[test]
    fn one_that_was_never_well_was_unhealthy_before_any_version_came() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let bad = || told(ServerHealth::Bad("silent".to_owned()));
        for first in [None, Some(Err("no answer".to_owned()))] {
            let mut watched = Watched::new(start);
            if let Some(first) = first {
                watched.take(first, at(1));
            }
            watched.take(bad(), at(2));
            assert_eq!(watched.health(), MemberHealth::Bad(start));
            watched.take(told(ServerHealth::Good), at(3));
            watched.take(bad(), at(4));
            assert_eq!(watched.health(), MemberHealth::Bad(at(4)), "it has been well since");
        }
    }
}
