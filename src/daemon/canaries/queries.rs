//! SOA queries to the secondaries of the groups: some at one time, so many a second, and who does not answer.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::task::{Id, JoinSet};

use crate::config::CanaryGroup;
use crate::telemetry::with_causes;
use crate::transfer::canary::MemberAnswer;
use crate::transfer::secondary::{
    AskError, AskOver, Pacer, PeerQueues, PrimaryServer, SecondarySettings, ask_once,
};
use crate::wire::{Name, Serial};

use super::facts::CanarySecondary;
use super::health::refusal;

/// Queries under way at most: each has a socket.
const MAX_RUNNING_QUERIES: usize = 64;
/// Of these to one secondary: at 50 queries a second that is a third of a second for each.
const MOST_OF_ONE: usize = 16;
/// The same of one that gave no answer that counts: one that is silent holds each for seconds.
const MOST_OF_FAILING: usize = 1;

/// Whom a question is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) zone: Name,
    pub(super) generation: u64,
    pub(super) group: usize,
    /// The index of the secondary in its group.
    pub(super) member: usize,
    /// The serial that it should serve.
    pub(super) newest: Serial,
    /// Over what it is asked.
    pub(super) over: AskOver,
}

/// The serial that a secondary tells, and why it refuses the version, if it does; or why it tells nothing.
type SerialReply = Result<(Serial, Option<String>), AskError>;

/// What came of a question.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) question: Question,
    pub(super) answer: MemberAnswer,
    /// Why the secondary refuses the version, if it does and tells it.
    pub(super) refusal: Option<String>,
}

/// See the module.
pub(super) struct Queries {
    groups: Arc<[CanaryGroup]>,
    settings: Arc<SecondarySettings>,
    pacer: Pacer,
    /// By secondary: one whose limit is reached holds up no other.
    waiting: PeerQueues<(PrimaryServer, Question)>,
    /// When the next of those that wait may leave.
    pause: Option<Instant>,
    tasks: JoinSet<SerialReply>,
    asked: HashMap<Id, (SocketAddr, Question)>,
    /// How many are under way to each secondary.
    running: HashMap<SocketAddr, usize>,
    /// Of each group and secondary since when it gives no answer that counts, and why.
    failing: Vec<Vec<Option<(SystemTime, String)>>>,
}

impl Queries {
    /// Asks secondaries of these groups by these settings.
    pub(super) fn new(groups: Arc<[CanaryGroup]>, settings: &SecondarySettings) -> Self {
        let failing = groups.iter().map(|group| vec![None; group.secondaries.len()]).collect();
        let settings = of_queries(settings);
        Self {
            groups,
            pacer: Pacer::new(settings.soa_queries, settings.soa_queries_per_primary, Instant::now()),
            settings: Arc::new(settings),
            waiting: PeerQueues::default(),
            pause: None,
            tasks: JoinSet::new(),
            asked: HashMap::new(),
            running: HashMap::new(),
            failing,
        }
    }

    /// Whether it asks secondaries of these groups, by these settings.
    pub(super) fn goes_by(&self, groups: &[CanaryGroup], settings: &SecondarySettings) -> bool {
        *self.groups == *groups && *self.settings == of_queries(settings)
    }

    /// Has a question asked when it is its turn. There are as many as zones times secondaries at most: none is asked twice.
    pub(super) fn push(&mut self, question: Question) {
        let server = self.groups.get(question.group).and_then(|group| group.secondaries.get(question.member));
        if let Some(server) = server.cloned() {
            self.waiting.push(server.address, (server, question));
        }
    }

