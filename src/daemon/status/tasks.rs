//! Whether every task runs: heartbeats and panics observed, alarms out. Pure but for the atomics of the heartbeats.

use std::time::Duration;

use crate::control::{Cause, TaskState, TaskStatus};
use crate::telemetry::{Beat, Freshness};

use super::other::OtherAlarm;

/// A task that has not beaten for so long is silent: thirty of its periods.
const SILENT: Duration = Duration::from_secs(3);

/// A panic is an alarm for so long: an operator who looks meanwhile sees it. Afterwards the count remains.
const PANIC_ALARM: Duration = Duration::from_secs(600);

/// Observes all tasks.
#[derive(Debug, Default)]
pub(super) struct TaskWatch {
    tasks: Vec<Observed>,
}

#[derive(Debug)]
struct Observed {
    beat: Beat,
    beats: Freshness,
    panics: Freshness,
    age: Duration,
    /// How long ago it panicked last; `None` if it never did.
    panicked: Option<Duration>,
}

impl TaskWatch {
    /// Observes these tasks from now on; what is known of one that was observed before stays.
    pub(super) fn follow(&mut self, lasting: &[Beat], changing: &[Beat]) {
        let same = self.tasks.iter().map(|task| &task.beat).eq(lasting.iter().chain(changing));
        if same {
            return;
        }
        let mut known = std::mem::take(&mut self.tasks);
        let mut observed = |beat: &Beat| match known.iter().position(|task| task.beat == *beat) {
            Some(index) => known.swap_remove(index),
            None => Observed {
                beat: beat.clone(),
                beats: Freshness::default(),
                panics: Freshness::default(),
                age: Duration::ZERO,
                panicked: None,
            },
        };
        self.tasks = lasting.iter().chain(changing).map(&mut observed).collect();
    }

    /// The task with this name.
    pub(super) fn beat(&self, name: &str) -> Option<&Beat> {
        self.tasks.iter().map(|task| &task.beat).find(|beat| beat.name() == name)
    }

    /// Takes the counts as they are at this run time of the observer.
    pub(super) fn observe(&mut self, at: Duration) {
        for task in &mut self.tasks {
            task.age = task.beats.observe(task.beat.beats(), at);
            let panics = task.beat.panics();
            let age = task.panics.observe(panics, at);
            task.panicked = (panics > 0).then_some(age);
        }
    }

    /// Why the task with this name does nothing; `None` if it runs, or if there is none.
    pub(super) fn silent(&mut self, name: &str) -> Option<String> {
        self.tasks.iter().find(|task| task.beat.name() == name).and_then(Observed::trouble)
    }

    pub(super) fn statuses(&self) -> Vec<TaskStatus> {
        let status = |task: &Observed| TaskStatus {
            name: task.beat.name().to_owned(),
            state: match () {
                () if task.beat.has_ended() => TaskState::Ended,
                () if task.age >= SILENT => TaskState::Silent,
                () => TaskState::Runs,
            },
            panics: task.beat.panics(),
        };
        self.tasks.iter().map(status).collect()
    }

    /// How long ago each task last beat.
    pub(super) fn ages(&self) -> Vec<(String, Duration)> {
        self.tasks.iter().map(|task| (task.beat.name().to_owned(), task.age)).collect()
    }

    /// In a planned stop a task that has ended is no news.
    pub(super) fn alarms(&self, stopping: bool) -> Vec<OtherAlarm> {
        let mut alarms = Vec::new();
        for task in &self.tasks {
            let name = task.beat.name();
            let mut add = |what: &str, message| {
                alarms.push(OtherAlarm { kind: format!("{what} {name}"), cause: Cause::Host, message });
            };
            if let Some(trouble) = task.trouble().filter(|_| !(stopping && task.beat.has_ended())) {
                add("silent", trouble);
            }
            if task.panicked.is_some_and(|age| age < PANIC_ALARM) {
                let times = task.beat.panics();
                add(
                    "panic",
                    format!("the task {name} panicked ({times} times since the start); see the log"),
                );
            }
        }
        alarms
    }
}

impl Observed {
    fn trouble(&self) -> Option<String> {
        let name = self.beat.name();
        if self.beat.has_ended() {
            return Some(format!("the task {name} has ended"));
        }
        let seconds = self.age.as_secs();
        (self.age >= SILENT).then(|| format!("the task {name} has sent no heartbeat for {seconds} s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_and_go_and_what_is_known_of_the_others_stays() {
        let [gate, one, other] = ["gate", "neighbor 1", "neighbor 2"].map(Beat::new);
        let mut watch = TaskWatch::default();
        let names = |watch: &TaskWatch| -> Vec<String> {
            watch.statuses().into_iter().map(|status| status.name).collect()
        };
        watch.follow(std::slice::from_ref(&gate), std::slice::from_ref(&one));
        watch.observe(Duration::ZERO);
        watch.observe(SILENT);
        watch.follow(std::slice::from_ref(&gate), &[other]);
        assert_eq!(names(&watch), ["gate", "neighbor 2"]);
        assert!(watch.silent("gate").is_some() && watch.silent("neighbor 2").is_none());
        assert!(watch.beat("neighbor 1").is_none());
    }

    fn messages(watch: &TaskWatch, stopping: bool) -> Vec<String> {
        watch.alarms(stopping).into_iter().map(|alarm| alarm.message).collect()
    }

    #[test]
    fn silence_panics_and_ends_are_alarms() {
        let beat = Beat::new("publisher");
        let mut watch = TaskWatch::default();
        watch.follow(std::slice::from_ref(&beat), &[]);
        let seconds = Duration::from_secs;
        watch.observe(seconds(0));
        watch.observe(seconds(2));
        assert_eq!(messages(&watch, false), [""; 0]);
        watch.observe(seconds(3));
        assert_eq!(messages(&watch, false), ["the task publisher has sent no heartbeat for 3 s"]);
        assert_eq!(watch.statuses()[0].state, TaskState::Silent);
        assert!(watch.silent("publisher").is_some() && watch.silent("decide").is_none());
        let kind = watch.alarms(false)[0].kind.clone();
        watch.observe(seconds(9));
        assert_eq!(watch.alarms(false)[0].kind, kind, "the age is no part of the kind");
        beat.beat();
        beat.panicked();
        watch.observe(seconds(10));
        let panicked = "the task publisher panicked (1 times since the start); see the log";
        assert_eq!(messages(&watch, false), [panicked]);
        beat.beat();
        watch.observe(seconds(10) + PANIC_ALARM);
        assert_eq!(messages(&watch, false), [""; 0]);
        beat.end();
        watch.observe(seconds(1000));
        assert_eq!(messages(&watch, false), ["the task publisher has ended"]);
        assert_eq!(messages(&watch, true), [""; 0]);
        assert_eq!(
            watch.statuses()[0],
            TaskStatus { name: "publisher".into(), state: TaskState::Ended, panics: 1 }
        );
    }
}
