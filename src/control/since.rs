//! Since when each fault has existed, whether or not a client asks for the status. Pure: the time is in the document.

use std::collections::BTreeMap;

use super::overall::{complaints, conclude, verdict};
use super::{Status, Verdict};

/// When the verdict and each complaint began.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    verdict: Option<(Verdict, u64)>,
    /// By the complaint's kind. Bounded: as many as the last document had complaints.
    began: BTreeMap<String, u64>,
}

impl Memory {
    /// Fills `overall`, and `since` of every alarm, from this document and those before it. To be called regularly: a state
    /// began when it was first seen here, or earlier where the document says so.
    pub fn settle(&mut self, status: &mut Status) {
        let mut complaints = complaints(status);
        let mut began = BTreeMap::new();
        for complaint in &mut complaints {
            let known = self.began.get(&complaint.kind).copied().unwrap_or(complaint.since);
            // What the document knows of the beginning counts unless it is merely the time of the document.
            complaint.since = if complaint.since == status.now { known } else { complaint.since };
            began.entry(complaint.kind.clone()).or_insert(complaint.since);
        }
        self.began = began;
        for alarm in &mut status.alarms {
            alarm.since = self.began.get(&alarm.kind).copied().unwrap_or(alarm.since);
        }
        let verdict = verdict(status, &complaints);
        let since = match self.verdict {
            Some((same, since)) if same == verdict => since,
            Some(_) => status.now,
            None => status.started,
        };
        self.verdict = Some((verdict, since));
        status.overall = conclude(status, complaints, since);
    }

    /// The verdict of the last document; `None` before the first.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict.map(|(verdict, _)| verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::super::overall::tests::well;
    use super::super::{Alarm, Cause, WorkerStatus};
    use super::*;

    fn at(seconds: u64) -> Status {
        let mut status = well();
        status.now = status.started + seconds;
        status
    }

    fn silent(status: &mut Status, seconds: u64) {
        let message = format!("the task health has sent no heartbeat for {seconds} s");
        let kind = "silent health".into();
        status.alarms.push(Alarm { kind, cause: Cause::Host, message, since: status.now });
    }

    #[test]
    fn a_verdict_and_a_complaint_begin_when_they_are_first_seen() {
        let mut memory = Memory::default();
        let mut settle = |mut status: Status| {
            memory.settle(&mut status);
            let since = |kind: &str| {
                let found = status.overall.complaints.iter().find(|complaint| complaint.kind == kind);
                found.map(|complaint| complaint.since - status.started)
            };
            let alarm = status.alarms.first().map(|alarm| alarm.since - status.started);
            let (silent, worker) = (since("silent health"), since("worker 0"));
            assert_eq!(silent, alarm);
            (status.overall.verdict, status.overall.since - status.started, silent, worker)
        };
        assert_eq!(settle(at(100)), (Verdict::Ok, 0, None, None), "the first look: since the start");
        let mut status = at(200);
        silent(&mut status, 3);
        assert_eq!(settle(status), (Verdict::Degraded, 200, Some(200), None));
        let mut status = at(210);
        silent(&mut status, 13);
        status.serve.workers = vec![WorkerStatus { index: 0, stale: true, queries: 0 }];
        assert_eq!(settle(status.clone()), (Verdict::Degraded, 200, Some(200), Some(210)));
        status.alarms.clear();
        status.now += 10;
        assert_eq!(settle(status), (Verdict::Degraded, 200, None, Some(210)));
        assert_eq!(settle(at(230)), (Verdict::Ok, 230, None, None));
        let mut status = at(240);
        silent(&mut status, 3);
        assert_eq!(settle(status), (Verdict::Degraded, 240, Some(240), None), "it began anew");
    }

    #[test]
    fn what_the_document_knows_counts_before_what_was_seen() {
        let mut memory = Memory::default();
        let mut status = at(500);
        status.probes[0].standing = "silent".into();
        status.probes[0].since = status.started + 480;
        memory.settle(&mut status);
        assert_eq!(status.overall.complaints[0].since, status.started + 480);
    }
}