    /// Sends what may leave now.
    pub(super) fn send(&mut self, now: Instant) {
        self.pause = None;
        let failing = self.failing_addresses();
        while self.tasks.len() < MAX_RUNNING_QUERIES {
            let (pacer, pause, running) = (&mut self.pacer, &mut self.pause, &self.running);
            *pause = None;
            let most =
                |address: &SocketAddr| if failing.contains(address) { MOST_OF_FAILING } else { MOST_OF_ONE };
            let may_leave = |address| {
                if running.get(&address).is_some_and(|running| *running >= most(&address)) {
                    // The end of one of them is awaited.
                    return false;
                }
                let Err(wait) = pacer.take(address, now) else { return true };
                let at = now + wait;
                *pause = Some(pause.map_or(at, |earlier| earlier.min(at)));
                false
            };
            let Some((server, question)) = self.waiting.take(may_leave) else { return };
            let group = self.groups.get(question.group);
            let (settings, zone) = (self.settings.clone(), question.zone.clone());
            let (newest, over, address) = (question.newest, question.over, server.address);
            let pop = group.and_then(|group| group.pops.get(question.member)).cloned().flatten();
            let task = self.tasks.spawn(async move {
                let key = server.key.as_ref().and_then(|key| settings.keys.get(key)).cloned();
                let peer = (server.address, key, server.tls.as_ref());
                let serial = ask_once(&settings, &zone, peer, over).await?.serial;
                let refusal = match pop {
                    Some(pop) if serial != newest => {
                        refusal(pop, settings.management.as_slice().into(), (&zone, newest)).await
                    }
                    _ => None,
                };
                Ok((serial, refusal))
            });
            self.asked.insert(task.id(), (address, question));
            *self.running.entry(address).or_default() += 1;
        }
    }

    fn failing_addresses(&self) -> HashSet<SocketAddr> {
        let each = self.groups.iter().zip(&self.failing);
        let each = each.flat_map(|(group, failing)| group.secondaries.iter().zip(failing));
        each.filter(|(_, failing)| failing.is_some()).map(|(secondary, _)| secondary.address).collect()
    }

    /// How many queries are under way.
    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.tasks.len()
    }

    /// When [`Queries::send`] is due, beside the end of a query.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pause
    }

    /// Waits for an answer, and takes it; for ever if none is awaited. `None`: [`Queries::send`] is due.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.take(ended),
            None => std::future::pending().await,
        }
    }

    /// Takes an answer that is there already.
    pub(super) fn try_next(&mut self) -> Option<Answered> {
        loop {
            let ended = self.tasks.try_join_next_with_id()?;
            if let Some(found) = self.take(ended) {
                return Some(found);
            }
        }
    }

    fn take(&mut self, ended: Result<(Id, SerialReply), tokio::task::JoinError>) -> Option<Answered> {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome.map_err(Some)),
            Err(error) => (error.id(), Err(None)),
        };
        let (address, question) = self.asked.remove(&id)?;
        if let Some(running) = self.running.get_mut(&address) {
            *running = running.saturating_sub(1);
        }
        if let Err(Some(AskError::RefusedOverUdp(_))) = outcome {
            // Another query, which waits for its turn.
            self.push(Question { over: AskOver::Tcp, ..question });
            return None;
        }
        let failing = self.failing.get_mut(question.group).and_then(|group| group.get_mut(question.member));
        let (answer, refusal) = match outcome {
            Ok((serial, refusal)) => {
                failing.map(Option::take);
                (MemberAnswer::Serves(serial), refusal)
            }
            Err(error) => {
                let error =
                    error.map_or_else(|| "the task that asked has failed".to_owned(), |it| with_causes(&it));
                if let Some(failing) = failing {
                    let since = failing.as_ref().map_or_else(SystemTime::now, |(since, _)| *since);
                    if failing.is_none() {
                        let zone = &question.zone;
                        tracing::warn!(%zone, member = question.member, error, "a canary does not tell its serial");
                    }
                    *failing = Some((since, error));
                }
                (MemberAnswer::Failed, None)
            }
        };
        Some(Answered { question, answer, refusal })
    }

    /// Nobody of this group is asked any more: what was known of them is old.
    pub(super) fn forget(&mut self, group: usize) {
        for failing in self.failing.get_mut(group).into_iter().flatten() {
            *failing = None;
        }
    }

    /// What is known of the secondaries of a group.
    pub(super) fn secondaries(&self, group: usize) -> Vec<CanarySecondary> {
        let addresses = self.groups.get(group).into_iter().flat_map(|group| &group.secondaries);
        let failing = self.failing.get(group).into_iter().flatten();
        let each = addresses.zip(failing);
        each.map(|(secondary, failing)| CanarySecondary {
            address: secondary.address,
            failing: failing.clone(),
            health: None,
        })
        .collect()
    }
}

/// What counts for a query: neither the zones nor the catalogs, nor where NOTIFYs go.
fn of_queries(settings: &SecondarySettings) -> SecondarySettings {
    SecondarySettings {
        zones: Vec::new(),
        catalogs: Default::default(),
        forward_notify: Vec::new(),
        ..settings.clone()
    }
}
