//! What became of the routes, and why: the last changes. Pure: documents in.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::control::{RouteState, Status, without_numbers};

/// The most changes that are kept: a day of a POP that flaps, months of one that does not.
const MAX_CHANGES: usize = 200;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RouteChange {
    /// Its number, from 1.
    pub(super) number: u64,
    /// When, in Unix seconds.
    pub(super) at: u64,
    /// The prefix, or `POP` for the verdict on the whole.
    pub(super) subject: String,
    /// What it is now.
    pub(super) state: String,
    /// Why.
    pub(super) reasons: Vec<String>,
}

/// How a prefix stands, without what changes all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LastState {
    state: String,
    steady: Vec<String>,
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    standings: BTreeMap<String, LastState>,
    changes: VecDeque<RouteChange>,
    count: u64,
}

impl Timeline {
    /// Takes a document.
    pub(super) fn observe(&mut self, status: &Status) {
        if status.now == 0 {
            // The feed before its first document.
            return;
        }
        let overall = &status.overall;
        let reasons = overall.reasons.iter().take(3).cloned().collect();
        self.note("POP", overall.verdict.word().to_owned(), reasons, status.now);
        for prefix in &status.prefixes {
            let sent =
                prefix.neighbors.iter().filter(|neighbor| neighbor.sent != RouteState::Nothing).count();
            let state = match (status.dry_run, prefix.neighbors.len()) {
                (true, _) => format!("{} (dry run)", prefix.intent),
                (false, all) => format!("{}, sent to {sent} of {all} neighbors", prefix.intent),
            };
            self.note(&prefix.prefix, state, prefix.reasons.clone(), status.now);
        }
        self.standings.retain(|subject, _| {
            subject == "POP" || status.prefixes.iter().any(|prefix| prefix.prefix == *subject)
        });
    }

    fn note(&mut self, subject: &str, state: String, reasons: Vec<String>, at: u64) {
        let steady = reasons.iter().map(|reason| without_numbers(reason)).collect();
        let standing = LastState { state: state.clone(), steady };
        if self.standings.get(subject) == Some(&standing) {
            return;
        }
        self.standings.insert(subject.to_owned(), standing);
        self.count += 1;
        let subject = subject.to_owned();
        self.changes.push_back(RouteChange { number: self.count, at, subject, state, reasons });
        if self.changes.len() > MAX_CHANGES {
            self.changes.pop_front();
        }
    }

    /// The changes after this number, oldest first; 0: all that are kept.
    pub(super) fn after(&self, number: u64) -> Vec<RouteChange> {
        self.changes.iter().filter(|change| change.number > number).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{NeighborStatus, PrefixStatus};

    #[test]
    fn each_change_is_noted_once_with_its_reasons() {
        let mut timeline = Timeline::default();
        let mut status = Status { now: 100, ..Status::default() };
        let neighbor = NeighborStatus { sent: RouteState::Announced, ..NeighborStatus::default() };
        status.prefixes = vec![PrefixStatus {
            prefix: "192.0.2.0/24".into(),
            intent: "announce".into(),
            neighbors: vec![neighbor, NeighborStatus::default()],
            ..PrefixStatus::default()
        }];
        timeline.observe(&Status::default());
        timeline.observe(&status);
        timeline.observe(&status);
        status.now = 110;
        status.prefixes[0].intent = "withdraw".into();
        status.prefixes[0].neighbors[0].sent = RouteState::Nothing;
        status.prefixes[0].reasons = vec!["no answer for 3 s".into()];
        timeline.observe(&status);
        status.prefixes[0].reasons = vec!["no answer for 4 s".into()];
        timeline.observe(&status);
        let told: Vec<(u64, String, String)> =
            timeline.after(0).into_iter().map(|change| (change.at, change.subject, change.state)).collect();
        let row = |at, subject: &str, state: &str| (at, subject.to_owned(), state.to_owned());
        assert_eq!(
            told,
            [
                row(100, "POP", "degraded"),
                row(100, "192.0.2.0/24", "announce, sent to 1 of 2 neighbors"),
                row(110, "192.0.2.0/24", "withdraw, sent to 0 of 2 neighbors"),
            ]
        );
        assert_eq!(timeline.after(2).len(), 1);
        assert_eq!(timeline.after(2)[0].reasons, ["no answer for 3 s"]);
    }
}
