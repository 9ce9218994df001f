//! The queue and the threads together: who is at what, and what waits for the end of that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::publish::source::SourceKey;
use crate::publish::work::jobs::job::{Job, JobResult, Task};
use crate::publish::work::jobs::pool::{Pool, Running};
use crate::publish::work::queue::{Lane, Work, WorkQueue};
use crate::publish::work::zone::check_context::{CheckContext, Offered};
use crate::telemetry::pulse::Pulse;
use crate::wire::Name;

/// The queue and the threads.
#[derive(Debug)]
pub(in crate::publish) struct Board {
    pub(in crate::publish) queue: WorkQueue,
    pool: Pool,
    given: BTreeMap<u64, Given>,
    next_ticket: u64,
    /// What was offered of zones that are being checked.
    waiting: BTreeMap<Name, VecDeque<Offered>>,
}

/// A job that a thread has, or will have next.
#[derive(Debug)]
struct Given {
    is_general: bool,
    is_survey: bool,
    /// Whether a thread may be at it for long: a large zone, or what waits for a source.
    is_slow: bool,
    /// The zones of it that are not done.
    names: BTreeSet<Name>,
}

impl Board {
    /// Starts the threads.
    pub(in crate::publish) fn start(wake: Arc<Notify>, pulse: Arc<Pulse>) -> io::Result<Self> {
        let pool = Pool::start(wake, pulse)?;
        let (given, waiting) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { queue: WorkQueue::default(), pool, given, next_ticket: 0, waiting })
    }

    /// Whether a thread has work.
    pub(in crate::publish) fn is_busy(&self) -> bool {
        !self.given.is_empty()
    }

    /// What a thread of this lane is to do next; `None` if there is no room for it, or nothing. A survey or a small zone is not given to
    /// the general lane where it would wait for a large zone.
    pub(in crate::publish) fn next(&mut self, lane: Lane) -> Option<Work> {
        self.pool.refill();
        if !self.pool.has_room(lane) {
            return None;
        }
        let takes_all = lane != Lane::General || !self.delays_others();
        self.queue.next(lane, takes_all)
    }

    /// Whether a source that does not answer may be looked at once more: only while nothing else waits for the thread, and not with so
    /// many threads for it alone.
    pub(in crate::publish) fn may_probe(&self, key: &SourceKey) -> bool {
        self.pool.has_room(Lane::Survey) && self.pool.may_probe(key)
    }

    /// Whether no general thread is free, and one has something that may take long, or will have.
    fn delays_others(&self) -> bool {
        let general = || self.given.values().filter(|given| given.is_general);
        general().count() >= self.pool.count(Lane::General) && general().any(|given| given.is_slow)
    }

    /// Hands a job out.
    pub(in crate::publish) fn give(
        &mut self,
        (lane, key): (Lane, SourceKey),
        context: Arc<CheckContext>,
        task: Task,
    ) {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let job = Job { ticket, key, lane, context, task };
        let (is_general, is_slow) = (lane == Lane::General, !job.is_of_small_zones());
        let is_survey = matches!(job.task, Task::Survey(_));
        let given = Given { is_general, is_survey, is_slow, names: job.names() };
        self.given.insert(ticket, given);
        self.pool.give(lane, job);
    }

    /// The number of the job that was handed out last; later ones have higher numbers.
    pub(in crate::publish) fn last_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// What has come of jobs.
    pub(in crate::publish) fn results(&self) -> Vec<JobResult> {
        self.pool.results()
    }

    /// Whether this job is still waited for: its thread was not given up.
    pub(in crate::publish) fn is_awaited(&self, ticket: u64) -> bool {
        self.given.contains_key(&ticket)
    }

    /// A zone of a job is done. False if it is not waited for.
    pub(in crate::publish) fn zone_done(&mut self, ticket: u64, name: &Name) -> bool {
        self.given.get_mut(&ticket).is_some_and(|given| given.names.remove(name))
    }

    /// A job has ended, or its thread is given up.
    pub(in crate::publish) fn ended(
        &mut self,
        ticket: u64,
        key: &SourceKey,
        lane: Lane,
    ) -> Option<BTreeSet<Name>> {
        let given = self.given.remove(&ticket)?;
        if given.is_survey {
            self.queue.survey_done(key);
        }
        self.queue.done(key, lane);
        Some(given.names)
    }

    /// What comes of this zone is not taken any more.
    pub(in crate::publish) fn forget(&mut self, name: &Name) {
        for given in self.given.values_mut() {
            given.names.remove(name);
        }
    }

    /// What was offered of a zone waits for the end of the check that goes on.
    pub(in crate::publish) fn let_wait(&mut self, name: Name, offered: Offered) {
        self.waiting.entry(name).or_default().push_back(offered);
    }

    /// What was offered of a zone and has waited, in its order.
    pub(in crate::publish) fn take_waiting(&mut self, name: &Name) -> VecDeque<Offered> {
        self.waiting.remove(name).unwrap_or_default()
    }

    /// The jobs whose threads have done nothing for so long.
    pub(in crate::publish) fn stalled(&mut self, patience: Duration) -> Vec<(usize, Running)> {
        if self.given.is_empty() { Vec::new() } else { self.pool.stalled(patience) }
    }

    /// Gives a thread up.
    pub(in crate::publish) fn give_up(&mut self, thread: usize, running: Running) {
        self.pool.give_up(thread, running);
    }

    /// The first load is over: threads of the pool let others go first.
    pub(in crate::publish) fn lower_priority(&self) {
        self.pool.lower_priority();
    }
}
