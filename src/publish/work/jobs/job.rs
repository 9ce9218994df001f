//! What a thread of the pool does, step by step.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::publish::source::scan::find_again;
use crate::publish::source::survey::{Survey, survey};
use crate::publish::source::watch_set::WatchSet;
use crate::publish::source::{SourceKey, ZoneSource};
use crate::publish::work::queue::{Lane, Size};
use crate::publish::work::zone::check::ZoneCheck;
use crate::publish::work::zone::check_context::CheckContext;
use crate::publish::work::zone::entry::Entry;
use crate::telemetry::pulse::Place;
use crate::wire::Name;

/// A piece of work for one thread.
#[derive(Debug)]
pub(in crate::publish) struct Job {
    /// Tells it from every other job.
    pub(in crate::publish) ticket: u64,
    /// The source that it may wait for.
    pub(in crate::publish) key: SourceKey,
    /// Its lane.
    pub(in crate::publish) lane: Lane,
    /// What it may use.
    pub(in crate::publish) context: Arc<CheckContext>,
    /// What is to be done.
    pub(in crate::publish) task: Task,
}

/// What is to be done.
#[derive(Debug)]
pub(in crate::publish) enum Task {
    /// Find the zones of a source; taken when it is begun.
    Survey(Option<ZoneSource>),
    /// Check these zones.
    Zones {
        /// Those that wait.
        waiting: VecDeque<ZoneCheck>,
        /// The one that is being checked.
        current: Option<Box<ZoneCheck>>,
    },
    /// Watch the files that zones include; taken when it is begun.
    Includes(Option<Vec<PathBuf>>),
    /// Watch nothing for a source any more.
    Unwatch(SourceKey),
    /// Find out whether one of these is a directory, or a link to one.
    Unclear(Vec<PathBuf>),
}

/// What came of a step.
#[derive(Debug)]
pub(in crate::publish) enum JobStep {
    /// A source was looked at.
    Surveyed(Box<Survey>),
    /// Looking at a source panicked.
    SurveyPanicked(String),
    /// A zone was checked.
    Checked(Box<ZoneCheck>),
    /// Something is not as the notifications said, or was watched too late: everything must be looked at.
    LookAtAll,
    /// The job has ended.
    End,
}

/// What came of a step of a job.
#[derive(Debug)]
pub(in crate::publish) struct JobResult {
    /// The job.
    pub(in crate::publish) ticket: u64,
    /// Its source.
    pub(in crate::publish) key: SourceKey,
    /// Its lane.
    pub(in crate::publish) lane: Lane,
    /// What came of it.
    pub(in crate::publish) step: JobStep,
}

impl Job {
    /// Does the next step; `None` when all is done.
    pub(in crate::publish) fn step(&mut self, place: &Place) -> Option<JobStep> {
        let at = |path: &Path| place.step(Some(&path.into()));
        match &mut self.task {
            Task::Survey(source) => {
                let source = source.take()?;
                Some(JobStep::Surveyed(Box::new(survey(&source, self.context.watch.as_ref(), &at))))
            }
            Task::Zones { waiting, current } => {
                let check = current.insert(Box::new(waiting.pop_front()?));
                place.step(check.entry.found.as_ref().map(|found| &found.path));
                if check.finds_again && !find_file_again(&mut check.entry) {
                    *current = None;
                    return Some(JobStep::LookAtAll);
                }
                self.context.check(check);
                current.take().map(JobStep::Checked)
            }
            Task::Includes(files) => {
                let mut set = WatchSet::default();
                files.take()?.iter().for_each(|file| set.trace(file));
                let added = self.context.watch.as_ref().is_some_and(|watch| watch.set(&self.key, &set));
                added.then_some(JobStep::LookAtAll)
            }
            Task::Unwatch(key) => {
                self.context.watch.iter().for_each(|watch| watch.unset(key));
                None
            }
            Task::Unclear(paths) => {
                let is_directory = |path: &PathBuf| {
                    at(path);
                    path.is_dir()
                };
                std::mem::take(paths).iter().any(is_directory).then_some(JobStep::LookAtAll)
            }
        }
    }

    /// The step panicked; what is known of it all the same.
    pub(in crate::publish) fn panicked(&mut self, reason: &str) -> Option<JobStep> {
        match &mut self.task {
            Task::Survey(_) => Some(JobStep::SurveyPanicked(reason.to_owned())),
            Task::Zones { current, .. } => {
                let mut check = current.take()?;
                check.panicked(reason);
                Some(JobStep::Checked(check))
            }
            Task::Includes(_) | Task::Unwatch(_) | Task::Unclear(_) => None,
        }
    }

    /// Whether it checks zones that are small, as far as that is known, and nothing else.
    pub(in crate::publish) fn is_of_small_zones(&self) -> bool {
        matches!(&self.task, Task::Zones { waiting, .. } if waiting.iter().all(|check| check.size == Size::Small))
    }

    /// The zones that the job is about.
    pub(in crate::publish) fn names(&self) -> BTreeSet<Name> {
        match &self.task {
            Task::Zones { waiting, .. } => waiting.iter().map(|check| check.name.clone()).collect(),
            Task::Survey(_) | Task::Includes(_) | Task::Unwatch(_) | Task::Unclear(_) => BTreeSet::new(),
        }
    }
}

/// Looks where the file is that a notification was about. False if the whole source must be looked at.
fn find_file_again(entry: &mut Entry) -> bool {
    let again = entry.found.as_ref().and_then(find_again);
    let is_found = again.is_some();
    if is_found {
        entry.found = again;
    }
    is_found
}
